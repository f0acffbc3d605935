"""containerd of a node: its configuration, the pods' network, and images."""

import json
import tarfile
from pathlib import Path
from typing import Final

from cluster_kit.cache import overlays_work
from cluster_kit.runs import Run
from cluster_kit.waiting import wait_until

from .archive import write_docker_archive
from .namespaces import Namespaces

SOCKET: Final = "/run/containerd/containerd.sock"
_PAUSE_IMAGE: Final = "localhost/pause:kit"

_CONFIG: Final = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""


def import_image(namespaces: Namespaces, archive: Path) -> None:
    """Give the node the image of a docker-archive; pods use it with `imagePullPolicy: Never` or `IfNotPresent`."""
    namespaces.run("ctr", "--namespace=k8s.io", "images", "import", str(archive.resolve()))


class Containerd:
    """The container runtime in the node of `run`."""

    def __init__(self, run: Run, namespaces: Namespaces, pause_program: Path) -> None:
        self._run = run
        self._namespaces = namespaces
        self._pause_program = pause_program
        config = self._write_config()
        self.process = namespaces.process("containerd", "containerd", f"--config={config}")

    def start(self) -> None:
        """Start it, wait until it answers, and give it the sandboxes' image."""
        self.process.start()
        wait_until(
            lambda: self._check_running() and (self._run.folder / f"root{SOCKET}").exists(),
            interval=0.05,
            what="containerd's socket",
        )
        archive = self._run.folder / "pause.tar"
        self._write_pause_image(archive)
        import_image(self._namespaces, archive)

    def _check_running(self) -> bool:
        self.process.check_running()
        return True

    def _write_config(self) -> Path:
        cni = self._run.folder / "cni"
        cni.mkdir()
        # Point to point, not a bridge: pods reach each other through the node's routes, so the answers of a Service
        # pass its packet filter also on machines without the br_netfilter module.
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": self._run.subnet.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
        (cni / "10-pods.conflist").write_text(json.dumps(network))
        config = self._run.folder / "containerd.toml"
        config.write_text(_CONFIG.format(pause=_PAUSE_IMAGE, cni=cni, snapshotter="overlayfs" if overlays_work() else "native"))
        return config

    def _write_pause_image(self, archive: Path) -> None:
        layer = self._run.folder / "pause-layer.tar"
        with tarfile.open(layer, "w") as tar:
            tar.add(self._pause_program, arcname="pause")
        write_docker_archive(archive, name=_PAUSE_IMAGE, layer=layer, config={"Entrypoint": ["/pause"]})
