"""How each hop stands, by the box of the picture that it is drawn under.

The way of an event is drawn as five boxes: emitter, source of its URL, Service, store, events. A condition sums up a
whole pipeline; here it is taken apart again, so that one emitter's fault is not drawn under its neighbour.
"""

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from auditpipeline.api.conditions import HOPS, ConditionType
from auditpipeline.api.findings import Outcome, Unknown
from auditpipeline.api.reasons import Severity
from auditpipeline.verdict import Verdict


class Mark(StrEnum):
    """How a hop stands, as one character; the worst first."""

    BROKEN = "✘"
    UNKNOWN = "?"
    WARNING = "!"
    OK = "✔"


class Box(Enum):
    """A box of the picture."""

    EMITTER = "emitter"
    SOURCE = "source"
    SERVICE = "service"
    STORE = "store"
    EVENTS = "events"


# Hops that stand under one box. All others ask the same of emitter and store, so they stand under both.
_BOXES: Final = {
    "ConfigResolved": Box.SOURCE,
    "ServiceResolved": Box.SERVICE,
    "EndpointsReady": Box.SERVICE,
    "SettingsFit": Box.EMITTER,
    "StoreReady": Box.STORE,
    "CanaryLanded": Box.EVENTS,
    "EventsLanding": Box.EVENTS,
}


class HopState(NamedTuple):
    """One hop under one box; `reasons` say why it does not stand at ✔."""

    hop: ConditionType
    mark: Mark
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.mark} {self.hop}"


class Hops:
    """The hops of one verdict, by box and emitter. Built once, so that many emitters cost no more than their outcomes."""

    def __init__(self, verdict: Verdict) -> None:
        self._suspended = verdict.pipeline.spec.suspend
        judged = {condition.type for condition in verdict.conditions}
        self.judged: tuple[ConditionType, ...] = tuple(hop for hop in HOPS if hop in judged)
        self._outcomes: defaultdict[ConditionType, defaultdict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
        outcomes: tuple[Outcome, ...] = (*verdict.findings, *verdict.unknowns)
        for outcome in outcomes:
            self._outcomes[outcome.check][outcome.emitter].append(outcome)

    def under(self, box: Box, emitter: str) -> tuple[HopState, ...]:
        """The hops under a box, in path order, as they concern one emitter."""
        return tuple(self._state(hop, _whose(hop, box, emitter)) for hop in self.judged if _stands_under(hop, box))

    def overall(self, hop: ConditionType) -> HopState:
        """A hop for all emitters and the store."""
        return self._state(hop, self._outcomes[hop])

    def mark(self, emitter: str) -> Mark:
        """The worst mark of an emitter's own hops."""
        return worst(self._state(hop, (emitter,)) for hop in self.judged)

    def _state(self, hop: ConditionType, emitters: Iterable[str]) -> HopState:
        if self._suspended:
            return HopState(hop, Mark.UNKNOWN, ("Suspended",))
        outcomes = [outcome for emitter in emitters for outcome in self._outcomes[hop].get(emitter, ())]
        if not outcomes:
            return HopState(hop, Mark.OK)
        for mark in Mark:
            reasons = tuple(dict.fromkeys(str(outcome.reason) for outcome in outcomes if _mark(outcome) is mark))
            if reasons and mark is not Mark.OK:
                return HopState(hop, mark, reasons)
        return HopState(hop, Mark.OK)


def worst(states: Iterable[HopState]) -> Mark:
    """The worst mark; ✔ for no states."""
    return min((state.mark for state in states), key=_WORST_FIRST.index, default=Mark.OK)


_WORST_FIRST: Final = tuple(Mark)
_BY_SEVERITY: Final = {Severity.ERROR: Mark.BROKEN, Severity.WARNING: Mark.WARNING, Severity.INFO: Mark.OK}


def _mark(outcome: Outcome) -> Mark:
    return Mark.UNKNOWN if isinstance(outcome, Unknown) else _BY_SEVERITY[outcome.severity]


def _stands_under(hop: ConditionType, box: Box) -> bool:
    return _BOXES[hop] is box if hop in _BOXES else box in {Box.EMITTER, Box.STORE}


def _whose(hop: ConditionType, box: Box, emitter: str) -> tuple[str, ...]:
    """Whose outcomes count; the empty name is the store."""
    if hop in _BOXES:
        return (emitter, "") if emitter else ("",)
    return (emitter,) if box is Box.EMITTER else ("",)
