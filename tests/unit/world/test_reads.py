"""A change must wake whoever looked at what it changes: the look-ups that a judgement made, and the keys of a change, meet."""

import copy
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.verdict import judge
from auditpipeline.world.evidence import NO_EVIDENCE, Evidence
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.objects import Role, Service, Subject, Workload
from auditpipeline.world.projections import project
from auditpipeline.world.reads import Key, Reads
from auditpipeline.world.world import World
from kube_objects import live_world, obj, workload, world
from scenarios import NOW, Scenario, scenarios


def test_records_only_while_somebody_records() -> None:
    reads = Reads()
    reads.note("before")
    with reads.recording() as outer:
        reads.note("outer")
        with reads.recording() as inner:
            reads.note("inner")
        reads.note("outer again")
    reads.note("after")
    assert (outer, inner) == ({"outer", "outer again"}, {"inner"})


def test_equal_value_wakes_nobody_and_keeps_the_first_time_of_writing() -> None:
    there = live_world(obj("ConfigMap", "c", meta={"creationTimestamp": "2026-09-01T00:00:00Z"}, data={"a": "1"}))
    again = project(obj("ConfigMap", "c", meta={"creationTimestamp": "2026-09-09T00:00:00Z"}, data={"a": "1"}))
    assert again is not None
    assert there.put(again) == set()
    kept = there.config_map("audit", "c")
    assert kept is not None
    assert kept.written == 1788220800.0


def test_dropping_what_is_not_there_wakes_nobody() -> None:
    assert world().drop(ObjectRef("ConfigMap", "audit", "c")) == set()


def test_pod_that_becomes_live_leaves_the_workloads() -> None:
    there = live_world(obj("Pod", "p", spec={"containers": []}))
    assert len(there.workloads) == 1
    owned = {"ownerReferences": [{"kind": "Job", "name": "j", "controller": True}]}
    live = project(obj("Pod", "p", meta=owned, spec={"containers": []}, status={}))
    assert live is not None
    there.put(live)
    assert (len(there.workloads), len(there.pods)) == (0, 1)
    there.drop(ObjectRef("Pod", "audit", "p"))
    assert (len(there.workloads), len(there.pods)) == (0, 0)


def test_answers_do_not_depend_on_the_order_of_events() -> None:
    objects = [workload({}, name=name) for name in ("b", "a", "c")]
    for item in objects:
        item["spec"]["template"]["metadata"]["labels"] = {"app": "x"}
    orders = [objects, objects[::-1], [*objects[1:], objects[0]]]
    names = [[found.ref.name for found in world(*order).workloads_labelled("audit", {"app": "x"})] for order in orders]
    assert names == [["a", "b", "c"]] * 3


# --- any change of any object -------------------------------------------------------------------------------------

LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]), max_size=2)
NAMES = st.sampled_from(["a", "b"])
NAMESPACES = st.sampled_from(["one", "two"])
OWNED = {"kind": "ReplicaSet", "name": "a-h", "controller": True}


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            [
                "Service",
                "ConfigMap",
                "Deployment",
                "Pod",
                "EndpointSlice",
                "RoleBinding",
                "ClusterRoleBinding",
                "Role",
                "ClusterRole",
            ]
        )
    )
    name, namespace, labels = draw(NAMES), draw(NAMESPACES), draw(LABELS)
    where = "" if kind.startswith("Cluster") else namespace
    match kind:
        case "Service":
            return obj(kind, name, where, spec={"selector": labels, "ports": [{"port": draw(st.integers(1, 2))}]})
        case "ConfigMap":
            return obj(kind, name, where, data=labels)
        case "Deployment":
            template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
            return obj(kind, name, where, spec={"selector": {"matchLabels": draw(LABELS)}, "template": template})
        case "Pod":
            meta = {"labels": {**labels, "pod-template-hash": "h"}, "ownerReferences": [OWNED] if draw(st.booleans()) else []}
            return obj(kind, name, where, meta=meta, spec={"containers": []}, status={"phase": draw(NAMES)})
        case "EndpointSlice":
            return obj(
                kind,
                name,
                where,
                meta={"labels": {"kubernetes.io/service-name": draw(NAMES)}},
                endpoints=[{}] * draw(st.integers(0, 1)),
            )
        case "RoleBinding" | "ClusterRoleBinding":
            subjects = [{"kind": "ServiceAccount", "name": draw(NAMES), "namespace": draw(NAMESPACES)}]
            return obj(kind, name, where, roleRef={"kind": "ClusterRole", "name": draw(NAMES)}, subjects=subjects)
        case _:
            rules = [{"verbs": ["get"], "resources": ["services"], "resourceNames": [draw(NAMES)]}]
            more = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": draw(LABELS)}]}} if draw(st.booleans()) else {}
            return obj(kind, name, where, meta={"labels": labels}, rules=rules, **more)


def queries(there: World) -> list[Callable[[], object]]:
    """Every way to look something up, with arguments that may hit."""
    asked: list[Callable[[], object]] = []
    for name in ("a", "b"):
        asked += [
            lambda name=name: there.services_named(name),  # type: ignore[misc]
            lambda name=name: there.roles_naming(name),  # type: ignore[misc]
            lambda name=name: there.bindings_anywhere(Subject("ServiceAccount", "one", name)),  # type: ignore[misc]
            lambda name=name: there.role(ObjectRef("ClusterRole", "", name)),  # type: ignore[misc]
        ]
        for namespace in ("one", "two"):
            asked += [
                lambda name=name, namespace=namespace: there.service(namespace, name),  # type: ignore[misc]
                lambda name=name, namespace=namespace: there.config_map(namespace, name),  # type: ignore[misc]
                lambda name=name, namespace=namespace: there.bindings_of(namespace, Subject("ServiceAccount", "one", name)),  # type: ignore[misc]
                lambda name=name, namespace=namespace: there.bindings_of("", Subject("ServiceAccount", namespace, name)),  # type: ignore[misc]
                lambda name=name, namespace=namespace: _of(there, ObjectRef("Service", namespace, name), there.slices_of),  # type: ignore[misc]
                lambda name=name, namespace=namespace: _of(there, ObjectRef("Deployment", namespace, name), there.pods_of),  # type: ignore[misc]
                lambda namespace=namespace: there.pods_labelled(namespace, {"app": "x", "tier": "y"}),  # type: ignore[misc]
                lambda namespace=namespace: there.workloads_labelled(namespace, {"app": "x"}),  # type: ignore[misc]
                lambda namespace=namespace: dict(there.services.in_namespace(namespace)),  # type: ignore[misc]
                lambda namespace=namespace: there.gap("ConfigMap", namespace),  # type: ignore[misc]
                lambda namespace=namespace: there.gap("Deployment", namespace),  # type: ignore[misc]
            ]
        asked.append(lambda name=name: _gathered(there, ObjectRef("ClusterRole", "", name)))  # type: ignore[misc]
    return [*asked, lambda: there.gap("ClusterRole", ""), lambda: list(there.workloads), lambda: list(there.pods)]


def _of(there: World, ref: ObjectRef, look: Callable[[Any], object]) -> object:
    found = there.find(ref)
    return look(found) if isinstance(found, Service | Workload) else None


def _gathered(there: World, ref: ObjectRef) -> object:
    found = there.find(ref)
    return sorted(role.ref for role in there.gathered(found)) if isinstance(found, Role) else None


def recorded(there: World, query: Callable[[], object]) -> tuple[object, set[Key]]:
    with there.reads.recording() as keys:
        answer = query()
    return answer, keys


@settings(max_examples=100, deadline=None)
@given(st.lists(objects(), max_size=8), objects(), st.booleans(), st.booleans())
def test_changed_answers_are_among_the_keys_of_the_change(
    held: list[dict[str, Any]], change: dict[str, Any], deleted: bool, live: bool
) -> None:
    there = live_world(*held) if live else world(*held)
    value = project(change)
    assert value is not None
    before = [(query, *recorded(there, query)) for query in queries(there)]
    woken = there.drop(value.ref) if deleted else there.put(value)
    for query, answer, keys in before:
        if query() != answer:
            assert keys & woken


ALL = [scenario for scenario in scenarios() if len(scenario.manifests().pipelines) == 1]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ALL), st.sampled_from(ALL), st.randoms(use_true_random=False), st.booleans())
def test_a_change_that_alters_the_verdict_wakes_the_pipeline(
    scenario: Scenario, other: Scenario, chance: random.Random, live: bool
) -> None:
    manifests = scenario.manifests()
    there, (pipeline,) = manifests.world, manifests.pipelines
    evidence = Evidence(live=True) if live else NO_EVIDENCE
    with there.reads.recording() as keys:
        before = judge(there, pipeline, evidence, now=NOW)
    change = copy.deepcopy(
        chance.choice([item for item in (*scenario.objects, *other.objects) if item["kind"] != "AuditPipeline"])
    )
    try:
        value = project(change)
    except MalformedObject:
        return
    assert value is not None
    woken = there.drop(value.ref) if chance.random() < 0.5 else there.put(value)
    after = judge(there, pipeline, evidence, now=NOW)
    if after.status != before.status:
        assert keys & woken
