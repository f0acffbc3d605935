"""Writing to the terminal or the pipe behind it."""

import os
import sys


def write(text: str) -> None:
    """Write to stdout. A reader that went away, as `| head` does, is no error and does not change the exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered goes nowhere, so that the interpreter does not complain when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def coloured() -> bool:
    """Colour only on a terminal, and not where the user refuses it (https://no-color.org: set and not empty)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def complain(text: str) -> None:
    """One line on stderr, under the program's name."""
    print(f"auditpipeline: {text}", file=sys.stderr)
