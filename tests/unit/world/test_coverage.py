import pytest

from auditpipeline.api.reasons import Reason
from auditpipeline.world.coverage import InputScope
from kube_objects import config_map, live_world, obj, workload, world

BY_NAMESPACE, CLOSED, PARTIAL = InputScope.BY_NAMESPACE, InputScope.CLOSED, InputScope.PARTIAL


@pytest.mark.parametrize(
    ("scope", "kind", "namespace", "known"),
    [
        (BY_NAMESPACE, "ConfigMap", "audit", True),
        (BY_NAMESPACE, "ServiceAccount", "audit", True),
        (BY_NAMESPACE, "RoleBinding", "audit", True),
        (BY_NAMESPACE, "ConfigMap", "configs", True),
        (BY_NAMESPACE, "Secretive", "configs", True),
        (BY_NAMESPACE, "ServiceAccount", "configs", False),
        (BY_NAMESPACE, "ConfigMap", "elsewhere", False),
        (BY_NAMESPACE, "ClusterRole", "", True),
        (BY_NAMESPACE, "ClusterRoleBinding", "", False),
        (BY_NAMESPACE, "Namespace", "", False),
        (CLOSED, "ConfigMap", "elsewhere", True),
        (CLOSED, "ClusterRoleBinding", "", True),
        (CLOSED, "Namespace", "", False),
        (PARTIAL, "ConfigMap", "audit", False),
        (PARTIAL, "ClusterRole", "", False),
    ],
)
def test_manifests(scope: InputScope, kind: str, namespace: str, *, known: bool) -> None:
    there = world(
        workload({}),
        config_map("x", namespace="configs"),
        obj("ClusterRole", "r", ""),
        obj("Namespace", "audit", ""),
        scope=scope,
    )
    gap = there.gap(kind, namespace)
    assert (gap is None) is known
    if gap is not None:
        where = f"namespace {namespace}" if namespace else "cluster scope"
        assert gap == (Reason.NOT_IN_INPUT, f"The manifests hold no {kind} of {where}, so its absence proves nothing.")


def test_roles_of_every_cluster_do_not_make_the_input_complete() -> None:
    assert world(workload({})).gap("ClusterRole", "") is not None


def test_a_cluster_knows_all_but_what_it_may_not_read_even_as_that_changes() -> None:
    forbidden = {"ConfigMap": "The rule is missing."}
    there = live_world(forbidden=forbidden)
    assert there.gap("ConfigMap", "audit") == (Reason.FORBIDDEN, "The rule is missing.")
    assert there.gap("Service", "audit") is None
    forbidden.clear()
    assert live_world(forbidden=forbidden).gap("ConfigMap", "audit") is None
