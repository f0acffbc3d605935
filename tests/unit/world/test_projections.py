import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.objects import (
    ConfigMap,
    EndpointSlice,
    Namespace,
    Pod,
    Role,
    RoleBinding,
    Service,
    ServicePort,
    Subject,
    Workload,
)
from auditpipeline.world.projections import epoch, object_ref, project
from kube_objects import obj, workload
from scenarios import scenarios


def service(**spec: Any) -> Service:
    found = project(obj("Service", "s", spec=spec))
    assert isinstance(found, Service)
    return found


def deployment(**changes: Any) -> Workload:
    body = workload({}, **changes)
    found = project(body)
    assert isinstance(found, Workload)
    return found


def test_defaults_of_a_service() -> None:
    found = service(ports=[{"port": 80}, {"name": "n", "port": 81, "targetPort": "http", "protocol": "UDP", "nodePort": 30081}])
    assert found.ports == (ServicePort("", 80, 80, "TCP", None), ServicePort("n", 81, "http", "UDP", 30081))
    assert (found.selector, found.headless, found.external_name, found.cluster_ips) == (None, False, "", ())
    assert found.dns_name == "s.audit.svc.cluster.local"


@pytest.mark.parametrize(
    ("target", "expected"),
    [(None, 80), (8080, 8080), ("8080", 8080), ("http", "http"), (0, 80), ("", 80), ("²", "²"), ("9" * 5000, "9" * 5000)],
)
def test_target_port(target: object, expected: object) -> None:
    assert service(ports=[{"port": 80, "targetPort": target}]).ports[0].target == expected


@pytest.mark.parametrize(
    ("spec", "field", "expected"),
    [
        ({"clusterIP": "None"}, "headless", True),
        ({"clusterIP": "10.0.0.1"}, "cluster_ips", ("10.0.0.1",)),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]}, "cluster_ips", ("10.0.0.1", "fd00::1")),
        ({"type": "ExternalName", "externalName": "x.example"}, "external_name", "x.example"),
        ({"externalName": "x.example"}, "external_name", ""),
        ({"selector": {}}, "selector", None),
        ({"selector": {"app": 1, "on": True}}, "selector", {"app": "1", "on": "true"}),
    ],
)
def test_service(spec: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(service(**spec), field) == expected


def test_defaults_of_a_workload() -> None:
    found = deployment()
    assert (found.replicas, found.pod.service_account, found.pod.automount, found.pod.host_network) == (
        1,
        "default",
        None,
        False,
    )
    assert (found.template_path, found.owner, found.reloaded) == ("spec.template.spec", None, False)


@pytest.mark.parametrize(
    ("pod", "expected"), [({"serviceAccount": "old"}, "old"), ({"serviceAccount": "old", "serviceAccountName": "new"}, "new")]
)
def test_deprecated_name_of_the_service_account(pod: dict[str, str], expected: str) -> None:
    assert deployment(**pod).pod.service_account == expected


def test_containers_in_starting_order_with_their_roles() -> None:
    found = deployment(
        initContainers=[{"name": "i"}, {"name": "s", "restartPolicy": "Always"}], ephemeralContainers=[{"name": "e"}]
    )
    assert [(container.name, container.role, container.runs) for container in found.pod.containers] == [
        ("i", "init", False),
        ("s", "sidecar", True),
        ("gateway", "container", True),
        ("e", "ephemeral", False),
    ]


@pytest.mark.parametrize(
    "annotations", [{"reloader.stakater.com/auto": "true"}, {"configmap.reloader.stakater.com/reload": "x"}]
)
def test_reloader_on_workload_or_template(annotations: dict[str, str]) -> None:
    body = workload({})
    body["metadata"]["annotations"] = annotations
    on_workload = project(body)
    assert isinstance(on_workload, Workload)
    assert on_workload.reloaded
    body = workload({})
    body["spec"]["template"]["metadata"]["annotations"] = annotations
    on_template = project(body)
    assert isinstance(on_template, Workload)
    assert on_template.pod.reloaded


def test_cron_job() -> None:
    template = {"spec": {"containers": [{"name": "c"}], "serviceAccountName": "sa"}}
    found = project(obj("CronJob", "c", spec={"jobTemplate": {"spec": {"template": template}}}))
    assert isinstance(found, Workload)
    assert (found.pod.service_account, found.replicas, found.template_path) == (
        "sa",
        None,
        "spec.jobTemplate.spec.template.spec",
    )


def test_pod_is_live_with_an_owner_and_a_status_else_a_workload() -> None:
    owner = {
        "ownerReferences": [{"kind": "Job", "name": "x"}, {"kind": "ReplicaSet", "name": "g-1", "controller": True}],
        "uid": "u",
    }
    status = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {"name": "c", "state": {"running": {"startedAt": "2026-09-01T00:00:00Z"}}},
            {"name": "d", "state": {"waiting": {}}},
        ],
    }
    live = project(obj("Pod", "g-1-x", meta=owner, spec={"containers": []}, status=status))
    assert isinstance(live, Pod)
    assert (live.owner, live.ready, live.ip, live.terminating) == (
        ObjectRef("ReplicaSet", "audit", "g-1"),
        True,
        "10.0.0.1",
        False,
    )
    assert [(running.name, running.started) for running in live.running] == [("c", 1788220800.0)]
    assert isinstance(project(obj("Pod", "p", spec={"containers": []})), Workload)
    assert isinstance(project(obj("Pod", "p", spec={"containers": []}, status=status)), Workload)


def test_config_map() -> None:
    meta = {
        "creationTimestamp": "2026-09-01T00:00:00Z",
        "managedFields": [{"time": "2026-09-02T00:00:00Z"}, {"time": None}, {}],
    }
    found = project(obj("ConfigMap", "c", meta=meta, data={"a": "1", "n": None, "i": 2}, binaryData={"b": "AA=="}))
    assert isinstance(found, ConfigMap)
    assert (dict(found.data), set(found.binary), found.written) == ({"a": "1", "n": "", "i": "2"}, {"b"}, 1788307200.0)
    later = project(obj("ConfigMap", "c", data={"a": "1", "n": None, "i": 2}, binaryData={"b": "AA=="}))
    assert found == later


def test_absent_readiness_of_an_endpoint_means_ready() -> None:
    endpoints = [
        {"conditions": {}},
        {"conditions": {"ready": False}},
        {"targetRef": {"kind": "Pod", "name": "p"}},
        {"targetRef": {"kind": "Node", "name": "n"}},
    ]
    found = project(
        obj(
            "EndpointSlice",
            "x",
            meta={"labels": {"kubernetes.io/service-name": "s"}},
            endpoints=endpoints,
            ports=[{"port": 1}, {"name": "all"}],
        )
    )
    assert isinstance(found, EndpointSlice)
    assert (found.service, found.ports) == ("s", (1,))
    assert [(endpoint.ready, endpoint.pod) for endpoint in found.endpoints] == [
        (True, ""),
        (False, ""),
        (True, "p"),
        (True, ""),
    ]


def test_endpoints_are_mirrored_to_a_slice() -> None:
    subsets = [{"addresses": [{"targetRef": {"name": "p"}}], "notReadyAddresses": [{}], "ports": [{"port": 8080}]}]
    found = project(obj("Endpoints", "s", subsets=subsets))
    assert isinstance(found, EndpointSlice)
    assert (found.ref, found.service, found.ports) == (ObjectRef("EndpointSlice", "audit", "s"), "s", (8080,))
    assert [(endpoint.ready, endpoint.pod) for endpoint in found.endpoints] == [(True, "p"), (False, "")]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ({"kind": "ServiceAccount", "name": "g"}, Subject("ServiceAccount", "audit", "g")),
        ({"kind": "ServiceAccount", "name": "g", "namespace": "x"}, Subject("ServiceAccount", "x", "g")),
        ({"kind": "User", "name": "system:serviceaccount:x:g"}, Subject("ServiceAccount", "x", "g")),
        ({"kind": "User", "name": "system:serviceaccount:x"}, Subject("User", "", "system:serviceaccount:x")),
        ({"kind": "User", "name": "jane"}, Subject("User", "", "jane")),
        ({"kind": "Group", "name": "system:serviceaccounts:x"}, Subject("Group", "", "system:serviceaccounts:x")),
    ],
)
def test_subject(subject: dict[str, str], expected: Subject) -> None:
    found = project(obj("RoleBinding", "b", roleRef={"kind": "Role", "name": "r"}, subjects=[subject]))
    assert isinstance(found, RoleBinding)
    assert (found.subjects, found.role) == ((expected,), ObjectRef("Role", "audit", "r"))


def test_binding_to_a_cluster_role() -> None:
    found = project(obj("RoleBinding", "b", roleRef={"kind": "ClusterRole", "name": "r"}))
    assert isinstance(found, RoleBinding)
    assert found.role == ObjectRef("ClusterRole", "", "r")


def test_role_without_rules() -> None:
    found = project(obj("ClusterRole", "r", "", rules=None))
    assert isinstance(found, Role)
    assert found.rules == ()


def test_namespace_carries_its_name_as_label() -> None:
    found = project(obj("Namespace", "n", "", meta={"labels": {"a": "b", "kubernetes.io/metadata.name": "wrong"}}))
    assert isinstance(found, Namespace)
    assert found.labels == {"a": "b", "kubernetes.io/metadata.name": "n"}


def test_kinds_of_other_groups_are_left_alone() -> None:
    assert project({"apiVersion": "example.com/v1", "kind": "Deployment", "metadata": {"name": "x"}}) is None
    assert project({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "x"}}) is None


def test_place_of_an_object() -> None:
    assert object_ref(obj("ConfigMap", "c", "")) == ObjectRef("ConfigMap", "default", "c")
    assert object_ref(obj("ClusterRole", "r", "ignored")) == ObjectRef("ClusterRole", "", "r")


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-09-01T00:00:00Z", 1788220800.0),
        ("2026-09-01T02:00:00+02:00", 1788220800.0),
        ("2026-09-01T00:00:00.5Z", 1788220800.5),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1788220800, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-09-01T00:00:00", 1788220800.0),
        ("2026-09-01", 1788220800.0),
    ],
)
def test_epoch(timestamp: object, expected: float | None) -> None:
    assert epoch(timestamp) == expected


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("Service", {"spec": []}, "spec must be an object"),
        ("Service", {"spec": {"ports": {}}}, "spec.ports must be a list of objects"),
        ("Service", {"spec": {"ports": [{}]}}, "spec.ports.port must be a number"),
        ("Service", {"spec": {"ports": [{"port": "80"}]}}, "spec.ports.port must be a number"),
        ("Service", {"spec": {"ports": [{"port": 80, "targetPort": []}]}}, "spec.ports.targetPort must be a number or a name"),
        ("Service", {"spec": {"selector": {"a": []}}}, "spec.selector[a] must be a string"),
        ("ConfigMap", {"data": {"a": {"b": 1}}}, "data[a] must be a string"),
        ("ConfigMap", {"data": {"a": 1 << 70000}}, "data[a] must be a string"),
        ("Deployment", {"spec": {"replicas": "2"}}, "spec.replicas must be a number"),
        (
            "Deployment",
            {"spec": {"template": {"spec": {"containers": [[]]}}}},
            "spec.template.spec.containers must be a list of objects",
        ),
        (
            "Deployment",
            {"spec": {"template": {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": {}}]}]}}}},
            "spec.template.spec.containers[c].env[A].value must be a string",
        ),
        ("Role", {"rules": [{"verbs": "get"}]}, "rules.verbs must be a list of strings"),
        ("Namespace", {"metadata": {"name": "n", "labels": []}}, "metadata.labels must be an object"),
    ],
)
def test_wrong_type_is_named(kind: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedObject) as error:
        project({**obj(kind, "x"), **body})
    assert str(error.value) == message


# --- anything, anywhere -------------------------------------------------------------------------------------------

OBJECTS = [item for scenario in scenarios() for item in scenario.objects if item["kind"] != "AuditPipeline"]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container and key below a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


@given(st.randoms(use_true_random=False), JSON)
def test_anything_anywhere_is_projected_or_named(chance: random.Random, value: object) -> None:
    changed = copy.deepcopy(chance.choice(OBJECTS))
    container, key = chance.choice(list(places(changed)))
    container[key] = value
    try:
        project(changed)
    except MalformedObject as error:
        field, _, rule = str(error).partition(" must ")
        assert field, error  # noqa: PT017  (a refusal is one of two good outcomes)
        assert rule, error  # noqa: PT017  (it says where, and what must stand there)


@given(
    st.sampled_from(["Service", "Deployment", "Pod", "ConfigMap", "RoleBinding", "ClusterRole", "EndpointSlice", "CronJob"]),
    JSON,
)
def test_any_spec_is_projected_or_named(kind: str, value: object) -> None:
    for field in ("spec", "data", "rules", "subjects", "endpoints", "status"):
        try:
            project({**obj(kind, "x"), field: value})
        except MalformedObject as error:
            assert str(error).startswith((field, "spec", "data")), error  # noqa: PT017  (a refusal is one of two good outcomes)
