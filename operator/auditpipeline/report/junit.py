"""The report as JUnit XML: a test suite for each pipeline, a test case for each hop.

A hop fails where it holds a finding at or above `--fail-on`, so a CI system and the exit code never disagree; what is
below stands in the case's output. A hop that cannot be judged is skipped.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from auditpipeline.api.conditions import HOPS, ConditionType, Status
from auditpipeline.api.findings import Finding
from auditpipeline.report.model import FailOn, Report, fails
from auditpipeline.verdict import Verdict

# Characters that XML 1.0 cannot hold, not even as references.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Case(NamedTuple):
    """One test case; `kind` is the element that tells its result, empty for passed."""

    suite: str
    name: str
    kind: str = ""
    reason: str = ""
    message: str = ""
    text: str = ""
    output: str = ""


def render(report: Report, *, fail_on: FailOn = "error") -> str:
    """The report as XML text, with a final line break."""
    suites = [(_name(verdict), list(_cases(verdict, report, fail_on))) for verdict in report.verdicts]
    if report.unreadable:
        suites.append(("input", list(_input_cases(report, fail_on))))
    cases = [case for _, suite in suites for case in suite]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites name={_attribute('auditpipeline')}{_counts(cases)}>"]
    for name, suite in suites:
        lines.append(f"  <testsuite name={_attribute(name)}{_counts(suite)}>")
        lines += [line for case in suite for line in _case(case)]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _cases(verdict: Verdict, report: Report, fail_on: FailOn) -> Iterator[_Case]:
    status = {condition.type: condition for condition in verdict.conditions}
    for hop in HOPS:
        if hop not in status:
            continue
        findings = [finding for finding in verdict.findings if finding.check is hop]
        faults = [finding for finding in findings if fails(finding.severity, fail_on)]
        output = "\n".join(_told(finding, report) for finding in findings if finding not in faults)
        case = _Case(_name(verdict), hop, output=output)
        if faults:
            yield case._replace(
                kind="failure",
                reason=str(faults[0].reason),
                message=" ".join(finding.message for finding in faults),
                text="\n".join(_told(finding, report) for finding in faults),
            )
        elif status[hop].status is Status.UNKNOWN:
            yield case._replace(kind="skipped", message=f"{status[hop].reason}: {_unknown_text(verdict, hop)}")
        else:
            yield case


def _input_cases(report: Report, fail_on: FailOn) -> Iterator[_Case]:
    for problem in report.unreadable:
        case = _Case("input", f"{problem.position.file}:{problem.position.line}")
        if fail_on == "never":
            yield case._replace(output=f"InputUnreadable: {problem.message}")
        else:
            yield case._replace(kind="failure", reason="InputUnreadable", message=problem.message, text=problem.message)


def _case(case: _Case) -> Iterator[str]:
    head = f"    <testcase classname={_attribute(case.suite)} name={_attribute(case.name)}"
    if not case.kind and not case.output:
        yield f"{head}/>"
        return
    yield f"{head}>"
    if case.kind == "failure":
        yield f"      <failure type={_attribute(case.reason)} message={_attribute(case.message)}>{_text(case.text)}</failure>"
    elif case.kind == "skipped":
        yield f"      <skipped message={_attribute(case.message)}/>"
    if case.output:
        yield f"      <system-out>{_text(case.output)}</system-out>"
    yield "    </testcase>"


def _counts(cases: Sequence[_Case]) -> str:
    kinds = [case.kind for case in cases]
    return f' tests="{len(cases)}" failures="{kinds.count("failure")}" errors="0" skipped="{kinds.count("skipped")}"'


def _told(finding: Finding, report: Report) -> str:
    position = report.position(finding)
    where = f"{finding.object} {finding.field}".rstrip() + (f" ({position.file}:{position.line})" if position.file else "")
    weight = "waived" if finding.waived else finding.severity
    lines = [f"{weight} {finding.reason}: {finding.message}", f"at {where}"]
    return "\n".join([*lines, f"fix {finding.fix}"] if finding.fix else lines)


def _unknown_text(verdict: Verdict, hop: ConditionType) -> str:
    messages = dict.fromkeys(unknown.message for unknown in verdict.unknowns if unknown.check is hop)
    return " ".join(messages) or next(condition.message for condition in verdict.conditions if condition.type == hop)


def _name(verdict: Verdict) -> str:
    return f"{verdict.pipeline.ref.namespace}/{verdict.pipeline.ref.name}"


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
