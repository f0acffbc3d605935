"""`auditpipeline check` where no cluster can be judged: one line that says why, and exit code 2."""

import socket
from pathlib import Path

import pytest
import yaml

from auditpipeline.cli.main import main

FIXED = "examples/gateway-fixed"


def kubeconfig(folder: Path, server: str) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "staging",
        "clusters": [{"name": "staging", "cluster": {"server": server}}],
        "users": [{"name": "staging", "user": {"token": "planted-secret"}}],
        "contexts": [{"name": "staging", "context": {"cluster": "staging", "user": "staging"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "words", [["check"], ["check", FIXED, "--over-cluster"], ["explain", "gateway"], ["graph"], ["discover"]]
)
def test_an_api_server_that_is_away_is_said_in_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    assert main([*words, "--kubeconfig", kubeconfig(tmp_path, server)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"auditpipeline: the API server {server} does not answer: Connection refused\n"


def test_a_kubeconfig_that_is_not_there_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--kubeconfig", str(tmp_path / "none")]) == 2
    assert (
        capsys.readouterr().err == f"auditpipeline: no credentials for a cluster: there is no kubeconfig {tmp_path / 'none'}\n"
    )


def test_a_context_that_is_not_there_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--context", "none", "--kubeconfig", kubeconfig(tmp_path, "http://127.0.0.1:1")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "none" in told


@pytest.mark.parametrize(
    "text", ["{", "users: [{name: a, user: {token: planted-secret", "[]", "apiVersion: v1", "a: !!python/object:x {}"]
)
def test_a_kubeconfig_that_cannot_be_read_keeps_its_text_to_itself(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    assert main(["check", "--kubeconfig", str(file)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("auditpipeline: no credentials for a cluster: ")
    assert told.count("\n") == 1
    assert "planted-secret" not in told


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["check", "--over-cluster"], "--over-cluster lays manifests over the cluster, and no PATH was given"),
        (["check", FIXED, "--context", "a"], "--kubeconfig and --context are for the running cluster, and a PATH was given"),
        (["check", "--closed"], "--closed and --partial are for manifests alone; what a cluster holds is known"),
        (
            ["check", FIXED, "--over-cluster", "--partial"],
            "--closed and --partial are for manifests alone; what a cluster holds is known",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"auditpipeline: {text}\n"
