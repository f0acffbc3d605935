"""A watch event as a value: made in kopf's thread, where nothing is known but the event; applied in the operator's."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.pipelines import Snapshot, snapshot
from auditpipeline.controller.versions import version_of
from auditpipeline.kube.kinds import PIPELINES, ApiKind
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.objects import KubernetesObject
from auditpipeline.world.projections import project

_AT_ONCE: Final = 200
"""Changes applied before others get their turn: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event, projected.

    Attributes:
        ref: The object; also where it could not be projected.
        version: Its resourceVersion; 0 where that is no number, and then order cannot be told.
        deleted: It is gone.
        listed: It came with a list, not with the watch.
        value: The projection of a watched object; None where it is deleted, malformed or an AuditPipeline.
        pipeline: The AuditPipeline, if it is one and there.
        malformed: Which field could not be read; empty for a projection that worked.
    """

    ref: ObjectRef
    version: int
    deleted: bool = False
    listed: bool = False
    value: KubernetesObject | None = None
    pipeline: Snapshot | None = None
    malformed: str = ""


def read_change(kind: ApiKind, event: Mapping[str, Any]) -> Change:
    """Project an event of a kind. Never raises on what the object holds."""
    body = event["object"]
    meta = body["metadata"]
    ref = ObjectRef(kind.kind, meta.get("namespace", ""), meta["name"])
    version = version_of(meta)
    if event["type"] == "DELETED":
        return Change(ref, version, deleted=True)
    listed = event["type"] is None
    if kind is PIPELINES:
        return Change(ref, version, listed=listed, pipeline=snapshot(ref, version, body))
    try:
        return Change(ref, version, listed=listed, value=project(body))
    except MalformedObject as error:
        return Change(ref, version, listed=listed, malformed=str(error))


class Inbox:
    """Carries changes from kopf's thread into the operator's event loop, in their order."""

    def __init__(self, take: Callable[[Change], None]) -> None:
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._changes: deque[Change] = deque()
        self._called = False

    def put(self, change: Change) -> None:
        """Hand a change over; from any thread."""
        self._changes.append(change)
        # A race here costs one empty call, never a change: the flag falls before the deque is emptied.
        if not self._called:
            self._called = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                return  # the operator's loop is closed already: it stops

    def _drain(self) -> None:
        self._called = False
        for _ in range(_AT_ONCE):
            if not self._changes:
                return
            self._take(self._changes.popleft())
        if not self._called:
            self._called = True
            self._loop.call_soon(self._drain)
