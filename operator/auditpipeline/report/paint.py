"""Colour for marks on a terminal; a mark says everything without it."""

from collections.abc import Callable
from typing import Final

_COLOURS: Final = {"✘": "31", "✔": "32", "!": "33", "?": "36", "·": "2"}

Paint = Callable[[str], str]
"""A mark, coloured or as it is."""


def painter(*, colour: bool) -> Paint:
    """What gives marks their colour."""
    return _coloured if colour else _plain


def _plain(mark: str) -> str:
    return mark


def _coloured(mark: str) -> str:
    return f"\x1b[{_COLOURS[mark]}m{mark}\x1b[0m"
