from typing import Any

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.api.spec import parse_spec
from auditpipeline.verdict import judge
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import NO_EVIDENCE
from kube_objects import live_world, obj, workload

STORE = {"serviceRef": {"name": "data-storage-service"}}
EMITTER = {"workloadRef": {"name": "gateway"}, "url": {"env": "STORE_URL"}}
PIPELINE = Pipeline(
    ObjectRef("AuditPipeline", "audit", "gateway"), parse_spec({"store": STORE, "contract": "kubernaut-v1", "emitters": [EMITTER]})
)
RULE = {"apiGroups": [""], "resources": ["services"], "resourceNames": ["data-storage-service"], "verbs": ["create", "get"]}


def astray(labels: dict[str, str]) -> list[dict[str, Any]]:
    """A pipeline in namespace audit whose RoleBinding stands in namespace other, which carries these labels."""
    return [
        workload({}, serviceAccountName="gateway"),
        obj("Namespace", "audit", ""),
        obj("Namespace", "other", "", meta={"labels": labels}),
        obj("ClusterRole", "client", "", rules=[RULE]),
        obj(
            "RoleBinding",
            "secret-name",
            "other",
            roleRef={"kind": "ClusterRole", "name": "client"},
            subjects=[{"kind": "ServiceAccount", "name": "gateway", "namespace": "audit"}],
        ),
    ]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({}, Reason.BINDING_MISSING),
        ({"allow-from.auditpipeline.dev/elsewhere": "true"}, Reason.BINDING_MISSING),
        ({"allow-from.auditpipeline.dev/audit": "true"}, Reason.BINDING_IN_OTHER_NAMESPACE),
        ({"allow-from.auditpipeline.dev/all": "true"}, Reason.BINDING_IN_OTHER_NAMESPACE),
    ],
)
def test_a_binding_gone_astray_is_named_only_where_its_namespace_admits_it(labels: dict[str, str], reason: Reason) -> None:
    verdict = judge(live_world(*astray(labels)), PIPELINE, NO_EVIDENCE, now=1_790_000_000.0)
    (finding,) = (finding for finding in verdict.findings if finding.check is reason.check)
    assert finding.reason is reason
    assert ("secret-name" in str(finding)) is (reason is Reason.BINDING_IN_OTHER_NAMESPACE)
