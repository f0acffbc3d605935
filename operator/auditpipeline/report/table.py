"""The report for a person at a terminal."""

from collections.abc import Iterable, Iterator
from typing import Final

from auditpipeline.api.findings import Finding
from auditpipeline.api.reasons import Severity
from auditpipeline.report.hops import Hops, HopState
from auditpipeline.report.model import Report
from auditpipeline.report.paint import Paint, painter
from auditpipeline.report.picture import way
from auditpipeline.report.text import joined, total
from auditpipeline.verdict import Verdict

WIDTH: Final = 100
MARKS: Final = {Severity.ERROR: "✘", Severity.WARNING: "!", Severity.INFO: "·"}


def render(report: Report, *, colour: bool = False) -> str:
    """The table as text, with a final line break."""
    return joined(_lines(report, painter(colour=colour)), colour=colour)


def _lines(report: Report, paint: Paint) -> Iterator[str]:
    for verdict in report.verdicts:
        yield title(verdict)
        yield ""
        yield from _pipeline(verdict, report, paint)
        yield ""
    for problem in report.unreadable:
        where = f"{problem.position.file}:{problem.position.line}" if problem.position.file else str(problem.object or "")
        yield f"{paint('✘')} InputUnreadable  {where}"
        yield f"    {problem.message}"
        yield ""
    yield total(report)


def title(verdict: Verdict) -> str:
    """The pipeline on the left, Ready on the right."""
    ref = verdict.pipeline.ref
    ready = f"Ready: {verdict.ready.status}"
    name = f"{ref.kind} {ref.namespace}/{ref.name}" + ("" if verdict.pipeline.declared else " (discovered)")
    return f"{name}{ready:>{max(WIDTH - len(name), len(ready) + 2)}}"


def _pipeline(verdict: Verdict, report: Report, paint: Paint) -> Iterator[str]:
    hops = Hops(verdict)
    emitters = verdict.wiring.emitters
    for emitter in emitters:
        # With one emitter the hops below say it all.
        mark = f"{paint(hops.mark(emitter.name))} " if len(emitters) > 1 else ""
        yield f"  {mark}{way(verdict, emitter)}"
    yield from _marks([hops.overall(hop) for hop in hops.judged], paint)
    for finding in verdict.findings:
        yield ""
        yield from told(finding, report, paint)
    unknowns = list(dict.fromkeys((unknown.check, str(unknown.reason), unknown.message) for unknown in verdict.unknowns))
    if unknowns:
        yield ""
    for check, reason, message in unknowns:
        yield f"  {paint('?')} {check:<18} {reason}"
        yield f"      {message}"


def _marks(states: Iterable[HopState], paint: Paint) -> Iterator[str]:
    """The hops side by side, as many as fit on a line."""
    line, used = "", 0
    for state in states:
        needed = len(str(state)) + 2
        if line and used + needed > WIDTH:
            yield line
            line, used = "", 0
        line += f"  {paint(state.mark)} {state.hop}"
        used += needed
    if line:
        yield line


def told(finding: Finding, report: Report, paint: Paint) -> Iterator[str]:
    """A finding in full: what, where, and how to mend it."""
    waived = "  (waived)" if finding.waived else ""
    yield f"  {paint(MARKS[finding.severity])} {finding.check:<18} {finding.reason}{waived}"
    yield f"      {finding.message}"
    position = report.position(finding)
    where = f"{finding.object}  {finding.field}".rstrip()
    yield f"      at   {where}" + (f"  ({position.file}:{position.line})" if position.file else "")
    if finding.fix:
        yield f"      fix  {finding.fix}"
