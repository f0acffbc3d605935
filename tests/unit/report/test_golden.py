"""Each rendering of three inputs, to the letter: a broken pipeline, the same mended, and one with every mark."""

import json
from pathlib import Path
from typing import get_args

import pytest

from auditpipeline.report import explain
from auditpipeline.report.formats import Format, render
from auditpipeline.report.graph import dot, html, mermaid, svg
from auditpipeline.report.graph.model import graph_of
from golden import assert_golden
from reports import INPUTS, report_of, steady

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
    text = render(steady(report_of([INPUTS[name]])), output)
    assert_golden(without_unused_rules(text) if output == "sarif" else text, GOLDEN / f"{name}.{SUFFIXES[output]}")


def without_unused_rules(text: str) -> str:
    """A reason more is a rule more in every log; here stand those that the results name."""
    log = json.loads(text)
    (run,) = log["runs"]
    used = {result["ruleId"] for result in run["results"]}
    rules = run["tool"]["driver"]["rules"] = [rule for rule in run["tool"]["driver"]["rules"] if rule["id"] in used]
    for result in run["results"]:
        result["ruleIndex"] = [rule["id"] for rule in rules].index(result["ruleId"])
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", INPUTS)
def test_explain_says_exactly_this(name: str) -> None:
    report = steady(report_of([INPUTS[name]]))
    assert_golden("".join(explain.render(report, verdict) for verdict in report.verdicts), GOLDEN / f"{name}.explain.txt")


def test_colour_marks_what_stands_how() -> None:
    assert_golden(render(steady(report_of([INPUTS["every-mark"]])), "table", colour=True), GOLDEN / "every-mark.colour.txt")


@pytest.mark.parametrize("output", ["mermaid", "dot", "svg", "html"])
@pytest.mark.parametrize("name", ["gateway-broken", "every-mark"])
def test_graph_draws_exactly_this(name: str, output: str) -> None:
    report = steady(report_of([INPUTS[name]]))
    graphs = [graph_of(verdict, number) for number, verdict in enumerate(report.verdicts)]
    text = {
        "mermaid": lambda: mermaid.render(graphs),
        "dot": lambda: dot.render(graphs),
        "svg": lambda: svg.render(graphs),
        "html": lambda: html.render(report, graphs),
    }[output]()
    assert_golden(text, GOLDEN / f"{name}.{'mmd' if output == 'mermaid' else output}")
