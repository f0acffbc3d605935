"""How each hop stands, by the box of the picture that it is drawn under.

The way of an event is drawn as five boxes: emitter, source of its URL, Service, store, events. A condition sums up a
whole pipeline; here it is taken apart again, so that one emitter's fault is not drawn under its neighbour.
"""

from enum import Enum, StrEnum
from typing import Final, NamedTuple

from auditpipeline.api.conditions import HOPS, ConditionType
from auditpipeline.api.findings import Finding, Unknown
from auditpipeline.api.reasons import Severity
from auditpipeline.verdict import Verdict


class Mark(StrEnum):
    """How a hop stands, as one character."""

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


def hop_states(verdict: Verdict, box: Box, emitter: str) -> tuple[HopState, ...]:
    """The hops under a box, in path order, as they concern one emitter."""
    judged = {condition.type for condition in verdict.conditions}
    return tuple(
        hop_state(verdict, hop, _whose(hop, box, emitter)) for hop in HOPS if hop in judged and _stands_under(hop, box)
    )


def hop_state(verdict: Verdict, hop: ConditionType, whose: frozenset[str] | None = None) -> HopState:
    """How a hop stands for these emitters (the empty name is the store), or for all."""
    if verdict.pipeline.spec.suspend:
        return HopState(hop, Mark.UNKNOWN, ("Suspended",))
    findings = [finding for finding in verdict.findings if finding.check is hop and _concerns(finding, whose)]
    unknowns = [unknown for unknown in verdict.unknowns if unknown.check is hop and _concerns(unknown, whose)]
    for mark, severity in ((Mark.BROKEN, Severity.ERROR), (Mark.UNKNOWN, None), (Mark.WARNING, Severity.WARNING)):
        reasons = (
            [str(unknown.reason) for unknown in unknowns]
            if severity is None
            else [str(finding.reason) for finding in findings if finding.severity is severity]
        )
        if reasons:
            return HopState(hop, mark, tuple(dict.fromkeys(reasons)))
    return HopState(hop, Mark.OK)


def _stands_under(hop: ConditionType, box: Box) -> bool:
    return _BOXES[hop] is box if hop in _BOXES else box in {Box.EMITTER, Box.STORE}


def _whose(hop: ConditionType, box: Box, emitter: str) -> frozenset[str]:
    if hop in _BOXES:
        return frozenset({emitter, ""})
    return frozenset({emitter if box is Box.EMITTER else ""})


def _concerns(outcome: Finding | Unknown, whose: frozenset[str] | None) -> bool:
    return whose is None or outcome.emitter in whose
