"""The operator as a subprocess, run with a ServiceAccount that may do exactly what the operator needs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import parse_spec
from auditpipeline.kube.kinds import OBJECTS, WATCHED
from auditpipeline.verdict import History, judge
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.coverage import ClusterCoverage
from auditpipeline.world.evidence import Evidence
from auditpipeline.world.projections import project
from auditpipeline.world.world import World
from cluster_kit import Client, Cluster, Object, wait_until

ROOT: Final = Path(__file__).parents[1]
API: Final = "auditpipeline.dev/v1alpha1"
KIND: Final = "AuditPipeline"
RBAC: Final = "rbac.authorization.k8s.io/v1"


def rules(*, without: str = "") -> list[Object]:
    """What the operator's ClusterRole holds; `without` leaves out the reading of one resource."""
    reading = [
        {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ["get", "list", "watch"]}
        for kind in WATCHED
        if kind.plural != without
    ]
    return [
        *reading,
        {"apiGroups": ["auditpipeline.dev"], "resources": ["auditpipelines/status"], "verbs": ["update"]},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["list", "watch"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    ]


def install(cluster: Cluster, namespace: str, *, name: str = "operator", without: str = "") -> str:
    """The CRD and a ServiceAccount with its rights; its user name."""
    install_crd(cluster)
    role = f"{namespace}-{name}"
    cluster.apply(
        [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
            {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules(without=without)},
            {
                "apiVersion": RBAC,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        ]
    )
    return f"system:serviceaccount:{namespace}:{name}"


def install_crd(cluster: Cluster) -> None:
    """The CRD, established."""
    cluster.apply((ROOT / "crds" / "auditpipelines.yaml").read_text())

    def established() -> bool:
        crd = cluster.client.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "auditpipelines.auditpipeline.dev")
        return any(
            item["type"] == "Established" and item["status"] == "True" for item in crd.get("status", {}).get("conditions") or []
        )

    wait_until(established, what="the CRD to be established")


def kubeconfig(cluster: Cluster, folder: Path, namespace: str, name: str = "operator") -> Path:
    """A kubeconfig of the operator's ServiceAccount; a fresh namespace gets its CA a moment later."""
    return wait_until(lambda: cluster.service_account_kubeconfig(folder / "kubeconfig", name, namespace), what="the CA")


class OperatorProcess:
    """`python -m auditpipeline operator`.

    Attributes:
        log: What it wrote, in all its lives.
    """

    def __init__(self, kubeconfig: Path, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._kubeconfig = kubeconfig
        self._log = folder / "operator.log"
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._from = 0

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def log_now(self) -> str:
        """What the present process wrote."""
        return self.log[self._from :]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait_ready: bool = True) -> "OperatorProcess":
        self._from = len(self.log)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "operator"),
            "AUDITPIPELINE_KUBECONFIG": str(self._kubeconfig),
            "AUDITPIPELINE_HEALTH_HOST": "127.0.0.1",
            "AUDITPIPELINE_HEALTH_PORT": "0",
            **self._settings,
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "auditpipeline", "operator"], env=environment, stdout=log, stderr=log, cwd=ROOT
            )
        if wait_ready:
            wait_until(
                lambda: self.get("/readyz").status_code == 200, timeout=30, interval=0.05, what="the operator to be ready"
            )
        return self

    @property
    def port(self) -> int:
        """Of its health server, 0 where it has none yet."""
        found = re.search(r"health and metrics on port (\d+)", self.log_now)
        return int(found[1]) if found else 0

    def get(self, path: str) -> httpx.Response:
        assert self.running, f"the operator ended:\n{self.log_now[-3000:]}"
        assert self.port, "no port yet"
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=5)

    def metric(self, series: str) -> float:
        """The value of a series, written as the exposition does; 0 where it is absent."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        return 0

    def pause(self) -> None:
        """SIGSTOP, as a process that gets no CPU."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> tuple[int, float]:
        """SIGTERM; its exit code and how long it took, in seconds."""
        assert self._process is not None
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20), time.monotonic() - started

    def kill(self) -> None:
        """SIGKILL, as a node that loses power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def status(client: Client, namespace: str, name: str = "gateway") -> dict[str, Any]:
    """The status of an AuditPipeline, empty where there is none yet."""
    found = client.get(API, KIND, name, namespace)
    body: dict[str, Any] = found.get("status") or {}
    return body


def reasons(body: Mapping[str, Any], *, severity: str = "Error") -> set[str]:
    """The reasons of the findings that a status lists."""
    return {finding["reason"] for finding in body.get("findings", []) if finding["severity"] == severity}


def condition(body: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Status and reason of a condition; empty where it is absent."""
    for item in body.get("conditions", []):
        if item["type"] == kind:
            return item["status"], item["reason"]
    return "", ""


def judged_anew(client: Client, namespace: str, name: str = "gateway") -> dict[str, Any]:
    """The status that a judgement of the API server's present objects gives, on the history that is stored."""
    world = World(ClusterCoverage({}))
    for kind in OBJECTS:
        api_version = f"{kind.group}/{kind.version}" if kind.group else kind.version
        for item in client.list(api_version, kind.kind, field_selector=kind.field_selector):
            value = project(item)
            assert value is not None
            world.put(value)
    found = client.get(API, KIND, name, namespace)
    pipeline = Pipeline(ObjectRef(KIND, namespace, name), parse_spec(found["spec"]))
    return judge(world, pipeline, Evidence(live=True), now=time.time(), history=History.of(found)).status


def manifests(folder: str, namespace: str) -> list[Object]:
    """An example's objects in a namespace of the test; cluster-wide bindings get a name of their own."""
    import yaml  # noqa: PLC0415  (only here)

    found: list[Object] = []
    for file in sorted((ROOT / "examples" / folder).glob("*.yaml")):
        text = file.read_text().replace("kubernaut-system", namespace)
        found += [item for item in yaml.safe_load_all(text) if item]
    for item in found:
        if item["kind"] == "ClusterRoleBinding":
            item["metadata"]["name"] = f"{namespace}-{item['metadata']['name']}"
    return found
