"""Where the demo runs: a cluster, the operator beside it, and how both are removed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster_kit import Client, Cluster, ClusterError, Tier, start_cluster
from cluster_kit.assets import find_binaries
from cluster_kit.cache import exclusive
from cluster_kit.node.images import build_image
from cluster_kit.runs import find_run, remove_dead_runs, remove_run

NAME: Final = "demo"
IMAGE: Final = "localhost/auditpipeline-stand-in:demo"
FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parent
STATE: Final = ROOT / ".demo"
_STOP_SECONDS: Final = 15


@dataclass(slots=True)
class Place:
    """The demo's cluster.

    Attributes:
        pods: What makes pods run, told to the viewer.
        image: The stand-in's image where the manifests' own cannot be used; empty otherwise.
        owned: The cluster is the demo's own, so `down` removes it.
    """

    kubeconfig: Path
    client: Client
    pods: str
    image: str
    owned: bool

    @classmethod
    def find(cls, kubeconfig: str, image: str) -> "Place":
        """The cluster that DEMO_KUBECONFIG names, else an embedded one, started if it does not run."""
        if kubeconfig:
            path = Path(kubeconfig).expanduser().absolute()
            return cls(path, Client(path), "your cluster", image, owned=False)
        say("1/5", "starting a cluster: etcd, API server, controllers" + (", kubelet" if can_run_pods() else ""))
        tier = Tier.NODE if can_run_pods() else Tier.CONTROL_PLANE
        run = find_run(NAME)
        if run is None or run.dead:
            cluster = start_cluster(NAME, tier)
            _prepare(cluster)
            if cluster.run is None:
                raise AssertionError("an embedded cluster has a run")
            run = cluster.run.disown()
        pods = "real pods" if tier is Tier.NODE else "a stand-in for the kubelet writes pod statuses: this machine runs no pods"
        return cls(run.kubeconfig, Client(run.kubeconfig), pods, "", owned=True)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        return _kubectl(self.kubeconfig, *arguments)

    def start_operator(self) -> None:
        """Run the operator as a process of this machine; it goes on until `make demo-down`."""
        stop_operator()
        log = (STATE / "operator.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "auditpipeline", "operator", f"--kubeconfig={self.kubeconfig}", "--health-port=0", "--health-host=127.0.0.1"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        (STATE / "operator.pid").write_text(str(process.pid))


def can_run_pods() -> bool:
    """Pods need root on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


def say(step: str, text: str) -> None:
    """Progress goes to stderr, what the demo shows to stdout."""
    print(f"[{step}] {text}", file=sys.stderr, flush=True)


def remember(place: Place) -> None:
    """Keep what `down` needs."""
    STATE.mkdir(exist_ok=True)
    (STATE / "state.json").write_text(json.dumps({"owned": place.owned, "kubeconfig": str(place.kubeconfig)}))


def forget() -> None:
    """Stop the operator, remove what the demo made and its cluster."""
    stop_operator()
    state = STATE / "state.json"
    if state.exists():
        kept = json.loads(state.read_text())
        if not kept["owned"] and Path(kept["kubeconfig"]).exists():
            _remove_objects(Path(kept["kubeconfig"]))
    with exclusive("runs"):
        remove_dead_runs()
        run = find_run(NAME)
        if run is not None:
            remove_run(run)
    if STATE.exists():
        for file in STATE.iterdir():
            file.unlink()
        STATE.rmdir()


def stop_operator() -> None:
    """End the demo's operator, if it runs."""
    file = STATE / "operator.pid"
    if not file.exists():
        return
    pid = int(file.read_text())
    command = Path(f"/proc/{pid}/cmdline")
    # The number may belong to another process by now.
    if not command.exists() or b"auditpipeline" not in command.read_bytes():
        file.unlink()
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while command.exists() and command.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    if command.exists() and command.read_bytes():
        os.kill(pid, signal.SIGKILL)
    file.unlink()


def _prepare(cluster: Cluster) -> None:
    if cluster.tier is Tier.NODE:
        cluster.load_image(build_image(IMAGE, FOLDER / "stand_in", include=("store.py", "emitter.py")))
    else:
        cluster.start_kubelet_stand_in()


def _remove_objects(kubeconfig: Path) -> None:
    for target in _MADE_BY_THE_DEMO:
        _kubectl(kubeconfig, "delete", "--ignore-not-found", *target)


_MADE_BY_THE_DEMO: Final = (
    ("namespace", "kubernaut-system"),
    ("crd", "auditpipelines.auditpipeline.dev"),
    ("clusterrole", "data-storage-client", "data-storage-auth-middleware"),
    ("clusterrolebinding", "data-storage-auth-middleware"),
)


def _kubectl(kubeconfig: Path, *arguments: str) -> str:
    kubectl = find_binaries(Tier.CONTROL_PLANE).get("kubectl", Path("kubectl"))
    done = subprocess.run([kubectl, f"--kubeconfig={kubeconfig}", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
