"""Each rendering of three inputs, to the letter: a broken pipeline, the same mended, and one with every mark."""

from pathlib import Path
from typing import get_args

import pytest

from auditpipeline.report import explain
from auditpipeline.report.formats import Format, render
from auditpipeline.report.graph import dot, html, mermaid, svg
from auditpipeline.report.graph.model import graph_of
from golden import assert_golden
from reports import INPUTS, report_of

GOLDEN = Path(__file__).parent / "golden"
SUFFIXES: dict[Format, str] = {
    "table": "txt",
    "json": "json",
    "sarif": "sarif",
    "junit": "xml",
    "github": "github",
    "yaml": "yaml",
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("output", get_args(Format))
def test_check_says_exactly_this(name: str, output: Format) -> None:
    assert_golden(render(report_of([INPUTS[name]]), output), GOLDEN / f"{name}.{SUFFIXES[output]}")


@pytest.mark.parametrize("name", INPUTS)
def test_explain_says_exactly_this(name: str) -> None:
    report = report_of([INPUTS[name]])
    assert_golden("".join(explain.render(report, verdict) for verdict in report.verdicts), GOLDEN / f"{name}.explain.txt")


def test_colour_marks_what_stands_how() -> None:
    assert_golden(render(report_of([INPUTS["every-mark"]]), "table", colour=True), GOLDEN / "every-mark.colour.txt")


@pytest.mark.parametrize("output", ["mermaid", "dot", "svg", "html"])
@pytest.mark.parametrize("name", ["gateway-broken", "every-mark"])
def test_graph_draws_exactly_this(name: str, output: str) -> None:
    report = report_of([INPUTS[name]])
    graphs = [graph_of(verdict, number) for number, verdict in enumerate(report.verdicts)]
    text = {
        "mermaid": lambda: mermaid.render(graphs),
        "dot": lambda: dot.render(graphs),
        "svg": lambda: svg.render(graphs),
        "html": lambda: html.render(report, graphs),
    }[output]()
    assert_golden(text, GOLDEN / f"{name}.{'mmd' if output == 'mermaid' else output}")
