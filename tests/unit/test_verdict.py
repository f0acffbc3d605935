"""From findings to conditions, status and time: what flips when, what stays, and what never leaves the process."""

import copy
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditpipeline.api.conditions import HOPS
from auditpipeline.api.spec import parse_spec
from auditpipeline.report import json_report, table
from auditpipeline.report.model import Position as ReportPosition
from auditpipeline.report.model import Report, Unreadable
from auditpipeline.verdict import MAX_FINDINGS, MAX_SUMMARY, History, Verdict, invalid_spec, judge, not_yet_checked
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import NO_EVIDENCE, AccessQuestion, Evidence
from auditpipeline.world.objects import Subject
from auditpipeline.world.projections import object_ref
from auditpipeline.world.world import World
from kube_objects import config_map, live_world, obj
from scenarios import NOW, Scenario, base_objects, read, scenarios

LIVE = Evidence(live=True)
Object = dict[str, Any]


def cluster(
    *changes: Object, without: tuple[str, ...] = (), forbidden: Mapping[str, str] | None = None
) -> tuple[World, Pipeline]:
    """The base pipeline as a live cluster, its store ready, with objects put over it."""
    ready = obj(
        "EndpointSlice", "store-1", meta={"labels": {"kubernetes.io/service-name": "data-storage-service"}}, endpoints=[{}]
    )
    objects = {(item["kind"], item["metadata"]["name"]): item for item in [*base_objects(), ready, *changes]}
    for name in without:
        del objects[tuple(name.split("/"))]  # type: ignore[arg-type]
    declared = objects.pop(("AuditPipeline", "gateway"))
    world = live_world(*objects.values(), forbidden=forbidden)
    return world, Pipeline(object_ref(declared), parse_spec(declared["spec"]))


def base(kind: str, name: str) -> Object:
    return copy.deepcopy(next(item for item in base_objects() if (item["kind"], item["metadata"]["name"]) == (kind, name)))


def declared(**spec: Any) -> Object:
    body = base("AuditPipeline", "gateway")
    body["spec"] |= spec
    return body


def store(env: Mapping[str, str]) -> Object:
    body = base("Deployment", "datastorage")
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": name, "value": value} for name, value in env.items()]
    return body


def gateway(**pod: Any) -> Object:
    body = base("Deployment", "gateway")
    body["spec"]["template"]["spec"] |= pod
    return body


LEAK = store({"KUBECONFIG": "/Users/dev/.kube/config"})
NOT_READY = obj(
    "EndpointSlice",
    "store-1",
    meta={"labels": {"kubernetes.io/service-name": "data-storage-service"}},
    endpoints=[{"conditions": {"ready": False}}],
)
CLOSED: dict[str, Any] = {"without": ("RoleBinding/gateway-data-storage-client",)}


def judged(
    there: tuple[World, Pipeline], *, evidence: Evidence = LIVE, now: float = NOW, before: Verdict | None = None
) -> Verdict:
    world, pipeline = there
    return judge(
        world, pipeline, evidence, now=now, history=History() if before is None else History.of({"status": before.status})
    )


def reasons(verdict: Verdict) -> list[str]:
    return [str(finding.reason) for finding in verdict.findings]


def conditions(verdict: Verdict) -> dict[str, tuple[str, str]]:
    return {condition.type: (str(condition.status), condition.reason) for condition in verdict.conditions}


def pair(verdict: Verdict) -> list[str]:
    return [kind for kind in conditions(verdict) if kind in {"Reconciling", "Stalled"}]


# --- causes and symptoms ------------------------------------------------------------------------------------------


def test_explained_symptom_is_no_finding_of_its_own() -> None:
    verdict = judged(cluster(LEAK, NOT_READY))
    assert reasons(verdict) == ["HostPathEnv"]
    assert verdict.findings[0].details == {"explains": "NoReadyEndpoints"}
    assert conditions(verdict)["EndpointsReady"] == ("Unknown", "BlockedByEnvironmentClean")
    assert verdict.broken_hop == "EnvironmentClean"
    assert verdict.ready.reason == "HostPathEnv"
    assert verdict.status["errors"] == 1


def test_symptom_without_a_cause_is_a_finding() -> None:
    verdict = judged(cluster(NOT_READY))
    assert reasons(verdict) == ["NoReadyEndpoints"]
    assert verdict.findings[0].message == "No pod behind Service data-storage-service is ready."


def test_fault_of_another_workload_explains_nothing() -> None:
    leak = base("Deployment", "gateway")
    leak["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "KUBECONFIG", "value": "/Users/dev/.kube/config"}]
    assert reasons(judged(cluster(leak, NOT_READY))) == ["NoReadyEndpoints", "HostPathEnv"]


def test_waived_cause_explains_nothing() -> None:
    waiver = {"check": "EnvironmentClean", "reason": "HostPathEnv", "because": "known"}
    verdict = judged(cluster(LEAK, NOT_READY, declared(waivers=[waiver])))
    assert [(str(finding.reason), finding.waived) for finding in verdict.findings] == [
        ("NoReadyEndpoints", False),
        ("HostPathEnv", True),
    ]


# --- waivers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "waived"),
    [
        ({}, True),
        ({"object": {"kind": "Deployment", "name": "datastorage"}}, True),
        ({"object": {"name": "datastorage"}}, True),
        ({"object": {"kind": "StatefulSet"}}, False),
        ({"object": {"name": "storage"}}, False),
        ({"field": "env[KUBECONFIG].value"}, True),
        ({"field": "spec.template.spec.containers[datastorage].env[KUBECONFIG].value"}, True),
        ({"field": "nv[KUBECONFIG].value"}, False),
        ({"field": "KUBECONFIG].value"}, False),
        ({"field": "env[KUBECONFIG]"}, False),
        ({"field": "spec.template.spec"}, False),
        ({"check": "ServiceResolved"}, False),
        ({"reason": "HostPathArg"}, False),
    ],
)
def test_waiver_matches_whole_tails_of_a_field(change: Mapping[str, Any], *, waived: bool) -> None:
    waiver = {"check": "EnvironmentClean", "reason": "HostPathEnv", "because": "known", **change}
    verdict = judged(cluster(LEAK, declared(waivers=[waiver])))
    assert [finding.waived for finding in verdict.findings] == [waived]
    assert str(verdict.ready.status) == str(waived)
    assert conditions(verdict)["EnvironmentClean"] == (("True", "Waived") if waived else ("False", "HostPathEnv"))


@pytest.mark.parametrize(
    ("moment", "waived"),
    [
        ("2027-01-30T12:00:00", True),
        ("2027-01-31T00:00:00", True),
        ("2027-01-31T23:59:59", True),
        ("2027-02-01T00:00:00", False),
    ],
)
def test_waiver_holds_to_the_end_of_its_day(moment: str, *, waived: bool) -> None:
    waiver = {"check": "EnvironmentClean", "reason": "HostPathEnv", "because": "known", "expires": "2027-01-31"}
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    verdict = judged(cluster(LEAK, declared(waivers=[waiver])), now=now)
    assert [finding.waived for finding in verdict.findings] == [waived]
    if waived:
        assert verdict.due == datetime(2027, 2, 1, tzinfo=UTC).timestamp()


def test_waiver_of_the_last_day_that_there_is() -> None:
    waiver = {"check": "EnvironmentClean", "reason": "HostPathEnv", "because": "known", "expires": "9999-12-31"}
    verdict = judged(cluster(LEAK, declared(waivers=[waiver])))
    assert (verdict.due, reasons(verdict)) == (None, ["HostPathEnv"])


# --- the kstatus pair and time ------------------------------------------------------------------------------------


def test_absence_reconciles_until_grace_is_over_and_then_stalls() -> None:
    there = cluster(**CLOSED)
    first = judged(there)
    assert (str(first.ready.status), pair(first), first.due) == ("False", ["Reconciling"], NOW + 120)
    just_before = judged(there, now=NOW + 119, before=first)
    assert pair(just_before) == ["Reconciling"]
    over = judged(there, now=NOW + 120, before=just_before)
    assert (pair(over), over.due) == (["Stalled"], None)


def test_grace_starts_anew_with_the_spec() -> None:
    world, pipeline = cluster(**CLOSED)
    meta = {"generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [
        {"time": "2026-09-21T14:13:00Z"}, {"time": "2026-09-21T14:59:00Z", "subresource": "status"}]}  # fmt: skip
    old = [{"type": "AccessGranted", "status": "False", "lastTransitionTime": "2026-09-01T00:00:00Z"}]
    history = History.of({"metadata": meta, "status": {"conditions": old}})
    assert history.spec_changed == datetime(2026, 9, 21, 14, 13, tzinfo=UTC).timestamp()
    verdict = judge(world, pipeline, LIVE, now=history.spec_changed + 60, history=history)
    assert (pair(verdict), verdict.due) == (["Reconciling"], history.spec_changed + 120)
    assert {item["observedGeneration"] for item in verdict.status["conditions"]} == {2}


def test_contradiction_stalls_at_once_even_beside_an_absence() -> None:
    assert pair(judged(cluster(LEAK))) == ["Stalled"]
    assert pair(judged(cluster(LEAK, **CLOSED))) == ["Stalled"]


def test_neither_when_ready() -> None:
    verdict = judged(cluster())
    expected = [*((str(hop), ("True", "Passed")) for hop in HOPS), ("Ready", ("True", "WiredNotProved"))]
    assert list(conditions(verdict).items()) == expected
    assert "brokenHop" not in verdict.status
    assert verdict.status["summary"] == "All hops are in order; no event has been read back yet."


def test_unknown_ready_reconciles() -> None:
    verdict = judged(cluster(declared(suspend=True), **CLOSED))
    assert (str(verdict.ready.status), verdict.ready.reason, verdict.findings) == ("Unknown", "Suspended", ())
    assert pair(verdict) == ["Reconciling"]
    assert conditions(verdict)["Suspended"] == ("True", "Suspended")
    assert all(conditions(verdict)[hop] == ("Unknown", "Suspended") for hop in HOPS)


def test_what_cannot_be_judged_does_not_hold_ready_back() -> None:
    verdict = judged(cluster(forbidden={"ConfigMap": "The rule is missing."}, without=("ConfigMap/gateway-config",)))
    assert conditions(verdict)["ConfigResolved"] == ("Unknown", "Forbidden")
    assert (str(verdict.ready.status), pair(verdict)) == ("True", [])
    assert verdict.ready.message == (
        "No fault is known; not judged: ConfigResolved (Forbidden), ServiceResolved (BlockedByConfigResolved)."
    )


def test_a_transition_is_a_change_of_status_not_of_reason() -> None:
    first = judged(cluster(**CLOSED))
    other = judged(cluster(base("ClusterRole", "data-storage-client") | {"rules": []}), now=NOW + 50, before=first)
    assert conditions(first)["AccessGranted"] == ("False", "BindingMissing")
    since = {condition.type: condition.since for condition in other.conditions}
    assert since["AccessGranted"] == since["Ready"] == NOW
    mended = judged(cluster(), now=NOW + 100, before=other)
    since = {condition.type: condition.since for condition in mended.conditions}
    assert (since["AccessGranted"], since["Ready"], since["ConfigResolved"]) == (NOW + 100, NOW + 100, NOW)


def test_first_status() -> None:
    status = not_yet_checked(History(generation=3), now=NOW + 0.7)
    assert status["observedGeneration"] == 3
    assert {(item["status"], item["reason"]) for item in status["conditions"] if item["type"] != "Reconciling"} == {
        ("Unknown", "NotYetChecked")
    }
    assert [item["type"] for item in status["conditions"]] == [*HOPS, "Ready", "Reconciling"]
    assert {item["lastTransitionTime"] for item in status["conditions"]} == {"2026-09-21T14:13:20Z"}


def test_spec_that_cannot_be_read_stalls() -> None:
    status = invalid_spec(History(generation=3), "spec.store must be set", now=NOW)
    told = [(item["type"], item["status"], item["reason"], item["message"]) for item in status["conditions"]]
    text = "The spec cannot be read: spec.store must be set."
    assert told == [("Ready", "False", "InputUnreadable", text), ("Stalled", "True", "InputUnreadable", text)]
    assert status["summary"] == text


@pytest.mark.parametrize(
    "status", [None, [], "x", {"conditions": {}}, {"conditions": [1, {}]}, {"emitters": [{"name": 1}]}, {"emitters": "x"}]
)
def test_history_of_anything(status: object) -> None:
    history = History.of({"metadata": status, "status": status})
    assert (history.generation, history.conditions, history.spec_changed) == (0, {}, 0.0)
    world, pipeline = cluster()
    judge(world, pipeline, LIVE, now=NOW, history=history)


# --- live answers -------------------------------------------------------------------------------------------------


def question(verb: str) -> AccessQuestion:
    account = Subject("ServiceAccount", "audit", "gateway")
    return AccessQuestion(
        account, with_groups=False, namespace="audit", group="", resource="services", name="data-storage-service", verb=verb
    )


def test_a_live_no_outranks_the_rules() -> None:
    verdict = judged(cluster(), evidence=Evidence(live=True, access={question("create"): False}))
    assert reasons(verdict) == ["AccessDenied"]
    assert verdict.findings[0].message == (
        "ServiceAccount gateway may not create services/data-storage-service in audit: "
        "the API server's review says no, though the roles seem to allow it."
    )


def test_a_live_yes_outranks_the_rules_for_default_too() -> None:
    answers = {question(verb): True for verb in ("create", "get")}
    assert reasons(judged(cluster(**CLOSED), evidence=Evidence(live=True, access=answers))) == []
    account = Subject("ServiceAccount", "audit", "default")
    as_default = {asked._replace(subject=account): True for asked in answers}
    there = cluster(gateway(serviceAccountName="default"), **CLOSED)
    assert reasons(judged(there, evidence=Evidence(live=True, access=as_default))) == []
    assert reasons(judged(there)) == ["BindingMissing", "DefaultServiceAccount"]


def test_the_questions_are_those_whose_answers_count() -> None:
    asked = judged(cluster()).questions
    store_account = Subject("ServiceAccount", "audit", "data-storage-sa")
    reviews = {("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")}
    assert asked == {question("create"), question("get")} | {
        AccessQuestion(store_account, with_groups=True, namespace="", group=group, resource=resource, name="", verb="create")
        for group, resource in reviews
    }


def test_a_third_namespace_that_did_not_opt_in_is_not_looked_into() -> None:
    url = config_map("gateway-config", {"config.yaml": "datastorage: {url: 'http://data-storge.hidden:8080'}"})
    hidden = obj("Service", "data-storage", "hidden", spec={"ports": [{"port": 1}]})
    namespaces = [obj("Namespace", name, "") for name in ("audit", "hidden")]
    verdict = judged(cluster(url, hidden, *namespaces))
    assert reasons(verdict) == []
    assert conditions(verdict)["ServiceResolved"] == ("Unknown", "NotPermitted")
    assert "data-storage." not in json.dumps(verdict.status)


# --- a configuration that changed under running pods ---------------------------------------------------------------

OLD, NEW = "http://data-storage-service:8080", "http://data-storage-service.audit:8080"
WRITTEN = 1_789_000_000.0


def configured(url: str, written: float | None = None) -> Object:
    stamp = None if written is None else datetime.fromtimestamp(written, UTC).isoformat()
    return config_map("gateway-config", {"config.yaml": f"datastorage: {{url: '{url}'}}"}, meta={"creationTimestamp": stamp})


def pod(started: float, **meta: Any) -> Object:
    owner = {"kind": "ReplicaSet", "name": "gateway-h", "controller": True}
    running = {"running": {"startedAt": datetime.fromtimestamp(started, UTC).isoformat()}}
    return obj(
        "Pod",
        "gateway-h-1",
        meta={"labels": {"app": "gateway", "pod-template-hash": "h"}, "ownerReferences": [owner], **meta},
        spec={"containers": [{"name": "gateway"}]},
        status={"phase": "Running", "containerStatuses": [{"name": "gateway", "state": running}]},
    )


def after_change(*now: Object, evidence: Evidence = LIVE) -> Verdict:
    first = judged(cluster(configured(OLD), pod(WRITTEN - 100)))
    assert reasons(first) == []
    return judged(cluster(configured(NEW, WRITTEN), *now), before=first, evidence=evidence)


def test_running_pods_that_do_not_know_the_new_url() -> None:
    verdict = after_change(pod(WRITTEN - 1))
    assert reasons(verdict) == ["ConfigNotReloaded"]
    finding = verdict.findings[0]
    assert finding.message == (
        "Deployment/gateway runs pods that started before its store URL in ConfigMap gateway-config[config.yaml] datastorage.url was changed; "
        "they still use the old one."
    )
    assert finding.fix == "kubectl -n audit rollout restart deployment/gateway"
    again = judged(cluster(configured(NEW, WRITTEN), pod(WRITTEN - 1)), before=verdict)
    assert again.status == verdict.status
    restarted = judged(cluster(configured(NEW, WRITTEN), pod(WRITTEN + 1)), before=again)
    assert reasons(restarted) == []


@pytest.mark.parametrize(
    "now",
    [
        pytest.param([pod(WRITTEN)], id="started in the second of the change"),
        pytest.param([pod(WRITTEN - 1, deletionTimestamp="2026-09-21T00:00:00Z")], id="terminating"),
        pytest.param([], id="no pods"),
        pytest.param([pod(WRITTEN - 1), base("Deployment", "gateway") | {"metadata": {
            "name": "gateway", "namespace": "audit", "annotations": {"reloader.stakater.com/auto": "true"}}}], id="reloader"),
    ],
)  # fmt: skip
def test_nothing_to_restart(now: list[Object]) -> None:
    assert reasons(after_change(*now)) == []


def test_manifests_have_no_running_pods() -> None:
    assert reasons(after_change(pod(WRITTEN - 1), evidence=NO_EVIDENCE)) == []


def test_first_sight_of_a_url_is_no_change() -> None:
    assert reasons(judged(cluster(configured(NEW, WRITTEN), pod(WRITTEN - 1)))) == []


def test_deleted_and_made_anew_with_the_same_url_is_no_change() -> None:
    first = judged(cluster(configured(OLD), pod(WRITTEN - 100)))
    gone = judged(cluster(pod(WRITTEN - 100), without=("ConfigMap/gateway-config",)), before=first)
    assert reasons(gone) == ["ConfigMapNotFound"]
    assert gone.status["emitters"][0]["urlHistory"] == [{"url": OLD}]
    back = judged(cluster(configured(OLD, WRITTEN), pod(WRITTEN - 100)), before=gone)
    assert reasons(back) == []
    changed = judged(cluster(configured(NEW, WRITTEN), pod(WRITTEN - 100)), before=gone)
    assert reasons(changed) == ["ConfigNotReloaded"]


def test_a_url_that_is_put_back_is_what_the_old_pods_use() -> None:
    first = judged(cluster(configured(OLD), pod(WRITTEN - 100)))
    changed = judged(cluster(configured(NEW, WRITTEN), pod(WRITTEN - 100)), before=first)
    assert reasons(changed) == ["ConfigNotReloaded"]
    back = judged(cluster(configured(OLD, WRITTEN + 60), pod(WRITTEN - 100)), before=changed)
    assert reasons(back) == []
    in_that_second = judged(cluster(configured(OLD, WRITTEN + 60), pod(WRITTEN)), before=changed)
    assert reasons(in_that_second) == []
    between = judged(cluster(configured(OLD, WRITTEN + 60), pod(WRITTEN + 30)), before=changed)
    assert reasons(between) == ["ConfigNotReloaded"]


def test_pods_from_before_all_that_is_remembered_are_not_judged() -> None:
    verdict = judged(cluster(configured(OLD), pod(WRITTEN - 100)))
    for number in range(1, 5):
        verdict = judged(cluster(configured(f"{OLD}/{number}", WRITTEN + number), pod(WRITTEN - 100)), before=verdict)
    assert len(verdict.status["emitters"][0]["urlHistory"]) == 4
    assert reasons(verdict) == []


def test_a_url_longer_than_the_status_keeps_is_no_change() -> None:
    long = OLD + "/" + "x" * 1500
    first = judged(cluster(configured(long), pod(WRITTEN - 100)))
    again = judged(cluster(configured(long, WRITTEN), pod(WRITTEN - 100)), before=first)
    assert reasons(again) == []
    assert again.status == first.status


# --- the same question, the same answer ---------------------------------------------------------------------------

ALL = scenarios()
ONE_PIPELINE = [scenario for scenario in ALL if len(scenario.manifests().pipelines) == 1]


def check_shape(verdict: Verdict) -> None:
    """What holds for every verdict."""
    kinds = [condition.type for condition in verdict.conditions]
    assert kinds[: len(HOPS) + 1] == [*HOPS, "Ready"]
    assert len(pair(verdict)) <= 1
    ready = str(verdict.ready.status)
    assert (ready == "True") is (not any(finding.is_error for finding in verdict.findings) and not pair(verdict))
    if ready == "Unknown":
        assert pair(verdict) == ["Reconciling"]
    assert len(verdict.status["findings"]) <= MAX_FINDINGS
    assert len(verdict.status["summary"]) <= MAX_SUMMARY
    for condition in verdict.status["conditions"]:
        assert 0 < len(condition["message"]) <= 1024
        assert condition["reason"].replace("_", "").isalnum()
    for finding in verdict.status["findings"]:
        assert all(len(value) <= 1024 for value in finding.values() if isinstance(value, str))
    assert "null" not in json.dumps(verdict.status).replace("null-target", "")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ONE_PIPELINE), st.lists(st.sampled_from(ALL), max_size=3), st.randoms(use_true_random=False), st.booleans()
)
def test_judging_again_with_the_status_that_came_out_changes_nothing(
    scenario: Scenario, more: list[Scenario], chance: random.Random, live: bool
) -> None:
    manifests = scenario.manifests()
    world, (pipeline,) = manifests.world, manifests.pipelines
    evidence = Evidence(live=True) if live else NO_EVIDENCE
    meta = {"generation": 7, "creationTimestamp": "2026-09-21T14:00:00Z"}
    now, status = NOW, None
    for other in more:
        # The world as it was before, so that the history is not empty.
        earlier = read(other.objects).world
        status = judge(earlier, pipeline, evidence, now=now, history=History.of({"metadata": meta, "status": status})).status
        now += chance.randrange(300)
    first = judge(world, pipeline, evidence, now=now, history=History.of({"metadata": meta, "status": status}))
    check_shape(first)
    stored = json.loads(json.dumps(first.status))
    assert stored == first.status
    again = judge(world, pipeline, evidence, now=now + 0.4, history=History.of({"metadata": meta, "status": stored}))
    assert again.status == first.status


def test_output_is_bounded() -> None:
    long = "x" * 240
    names = [f"{long}{index}" for index in range(64)]
    emitters = [
        {
            "name": name,
            "workloadRef": {"name": "gateway"},
            "url": {"value": f"http://data-storage-service:{9000 + index}/{long * 4}"},
        }
        for index, name in enumerate(names)
    ]
    verdict = judged(cluster(declared(emitters=emitters), LEAK, **CLOSED))
    check_shape(verdict)
    assert (len(verdict.status["findings"]), verdict.status["findingsTotal"], verdict.status["errors"]) == (64, 129, 129)
    assert len(json.dumps(verdict.status)) < 400_000
    told = {condition.type: condition.message for condition in verdict.conditions}
    assert told["ServiceResolved"].endswith("…")


# --- nothing that is nobody's business ----------------------------------------------------------------------------

SECRET = "s3cr3t"  # noqa: S105  (planted to be searched for)
PLANTED = f"http://{SECRET}:{SECRET}@data-storage-service:9999/v1?token={SECRET}#{SECRET}"


def everything_said(objects: list[Object]) -> str:
    manifests = read(objects)
    verdicts = tuple(judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW) for pipeline in manifests.pipelines)
    unreadable = tuple(
        Unreadable(problem.message, ReportPosition(*problem.origin), problem.object) for problem in manifests.problems
    )
    report = Report("manifests", verdicts, unreadable)
    return "\n".join([table.render(report), json_report.render(report), *(json.dumps(verdict.status) for verdict in verdicts)])


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ([configured(PLANTED)], "Port 9999 is not exposed"),
        ([configured(f"ftp://{SECRET}@x")], "has a scheme other than http and https"),
        ([configured(f"http://{SECRET}@data storage")], "holds white space"),
        ([configured(f"http://{SECRET}:${{PASS}}@x")], "holds a placeholder"),
        ([configured(f"http://x:{SECRET}")], "has a host or port that cannot be read"),
        ([config_map("gateway-config", {"config.yaml": f"password: {SECRET}\nurl: [{SECRET}"})], "sets no store URL"),
        ([config_map("gateway-config", {"x.yaml": f"infrastructure:\n  data_storage_url: {PLANTED}\n  dataStorageUrl: http://{SECRET}@b"})], "two store URLs"),
        ([store({"DSN": f"postgres://u:{SECRET}@db", "PATHS": f"/Users/{SECRET}/x?password={SECRET}", "K": f"/Users/dev/x {SECRET}"})], "/Users/…/x"),
        ([gateway(containers=[{"name": "gateway", "args": [f"--data-storage-url={PLANTED}", f"--x={SECRET}", f"--y=/Users/{SECRET}/a"]}])], "/Users/…/a"),
        ([gateway(volumes=[{"name": "v", "hostPath": {"path": f"/home/{SECRET}/src"}}])], "/home/…/src"),
        ([declared(emitters=[{"workloadRef": {"name": "gateway"}, "url": {"value": PLANTED}}])], "Port 9999 is not exposed"),
        ([declared(emitters=[{"workloadRef": {"name": "gateway"}, "url": {
              "configMapKeyRef": {"name": "gateway-config", "key": "config.yaml", "path": "a.b"}}}]),
          config_map("gateway-config", {"config.yaml": f"a: [{SECRET}"})], "is no valid YAML"),
        ([obj("ConfigMap", "gateway-config", data={"config.yaml": {SECRET: SECRET}})], "data[config.yaml] must be a string"),
        ([obj("Secret", "gateway", data={"a": SECRET}, stringData={"b": SECRET})], "Ready"),
    ],
)  # fmt: skip
def test_secrets_reach_no_message(over: list[Object], told: str) -> None:
    objects = {(item["kind"], item["metadata"]["name"]): item for item in [*base_objects(), *over]}
    said = everything_said(list(objects.values()))
    assert told in said
    assert SECRET not in said
