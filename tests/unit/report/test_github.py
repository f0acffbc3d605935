from dataclasses import replace

from auditpipeline.report import github
from auditpipeline.report.model import Position, Report
from reports import INPUTS, report_of


def with_text(message: str, position: Position) -> Report:
    report = report_of([INPUTS["gateway-broken"]])
    verdict = report.verdicts[0]
    finding = replace(verdict.findings[0], message=message, fix="")
    return replace(report, verdicts=(replace(verdict, findings=(finding,)),), positions={(finding.object, finding.field): position})


def first_line(message: str, position: Position) -> str:
    return github.render(with_text(message, position)).splitlines()[0]


def test_severities_are_commands() -> None:
    lines = github.render(report_of([INPUTS["every-mark"]])).splitlines()
    assert [line.partition(" ")[0] for line in lines[:-1]] == ["::error", "::error", "::warning", "::notice", "::error"]


def test_message_cannot_start_a_command_of_its_own() -> None:
    line = first_line("100% bad\r\n::set-output name=a::b", Position("a.yaml", 2))
    assert line == "::error file=a.yaml,line=2,title=ServiceResolved ServiceNotFound::100%25 bad%0D%0A::set-output name=a::b"


def test_file_name_cannot_end_its_property() -> None:
    line = first_line("x", Position("a,line=9::b%.yaml", 2))
    assert line == "::error file=a%2Cline=9%3A%3Ab%25.yaml,line=2,title=ServiceResolved ServiceNotFound::x"


def test_stdin_and_live_objects_have_no_file() -> None:
    assert first_line("x", Position("stdin", 4)) == "::error title=ServiceResolved ServiceNotFound::x"
    assert first_line("x", Position()) == "::error title=ServiceResolved ServiceNotFound::x"
