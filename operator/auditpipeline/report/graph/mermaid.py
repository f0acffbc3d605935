"""The graph as a Mermaid flowchart, as Markdown viewers draw it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from auditpipeline.report.graph.model import Graph, Node
from auditpipeline.report.graph.style import COLOURS, line_of
from auditpipeline.report.hops import Mark

_CLASSES: Final = {mark: mark.name.lower() for mark in Mark}


def render(graphs: Sequence[Graph]) -> str:
    """The flowchart as text, with a final line break."""
    return "".join(f"{line}\n" for line in _lines(graphs))


def _lines(graphs: Sequence[Graph]) -> Iterator[str]:
    # Lines are wrapped at 200 pixels otherwise.
    yield '%%{init: {"flowchart": {"wrappingWidth": 480}}}%%'
    yield "flowchart LR"
    for index, graph in enumerate(graphs):
        yield f'  subgraph p{index}["{_text([f"{graph.title}, Ready: {graph.ready}"])}"]'
        yield "    direction LR"
        for node in graph.nodes:
            yield f'    {node.key}["{_text(_label(node))}"]:::{_CLASSES[node.mark]}'
        for edge in graph.edges:
            label = f'|"{_text([f"{edge.mark} {reason}" for reason in edge.reasons])}"|' if edge.reasons else ""
            yield f"    {edge.start} -->{label} {edge.end}"
        yield "  end"
    edges = [edge for graph in graphs for edge in graph.edges]
    for mark in (Mark.BROKEN, Mark.WARNING, Mark.UNKNOWN):
        numbers = [str(number) for number, edge in enumerate(edges) if edge.mark is mark]
        if numbers:
            yield f"  linkStyle {','.join(numbers)} stroke:{COLOURS[mark].line},color:{COLOURS[mark].line}"
    for mark, name in _CLASSES.items():
        yield f"  classDef {name} fill:{COLOURS[mark].fill},stroke:{COLOURS[mark].line},color:#1f2328"


def _label(node: Node) -> Iterator[str]:
    yield node.title
    if node.subtitle:
        yield node.subtitle
    yield from (line_of(state) for state in node.states)


def _text(lines: Iterable[str]) -> str:
    """Label text: all but letters, digits and harmless signs as entities, so no name can end a label or start markup."""
    return "<br/>".join(
        "".join(char if char.isalnum() or char in " -./,_✔✘" else f"#{ord(char)};" for char in line) for line in lines
    )
