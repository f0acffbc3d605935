from pathlib import Path

import pytest

from auditpipeline.cli.main import main
from golden import assert_golden

GOLDEN = Path(__file__).parent / "golden"
BROKEN = "examples/gateway-broken"


@pytest.mark.parametrize(
    "word",
    [
        "ServiceNotFound",
        "NoReadyEndpoints",
        "APIServerOverridden",
        "ContractUndetermined",
        "BlockedByServiceResolved",
        "Passed",
    ],
)
def test_reason_is_explained_exactly_so(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", word]) == 0
    assert_golden(capsys.readouterr().out, GOLDEN / f"explain-{word}.txt")


def test_unknown_word_gets_a_hint_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "ServiceNotfond"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        'auditpipeline: no reason or condition is named "ServiceNotfond"; did you mean ServiceNotFound? '
        "To explain a pipeline, name its manifests too: explain NAME PATH\n"
    )


def test_nothing_explains_all_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    text = capsys.readouterr().out
    assert "  ServiceNotFound             Error    The URL's host names a Service that does not exist.\n" in text


@pytest.mark.parametrize("name", ["gateway", "kubernaut-system/gateway"])
def test_pipeline_is_found_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name, BROKEN]) == 0
    assert capsys.readouterr().out.startswith("AuditPipeline kubernaut-system/gateway ")


def test_pipeline_that_is_not_there_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "gatway", BROKEN]) == 2
    assert capsys.readouterr().err == 'auditpipeline: the input holds no pipeline "gatway"; it holds kubernaut-system/gateway\n'


def test_pipeline_in_a_file_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "apiVersion: auditpipeline.dev/v1alpha1\nkind: AuditPipeline\nmetadata: {name: a, namespace: b}\nspec: {}\n"
    )
    assert main(["explain", "a", str(file)]) == 2
    assert f"auditpipeline: {file}:1: AuditPipeline a cannot be used: " in capsys.readouterr().err
