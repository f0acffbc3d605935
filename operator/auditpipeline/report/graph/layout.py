"""Where the boxes of a drawing stand: columns from left to right, emitters one under the other, shared boxes in the middle.

Widths are estimated from the characters, since no font is at hand; the estimate is generous, and what is still too
long is cut in the middle, where names of one family differ least.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from auditpipeline.report.graph.model import Graph, Node
from auditpipeline.report.graph.style import line_of

TITLE_SIZE: Final = 14
TEXT_SIZE: Final = 12
LINE: Final = 18
PAD: Final = 12
MARK_WIDTH: Final = 18
ROW_GAP: Final = 18
COLUMN_GAP: Final = 56
BEND: Final = 72
"""Where edges of several rows come together; left of it they are straight, so that none crosses another's label."""
MARGIN: Final = 24
HEAD: Final = 34
MOST_CHARACTERS: Final = 44
BOLD: Final = 1.1
_NARROW: Final = frozenset("iljtfrI.,:;'|!()[]/ ")
_WIDE: Final = frozenset("mwMW@%")


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its place, in pixels."""

    node: Node
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Where edges meet its sides."""
        return self.y + self.height / 2


class Layout(NamedTuple):
    """The placed boxes of a graph, by key, and the size of the whole."""

    placed: dict[str, Placed]
    width: float
    height: float


def lay_out(graph: Graph) -> Layout:
    """Place the boxes of a graph."""
    sizes = {node.key: _size(node) for node in graph.nodes}
    # A row is an emitter and the source of its URL.
    rows = [max(sizes[node.key][1] for node in row) for row in zip(*graph.columns[:2], strict=True)]
    tallest = max((sizes[node.key][1] for column in graph.columns[2:] for node in column), default=0)
    body = max(sum(rows) + ROW_GAP * (len(rows) - 1), tallest)
    placed: dict[str, Placed] = {}
    x = float(MARGIN)
    for index, column in enumerate(graph.columns):
        width = max(sizes[node.key][0] for node in column)
        y = HEAD + (body - (sum(rows) + ROW_GAP * (len(rows) - 1))) / 2
        for row, node in enumerate(column):
            height = sizes[node.key][1]
            top = y + (rows[row] - height) / 2 if index < 2 else HEAD + (body - height) / 2
            placed[node.key] = Placed(node, x, top, width, height)
            y += rows[row] + ROW_GAP
        x += width + _gap(graph, column)
    return Layout(placed, x - COLUMN_GAP + MARGIN, HEAD + body + MARGIN)


def text_width(text: str, size: int) -> float:
    """About how wide the text is."""
    return size * sum(0.36 if char in _NARROW else 0.95 if char in _WIDE else 0.72 if char.isupper() else 0.64 for char in text)


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text, or its two ends."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _size(node: Node) -> tuple[float, float]:
    widths = [BOLD * text_width(cut(node.title), TITLE_SIZE), text_width(cut(node.subtitle), TEXT_SIZE)]
    widths += [MARK_WIDTH + BOLD * text_width(cut(line_of(state)[2:]), TEXT_SIZE) for state in node.states]
    lines = 1 + bool(node.subtitle) + len(node.states)
    return max(widths) + 2 * PAD, lines * LINE + 2 * PAD - 4


def _gap(graph: Graph, column: tuple[Node, ...]) -> float:
    """Wide enough for what is written on the edges that leave the column."""
    keys = {node.key for node in column}
    labels = [
        MARK_WIDTH + BOLD * text_width(reason, TEXT_SIZE)
        for edge in graph.edges
        if edge.start in keys
        for reason in edge.reasons
    ]
    return max([COLUMN_GAP, *(label + 34 for label in labels)]) + (BEND if len(column) > 1 and labels else 0)
