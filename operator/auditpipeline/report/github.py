"""The report as GitHub workflow commands, which annotate the files of a pull request.

What stands in a command's message or properties is escaped as the runner unescapes it; so no name in a manifest can end
its line and give the runner a command of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from auditpipeline.report.json_report import as_dict
from auditpipeline.report.model import Position, Report
from auditpipeline.report.text import total

_COMMANDS: Final = {"Error": "error", "Warning": "warning", "Info": "notice"}
# The order matters: a percent sign first, so that the others are not escaped twice.
_IN_MESSAGE: Final = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTY: Final = (*_IN_MESSAGE, (":", "%3A"), (",", "%2C"))


def render(report: Report) -> str:
    """One command a line, then the total, with a final line break."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    for finding in as_dict(report)["findings"]:
        yield _command(finding)
    yield total(report)


def _command(finding: Mapping[str, Any]) -> str:
    position = Position(finding["file"], finding["line"])
    properties = {"file": position.file, "line": str(position.line)} if position.on_disk else {}
    properties["title"] = " ".join(filter(None, (finding["check"], finding["reason"]))) + (
        " (waived)" if finding["waived"] else ""
    )
    where = ",".join(f"{name}={_escaped(value, _IN_PROPERTY)}" for name, value in properties.items())
    message = finding["message"] + (f"\nfix: {finding['fix']}" if finding["fix"] else "")
    return f"::{_COMMANDS[finding['severity']]} {where}::{_escaped(message, _IN_MESSAGE)}"


def _escaped(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for char, escape in escapes:
        text = text.replace(char, escape)
    return text
