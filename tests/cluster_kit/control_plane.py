"""etcd, kube-apiserver and kube-controller-manager: a real control plane, without nodes."""

import json
import secrets
from pathlib import Path
from typing import Final

import httpx

from .assets import Binaries, Tier
from .audit import POLICY, AuditLog
from .certificates import Authority, signing_key
from .client import Client
from .kubeconfig import Kubeconfig, write_kubeconfig
from .processes import Process
from .runs import Run
from .waiting import wait_until

# kit user -> its Kubernetes user and groups. Each component has its own name, so that RBAC, the Node authorizer and
# the audit log see what they see elsewhere.
_USERS: Final = {
    "admin": ("auditpipeline-tests", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": ("system:node:node", "system:nodes"),
    "coredns": ("system:coredns", "system:masters"),
}


class ControlPlane:
    """The control plane of `run`, in its folder and on its ports.

    Attributes:
        audit: its audit log.
        apiserver: the process; see `stop_apiserver` and `start_apiserver`.
    """

    def __init__(self, run: Run, binaries: Binaries, extra_apiserver_flags: tuple[str, ...] = ()) -> None:
        self._run = run
        self._folder = run.folder
        self._pki = run.folder / "pki"
        self._tokens = {name: secrets.token_hex(16) for name in _USERS}
        # The node tier's server listens on the host's end of the node's cable: pods reach it there, strangers do not.
        self._address = run.subnet.host if run.tier is Tier.NODE else "127.0.0.1"
        self._authority = Authority(self._pki, f"auditpipeline-{run.name}")
        self._write_inputs()
        self.audit = AuditLog(run.folder / "logs" / "audit.log")
        self.etcd = Process(run.folder, "etcd", self._etcd_command(binaries["etcd"]))
        self.apiserver = Process(
            run.folder,
            "kube-apiserver",
            [*self._apiserver_command(binaries["kube-apiserver"]), *extra_apiserver_flags],
        )
        self.controller_manager: Process | None = None
        if "kube-controller-manager" in binaries:
            command = self._controller_manager_command(binaries["kube-controller-manager"])
            self.controller_manager = Process(run.folder, "kube-controller-manager", command)
        else:  # then nobody makes the ServiceAccounts for which this admission plugin asks
            self.apiserver.command.append("--disable-admission-plugins=ServiceAccount")
        self.scheduler: Process | None = None
        if run.tier is Tier.NODE:
            self.scheduler = Process(run.folder, "kube-scheduler", self._scheduler_command(binaries["kube-scheduler"]))

    @property
    def server(self) -> str:
        return f"https://{self._address}:{self._run.apiserver_port}"

    @property
    def processes(self) -> list[Process]:
        return [process for process in (self.etcd, self.apiserver, self.controller_manager, self.scheduler) if process]

    def kubeconfig_of(self, user: str) -> Path:
        """The kubeconfig of one of the kit's users; the admin's is the run's `kubeconfig`."""
        path = self._run.kubeconfig if user == "admin" else self._pki / f"{user}.kubeconfig"
        return write_kubeconfig(path, server=self.server, authority=self._authority.certificate, token=self._tokens[user])

    def start(self) -> None:
        """Start everything and wait until it serves; about 3 s."""
        self.etcd.start()
        self.start_apiserver()
        if self.scheduler:
            self.scheduler.start()
        if self.controller_manager:
            self.controller_manager.start()
            with Client(self._run.kubeconfig) as client:
                wait_until(
                    lambda: self._check_running() and client.find("v1", "ServiceAccount", "default", "default"),
                    timeout=60,
                    interval=0.05,
                    what="the controller manager to make the default ServiceAccount",
                )

    def start_apiserver(self, *, timeout: float = 60.0) -> None:
        """Start the API server, on the same port as before, and wait until it is ready."""
        self.apiserver.start()
        config = Kubeconfig.read(self._run.kubeconfig)
        headers = {"Authorization": f"Bearer {config.token}"}
        with httpx.Client(base_url=config.server, verify=config.tls, headers=headers, trust_env=False) as http:
            wait_until(
                lambda: self._check_running() and http.get("/readyz").is_success,
                timeout=timeout,
                interval=0.05,
                what="the API server to be ready",
            )

    def stop_apiserver(self, *, grace_seconds: float = 0.0) -> None:
        """End the API server alone: by default as a crash would. Watches break, nothing listens on the port."""
        self.apiserver.stop(grace_seconds=grace_seconds)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()

    def _check_running(self) -> bool:
        for process in self.processes:
            if process.started:
                process.check_running()
        return True

    def _write_inputs(self) -> None:
        lines = [
            f'{self._tokens[name]},{user},{name},"{groups}"' if groups else f"{self._tokens[name]},{user},{name}"
            for name, (user, groups) in _USERS.items()
        ]
        (self._pki / "tokens.csv").write_text("\n".join(lines) + "\n")
        (self._folder / "audit-policy.json").write_text(json.dumps(POLICY))
        signing_key(self._pki / "service-accounts.key")
        self.kubeconfig_of("admin")

    def _etcd_command(self, binary: Path) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._run.etcd_port, self._run.peer_port))
        return [
            str(binary),
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # the data dies with the run anyway
        ]

    def _apiserver_command(self, binary: Path) -> list[str]:
        subnet = self._run.subnet
        pair = self._authority.serving(
            "kube-apiserver",
            [
                "IP:127.0.0.1", "IP:" + subnet.host, "IP:" + subnet.kubernetes_service, "DNS:localhost",
                "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
                "DNS:kubernetes.default.svc.cluster.local",
            ],
        )  # fmt: skip
        # The endpoint of the Service `kubernetes` cannot be a loopback address: without a node there is none.
        reconciler = "lease" if self._run.tier is Tier.NODE else "none"
        return [
            str(binary),
            f"--etcd-servers=http://127.0.0.1:{self._run.etcd_port}",
            f"--bind-address={self._address}",
            f"--advertise-address={self._address}",
            f"--secure-port={self._run.apiserver_port}",
            f"--endpoint-reconciler-type={reconciler}",
            f"--cert-dir={self._pki}",
            f"--tls-cert-file={pair.certificate}",
            f"--tls-private-key-file={pair.key}",
            f"--token-auth-file={self._pki / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self._pki / 'service-accounts.key'}",
            f"--service-account-signing-key-file={self._pki / 'service-accounts.key'}",
            f"--service-cluster-ip-range={subnet.services}",
            "--allow-privileged=true",
            "--profiling=false",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={self._folder / 'audit-policy.json'}",
            f"--audit-log-path={self._folder / 'logs' / 'audit.log'}",
            "--audit-log-maxsize=2048",  # MB: never rotated within a run
        ]

    def _controller_manager_command(self, binary: Path) -> list[str]:
        subnet = self._run.subnet
        return [
            str(binary),
            *self._component_flags("kube-controller-manager"),
            f"--service-account-private-key-file={self._pki / 'service-accounts.key'}",
            f"--root-ca-file={self._authority.certificate}",
            "--use-service-account-credentials",
            "--allocate-node-cidrs",
            f"--cluster-cidr={subnet.pods}",
            f"--service-cluster-ip-range={subnet.services}",
        ]

    def _scheduler_command(self, binary: Path) -> list[str]:
        return [str(binary), *self._component_flags("kube-scheduler")]

    def _component_flags(self, user: str) -> list[str]:
        kubeconfig = self.kubeconfig_of(user)
        return [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--secure-port=0",  # nobody asks it
            "--leader-elect=false",
            "--kube-api-qps=200",  # the defaults of 20 to 50 would make tests wait for the controllers
            "--kube-api-burst=400",
        ]
