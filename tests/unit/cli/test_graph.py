from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from auditpipeline.cli.main import main

BROKEN = "examples/gateway-broken"
MARKS = "tests/unit/report/manifests"


@pytest.mark.parametrize(
    ("output", "start"), [("mermaid", "%%{init:"), ("dot", "digraph"), ("svg", "<svg "), ("html", "<!DOCTYPE html>")]
)
def test_formats(output: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", BROKEN, "-o", output]) == 0
    text = capsys.readouterr().out
    assert text.startswith(start)
    assert "ServiceNotFound" in text


def test_several_pipelines_share_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", BROKEN, MARKS, "-o", "svg"]) == 0
    text = capsys.readouterr().out
    assert "kubernaut-system/gateway" in text
    assert "shop/every-mark" in text
    ET.fromstring(text)  # noqa: S314  (our own text)


def test_name_draws_one_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "every-mark", BROKEN, MARKS]) == 0
    assert "kubernaut-system" not in capsys.readouterr().out


def test_name_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "other", BROKEN]) == 2
    assert 'the input holds no pipeline "other"' in capsys.readouterr().err


def test_nothing_to_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "auditpipeline: the input holds no emitter, so there is nothing to draw\n"
