"""The report for a person at a terminal."""

from collections.abc import Callable, Iterator
from typing import Final

from auditpipeline.api.conditions import HOPS, Status
from auditpipeline.api.findings import Finding
from auditpipeline.api.reasons import Severity
from auditpipeline.report.model import Report
from auditpipeline.verdict import Verdict

WIDTH: Final = 100
_MARKS: Final = {Severity.ERROR: "✘", Severity.WARNING: "!", Severity.INFO: "·"}
_HOP_MARKS: Final = {Status.TRUE: "✔", Status.FALSE: "✘", Status.UNKNOWN: "?"}
_COLOURS: Final = {"✘": "31", "✔": "32", "!": "33", "?": "36", "·": "2"}

Paint = Callable[[str, str], str]


def render(report: Report, *, colour: bool = False) -> str:
    """The table as text, with a final line break."""
    paint: Paint = _coloured if colour else _plain
    lines: list[str] = []
    for verdict in report.verdicts:
        lines += _pipeline(verdict, report, paint)
        lines.append("")
    for problem in report.unreadable:
        lines.append(f"{paint('✘', '✘')} InputUnreadable  {problem.position.file}:{problem.position.line}")
        lines += [f"    {problem.message}", ""]
    lines.append(_total(report))
    return "\n".join(lines) + "\n"


def _pipeline(verdict: Verdict, report: Report, paint: Paint) -> Iterator[str]:
    ref = verdict.pipeline.ref
    ready = f"Ready: {verdict.ready.status}"
    title = f"{ref.kind} {ref.namespace}/{ref.name}"
    yield f"{title}{ready:>{max(WIDTH - len(title), len(ready) + 2)}}"
    yield ""
    for emitter in verdict.wiring.emitters:
        yield f"  {_way(verdict, emitter.name)}"
    yield "  " + "  ".join(f"{paint(mark, mark)} {hop}" for hop, mark in _hop_marks(verdict))
    for finding in verdict.findings:
        yield ""
        yield from _finding(finding, report, paint)
    unknowns = list(dict.fromkeys((unknown.check, str(unknown.reason), unknown.message) for unknown in verdict.unknowns))
    if unknowns:
        yield ""
    for check, reason, message in unknowns:
        yield f"  {paint('?', '?')} {check}  {reason}"
        yield f"      {message}"


def _way(verdict: Verdict, name: str) -> str:
    """The picture of one emitter's way: emitter, where its URL stands, Service, store."""
    emitter = next(emitter for emitter in verdict.wiring.emitters if emitter.name == name)
    store = verdict.wiring.store
    winner = emitter.winner
    source = "no URL" if winner is None else f"{winner.place.object.kind} {winner.place.object.name}"
    workload = store.workloads[0].ref.name if store.workloads else "no workload"
    return " ──► ".join([name, source, f"Service {store.service_ref.name}", workload, "events"])


def _hop_marks(verdict: Verdict) -> list[tuple[str, str]]:
    status = {condition.type: condition.status for condition in verdict.conditions}
    return [(hop, _HOP_MARKS[status[hop]]) for hop in HOPS if hop in status]


def _finding(finding: Finding, report: Report, paint: Paint) -> Iterator[str]:
    mark = _MARKS[finding.severity]
    waived = "  (waived)" if finding.waived else ""
    yield f"  {paint(mark, mark)} {finding.check:<18} {finding.reason}{waived}"
    yield f"      {finding.message}"
    position = report.position(finding)
    where = f"{finding.object}  {finding.field}".rstrip()
    yield f"      at   {where}" + (f"  ({position.file}:{position.line})" if position.file else "")
    if finding.fix:
        yield f"      fix  {finding.fix}"


def _total(report: Report) -> str:
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if report.unknowns:
        counts += f", {report.unknowns} not judged"
    if errors > 1:
        return f"{counts}. All of them stand today; fixing one does not uncover the next."
    judged = f"{_count(report.emitters, 'emitter')}"
    return f"{counts} in {judged}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(text: str, _: str) -> str:
    return text


def _coloured(text: str, mark: str) -> str:
    return f"\x1b[{_COLOURS[mark]}m{text}\x1b[0m"
