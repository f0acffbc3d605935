"""Words and characters that the reports for people share."""

import re
from collections.abc import Iterable
from typing import Final

from auditpipeline.api.reasons import Severity
from auditpipeline.report.model import Report

# Control and direction-changing characters. A name in a manifest may hold them, and a terminal would obey.
_UNSAFE: Final = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_PLAIN: Final = re.compile(f"[{_UNSAFE}]")
_COLOURED: Final = re.compile(rf"(?!\x1b\[\d+m)[{_UNSAFE}]")


def safe(text: str) -> str:
    """The text without characters that terminals and documents would take for more than text."""
    return _PLAIN.sub("\ufffd", text)


def joined(lines: Iterable[str], *, colour: bool = False) -> str:
    """The lines as one text with a final line break, safe to show on a terminal.

    Nothing of a line reaches the terminal as a command; with `colour`, colours do.
    """
    unsafe = _COLOURED if colour else _PLAIN
    return "".join(unsafe.sub("\ufffd", line) + "\n" for line in lines)


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def total(report: Report) -> str:
    """The last line: what was found, in how much."""
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    counts = f"{count(errors, 'error')}, {count(warnings, 'warning')}"
    if report.unknowns:
        counts += f", {report.unknowns} not judged"
    if errors > 1:
        return f"{counts}. All of them stand today; fixing one does not uncover the next."
    return f"{counts} in {count(report.emitters, 'emitter')}."
