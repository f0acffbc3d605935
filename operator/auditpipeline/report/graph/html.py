"""The graph and its findings as one HTML page that needs nothing else."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from auditpipeline.api.findings import Finding
from auditpipeline.report.graph import svg
from auditpipeline.report.graph.model import Graph
from auditpipeline.report.model import Report
from auditpipeline.report.text import safe, total
from auditpipeline.verdict import Verdict

# No script, no request: the page shows names of a cluster, and is passed around.
_HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Audit pipelines</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; margin: 2rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
.picture svg { max-width: 100%; min-width: 70rem; height: auto; }
.picture { overflow-x: auto; border: 1px solid #d0d7de; border-radius: 8px; padding: .5rem; }
article { border-left: 4px solid #57606a; padding: .2rem 0 .2rem 1rem; margin: 1rem 0; }
.error { border-color: #cf222e; } .warning { border-color: #9a6700; }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; } dl { display: grid; grid-template-columns: 4rem 1fr; margin: 0; }
dt { color: #57606a; } dd { margin: 0; font-family: ui-monospace, monospace; font-size: 13px; overflow-wrap: anywhere; }
</style>
</head>
<body>
"""


def render(report: Report, graphs: Sequence[Graph]) -> str:
    """The page as text, with a final line break. `graphs` are those of the report's verdicts."""
    return _HEAD + "".join(f"{line}\n" for line in _body(report, graphs))


def _body(report: Report, graphs: Sequence[Graph]) -> Iterator[str]:
    yield "<h1>Audit pipelines</h1>"
    yield f"<p>{_text(total(report))}</p>"
    for verdict, graph in zip(report.verdicts, graphs, strict=True):
        yield f"<h2>{_text(graph.title)}</h2>"
        yield f'<div class="picture">\n{svg.render([graph])}</div>'
        yield from (_finding(finding, report) for finding in verdict.findings)
        yield from _unknowns(verdict)
    yield from (
        _article("error", "InputUnreadable", problem.message, [("at", f"{problem.position.file}:{problem.position.line}")])
        for problem in report.unreadable
    )
    yield "</body>\n</html>"


def _finding(finding: Finding, report: Report) -> str:
    position = report.position(finding)
    where = f"{finding.object} {finding.field}".rstrip() + (f" ({position.file}:{position.line})" if position.file else "")
    rows = [("at", where), ("fix", finding.fix)]
    title = f"{finding.check} {finding.reason}" + (" (waived)" if finding.waived else "")
    return _article(finding.severity.lower(), title, finding.message, rows)


def _unknowns(verdict: Verdict) -> Iterator[str]:
    for check, reason, message in dict.fromkeys((item.check, str(item.reason), item.message) for item in verdict.unknowns):
        yield _article("unknown", f"{check} not judged: {reason}", message, [])


def _article(kind: str, title: str, message: str, rows: Sequence[tuple[str, str]]) -> str:
    facts = "".join(f"<dt>{name}</dt><dd>{_text(text)}</dd>" for name, text in rows if text)
    return (
        f'<article class="{kind}"><h3>{_text(title)}</h3><p>{_text(message)}</p>'
        + (f"<dl>{facts}</dl>" if facts else "")
        + "</article>"
    )


def _text(text: str) -> str:
    return escape(safe(text))
