"""The graph as SVG, drawn without any other program."""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from auditpipeline.report.graph.layout import (
    BEND,
    HEAD,
    LINE,
    MARGIN,
    MARK_WIDTH,
    PAD,
    TEXT_SIZE,
    TITLE_SIZE,
    Layout,
    Placed,
    cut,
    lay_out,
)
from auditpipeline.report.graph.model import Edge, Graph
from auditpipeline.report.graph.style import COLOURS, FONT, INK, PALE, line_of
from auditpipeline.report.hops import Mark
from auditpipeline.report.text import safe

# Marks as strokes in a square of 10: fonts draw the characters differently, or not at all.
_MARKS: Final = {
    Mark.OK: "M1 5.5 L4 8.5 L9 1.5",
    Mark.BROKEN: "M1.5 1.5 L8.5 8.5 M8.5 1.5 L1.5 8.5",
    Mark.WARNING: "M5 0.5 V6 M5 8.6 V9.4",
    Mark.UNKNOWN: "M2 3 C2 -0.3 8 -0.3 8 3 C8 5 5 4.6 5 7 M5 8.8 V9.4",
}


def render(graphs: Sequence[Graph]) -> str:
    """One SVG document with the graphs one under the other, with a final line break."""
    layouts = [lay_out(graph) for graph in graphs]
    width = round(max((layout.width for layout in layouts), default=0))
    height = round(sum(layout.height for layout in layouts))
    body = [_element("rect", width=width, height=height, fill="#ffffff")]
    top = 0.0
    for graph, layout in zip(graphs, layouts, strict=True):
        body.append(_element("g", *_graph(graph, layout), transform=f"translate(0 {top:.0f})"))
        top += layout.height
    spoken = "; ".join(f"{graph.title}, Ready: {graph.ready}" for graph in graphs)
    picture = _element(
        "svg",
        *body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=spoken,
        font_family=FONT,
        font_size=TEXT_SIZE,
        fill=INK,
    )
    return picture + "\n"


def _graph(graph: Graph, layout: Layout) -> Iterator[str]:
    mark = {"True": Mark.OK, "False": Mark.BROKEN}.get(graph.ready, Mark.UNKNOWN)
    ready = _element("tspan", _text(f"Ready: {graph.ready}"), dx=12, fill=COLOURS[mark].line)
    yield _title(MARGIN, HEAD - 14, graph.title, ready)
    for edge in graph.edges:
        yield from _edge(edge, layout.placed[edge.start], layout.placed[edge.end])
    for placed in layout.placed.values():
        yield _element("g", *_node(placed))


def _node(placed: Placed) -> Iterator[str]:
    node, colours = placed.node, COLOURS[placed.node.mark]
    # What is cut is whole in the tooltip.
    yield _element("title", _text(" ".join(filter(None, (node.title, node.subtitle)))))
    yield _element(
        "rect",
        x=placed.x,
        y=placed.y,
        width=placed.width,
        height=placed.height,
        rx=8,
        fill=colours.fill,
        stroke=colours.line,
        stroke_width=2 if node.mark is Mark.BROKEN else 1.2,
    )
    x, y = placed.x + PAD, placed.y + PAD + TITLE_SIZE - 3
    yield _title(x, y, cut(node.title))
    if node.subtitle:
        y += LINE
        yield _element("text", _text(cut(node.subtitle)), x=x, y=y, fill=PALE)
    for state in node.states:
        y += LINE
        yield from _marked(x, y, state.mark, cut(line_of(state)[2:]))


def _edge(edge: Edge, start: Placed, end: Placed) -> Iterator[str]:
    colour = COLOURS[edge.mark].line if edge.states else PALE
    x1, y1, x2, y2 = start.x + start.width, start.middle, end.x, end.middle
    turn = max(x1, x2 - BEND)
    bend = (x2 - turn) / 2
    yield _element(
        "path",
        d=f"M{x1:.1f} {y1:.1f} H{turn:.1f} C{turn + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2 - 9:.1f} {y2:.1f}",
        fill="none",
        stroke=colour,
        stroke_width=2.4 if edge.mark is Mark.BROKEN else 1.6,
        **({} if edge.mark is Mark.OK else {"stroke_dasharray": "5 4"}),
    )
    yield _element("path", d=f"M{x2:.1f} {y2:.1f} l-10 -5 v10 z", fill=colour)
    # Above the straight part of the edge, where no other edge passes.
    for index, reason in enumerate(reversed(edge.reasons)):
        yield from _marked(x1 + 10, y1 - 7 - LINE * index, edge.mark, reason)


def _title(x: float, y: float, text: str, *after: str) -> str:
    return _element("text", _text(text), *after, x=x, y=y, font_size=TITLE_SIZE, font_weight="bold")


def _marked(x: float, y: float, mark: Mark, text: str) -> Iterator[str]:
    """A mark and its text; what is in order is written in ink, what is not in its colour."""
    colour = COLOURS[mark].line
    weight = "bold" if mark is Mark.BROKEN else "normal"
    yield _element(
        "path", transform=f"translate({x:.1f} {y - 9:.1f})", d=_MARKS[mark], fill="none", stroke=colour, stroke_width=2
    )
    yield _element("text", _text(text), x=x + MARK_WIDTH, y=y, fill=INK if mark is Mark.OK else colour, font_weight=weight)


def _element(name: str, *content: str, **attributes: str | float) -> str:
    """One element; attributes are escaped here, content is markup already."""
    words = [name, *(f'{key.replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())]
    head = " ".join(words)
    if name in {"g", "svg"}:
        return "\n".join([f"<{head}>", *content, f"</{name}>"])
    return f"<{head}>{''.join(content)}</{name}>" if content else f"<{head}/>"


def _value(value: str | float) -> str:
    return _text(value) if isinstance(value, str) else f"{round(value, 1):g}"


def _text(text: str) -> str:
    return escape(safe(text), {'"': "&quot;"})
