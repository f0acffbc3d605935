"""The documentation of a reason, from its declaration: for `explain`, and as help in SARIF."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from auditpipeline.api.conditions import HOPS, ConditionType
from auditpipeline.api.reasons import Gap, Reason, Severity

_SEVERITIES: Final = {
    Severity.ERROR: "events are lost, or a pod cannot start or never becomes ready",
    Severity.WARNING: "latent or degraded",
    Severity.INFO: "worth knowing",
}
_SETTLES: Final = "may end by itself: Reconciling within spec.gracePeriod, then Stalled"
_BLOCKED: Final = "BlockedBy"


def reason_named(name: str) -> Reason | None:
    """The reason of that name, in any case."""
    return next((reason for reason in Reason if str(reason).lower() == name.lower()), None)


def documentation(name: str) -> tuple[str, ...] | None:
    """What a reason, `BlockedBy<Condition>` or condition type means; None for any other name."""
    reason = reason_named(name)
    if reason is not None:
        return tuple(_reason(reason))
    blocking = next((hop for hop in HOPS if f"{_BLOCKED}{hop}".lower() == name.lower()), None)
    if blocking is not None:
        return tuple(_blocked_by(blocking))
    hop = next((hop for hop in ConditionType if hop.lower() == name.lower()), None)
    return None if hop is None else tuple(_hop(hop))


def similar(name: str) -> str:
    """The name of a reason or condition that `name` may have meant; empty if none comes close."""
    names = {str(known).lower(): str(known) for known in (*Reason, *ConditionType)}
    close = get_close_matches(name.lower(), names, n=1)
    return names[close[0]] if close else ""


def overview() -> Iterator[str]:
    """Every reason with its one sentence, by hop."""
    for hop in HOPS:
        yield f"{hop}: {hop.question}"
        yield from _listed(reason for reason in Reason if reason.check is hop)
        yield ""
    yield "any hop"
    yield from _listed(reason for reason in Reason if reason.check is None)


def facts(reason: Reason) -> tuple[tuple[str, str], ...]:
    """What is declared about a reason, as names and texts."""
    pairs = [] if reason.check is None else [("hop", f"{reason.check}: {reason.check.question}")]
    pairs.append(("severity", _severity(reason)))
    if reason.weight is Severity.ERROR and reason.check is not None:
        pairs.append(("settles", _SETTLES if reason.settles else "never by itself: Stalled at once"))
        pairs.append(("seen in", "a running cluster only" if reason.live else "manifests and clusters"))
    if reason.explained_by:
        causes = ", ".join(reason.explained_by)
        pairs.append(("symptom of", f"{causes}; where one of them is reported for the same workload, this is told there"))
    return tuple(pairs)


def _reason(reason: Reason) -> Iterator[str]:
    yield str(reason)
    yield f"  {reason.doc}"
    yield ""
    for name, text in facts(reason):
        yield f"  {name:<10}  {text}"
    if isinstance(reason.weight, Severity) and reason.check is not None:
        yield ""
        yield "  To accept it, add to spec.waivers, with the day on which that ends:"
        yield f"    {{check: {reason.check}, reason: {reason}, because: …, expires: …}}"


def _blocked_by(hop: ConditionType) -> Iterator[str]:
    yield f"{_BLOCKED}{hop}"
    yield f"  The hop cannot be judged, or its fault is explained, because of a fault of {hop}."
    yield ""
    yield f"  {'severity':<10}  none; the hop is Unknown until {hop} is mended"
    yield f"  {'next':<10}  auditpipeline explain {hop}"


def _hop(hop: ConditionType) -> Iterator[str]:
    yield str(hop)
    yield f"  {hop.question}"
    if hop in HOPS:
        yield ""
        yield from _listed(reason for reason in Reason if reason.check is hop)


def _severity(reason: Reason) -> str:
    if isinstance(reason.weight, Severity):
        return f"{reason.weight}: {_SEVERITIES[reason.weight]}"
    if reason.weight is Gap.AWAITED:
        return "none; the hop is Unknown and Ready waits for it"
    return "none; the hop is Unknown, and Ready is not held back"


def _listed(reasons: Iterator[Reason]) -> Iterator[str]:
    for reason in reasons:
        weight = reason.weight if isinstance(reason.weight, Severity) else "Unknown"
        yield f"  {reason!s:<27} {weight:<8} {reason.doc}"
