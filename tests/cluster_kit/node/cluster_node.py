"""The node of a cluster: its programs, started in an order in which nobody waits for nothing."""

import json
from pathlib import Path
from typing import Any, Final

from cluster_kit.assets import Binaries
from cluster_kit.cgroups import group_name, make_groups
from cluster_kit.client import Client
from cluster_kit.control_plane import ControlPlane
from cluster_kit.processes import Process
from cluster_kit.runs import Run
from cluster_kit.waiting import Condition, wait_until

from .containerd import SOCKET, Containerd
from .dns import corefile, dns_service
from .namespaces import Namespaces

NODE: Final = "node"


class ClusterNode:
    """The one node of `run`'s cluster.

    Attributes:
        namespaces: run a command in the node with `namespaces.run("ip", "address")`.
    """

    def __init__(self, run: Run, binaries: Binaries, control_plane: ControlPlane) -> None:
        self._run = run
        self._binaries = binaries
        self._control_plane = control_plane
        self.namespaces = Namespaces(run)
        self._processes: list[Process] = []

    def prepare(self) -> None:
        """What needs no API server: namespaces (which bring the host's address on the cable) and containerd."""
        make_groups(self._run.name)
        self.namespaces.start()
        containerd = Containerd(self._run, self.namespaces, self._binaries["pause"])
        self._processes = [self.namespaces.init, containerd.process]
        containerd.start()

    def join(self) -> None:
        """Start the rest and wait until the node is Ready and the cluster's DNS is served."""
        for name, command in (
            ("kubelet", self._kubelet_command()),
            ("kube-proxy", self._proxy_command()),
            ("coredns", self._dns_command()),
        ):
            process = self.namespaces.process(name, str(self._binaries[name]), *command)
            self._processes.append(process)
            process.start()
        with Client(self._run.kubeconfig) as client:
            for manifest in dns_service(self._run.subnet):
                client.apply(manifest)
            ready = Condition("v1", "Node", NODE, None, "Ready")
            wait_until(lambda: self._check_running() and ready.check(client), timeout=60, what="the node to be Ready")

    def stop(self) -> None:
        """End everything in the node."""
        self.namespaces.stop()
        for process in self._processes:
            process.stop()

    def _check_running(self) -> bool:
        for process in self._processes:
            process.check_running()
        return True

    def _kubelet_command(self) -> list[str]:
        resolv_conf = self._run.folder / "resolv.conf"  # of pods with dnsPolicy Default
        resolv_conf.write_text(f"nameserver {self._run.subnet.node}\n")
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": group_name(self._run.name),
            "clusterDNS": [self._run.subnet.dns_service],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "enforceNodeAllocatable": [],
            # a full disk of the developer's is no reason to evict the tests' pods
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "failCgroupV1": False,
            "failSwapOn": False,
            "resolvConf": str(resolv_conf),
        }
        return [
            f"--config={self._write('kubelet.json', config)}",
            f"--kubeconfig={self._control_plane.kubeconfig_of('kubelet')}",
            f"--hostname-override={NODE}",
            f"--node-ip={self._run.subnet.node}",
        ]

    def _proxy_command(self) -> list[str]:
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self._control_plane.kubeconfig_of("kube-proxy"))},
            "clusterCIDR": self._run.subnet.pods,
            "hostnameOverride": NODE,
            # zero leaves the kernel's connection tracking as the machine has it
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "iptables": {"minSyncPeriod": "0s"},
        }
        return [f"--config={self._write('kube-proxy.json', config)}"]

    def _dns_command(self) -> list[str]:
        file = self._run.folder / "Corefile"
        file.write_text(corefile(self._run.subnet, self._control_plane.kubeconfig_of("coredns")))
        return [f"-conf={file}"]

    def _write(self, name: str, config: dict[str, Any]) -> Path:
        file = self._run.folder / name
        file.write_text(json.dumps(config))
        return file
