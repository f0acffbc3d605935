"""Which objects are known at which version, and which are known to be gone.

Events of one name do not come in order: kopf has a worker for each uid, so the DELETED of an object may follow the
ADDED of the one that replaced it, and what a sweep found gone may still be on its way. Kubernetes promises that
resource versions of a resource are comparable integers, so an event older than what is known is dropped.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef

_TOMBSTONES_LIVE: Final = 600.0
"""Seconds; no event is on its way for longer."""


def version_of(meta: Mapping[str, Any]) -> int:
    """The resourceVersion as a number, 0 where it is none."""
    version = meta.get("resourceVersion", "")
    return int(version) if isinstance(version, str) and version.isdecimal() else 0


@dataclass(slots=True)
class _Kind:
    versions: dict[ObjectRef, int] = field(default_factory=dict)
    gone: dict[ObjectRef, tuple[int, float]] = field(default_factory=dict)


class Versions:
    """Per kind: which objects are known at which version, and which are known to be gone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: defaultdict[str, _Kind] = defaultdict(_Kind)

    def known(self, kind: str) -> Mapping[ObjectRef, int]:
        """The objects of a kind that are there, with their versions."""
        return self._kinds[kind].versions

    def seen(self, ref: ObjectRef) -> bool:
        """An event told of the object, be it there or gone."""
        kind = self._kinds[ref.kind]
        return ref in kind.versions or ref in kind.gone

    def accept(self, ref: ObjectRef, version: int, *, deleted: bool) -> bool:
        """Take note of an event. False for one that is older than what is known: it must change nothing."""
        kind = self._kinds[ref.kind]
        known = kind.versions.get(ref, 0)
        if version and (version < known or version <= kind.gone.get(ref, (0, 0.0))[0]):
            return False
        if deleted:
            kind.versions.pop(ref, None)
            kind.gone[ref] = (max(version, known), self._clock())
        else:
            kind.versions[ref] = version
            kind.gone.pop(ref, None)
        return True

    def absent(self, kind: str, listed: Iterable[ObjectRef], version: int) -> list[ObjectRef]:
        """Objects that a complete list of `version` proves gone; buried from now on, so that no older event revives them."""
        state = self._kinds[kind]
        there = set(listed)
        lost = [ref for ref, known in state.versions.items() if ref not in there and known <= version]
        now = self._clock()
        for ref in lost:
            del state.versions[ref]
            state.gone[ref] = (version, now)
        state.gone = {ref: grave for ref, grave in state.gone.items() if now - grave[1] < _TOMBSTONES_LIVE}
        return lost

    def behind(self, kind: str, listed: Mapping[ObjectRef, int]) -> list[ObjectRef]:
        """Listed objects that no event has told of in at least the listed version."""
        state = self._kinds[kind]
        return [
            ref
            for ref, version in listed.items()
            if state.versions.get(ref, 0) < version and state.gone.get(ref, (0, 0.0))[0] < version
        ]
