"""The process itself, without a cluster: it starts, waits, keeps secrets and stops in order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import operator_kit as kit
from cluster_kit import wait_until
from cluster_kit.processes import free_ports

TOKEN = "planted-secret-token"  # noqa: S105


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of an API server on a port where nobody listens."""
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{free_ports(1)[0]}"}}],
        "users": [{"name": "c", "user": {"token": TOKEN}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(params=["plain", "json"])
def operator(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Iterator[kit.OperatorProcess]:
    settings = {"AUDITPIPELINE_LOG_FORMAT": request.param, "AUDITPIPELINE_LOG_LEVEL": "debug"}
    process = kit.OperatorProcess(kubeconfig, tmp_path, settings)
    yield process
    process.kill()


def test_without_an_api_server_it_lives_waits_and_stops(operator: kit.OperatorProcess) -> None:
    operator.start(wait_ready=False)
    wait_until(lambda: operator.get("/livez").status_code == 200, timeout=15)
    ready = operator.get("/readyz")
    assert ready.status_code == 503
    assert ready.text.startswith("not yet complete: AuditPipeline, ClusterRole, ")
    wait_until(lambda: "cannot list" in operator.log, timeout=15)
    code, seconds = operator.stop()
    assert code == 0, operator.log
    assert seconds < 5
    assert "Traceback" not in operator.log
    assert TOKEN not in operator.log


def test_without_credentials_it_says_so_in_one_line(tmp_path: Path) -> None:
    process = kit.OperatorProcess(tmp_path / "absent", tmp_path)
    process.start(wait_ready=False)
    wait_until(lambda: not process.running, timeout=15, what="it to end")
    assert process.stop()[0] == 2
    assert "no credentials for a cluster" in process.log
    assert "Traceback" not in process.log


def test_a_port_that_is_taken_is_said_in_one_line(kubeconfig: Path, tmp_path: Path) -> None:
    first = kit.OperatorProcess(kubeconfig, tmp_path / "first").start(wait_ready=False)
    try:
        port = wait_until(lambda: first.port, timeout=15, what="its port")
        second = kit.OperatorProcess(kubeconfig, tmp_path / "second", {"AUDITPIPELINE_HEALTH_PORT": str(port)})
        second.start(wait_ready=False)
        wait_until(lambda: not second.running, timeout=15, what="it to end")
        assert second.stop()[0] == 2
        assert "cannot start" in second.log
        assert "Traceback" not in second.log
    finally:
        first.kill()
