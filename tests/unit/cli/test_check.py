"""`auditpipeline check` as a user and a CI system meet it."""

import gc
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import pytest
import yaml

from auditpipeline.cli.main import main
from auditpipeline.report.formats import Format
from golden import ROOT

BROKEN = "examples/gateway-broken"
FIXED = "examples/gateway-fixed"
MARKS = "tests/unit/report/manifests"
WARNING = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: emitter, namespace: other}
spec:
  selector: {matchLabels: {app: emitter}}
  template:
    metadata: {labels: {app: emitter}}
    spec:
      containers:
      - name: app
        image: app
        env:
        - {name: DATA_STORAGE_URL, value: "http://data-storage-service:8080"}
        - {name: KUBERNETES_SERVICE_HOST, value: 10.0.0.1}
"""
COMMAND = [sys.executable, "-m", "auditpipeline"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}


@pytest.fixture
def warning(tmp_path: Path) -> str:
    file = tmp_path / "warning.yaml"
    file.write_text(WARNING)
    return str(file)


@pytest.fixture
def empty(tmp_path: Path) -> str:
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    return str(tmp_path)


@pytest.mark.parametrize(("level", "codes"), [("error", [1, 0, 0]), ("warning", [1, 1, 0]), ("never", [0, 0, 0])])
@pytest.mark.parametrize("output", get_args(Format))
def test_exit_code_is_the_findings_at_or_above_the_level(
    output: Format, level: str, codes: list[int], warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [main(["check", path, "--fail-on", level, "-o", output]) for path in (BROKEN, warning, FIXED)] == codes
    assert capsys.readouterr().err == ""


def test_nothing_to_judge_is_2_and_says_so(empty: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", empty]) == 2
    assert (
        capsys.readouterr().err
        == "auditpipeline: the input holds no emitter, so nothing was judged; --allow-empty accepts that\n"
    )
    assert main(["check", empty, "--allow-empty"]) == 0


def test_path_that_does_not_exist_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no/such/file.yaml"]) == 2
    assert capsys.readouterr().err == "auditpipeline: no/such/file.yaml: No such file or directory\n"


@pytest.mark.parametrize(
    "words", [[], ["check", "-n", "audit", "-A"], ["check", FIXED, "-o", "pdf"], ["check", FIXED, "--fail-on", "info"], ["chek", FIXED]]
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: auditpipeline")


def test_file_that_cannot_be_read_is_an_error_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "service.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n   namespace: b\n")
    assert main(["check", str(file)]) == 1
    captured = capsys.readouterr()
    assert f"✘ InputUnreadable  {file}:5\n    {file} is no valid YAML.\n" in captured.out
    assert captured.out.endswith("1 error, 0 warnings in 0 emitters.\n")
    assert main(["check", str(file), "--fail-on", "never"]) == 0


def test_namespace_limits_every_format(warning: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {}
    for output in get_args(Format):
        assert main(["check", warning, MARKS, "-n", "other", "-o", output, "--fail-on", "never"]) == 0
        texts[output] = capsys.readouterr().out
    assert [item["namespace"] for item in json.loads(texts["json"])["pipelines"]] == ["other"]
    assert [item["namespace"] for item in yaml.safe_load(texts["yaml"])["pipelines"]] == ["other"]
    faulty = [item["properties"].get("pipeline", "") for item in json.loads(texts["sarif"])["runs"][0]["results"]]
    assert {pipeline.partition("/")[0] for pipeline in faulty} == {"other", ""}
    suites = ET.fromstring(texts["junit"]).iter("testsuite")  # noqa: S314  (our own text)
    assert {suite.get("name", "").partition("/")[0] for suite in suites} == {"other", "input"}
    for output in ("table", "github"):
        assert "gone" not in texts[output]


def test_namespace_without_pipelines_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", BROKEN, "-n", "none"]) == 2
    assert "auditpipeline: namespace none of the input holds no emitter" in capsys.readouterr().err


def run(*words: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *words], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


def test_stream_is_judged_as_its_files_are() -> None:
    text = "\n---\n".join(file.read_text("utf-8") for file in sorted((ROOT / BROKEN).iterdir()))
    for given in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        done = run("check", "-", "-o", "json", input=given)
        assert done.returncode == 1
        assert [item["reason"] for item in json.loads(done.stdout)["findings"]] == [
            "ServiceNotFound",
            "PortNotExposed",
            "HostPathEnv",
            "BindingMissing",
        ]


def test_stream_of_bytes_that_are_no_text_is_told_not_raised() -> None:
    done = run("check", "-", input=b"apiVersion: v1\nkind: Service\nmetadata: {name: \xff\xfe\x00}\n")
    assert done.returncode in {1, 2}
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("path", [BROKEN, FIXED])
def test_reader_that_goes_away_does_not_change_the_exit_code(path: str) -> None:
    with subprocess.Popen(
        [*COMMAND, "check", path, "-o", "json"], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == (1 if path == BROKEN else 0)


@pytest.mark.parametrize(
    ("extra", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_terminal_has_colour_unless_refused(extra: dict[str, str], coloured: bool) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | extra
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, "check", FIXED], cwd=ROOT, env=environment, stdout=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:
            # Linux reports the end of a terminal as an error.
            pass
        finally:
            os.close(ours)
        assert process.wait() == 0
    assert ("\x1b[32m✔\x1b[0m" in text.decode()) is coloured


def test_pipe_has_no_colour() -> None:
    assert b"\x1b" not in run("check", FIXED).stdout


def test_poor_encoding_ends_in_escapes_not_in_a_traceback() -> None:
    done = subprocess.run(
        [*COMMAND, "check", FIXED], cwd=ROOT, env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert rb"\u2714 ConfigResolved" in done.stdout


def test_collector_is_back_after_a_run() -> None:
    main(["version"])
    assert gc.isenabled()


def test_a_run_imports_no_more_than_it_needs() -> None:
    code = (
        f"import sys; from auditpipeline.cli.main import main; main(['check', {FIXED!r}]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True)
    imported = set(done.stderr.decode().split())
    costly = {
        "asyncio",
        "kopf",
        "aiohttp",
        "httpx",
        "kubernetes",
        "logging",
        "auditpipeline.controller",
        "auditpipeline.probes",
    }
    renderers = {
        f"auditpipeline.report.{name}"
        for name in ("sarif", "junit", "github", "yaml_report", "json_report", "graph", "explain")
    }
    assert imported & (costly | renderers) == set()
