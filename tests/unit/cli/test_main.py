import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from auditpipeline import __version__
from auditpipeline.cli.main import COMMANDS, main
from golden import ROOT


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/usr/bin/auditpipeline", "auditpipeline"),
        ("/usr/bin/kubectl-auditpipeline", "kubectl auditpipeline"),
        ("__main__.py", "auditpipeline"),
    ],
)
def test_usage_names_the_program_as_it_was_called(
    program: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit) as end:
        main(["check", "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {name} check ")


@pytest.mark.parametrize("command", [name for name, _, _ in COMMANDS])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: auditpipeline {command}")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {name} " in text for name, _, _ in COMMANDS)


def test_defect_is_2_and_keeps_values_to_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("s3cr3t")

    monkeypatch.setattr("auditpipeline.cli.judging.judge", fail)
    assert main(["check", str(ROOT / "examples" / "gateway-fixed")]) == 2
    text = capsys.readouterr().err
    assert text.endswith("auditpipeline: internal error: ValueError; please report it with the lines above\n")
    assert "in judged" in text
    assert "s3cr3t" not in text.replace('ValueError("s3cr3t")', "")


def test_version_names_what_is_written_and_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == (
        f"auditpipeline {__version__}\n"
        "api           auditpipeline.dev/v1alpha1\n"
        "report        auditpipeline.dev/report/v1\n"
        "contracts     kubernaut-v1, kubernaut-2026-01, kubernaut-2026-01-noauth\n"
    )


def test_crd_in_a_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd"]) == 0
    text = capsys.readouterr().out
    assert text == (ROOT / "crds" / "auditpipelines.yaml").read_text("utf-8")
    assert yaml.safe_load(text)["kind"] == "CustomResourceDefinition"


def test_crd_from_a_wheel(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    done = subprocess.run(
        [sys.executable, "-m", "auditpipeline", "crd"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == (ROOT / "crds" / "auditpipelines.yaml").read_text("utf-8")
    # Schemas and manifests of tests stay out of what users install.
    assert [name for name in zipfile.ZipFile(wheel).namelist() if "test" in name or "sarif-2" in name] == []
