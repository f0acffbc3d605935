"""The gateway scenario with real pods: the store really crashes on the leaked KUBECONFIG and really runs without it."""

import time
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

    def pod(self, app: str) -> Object:
        """The app's one pod, besides those that are on their way out."""
        pods = self.cluster.client.list("v1", "Pod", self.namespace, label_selector=f"app={app}")
        (staying,) = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return staying

    def container(self, app: str) -> Object:
        """The status of that pod's one container."""
        status: Object = self.pod(app)["status"]["containerStatuses"][0]
        return status

    def logs(self, app: str, *, previous: bool = False) -> str:
        return self.cluster.client.logs(self.pod(app)["metadata"]["name"], self.namespace, previous=previous)

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

    wait_until(lambda: "readiness gate started" in stage.logs("gateway"), timeout=30, what="the gateway to reach the store")

    # Changed and put back: the pods run since before and use the right URL, so nobody has to restart them.
    time.sleep(1.1)  # times have whole seconds: a change in the second of the restart could be what the pods saw
    stage.apply("gateway-broken", "ConfigMap")
    stage.wait({"ServiceNotFound", "PortNotExposed", "ConfigNotReloaded"})
    stage.apply("gateway-fixed", "ConfigMap")
    stage.wait(set(), Ready=("True", "WiredNotProved"))
