"""Exit codes of every command, as scripts rely on them."""

from typing import Final

EXIT_CLEAN: Final = 0
"""Nothing at or above `--fail-on`."""
EXIT_FINDINGS: Final = 1
"""Findings at or above `--fail-on`."""
EXIT_USAGE: Final = 2
"""Wrong usage, nothing to judge, or an internal error."""


class CannotJudge(Exception):  # noqa: N818  (reads as a noun where it is raised)
    """There is nothing to judge, or nothing to judge it by; the text says why, in one line."""
