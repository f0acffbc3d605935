"""The graph of a pipeline: what each drawing draws.

Each emitter has a box and a box for the source of its URL; they share the boxes of Service, store and events. A hop
stands in the box that it asks about. `ServiceResolved` is the edge from URL to Service, since each URL has its own answer.
"""

from dataclasses import dataclass

from auditpipeline.api.conditions import ConditionType
from auditpipeline.report.hops import Box, Hops, HopState, Mark, worst
from auditpipeline.report.picture import source_title, store_title
from auditpipeline.verdict import Verdict
from auditpipeline.wiring.resolve import Emitter


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `key` is a word that is unique in its graph."""

    key: str
    box: Box
    title: str
    subtitle: str = ""
    states: tuple[HopState, ...] = ()

    @property
    def mark(self) -> Mark:
        """Its worst hop; a box that no hop was judged for proves nothing."""
        return worst(self.states) if self.states else Mark.UNKNOWN


@dataclass(frozen=True, slots=True)
class Edge:
    """A step of the way; `states` are the hops that are about the step itself."""

    start: str
    end: str
    states: tuple[HopState, ...] = ()

    @property
    def mark(self) -> Mark:
        """Its worst hop."""
        return worst(self.states)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not in order."""
        return tuple(reason for state in self.states for reason in state.reasons)


@dataclass(frozen=True, slots=True)
class Graph:
    """One pipeline as boxes in columns, in path order, and the steps between them."""

    title: str
    ready: str
    columns: tuple[tuple[Node, ...], ...]
    edges: tuple[Edge, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All boxes."""
        return tuple(node for column in self.columns for node in column)


def graph_of(verdict: Verdict, number: int = 0) -> Graph:
    """The graph of a judged pipeline; `number` keeps the keys of several graphs apart."""
    hops = Hops(verdict)
    store = verdict.wiring.store
    emitters = verdict.wiring.emitters
    prefix = f"p{number}_"
    shared = {box: f"{prefix}{box.value}" for box in (Box.SERVICE, Box.STORE, Box.EVENTS)}
    columns = (
        tuple(_emitter(hops, emitter, f"{prefix}emitter{index}") for index, emitter in enumerate(emitters)),
        tuple(_source(hops, emitter, f"{prefix}source{index}") for index, emitter in enumerate(emitters)),
        (
            Node(
                shared[Box.SERVICE],
                Box.SERVICE,
                f"Service {store.service_ref.name}",
                store.namespace,
                _shared(hops, Box.SERVICE),
            ),
        ),
        (Node(shared[Box.STORE], Box.STORE, store_title(store), _kind(verdict), _shared(hops, Box.STORE)),),
        (Node(shared[Box.EVENTS], Box.EVENTS, "events", "", _shared(hops, Box.EVENTS)),),
    )
    edges = [
        edge
        for index, emitter in enumerate(emitters)
        for edge in (
            Edge(f"{prefix}emitter{index}", f"{prefix}source{index}"),
            Edge(f"{prefix}source{index}", shared[Box.SERVICE], _to_service(hops, emitter)),
        )
    ]
    edges += [Edge(shared[Box.SERVICE], shared[Box.STORE]), Edge(shared[Box.STORE], shared[Box.EVENTS])]
    ref = verdict.pipeline.ref
    return Graph(f"{ref.namespace}/{ref.name}", str(verdict.ready.status), columns, tuple(edges))


def _emitter(hops: Hops, emitter: Emitter, key: str) -> Node:
    account = f", ServiceAccount {emitter.account.name}" if emitter.account else ""
    return Node(key, Box.EMITTER, emitter.name, f"{emitter.ref.kind}{account}", hops.under(Box.EMITTER, emitter.name))


def _source(hops: Hops, emitter: Emitter, key: str) -> Node:
    source = emitter.winner
    url = "" if source is None or source.endpoint is None else str(source.endpoint)
    return Node(key, Box.SOURCE, source_title(source), url, hops.under(Box.SOURCE, emitter.name))


def _shared(hops: Hops, box: Box) -> tuple[HopState, ...]:
    states = hops.under(box, "")
    if box is Box.STORE:
        return states
    # A box that all emitters share tells the worst of them.
    return tuple(hops.overall(state.hop) for state in states if state.hop is not ConditionType.SERVICE_RESOLVED)


def _to_service(hops: Hops, emitter: Emitter) -> tuple[HopState, ...]:
    return tuple(state for state in hops.under(Box.SERVICE, emitter.name) if state.hop is ConditionType.SERVICE_RESOLVED)


def _kind(verdict: Verdict) -> str:
    workloads = verdict.wiring.store.workloads
    return f"{workloads[0].ref.kind}, ServiceAccount {workloads[0].pod.service_account}" if workloads else ""
