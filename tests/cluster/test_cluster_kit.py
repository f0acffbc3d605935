"""The kit's promises on the control-plane tier."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cluster_kit import ApiError, Client, Cluster, ClusterError, Condition, Object, start_cluster
from cluster_kit.kubelet_stand_in import STATE_ANNOTATION, lacks_kubeconfig
from cluster_kit.processes import processes_of
from cluster_kit.pytest_plugin import Apply, WaitFor
from cluster_kit.runs import find_run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("own_cluster")]


def deployment(name: str, *, annotations: dict[str, str] | None = None, **container: object) -> Object:
    labels = {"app": name}
    pod = {
        "metadata": {"labels": labels, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "main", "image": "localhost/none"} | container]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
    }


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: store}
spec:
  selector: {app: store}
  ports: [{port: 80, targetPort: 8080}]
"""


def ready_addresses(client: Client, namespace: str) -> list[str]:
    selector = "kubernetes.io/service-name=store"
    slices = client.list("discovery.k8s.io/v1", "EndpointSlice", namespace, label_selector=selector)
    endpoints = [endpoint for entry in slices for endpoint in entry["endpoints"] or []]
    return sorted(endpoint["addresses"][0] for endpoint in endpoints if endpoint["conditions"]["ready"])


def test_stand_in_makes_services_ready(client: Client, namespace: str, apply: Apply, wait_for: WaitFor) -> None:
    apply(SERVICE)
    apply(deployment("store"))
    wait_for(Condition("apps/v1", "Deployment", "store", namespace, "Available"))
    addresses = sorted(pod["status"]["podIP"] for pod in client.list("v1", "Pod", namespace))
    wait_for(lambda: ready_addresses(client, namespace) == addresses, what=f"endpoints {addresses}")


def test_stand_in_removes_deleted_pods(client: Client, namespace: str, apply: Apply, wait_for: WaitFor) -> None:
    apply(deployment("store"))
    wait_for(Condition("apps/v1", "Deployment", "store", namespace, "Available"))
    client.delete("apps/v1", "Deployment", "store", namespace)
    wait_for(lambda: not client.list("v1", "Pod", namespace))


@pytest.mark.parametrize(
    ("mount_path", "crashes"),
    [
        (None, True),
        ("/etc/other", True),
        ("/etc/kube", False),
        ("/etc/kube/config", False),
    ],
)
def test_stand_in_crashes_containers_without_their_kubeconfig(mount_path: str | None, crashes: bool) -> None:
    mounts = [{"name": "config", "mountPath": mount_path}] if mount_path else []
    container = {"env": [{"name": "KUBECONFIG", "value": "/etc/kube/config"}], "volumeMounts": mounts}
    assert lacks_kubeconfig(container) is crashes


@pytest.mark.parametrize(
    ("manifest", "state"),
    [
        (deployment("emitter", env=[{"name": "KUBECONFIG", "value": "/absent"}]), "waiting"),
        (deployment("emitter", annotations={STATE_ANNOTATION: "NotReady"}), "running"),
    ],
)
def test_stand_in_leaves_failing_pods_unready(
    client: Client, namespace: str, apply: Apply, wait_for: WaitFor, *, manifest: Object, state: str
) -> None:
    def statuses() -> list[Object]:
        pods = client.list("v1", "Pod", namespace)
        return [status for pod in pods for status in pod["status"].get("containerStatuses", [])]

    apply(manifest)
    wait_for(lambda: len(statuses()) == 2)
    assert [(list(status["state"]), status["ready"]) for status in statuses()] == [([state], False)] * 2


def test_audit_log_counts_a_users_writes(cluster: Cluster, namespace: str, wait_for: WaitFor) -> None:
    before = cluster.audit.mark()
    with Client(cluster.kubeconfig, user_agent="audit-test/1", impersonate="jane", groups=("system:masters",)) as jane:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}}
        jane.create(config)
        jane.get("v1", "ConfigMap", "a", namespace)
        jane.patch("v1", "ConfigMap", "a", namespace, {"data": {"k": "v"}})
        with pytest.raises(ApiError, match="already exists"):
            jane.create(config)
    wait_for(lambda: len(cluster.audit.entries(since=before, impersonated="jane")) == 3)
    entries = cluster.audit.entries(since=before, impersonated="jane")
    assert [(entry.verb, entry.resource, entry.namespace, entry.name, entry.code) for entry in entries] == [
        ("create", "configmaps", namespace, "a", 201),
        ("patch", "configmaps", namespace, "a", 200),
        ("create", "configmaps", namespace, "a", 409),
    ]
    assert {(entry.user_agent, entry.stage) for entry in entries} == {("audit-test/1", "ResponseComplete")}


def test_service_account_kubeconfig(cluster: Cluster, namespace: str, apply: Apply, tmp_path: Path, wait_for: WaitFor) -> None:
    apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    wait_for(lambda: cluster.client.get("v1", "ConfigMap", "kube-root-ca.crt", namespace))
    path = cluster.service_account_kubeconfig(tmp_path / "robot.kubeconfig", "robot", namespace)
    with Client(path) as robot, pytest.raises(ApiError, match=f"system:serviceaccount:{namespace}:robot"):
        robot.list("v1", "Secret", namespace)


def test_watch_tells_changes(client: Client, namespace: str) -> None:
    start = client.list_page("v1", "ConfigMap", namespace)["metadata"]["resourceVersion"]
    client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}}, namespace=namespace)
    client.delete("v1", "ConfigMap", "seen", namespace)
    events = client.watch("v1", "ConfigMap", namespace, resource_version=start, timeout_seconds=1)
    seen = [event.type for event in events if event.object["metadata"]["name"] == "seen"]
    assert seen == ["ADDED", "DELETED"]


def test_api_server_stops_and_starts_on_its_port() -> None:
    own = start_cluster(f"kit-restart-{os.getpid()}", extra_apiserver_flags=("--max-requests-inflight=300",))
    try:
        own.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
        own.stop_apiserver()
        with pytest.raises(httpx.ConnectError):
            own.client.get("v1", "Namespace", "kept")
        own.start_apiserver()
        assert own.client.get("v1", "Namespace", "kept")
    finally:
        own.stop()


def test_a_component_that_dies_is_reported_with_its_log() -> None:
    with pytest.raises(ClusterError, match=r"(?s)kube-apiserver ended; .*unknown flag: --no-such-flag"):
        start_cluster(f"kit-dies-{os.getpid()}", extra_apiserver_flags=("--no-such-flag",))
    assert find_run(f"kit-dies-{os.getpid()}") is None


def test_a_killed_runs_leftovers_go_with_the_next_start() -> None:
    name = f"kit-crash-{os.getpid()}"
    script = f"import time, cluster_kit; cluster_kit.start_cluster({name!r}); print('up', flush=True); time.sleep(300)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "up\n"
        owner.kill()
    run = find_run(name)
    assert run
    assert run.dead
    assert len(processes_of(run.folder)) == 3

    start_cluster(f"{name}-next").stop()

    assert find_run(name) is None
    assert not processes_of(run.folder)
    assert not run.folder.exists()
