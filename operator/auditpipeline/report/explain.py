"""One pipeline, hop by hop: the picture, every finding, and the command that shows each fact."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.report.commands import commands
from auditpipeline.report.hops import Box, Hops, Mark
from auditpipeline.report.model import Report
from auditpipeline.report.paint import Paint, painter
from auditpipeline.report.picture import boxes, picture
from auditpipeline.report.table import title, told
from auditpipeline.report.text import joined, total
from auditpipeline.verdict import Verdict

MOST_COMMANDS: Final = 4


def render(report: Report, verdict: Verdict, *, colour: bool = False) -> str:
    """The pipeline as text, with a final line break."""
    return joined(_lines(replace(report, verdicts=(verdict,), unreadable=()), verdict, painter(colour=colour)), colour=colour)


def _lines(report: Report, verdict: Verdict, paint: Paint) -> Iterator[str]:
    hops = Hops(verdict)
    yield title(verdict)
    yield ""
    yield from (f"  {line}".rstrip() for line in _pictures(verdict, hops, paint))
    for hop in hops.judged:
        yield ""
        yield from _hop(hop, verdict, hops, report, paint)
    yield ""
    yield total(report)


def _pictures(verdict: Verdict, hops: Hops, paint: Paint) -> Iterator[str]:
    """One picture for each way that emitters differ in; those that look alike are named under it."""
    alike: dict[object, list[str]] = {}
    for emitter in verdict.wiring.emitters:
        drawn = (boxes(verdict, emitter)[1:], *(hops.under(box, emitter.name) for box in Box))
        alike.setdefault(drawn, []).append(emitter.name)
    first = {names[0]: names[1:] for names in alike.values()}
    shown = [emitter for emitter in verdict.wiring.emitters if emitter.name in first]
    for index, emitter in enumerate(shown):
        if index:
            yield ""
        yield from picture(verdict, hops, emitter, paint)
        if first[emitter.name]:
            yield f"alike: {', '.join(first[emitter.name])}"


def _hop(hop: ConditionType, verdict: Verdict, hops: Hops, report: Report, paint: Paint) -> Iterator[str]:
    findings = [finding for finding in verdict.findings if finding.check is hop]
    unknowns = list(
        dict.fromkeys((str(unknown.reason), unknown.message) for unknown in verdict.unknowns if unknown.check is hop)
    )
    for finding in findings:
        yield from told(finding, report, paint)
    for reason, message in unknowns:
        yield f"  {paint('?')} {hop:<18} {reason}"
        yield f"      {message}"
    if not findings and not unknowns:
        state = hops.overall(hop)
        yield f"  {paint(state.mark)} {hop:<18} {hop.affirmation if state.mark is Mark.OK else ', '.join(state.reasons)}"
    lines = commands(verdict, hop)
    yield from (f"      see  {line}" for line in lines[:MOST_COMMANDS])
    if len(lines) > MOST_COMMANDS:
        yield f"           and so for {len(lines) - MOST_COMMANDS} more"
