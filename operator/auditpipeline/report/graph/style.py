"""Colours of the drawings, by mark. Each mark differs in shape too, so nothing depends on colour alone."""

from typing import Final, NamedTuple

from auditpipeline.report.hops import HopState, Mark


class Colours(NamedTuple):
    """Line and text, and the fill behind them."""

    line: str
    fill: str


COLOURS: Final = {
    Mark.OK: Colours("#1a7f37", "#ffffff"),
    Mark.BROKEN: Colours("#cf222e", "#ffebe9"),
    Mark.WARNING: Colours("#9a6700", "#fff8c5"),
    Mark.UNKNOWN: Colours("#57606a", "#f6f8fa"),
}
FONT: Final = "DejaVu Sans, Verdana, Arial, sans-serif"
INK: Final = "#1f2328"
PALE: Final = "#57606a"


def line_of(state: HopState) -> str:
    """`✘ AccessGranted BindingMissing`."""
    return " ".join((str(state), *state.reasons))
