"""What every check is given, and how it says what it found."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome, Unknown
from auditpipeline.api.reasons import Reason, blocked_by
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.wiring.environment import Missing
from auditpipeline.wiring.resolve import Emitter, Store, Wiring
from auditpipeline.world.evidence import AccessQuestion, Evidence
from auditpipeline.world.objects import Workload
from auditpipeline.world.world import World


class SeenUrl(NamedTuple):
    """A URL and when it was set (seconds since the epoch); None for the first one that was seen."""

    url: str
    since: float | None


MAX_URLS: Final = 4
"""How many URLs of an emitter are remembered."""
Urls = tuple[SeenUrl, ...]
"""The URLs of an emitter, oldest first; the last one counts now."""


@dataclass(frozen=True, slots=True)
class Given:
    """A resolved pipeline in its world, with what probes know.

    Attributes:
        urls: The URLs that each emitter was seen to have, by its name.
    """

    world: World
    wiring: Wiring
    evidence: Evidence
    urls: Mapping[str, Urls]

    @property
    def store(self) -> Store:
        """The pipeline's store."""
        return self.wiring.store


EmitterCheck = Callable[[Given, Emitter], Iterable[Outcome]]
StoreCheck = Callable[[Given], Iterable[Outcome]]


def from_missing(emitter: Emitter, missing: Missing, check: ConditionType) -> Outcome:
    """A value that could not be read: a finding, or a gap where that is no fault."""
    if missing.reason.check is check and missing.reason.weight in {"Error", "Warning"}:
        return Finding(
            missing.reason,
            missing.message,
            missing.place.object,
            missing.place.field,
            missing.expected,
            missing.found,
            missing.fix,
            emitter.name,
            emitter.ref,
        )
    return Unknown(check, missing.reason, missing.message, emitter.name)


def blocked(check: ConditionType, cause: ConditionType, message: str, emitter: str = "") -> Unknown:
    """The hop cannot be judged because of an earlier one."""
    return Unknown(check, blocked_by(cause), message, emitter)


def nothing_known(check: ConditionType, gap: tuple[Reason, str], emitter: str = "") -> Unknown:
    """An absence that proves nothing."""
    return Unknown(check, gap[0], gap[1], emitter)


def store_gap(given: Given, kind: str, namespace: str) -> tuple[Reason, str] | None:
    """Why an absent object on the store's side proves nothing.

    Manifests of emitters alone are common, so what belongs to the store counts as complete only where the input holds
    the store.
    """
    gap = given.world.gap(kind, namespace)
    if gap is not None or given.store.held or not given.world.coverage.by_namespace:
        return gap
    return Reason.NOT_IN_INPUT, f"The manifests do not hold the store, so the absence of a {kind} in namespace {namespace} proves nothing."


def answer(given: Given, question: AccessQuestion) -> Reading:
    """The live answer to an access question, else the static reading."""
    live = given.evidence.access.get(question)
    if live is None:
        return read_access(given.world, question)
    return Reading.ALLOWED if live else Reading.DENIED


def did_you_mean(name: str, candidates: Iterable[str], *, likely: str = "") -> str:
    """The name that was probably meant: the likely one, else the closest in spelling; empty if none comes near."""
    if likely:
        return likely
    close = get_close_matches(name, sorted(set(candidates)), n=1, cutoff=0.6)
    return close[0] if close else ""


def store_workload(given: Given) -> ObjectRef | None:
    """The store's workload, for findings about the store."""
    return given.store.workloads[0].ref if given.store.workloads else None


def all_workloads(given: Given) -> Iterator[tuple[str, Workload]]:
    """Each workload of the pipeline once, with the emitter's name; an empty one for the store's."""
    seen: set[ObjectRef] = set()
    for workload in given.store.workloads:
        seen.add(workload.ref)
        yield "", workload
    for emitter in given.wiring.emitters:
        if emitter.workload is not None and emitter.ref not in seen:
            seen.add(emitter.ref)
            yield emitter.name, emitter.workload
