"""The way of an emitter's events as one line of text, with its hops under it.

gateway ──► ConfigMap gateway-config ──► Service data-storage-service ──► datastorage ──► events
            ✔ ConfigResolved             ✘ ServiceResolved
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from auditpipeline.report.hops import Box, Hops, HopState
from auditpipeline.report.paint import Paint
from auditpipeline.verdict import Verdict
from auditpipeline.wiring.resolve import Emitter, Store
from auditpipeline.wiring.sources import UrlSource

ARROW: Final = " ──► "
_VARIABLE: Final = re.compile(r"\benv\[([^\]]+)\]")


def boxes(verdict: Verdict, emitter: Emitter) -> tuple[str, ...]:
    """The title of each box, in path order."""
    store = verdict.wiring.store
    return (emitter.name, source_title(emitter.winner), f"Service {store.service_ref.name}", store_title(store), "events")


def way(verdict: Verdict, emitter: Emitter) -> str:
    """The boxes alone, on one line."""
    return ARROW.join(boxes(verdict, emitter))


def picture(verdict: Verdict, hops: Hops, emitter: Emitter, paint: Paint) -> Iterator[str]:
    """The boxes, and under each the hops that belong there. Arrows grow with what stands under them."""
    columns = list(zip(boxes(verdict, emitter), (hops.under(box, emitter.name) for box in Box), strict=True))
    widths = [max(len(title) + len(ARROW), *(len(str(state)) + 2 for state in states), 0) for title, states in columns]
    *before, (last, _) = columns
    yield "".join(_arrow(title, width) for (title, _), width in zip(before, widths, strict=False)) + last
    for row in zip_longest(*(states for _, states in columns)):
        yield "".join(_cell(state, width, paint) for state, width in zip(row, widths, strict=True)).rstrip()


def source_title(source: UrlSource | None) -> str:
    """Where a URL is set, in two words."""
    if source is None:
        return "no URL"
    place = source.place
    if place.object.kind == "ConfigMap":
        return f"ConfigMap {place.object.name}"
    variable = _VARIABLE.search(place.field)
    if variable is not None:
        return f"env {variable[1]}"
    return {"arg": "argument", "value": "value in AuditPipeline"}.get(source.via, f"{place.object.kind} {place.object.name}")


def store_title(store: Store) -> str:
    """The store's workload."""
    return store.workloads[0].ref.name if store.workloads else "no workload"


def _arrow(title: str, width: int) -> str:
    return f"{title} {'─' * (width - len(title) - 3)}► "


def _cell(state: HopState | None, width: int, paint: Paint) -> str:
    if state is None:
        return " " * width
    return f"{paint(state.mark)} {state.hop}" + " " * (width - len(str(state)))
