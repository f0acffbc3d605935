"""The kit's promises on the node tier: what runs there runs as on any node."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cluster_kit import Client, Cluster, Condition, Object, Tier, start_cluster
from cluster_kit.cgroups import groups_of
from cluster_kit.node.images import build_image
from cluster_kit.node.namespaces import cable_name
from cluster_kit.processes import processes_of
from cluster_kit.pytest_plugin import Apply, WaitFor
from cluster_kit.runs import Run, find_run

pytestmark = pytest.mark.node

STORE = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"stored")
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

CALLER = """
import os, socket, ssl, urllib.request
print("store:", urllib.request.urlopen("http://store/").read().decode())
print("by full name:", socket.gethostbyname(f"store.{os.environ['NAMESPACE']}.svc.cluster.local"))
try:
    socket.gethostbyname("absent")
except socket.gaierror as error:
    print("absent:", error.errno == socket.EAI_NONAME)
account = "/var/run/secrets/kubernetes.io/serviceaccount"
request = urllib.request.Request("https://kubernetes.default.svc/api")
request.add_header("Authorization", "Bearer " + open(account + "/token").read())
tls = ssl.create_default_context(cafile=account + "/ca.crt")
print("api server:", urllib.request.urlopen(request, context=tls).status)
"""


def pod(name: str, image: str, script: str, **container: object) -> Object:
    main = {"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["python3", "-c", script]} | container
    spec = {"containers": [main], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def service(name: str) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def wait_for_end(client: Client, wait_for: WaitFor, name: str, namespace: str) -> str:
    """The exit phase of a pod."""

    def phase() -> str | None:
        found: str = client.get("v1", "Pod", name, namespace)["status"]["phase"]
        return found if found in {"Succeeded", "Failed"} else None

    ended: str = wait_for(phase, timeout=60, what=f"the pod {name} to end")
    return ended


def test_pods_reach_services_names_and_the_api_server(
    client: Client, namespace: str, apply: Apply, wait_for: WaitFor, *, python_image: str
) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    apply([service("store"), pod("store", python_image, STORE, readinessProbe=probe)])
    wait_for(Condition("v1", "Pod", "store", namespace, "Ready"))
    address = client.get("v1", "Service", "store", namespace)["spec"]["clusterIP"]

    apply(pod("caller", python_image, CALLER, env=[{"name": "NAMESPACE", "value": namespace}]))

    phase = wait_for_end(client, wait_for, "caller", namespace)
    assert client.logs("caller", namespace).splitlines() == [
        "store: stored",
        f"by full name: {address}",
        "absent: True",
        "api server: 200",
    ]
    assert phase == "Succeeded"


def test_services_answer_on_the_host_and_exec_works(
    node_cluster: Cluster, namespace: str, apply: Apply, wait_for: WaitFor, python_image: str
) -> None:
    if node_cluster.node is None:
        pytest.skip("a cluster that stood before has no routes to this host")
    apply([service("store"), pod("store", python_image, STORE)])
    wait_for(Condition("v1", "Pod", "store", namespace, "Ready"))
    address = node_cluster.client.get("v1", "Service", "store", namespace)["spec"]["clusterIP"]
    answer: httpx.Response = wait_for(lambda: httpx.get(f"http://{address}/", trust_env=False))
    assert answer.text == "stored"
    assert node_cluster.kubectl("exec", "--namespace", namespace, "store", "--", "hostname") == "store\n"


def test_a_dockerfile_is_built_and_runs(
    node_cluster: Cluster, namespace: str, apply: Apply, wait_for: WaitFor, tmp_path: Path
) -> None:
    if node_cluster.node is None:
        pytest.skip("a cluster that stood before takes no images from here")
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY said.txt /\nUSER 65532:65532\n")
    (tmp_path / "said.txt").write_text("from the image\n")
    image = node_cluster.load_image(build_image("localhost/kit-test:1", tmp_path))
    apply(pod("reader", image, "print(open('/said.txt').read(), end='')", securityContext={"runAsNonRoot": True}))
    assert wait_for_end(node_cluster.client, wait_for, "reader", namespace) == "Succeeded"
    assert node_cluster.client.logs("reader", namespace) == "from the image\n"


START_WITH_A_POD = """
import sys, time
from cluster_kit import Condition, Tier, start_cluster, wait_until
from cluster_kit.node.images import python_image
cluster = start_cluster(sys.argv[1], Tier.NODE)
image = cluster.load_image(python_image())
container = {"name": "main", "image": image, "imagePullPolicy": "Never", "command": ["sleep", "1000"]}
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sleeper"}, "spec": {"containers": [container]}}
cluster.apply(pod, "default")
ready = Condition("v1", "Pod", "sleeper", "default", "Ready")
wait_until(lambda: ready.check(cluster.client))
print("up", flush=True)
time.sleep(300)
"""


def traces(run: Run) -> list[str]:
    """Mounts and processes of this machine in which the run's name stands."""
    commands = [p.read_bytes().replace(b"\0", b" ").decode(errors="replace") for p in Path("/proc").glob("[0-9]*/cmdline")]
    mounts = Path("/proc/mounts").read_text().splitlines()
    return [line for line in (*mounts, *commands) if f"/{run.name}" in line]


def interfaces() -> dict[str, str]:
    """Index -> name of the host's network interfaces; an index is not given twice."""
    return {(link / "ifindex").read_text().strip(): link.name for link in Path("/sys/class/net").glob("*/")}


def commands(folder: Path) -> list[str]:
    return [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in processes_of(folder)]


@pytest.mark.timeout(120)
def test_a_killed_runs_leftovers_go_with_the_next_start() -> None:
    name = f"kit-crash-{os.getpid()}-node"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", START_WITH_A_POD, name]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "up\n"
        owner.kill()
    run = find_run(name)
    assert run
    assert run.dead
    assert any("containerd-shim" in line for line in commands(run.folder))
    assert traces(run)
    assert groups_of(name)
    cable = next(index for index, link in interfaces().items() if link == cable_name(run))

    start_cluster(f"kit-next-{os.getpid()}", Tier.CONTROL_PLANE).stop()

    assert find_run(name) is None
    assert traces(run) == []
    assert processes_of(run.folder) == []
    assert cable not in interfaces()  # and with it the addresses and routes
    assert not groups_of(name)
    assert not run.folder.exists()
