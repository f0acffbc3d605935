"""The operator against a real API server: what it finds, that it follows, and that it is quiet when nothing changed."""

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import operator_kit as kit
from auditpipeline.api import conditions
from cluster_kit import Cluster, Object, wait_until

pytestmark = pytest.mark.cluster

BROKEN = {"ServiceNotFound", "PortNotExposed", "HostPathEnv", "BindingMissing"}
HOPS = [str(hop) for hop in conditions.HOPS]


@pytest.fixture(scope="module")
def operator_user(cluster: Cluster) -> str:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "audit-operator"}})
    return kit.install(cluster, "audit-operator")


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    operator_user: str,  # noqa: ARG001  (its rights must stand)
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[kit.OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    process = kit.OperatorProcess(
        kit.kubeconfig(cluster, folder, "audit-operator"), folder, {"AUDITPIPELINE_GLANCE_INTERVAL": "5"}
    ).start()
    yield process
    try:
        code, seconds = process.stop()
    finally:
        process.kill()
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in process.log, process.log


class Stage:
    """A namespace with an example in it, and what the operator makes of it."""

    def __init__(self, cluster: Cluster, namespace: str, operator: kit.OperatorProcess, user: str) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.namespace = namespace
        self.operator = operator
        self._user = user

    def apply(self, folder: str) -> list[Object]:
        """Apply an example; its objects."""
        objects = kit.manifests(folder, self.namespace)
        self.cluster.apply(objects)
        return objects

    def apply_part(self, folder: str, kind: str, name: str) -> None:
        self.cluster.apply(part(kit.manifests(folder, self.namespace), kind, name))

    @property
    def pipeline(self) -> Object:
        return self.client.get(kit.API, kit.KIND, "gateway", self.namespace)

    @property
    def status(self) -> dict[str, Any]:
        return kit.status(self.client, self.namespace)

    @property
    def reasons(self) -> set[str]:
        return kit.reasons(self.status)

    def condition(self, kind: str) -> tuple[str, str]:
        return kit.condition(self.status, kind)

    def wait_errors(self, expected: set[str], timeout: float = 20) -> dict[str, Any]:
        def check() -> dict[str, Any]:
            body = self.status
            assert body.get("summary"), body
            assert kit.reasons(body) == expected, f"{kit.reasons(body)} is not {expected}: {body.get('conditions')}"
            return body

        return wait_until(check, timeout=timeout, interval=0.05, what=f"errors {expected}")

    def wait_ready(self, timeout: float = 30) -> dict[str, Any]:
        def check() -> dict[str, Any]:
            body = self.status
            assert kit.condition(body, "Ready")[0] == "True", body
            return body

        return wait_until(check, timeout=timeout, interval=0.05, what="Ready")

    def settle(self, example: str) -> None:
        """Apply an example and wait until rollouts are over and the status no longer moves."""
        self.apply(example)
        if example == "gateway-broken":
            self.wait_errors(BROKEN)
        else:
            self.wait_ready()
        stable = 0
        last: dict[str, Any] = {}
        while stable < 10:
            time.sleep(0.2)
            body = self.status
            stable = stable + 1 if body == last else 0
            last = body

    def restart(self, deployment: str) -> None:
        body: Object = {"spec": {"template": {"metadata": {"annotations": {"restarted": str(time.time())}}}}}
        self.client.patch("apps/v1", "Deployment", deployment, self.namespace, body)

    def runs(self, app: str) -> bool:
        pods = self.client.list("v1", "Pod", self.namespace, label_selector=f"app={app}")
        return any(pod.get("status", {}).get("phase") == "Running" for pod in pods)

    def mark(self) -> int:
        return self.cluster.audit.mark()

    def writes(self, mark: int, *, reviews: bool = False) -> list[str]:
        """The operator's writes since a mark of the API server's audit log, of any kind; reviews only if asked for."""
        time.sleep(0.5)  # the log is written behind the answer
        return [
            f"{entry.verb} {entry.resource}/{entry.subresource} {entry.name}"
            for entry in self.cluster.audit.entries(since=mark, user=self._user)
            if (reviews or entry.resource != "subjectaccessreviews") and entry.namespace in {"", self.namespace}
        ]


@pytest.fixture
def stage(cluster: Cluster, namespace: str, operator: kit.OperatorProcess, operator_user: str) -> Iterator[Stage]:
    before = len(operator.log)
    yield Stage(cluster, namespace, operator, operator_user)
    for binding in cluster.client.list(kit.RBAC, "ClusterRoleBinding"):
        if binding["metadata"]["name"].startswith(namespace):
            cluster.client.delete(kit.RBAC, "ClusterRoleBinding", binding["metadata"]["name"], missing_ok=True)
    written = operator.log[before:]
    assert "Traceback" not in written, written


def part(objects: list[Object], kind: str, name: str) -> Object:
    return next(item for item in objects if item["kind"] == kind and item["metadata"]["name"].endswith(name))


# --- what it finds ------------------------------------------------------------------------------------------------


def test_every_cause_of_the_broken_gateway_at_once_and_no_other(stage: Stage) -> None:
    stage.apply("gateway-broken")
    body = stage.wait_errors(BROKEN)
    assert kit.reasons(body, severity="Warning") == set()
    assert body["brokenHop"] == "ServiceResolved"
    assert {item["type"]: (item["status"], item["reason"]) for item in body["conditions"]} == {
        **dict.fromkeys(HOPS, ("True", "Passed")),
        "ServiceResolved": ("False", "ServiceNotFound"),
        "EndpointsReady": ("Unknown", "BlockedByEnvironmentClean"),
        "EnvironmentClean": ("False", "HostPathEnv"),
        "AccessGranted": ("False", "BindingMissing"),
        "Ready": ("False", "ServiceNotFound"),
        "Stalled": ("True", "ServiceNotFound"),
    }


def test_the_fixed_gateway_is_ready_without_a_finding(stage: Stage) -> None:
    stage.apply("gateway-fixed")
    body = stage.wait_ready()
    assert body.get("findings", []) == []
    assert [kit.condition(body, kind) for kind in HOPS] == [("True", "Passed")] * len(HOPS)


@pytest.mark.parametrize("order", list(itertools.permutations(["url", "kubeconfig", "binding"])), ids="-".join)
def test_status_follows_each_fix_in_any_order(order: tuple[str, ...], stage: Stage) -> None:
    stage.apply("gateway-broken")
    stage.wait_errors(BROKEN)
    wait_until(lambda: stage.runs("gateway"), what="the gateway's pod to run")
    left = set(BROKEN)
    for fault in order:
        match fault:
            case "url":
                time.sleep(1.1)  # start times have whole seconds
                stage.apply_part("gateway-fixed", "ConfigMap", "gateway-config")
                left -= {"ServiceNotFound", "PortNotExposed"}
                # The pod has read the old file, until it is restarted.
                stage.wait_errors(left | {"ConfigNotReloaded"})
                time.sleep(1.1)
                stage.restart("gateway")
            case "kubeconfig":
                stage.apply_part("gateway-fixed", "Deployment", "datastorage")
                left -= {"HostPathEnv"}
            case "binding":
                stage.apply_part("gateway-fixed", "RoleBinding", "gateway-data-storage-client")
                left -= {"BindingMissing"}
        stage.wait_errors(left)
    stage.wait_ready()


# --- objects come and go ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("ConfigMap", "gateway-config", "ConfigMapNotFound"),
        ("Deployment", "gateway", "WorkloadNotFound"),
        ("ServiceAccount", "gateway", "ServiceAccountNotFound"),
        ("ServiceAccount", "data-storage-sa", "ServiceAccountNotFound"),
        ("Service", "data-storage-service", "ServiceNotFound"),
        ("Deployment", "datastorage", "SelectorMatchesNothing"),
        ("ClusterRole", "data-storage-client", "RoleNotFound"),
        ("RoleBinding", "gateway-data-storage-client", "BindingMissing"),
        ("ClusterRole", "data-storage-auth-middleware", "StoreCannotReview"),
        ("ClusterRoleBinding", "data-storage-auth-middleware", "StoreCannotReview"),
    ],
)
def test_status_follows_an_object_that_is_deleted_and_made_again(
    kind: str, name: str, expected: str, stage: Stage
) -> None:
    item = part(stage.apply("gateway-fixed"), kind, name)
    stage.wait_ready()
    stage.client.delete(item["apiVersion"], kind, item["metadata"]["name"], item["metadata"].get("namespace"))
    stage.wait_errors({expected})
    stage.cluster.apply(item)
    assert stage.wait_ready().get("findings", []) == []


def test_a_pipeline_may_come_before_its_objects(stage: Stage) -> None:
    stage.apply_part("gateway-fixed", "AuditPipeline", "gateway")
    wait_until(lambda: "WorkloadNotFound" in stage.reasons, timeout=10)
    assert stage.condition("Reconciling")[0] == "True", "absence may still settle"
    stage.apply("gateway-fixed")
    assert stage.wait_ready().get("findings", []) == []


def test_a_pipeline_that_is_deleted_and_made_again_gets_its_status(stage: Stage) -> None:
    stage.apply("gateway-broken")
    stage.wait_errors(BROKEN)
    labels = f'namespace="{stage.namespace}",name="gateway",check="ServiceResolved",severity="Error"'
    series = f"auditpipeline_findings{{{labels}}}"
    wait_until(lambda: stage.operator.metric(series) == 2, timeout=5)
    stage.client.delete(kit.API, kit.KIND, "gateway", stage.namespace)
    wait_until(lambda: stage.operator.metric(series) == 0, timeout=5, what="the series to vanish with the pipeline")
    stage.apply_part("gateway-broken", "AuditPipeline", "gateway")
    stage.wait_errors(BROKEN)


def test_a_network_policy_is_followed(stage: Stage) -> None:
    stage.apply("gateway-fixed")
    stage.wait_ready()
    policy: Object = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny-all"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    stage.client.create(policy, namespace=stage.namespace)
    stage.wait_errors({"IngressDenied"})
    stage.client.delete("networking.k8s.io/v1", "NetworkPolicy", "deny-all", stage.namespace)
    assert stage.wait_ready().get("findings", []) == []


# --- quiet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", ["gateway-broken", "gateway-fixed"])
def test_200_changes_that_change_nothing_write_nothing(example: str, stage: Stage) -> None:
    stage.settle(example)
    before, mark = stage.status, stage.mark()
    unchanged = 'auditpipeline_reconcile_total{result="unchanged"}'
    judged = stage.operator.metric(unchanged)
    objects = [item for item in kit.manifests(example, stage.namespace) if item["metadata"].get("namespace")]
    for number, item in zip(range(100), itertools.cycle(objects), strict=False):
        touched: Object = {"metadata": {"annotations": {"touched": str(number)}, "labels": {"touched": str(number)}}}
        stage.client.patch(item["apiVersion"], item["kind"], item["metadata"]["name"], stage.namespace, touched)
    for number in range(100):
        # Read by the pipeline, so each of these is judged.
        stage.client.patch("v1", "ConfigMap", "gateway-config", stage.namespace, {"data": {"other": str(number)}})
        time.sleep(0.01)
    assert stage.writes(mark) == []
    assert stage.operator.metric(unchanged) - judged >= 50
    assert stage.status == before


@pytest.mark.parametrize("example", ["gateway-broken", "gateway-fixed"])
def test_a_killed_operator_comes_back_to_the_same_status_without_a_write(example: str, stage: Stage) -> None:
    stage.settle(example)
    before, mark = stage.pipeline, stage.mark()
    stage.operator.kill()
    stage.operator.start()
    allowed = 'auditpipeline_access_reviews_total{result="allowed"}'
    wait_until(lambda: stage.operator.metric(allowed) >= 2, what="the access reviews to be asked")
    time.sleep(3)
    assert stage.writes(mark) == []
    assert stage.pipeline == before


def test_a_quiet_cluster_is_asked_nothing_and_told_nothing(stage: Stage) -> None:
    stage.settle("gateway-fixed")
    for _ in range(10):  # namespaces of earlier tests still go, and their bindings with them
        mark = stage.mark()
        time.sleep(4)
        if not stage.writes(mark, reviews=True):
            return
    raise AssertionError(f"it never becomes quiet: {stage.writes(mark, reviews=True)}")


def test_a_status_written_by_somebody_else_is_put_right(stage: Stage) -> None:
    stage.settle("gateway-broken")
    body = stage.status
    foreign: Object = {"status": {"summary": "all is well", "findings": None, "brokenHop": None}}
    stage.client.patch(kit.API, kit.KIND, "gateway", stage.namespace, foreign, subresource="status")
    stage.wait_errors(BROKEN)
    assert stage.status == body


# --- bad input ----------------------------------------------------------------------------------------------------

LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    ("config_map", "reason"),
    [
        (None, "ConfigMapNotFound"),
        ({"data": {"other.yaml": "a: 1"}}, "ConfigMapKeyNotFound"),
        ({"data": {"config.yaml": "infrastructure: [\n  - {"}}, "ConfigUnparsable"),
        ({"data": {"config.yaml": "infrastructure: {}"}}, "ConfigPathNotFound"),
        ({"binaryData": {"config.yaml": "3q2+7w=="}}, "ConfigUnparsable"),
        ({"data": {"config.yaml": f"infrastructure: {{data_storage_url: {LONG}}}"}}, "URLInvalid"),
        ({"data": {"config.yaml": "infrastructure: {data_storage_url: 'ht!tp://%%% [not a url'}"}}, "URLInvalid"),
        ({"data": {"config.yaml": "infrastructure: {data_storage_url: 'http://${STORE}:8081'}"}}, "PlaceholderInURL"),
        ({"data": {"config.yaml": "infrastructure: {data_storage_url: [1, 2]}"}}, "ConfigPathNotFound"),
    ],
    ids=["no-config-map", "no-key", "broken-yaml", "no-path", "binary", "1-MiB", "garbage-url", "placeholder", "list-for-url"],
)
def test_bad_input_is_a_clear_finding(config_map: Object | None, reason: str, stage: Stage) -> None:
    stage.apply("gateway-fixed")
    stage.client.delete("v1", "ConfigMap", "gateway-config", stage.namespace)
    if config_map is not None:
        head: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gateway-config"}}
        stage.client.create(head | config_map, namespace=stage.namespace)
    reference = {"name": "gateway-config", "key": "config.yaml", "path": "infrastructure.data_storage_url"}
    emitter = {"workloadRef": {"name": "gateway"}, "url": {"configMapKeyRef": reference}}
    stage.client.patch(kit.API, kit.KIND, "gateway", stage.namespace, {"spec": {"emitters": [emitter]}})

    def found() -> Object | None:
        return next((item for item in stage.status.get("findings", []) if item["reason"] == reason), None)

    finding = wait_until(found, timeout=10, interval=0.05, what=reason)
    assert finding is not None
    assert finding["object"]["name"] in {"gateway-config", "gateway"}
    assert len(finding["message"]) <= 1024
    assert stage.condition("ConfigResolved") == ("False", reason)


# --- faults of the cluster ----------------------------------------------------------------------------------------


def test_an_api_server_that_restarts_is_survived(stage: Stage) -> None:
    stage.settle("gateway-broken")
    pid, mark, before = stage.operator.pid, stage.mark(), stage.status
    stage.cluster.stop_apiserver()
    time.sleep(2)
    stage.cluster.start_apiserver()
    assert stage.status == before
    stage.apply_part("gateway-fixed", "RoleBinding", "gateway-data-storage-client")
    stage.wait_errors(BROKEN - {"BindingMissing"}, timeout=60)
    assert stage.operator.pid == pid
    assert stage.operator.running
    assert len(stage.writes(mark)) == 1, "one change, one write"


def test_what_vanished_while_no_watch_could_tell_is_noticed(stage: Stage) -> None:
    stage.settle("gateway-fixed")
    relists = 'auditpipeline_watch_restarts_total{kind="RoleBinding"}'
    before = stage.operator.metric(relists)
    stage.operator.pause()
    try:
        stage.cluster.stop_apiserver()  # ends the watch, which could still hold the event
        stage.cluster.start_apiserver()
        stage.client.delete(kit.RBAC, "RoleBinding", "gateway-data-storage-client", stage.namespace)
        stage.cluster.stop_apiserver()  # a fresh API server remembers no event, so kopf must list anew
        stage.cluster.start_apiserver()
    finally:
        stage.operator.resume()
    stage.wait_errors({"BindingMissing"}, timeout=60)
    assert stage.operator.metric(relists) > before, "no relist, so this test proved nothing"


def test_an_operator_that_starts_before_the_api_server_waits_for_it(stage: Stage) -> None:
    stage.settle("gateway-broken")
    mark = stage.mark()
    stage.operator.stop()
    stage.cluster.stop_apiserver()
    try:
        stage.operator.start(wait_ready=False)
        time.sleep(3)
        assert stage.operator.get("/livez").status_code == 200
        assert stage.operator.get("/readyz").status_code == 503
    finally:
        stage.cluster.start_apiserver()
    wait_until(lambda: stage.operator.get("/readyz").status_code == 200, timeout=60, what="the operator to be ready")
    assert stage.writes(mark) == []
    stage.apply_part("gateway-fixed", "RoleBinding", "gateway-data-storage-client")
    stage.wait_errors(BROKEN - {"BindingMissing"})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_changes_and_kills_end_in_the_verdict_of_a_fresh_list(seed: int, stage: Stage) -> None:
    stage.settle("gateway-broken")
    dice = random.Random(seed)  # noqa: S311
    versions = [kit.manifests(example, stage.namespace) for example in ("gateway-broken", "gateway-fixed")]
    for step in range(80):
        item = dice.choice(dice.choice(versions))
        # The roles are shared by all tests; what is deleted often comes back.
        if item["kind"] != "ClusterRole" and dice.random() < 0.3:
            name, place = item["metadata"]["name"], item["metadata"].get("namespace")
            stage.client.delete(item["apiVersion"], item["kind"], name, place, missing_ok=True)
        else:
            stage.cluster.apply(item)
        if step % 30 == 20:
            stage.operator.kill()
            stage.operator.start(wait_ready=False)
    stage.apply_part("gateway-broken", "AuditPipeline", "gateway")
    wait_until(lambda: stage.operator.get("/readyz").status_code == 200, what="the operator to be ready")

    def agrees() -> bool:
        before = stage.status
        expected = kit.judged_anew(stage.client, stage.namespace)
        assert before == expected, f"operator: {kit.reasons(before)}, fresh list: {kit.reasons(expected)}"
        return True

    wait_until(agrees, timeout=30, interval=0.5, what="the status of a fresh list")


def test_a_missing_permission_degrades_one_hop_and_heals(stage: Stage, tmp_path: Path) -> None:
    cluster, namespace = stage.cluster, stage.namespace
    stage.operator.stop()
    kit.install(cluster, namespace, without="rolebindings")
    settings = {"AUDITPIPELINE_FORBIDDEN_RETRY": "1"}
    limited = kit.OperatorProcess(kit.kubeconfig(cluster, tmp_path, namespace), tmp_path, settings)
    try:
        limited.start()
        stage.apply("gateway-fixed")
        wait_until(lambda: stage.condition("AccessGranted") == ("Unknown", "Forbidden"), what="Forbidden")
        message = next(item["message"] for item in stage.status["conditions"] if item["type"] == "AccessGranted")
        assert "may not list rolebindings.rbac.authorization.k8s.io" in message
        stage.wait_errors(set())
        kit.install(cluster, namespace)
        wait_until(lambda: stage.condition("AccessGranted") == ("True", "Passed"), timeout=45, what="the hop to heal")
        assert limited.stop()[0] == 0
        assert "Traceback" not in limited.log
        assert limited.log.count("may not list rolebindings") == 1, "said once"
    finally:
        limited.kill()
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            cluster.client.delete(kit.RBAC, kind, f"{namespace}-operator", missing_ok=True)
        stage.operator.start()


def test_a_crd_that_goes_and_comes_back_is_picked_up(stage: Stage) -> None:
    name = "auditpipelines.auditpipeline.dev"
    api = "apiextensions.k8s.io/v1"
    stage.client.delete(api, "CustomResourceDefinition", name)
    wait_until(lambda: stage.client.find(api, "CustomResourceDefinition", name) is None, what="the CRD to go")
    time.sleep(2)
    kit.install_crd(stage.cluster)

    def applied() -> bool:
        # For a moment the API server answers that the kind's storage is being made.
        stage.apply_part("gateway-broken", "AuditPipeline", "gateway")
        return True

    wait_until(applied, what="the pipeline to be stored")
    wait_until(lambda: stage.reasons, timeout=60, what="a status after the CRD came back")
    assert stage.operator.running
