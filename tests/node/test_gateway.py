"""The gateway scenario with real pods: the store really crashes on the leaked KUBECONFIG and really runs without it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import operator_kit as kit
from cluster_kit import Cluster, Object, wait_until
from cluster_kit.node.images import build_image

pytestmark = pytest.mark.node

IMAGE = "localhost/auditpipeline-stand-in:demo"


@pytest.fixture
def stage(node_cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator["Stage"]:
    node_cluster.load_image(build_image(IMAGE, kit.ROOT / "demo" / "stand_in", include=("store.py", "emitter.py")))
    kit.install(node_cluster, namespace)
    operator = kit.OperatorProcess(kit.kubeconfig(node_cluster, tmp_path, namespace), tmp_path).start()
    stage = Stage(node_cluster, namespace)
    try:
        yield stage
    finally:
        operator.kill()
    assert "Traceback" not in operator.log, operator.log


class Stage:
    """The scenario's namespace on the node tier."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def apply(self, example: str, *kinds: str) -> None:
        """Apply an example, or only its objects of some kinds (`Kind` or `Kind/name`)."""
        for item in kit.manifests(example, self.namespace):
            if not kinds or item["kind"] in kinds or f"{item['kind']}/{item['metadata']['name']}" in kinds:
                self.cluster.client.apply(item)

    def pods(self, app: str) -> list[Object]:
        return self.cluster.client.list("v1", "Pod", self.namespace, label_selector=f"app={app}")

    def container(self, app: str) -> Object:
        """The status of the one container of the app's one pod."""
        pods = [pod for pod in self.pods(app) if "deletionTimestamp" not in pod["metadata"]]
        assert len(pods) == 1
        status: Object = pods[0]["status"]["containerStatuses"][0]
        return status

    def logs(self, app: str, *, previous: bool = False) -> str:
        return self.cluster.client.logs(self.pods(app)[0]["metadata"]["name"], self.namespace, previous=previous)

    def wait(self, reasons: set[str], **conditions: tuple[str, str]) -> dict[str, object]:
        """Until the status has exactly these errors, and the named conditions are so."""

        def check() -> dict[str, object]:
            body = kit.status(self.cluster.client, self.namespace)
            assert body.get("summary"), body
            assert kit.reasons(body) == reasons, body
            for kind, expected in conditions.items():
                assert kit.condition(body, kind) == expected, body
            return body

        return wait_until(check, timeout=60, what=f"errors {reasons}")


def test_each_fault_goes_when_it_is_really_mended(stage: Stage) -> None:
    stage.apply("gateway-broken")
    # The crash is the leak's symptom: it is no finding of its own.
    stage.wait(
        {"ServiceNotFound", "PortNotExposed", "HostPathEnv", "BindingMissing"},
        EndpointsReady=("Unknown", "BlockedByEnvironmentClean"),
        EnvironmentClean=("False", "HostPathEnv"),
    )

    def crashed() -> Object:
        container = stage.container("datastorage")
        assert container["restartCount"] >= 1, container
        return container

    container = wait_until(crashed, timeout=30, what="the store to crash")
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert "Using KUBECONFIG from environment" in stage.logs("datastorage", previous=True)
    wait_until(lambda: "Failed to write audit batch" in stage.logs("gateway"), timeout=30, what="the gateway to fail")

    stage.apply("gateway-fixed", "Deployment/datastorage")
    stage.wait(
        {"ServiceNotFound", "PortNotExposed", "BindingMissing"}, EndpointsReady=("True", "Passed"), EnvironmentClean=("True", "Passed")
    )
    assert "running" in stage.container("datastorage")["state"]
    assert "Using in-cluster config" in stage.logs("datastorage")

    stage.apply("gateway-fixed", "RoleBinding")
    stage.wait({"ServiceNotFound", "PortNotExposed"}, AccessGranted=("True", "Passed"))

    stage.apply("gateway-fixed", "ConfigMap")
    body = stage.wait({"ConfigNotReloaded"}, ServiceResolved=("True", "Passed"), Ready=("False", "ConfigNotReloaded"))
    assert "rollout restart deployment/gateway" in str(body["findings"])
    # It is so: the process still uses the old name.
    assert "readiness gate started" not in stage.logs("gateway")

    stage.cluster.kubectl("-n", stage.namespace, "rollout", "restart", "deployment/gateway")
    stage.wait(set(), Ready=("True", "WiredNotProved"))

    def reached() -> bool:
        return any(
            "readiness gate started" in stage.cluster.client.logs(pod["metadata"]["name"], stage.namespace)
            for pod in stage.pods("gateway")
            if "deletionTimestamp" not in pod["metadata"]
        )

    wait_until(reached, timeout=30, what="the gateway to reach the store")
