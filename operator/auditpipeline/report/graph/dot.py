"""The graph in Graphviz's DOT language."""

from collections.abc import Iterable, Iterator, Sequence

from auditpipeline.report.graph.model import Graph, Node
from auditpipeline.report.graph.style import COLOURS, PALE, line_of


def render(graphs: Sequence[Graph]) -> str:
    """The digraph as text, with a final line break."""
    return "".join(f"{line}\n" for line in _lines(graphs))


def _lines(graphs: Sequence[Graph]) -> Iterator[str]:
    yield "digraph auditpipeline {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fontname="DejaVu Sans", fontsize=10];'
    yield '  edge [fontname="DejaVu Sans", fontsize=9];'
    for index, graph in enumerate(graphs):
        yield f"  subgraph cluster_{index} {{"
        yield f"    label={_quoted([f'{graph.title}, Ready: {graph.ready}'])};"
        for node in graph.nodes:
            colours = COLOURS[node.mark]
            yield f'    {node.key} [label={_quoted(_label(node))}, color="{colours.line}", fillcolor="{colours.fill}"];'
        for edge in graph.edges:
            colour = COLOURS[edge.mark].line if edge.states else PALE
            label = f", label={_quoted(f'{edge.mark} {reason}' for reason in edge.reasons)}" if edge.reasons else ""
            yield f'    {edge.start} -> {edge.end} [color="{colour}", fontcolor="{colour}"{label}];'
        yield "  }"
    yield "}"


def _label(node: Node) -> Iterator[str]:
    yield node.title
    if node.subtitle:
        yield node.subtitle
    yield from (line_of(state) for state in node.states)


def _quoted(lines: Iterable[str]) -> str:
    r"""A quoted string of left-justified lines. A backslash of a name is doubled: Graphviz reads `\N` as the node's name."""
    return '"' + "".join(line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + "\\l" for line in lines) + '"'
