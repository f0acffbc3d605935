"""A cluster as tests and the CLI hold it, whichever way it came to be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from . import kubelet_stand_in
from .assets import Tier, existing_kubeconfig, find_binaries
from .audit import AuditLog
from .client import Client, Object
from .control_plane import ControlPlane
from .errors import ClusterError
from .kubeconfig import Kubeconfig, write_kubeconfig
from .node.cluster_node import ClusterNode
from .node.containerd import import_image
from .node.images import Image
from .processes import Process
from .runs import Run, create_run, keep_logs, remove_run
from .waiting import wait_until


class Cluster:
    """A running cluster.

    Attributes:
        tier: how much of it runs.
        kubeconfig: of an administrator.
        client: with that kubeconfig.
        control_plane: its processes; None where the cluster is not the kit's own.
        node: the node's; None there and on the control-plane tier.
        run: its place on this machine; None likewise.
    """

    def __init__(
        self,
        tier: Tier,
        kubeconfig: Path,
        *,
        run: Run | None = None,
        control_plane: ControlPlane | None = None,
        node: ClusterNode | None = None,
        kubectl: Path | None = None,
    ) -> None:
        self.tier = tier
        self.kubeconfig = kubeconfig
        self.client = Client(kubeconfig)
        self.run = run
        self.control_plane = control_plane
        self.node = node
        self._kubectl = kubectl
        self._stand_in: Process | None = None

    @property
    def audit(self) -> AuditLog:
        """The audit log; only the kit's own clusters have one."""
        if self.control_plane is None:
            raise ClusterError("this cluster's audit log is not known: AUDITPIPELINE_TEST_KUBECONFIG names it")
        return self.control_plane.audit

    @property
    def has_controllers(self) -> bool:
        """Whether a controller manager runs: ReplicaSets, EndpointSlices, garbage collection."""
        return self.control_plane is None or self.control_plane.controller_manager is not None

    def stop_apiserver(self) -> None:
        """End the API server alone, as a crash would; everything else keeps running."""
        self._own_control_plane().stop_apiserver()

    def start_apiserver(self) -> None:
        """Start it again on the same port and wait until it is ready."""
        self._own_control_plane().start_apiserver()

    def start_kubelet_stand_in(self) -> None:
        """Let Pods "run" on the control-plane tier (see kubelet_stand_in.py); nothing on a cluster with nodes."""
        if self.tier is Tier.CONTROL_PLANE and self.run is not None and self._stand_in is None:
            # A process of its own: it outlives `up`, and ends with the run.
            program = [sys.executable, "-m", kubelet_stand_in.__name__, str(self.kubeconfig)]
            path = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
            self._stand_in = Process(self.run.folder, "kubelet-stand-in", program, {"PYTHONPATH": path})
            self._stand_in.start()
            wait_until(self._stand_in_is_ready, interval=0.05, what="the kubelet stand-in")

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl and return its stdout; ClusterError with its stderr where it fails and `check` is on."""
        kubectl = self._kubectl or shutil.which("kubectl")
        if kubectl is None:
            raise ClusterError("there is no kubectl")
        done = subprocess.run(
            [kubectl, f"--kubeconfig={self.kubeconfig}", *arguments], input=stdin, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifests: str | Object | Iterable[Object], namespace: str | None = None) -> list[Object]:
        """Server-side apply YAML text (of several documents) or dicts; `namespace` for those that name none."""
        return [self.client.apply(manifest, namespace=namespace) for manifest in documents(manifests)]

    def service_account_kubeconfig(self, path: Path, name: str, namespace: str, *, seconds: int = 3600) -> Path:
        """Write a kubeconfig to `path` with a fresh token of the ServiceAccount, valid for so many seconds."""
        body: Object = {"spec": {"expirationSeconds": seconds}}
        answer = self.client.create_subresource("v1", "ServiceAccount", name, namespace, subresource="token", body=body)
        server = Kubeconfig.read(self.kubeconfig).server
        authority = path.with_suffix(".ca.crt")
        root = self.client.get("v1", "ConfigMap", "kube-root-ca.crt", namespace)
        authority.write_text(root["data"]["ca.crt"])
        return write_kubeconfig(path, server=server, authority=authority, token=answer["status"]["token"], namespace=namespace)

    def load_image(self, image: Image) -> str:
        """Give the node an image of node/images.py; its name, for a container with `imagePullPolicy: Never`."""
        if self.node is None:
            raise ClusterError("only the kit's own node takes images")
        import_image(self.node.namespaces, image.archive)
        return image.name

    def stop(self, *, keep: bool = False) -> Path | None:
        """End the cluster and leave nothing of it; with `keep`, its logs are copied to the returned folder first.

        A cluster that stood before the tests is left alone.
        """
        if self._stand_in:
            self._stand_in.stop()
        self.client.close()
        if self.run is None:
            return None
        kept = keep_logs(self.run) if keep else None
        for part in (self.node, self.control_plane):
            if part:
                part.stop()
        remove_run(self.run)
        return kept

    def _stand_in_is_ready(self) -> bool:
        if self._stand_in:
            self._stand_in.check_running()
        return self.client.find("v1", "Node", kubelet_stand_in.NODE) is not None

    def _own_control_plane(self) -> ControlPlane:
        if self.control_plane is None:
            raise ClusterError("only the kit's own API server can be stopped")
        return self.control_plane


def use_existing_cluster() -> Cluster | None:
    """The cluster of `AUDITPIPELINE_TEST_KUBECONFIG`, if that is set; it counts as one with nodes."""
    kubeconfig = existing_kubeconfig()
    return Cluster(Tier.NODE, kubeconfig) if kubeconfig else None


def start_cluster(name: str, tier: Tier = Tier.CONTROL_PLANE, *, extra_apiserver_flags: tuple[str, ...] = ()) -> Cluster:
    """Start a cluster of the kit's own, owned by this process; `Cluster.stop` ends it.

    Raises:
        TierUnavailableError: this machine cannot run the tier.
        ClusterError: a component did not start; the log's tail is in the message, the logs are kept.
    """
    binaries = find_binaries(tier)
    run = create_run(name, tier)
    control_plane: ControlPlane | None = None
    node: ClusterNode | None = None
    try:
        control_plane = ControlPlane(run, binaries, extra_apiserver_flags)
        if tier is Tier.NODE:
            node = ClusterNode(run, binaries, control_plane)
            node.prepare()
        control_plane.start()
        if node:
            node.join()
        return Cluster(tier, run.kubeconfig, run=run, control_plane=control_plane, node=node, kubectl=binaries.get("kubectl"))
    except BaseException as error:
        kept = keep_logs(run)
        for part in (node, control_plane):
            if part:
                part.stop()
        remove_run(run)
        if isinstance(error, TimeoutError):
            raise ClusterError(f"{error}; logs: {kept}") from error
        raise


def documents(manifests: str | Object | Iterable[Object]) -> list[Object]:
    """The objects of YAML text, of one dict or of several; List objects are opened."""
    if isinstance(manifests, str):
        found = [document for document in yaml.safe_load_all(manifests) if document]
    elif isinstance(manifests, dict):
        found = [manifests]
    else:
        found = list(manifests)
    return [item for entry in found for item in (entry["items"] if entry["kind"] == "List" else [entry])]
