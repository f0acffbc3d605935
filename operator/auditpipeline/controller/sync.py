"""When is a kind complete, and what is gone that no event told of?

Kopf gives no sign that a list is over, and after a relist it never tells of objects deleted in the gap. So the keys of
each kind are listed here as metadata, beside kopf:

- the *start barrier*: a kind is synced when each listed key was seen, or is gone. Before, absence proves nothing.
- the *sweep*: after a relist, and every `resync` seconds, what is known but not listed is dropped.
- the *watchdog*: a listed version that no event told of within some seconds means a watch that died silently.

A kind that may not be listed does not hold the barrier: its absences are `Forbidden`, with the missing rule as text.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.versions import Versions, version_of
from auditpipeline.kube.client import Answer, NoAnswer
from auditpipeline.kube.kinds import ApiKind

_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE: Final = 500
_LIST_TIMEOUT: Final = 60.0
_READY_TIMEOUT: Final = 5.0
_RELIST_SETTLE: Final = 1.0
"""Seconds after the first sign of a relist: by then kopf has delivered most of it."""
_RECHECK: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds between lists while keys of the first one are still unseen; the last one repeats."""
_REFUSED_AGAIN: Final = 1.0
_REFUSALS_BELIEVED: Final = 10
"""Refusals in a row that are believed whatever /readyz says: not every cluster lets us ask that."""
_BEHIND: Final = 15.0
"""Seconds that a watch may lag behind a list."""

logger = logging.getLogger(__name__)


class Requests(Protocol):
    """The part of `ApiServer` that is needed here."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109  (see ApiServer)
    ) -> Answer:
        """See `ApiServer.request`."""


class Refusal(Enum):
    """Why a list gave nothing."""

    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    """The API server does not know the kind: its CRD is not installed."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind at one version."""

    version: int
    objects: Mapping[ObjectRef, int]


@dataclass(slots=True)
class _State:
    synced: bool = False
    unseen: set[ObjectRef] = field(default_factory=set)
    all_seen: asyncio.Event = field(default_factory=asyncio.Event)
    relisted: asyncio.Event = field(default_factory=asyncio.Event)


class Sync:
    """Keeps the barrier and sweeps; one task a kind, none of which ends."""

    def __init__(
        self,
        *,
        api: Requests,
        kinds: Iterable[ApiKind],
        versions: Versions,
        forbidden: MutableMapping[str, str],
        gone: Callable[[list[ObjectRef]], None],
        changed: Callable[[], None],
        stale: Callable[[str], None],
        resync: float,
        forbidden_retry: float,
    ) -> None:
        """Wire it up.

        Args:
            api: Where to list.
            kinds: What to list.
            versions: What events told so far.
            forbidden: Kind to why it may not be read; filled and cleared here.
            gone: Called with objects that a list proved gone.
            changed: Called when the barrier passes and when a kind becomes readable or unreadable.
            stale: Called with a kind whose watch lags too far behind its list.
            resync: Seconds between sweeps of a kind.
            forbidden_retry: Seconds until a forbidden list is tried again.
        """
        self._api = api
        self._kinds = tuple(kinds)
        self._versions = versions
        self._forbidden = forbidden
        self._gone = gone
        self._changed = changed
        self._stale = stale
        self._resync = resync
        self._forbidden_retry = forbidden_retry
        self._states = {kind.kind: _State() for kind in self._kinds}
        self._passed = False

    @property
    def passed(self) -> bool:
        """Every readable kind was complete once. It never turns back: the cache outlives relists and restarts."""
        return self._passed

    @property
    def pending(self) -> list[str]:
        """Kinds that hold the barrier, by name."""
        return sorted(kind for kind, state in self._states.items() if not state.synced and kind not in self._forbidden)

    def noticed(self, ref: ObjectRef) -> None:
        """An event told of the object."""
        state = self._states[ref.kind]
        if state.unseen:
            state.unseen.discard(ref)
            if not state.unseen:
                state.all_seen.set()

    def relisted(self, kind: str) -> bool:
        """An object that was known came with a list: kopf lists the kind anew. Whether that is news."""
        event = self._states[kind].relisted
        news = not event.is_set()
        event.set()
        return news

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._keep(kind))

    async def _keep(self, kind: ApiKind) -> None:
        state = self._states[kind.kind]
        while True:
            if not state.synced:
                listing = await self._list_at_last(kind)
                if listing is None:
                    continue
                await self._wait_until_seen(kind, state, listing)
                self._now_synced(kind, state)
            try:
                # Spread, or all kinds would be listed in the same second for ever.
                await asyncio.wait_for(state.relisted.wait(), self._resync * (0.9 + random.random() / 5))  # noqa: S311
                state.relisted.clear()
                await asyncio.sleep(_RELIST_SETTLE)
            except TimeoutError:
                await self._watch_dog(kind)
            await self._sweep(kind)

    async def _list(self, kind: ApiKind) -> Listing | Refusal:
        """List a kind. A refusal is believed when an API server that is ready repeats it.

        One that has just started refuses everything until it has read its own roles and bindings.
        """
        ready = kind.kind in self._forbidden
        for _ in range(_REFUSALS_BELIEVED):
            listing = await list_metadata(self._api, kind)
            if listing is not Refusal.FORBIDDEN or ready:
                return listing
            ready = await self._api_ready()
            await asyncio.sleep(_REFUSED_AGAIN)
        return Refusal.FORBIDDEN

    async def _api_ready(self) -> bool:
        try:
            return (await self._api.request("GET", "/readyz", timeout=_READY_TIMEOUT)).ok
        except NoAnswer:
            return False

    async def _list_at_last(self, kind: ApiKind) -> Listing | None:
        """The first listing; None where there is none, after a pause or with the kind synced as it is."""
        listing = await self._list(kind)
        if isinstance(listing, Listing):
            return listing
        if listing is Refusal.FORBIDDEN:
            self._refused(kind)
            await asyncio.sleep(self._forbidden_retry)
        elif listing is Refusal.ABSENT:
            # No object of it can exist, so it is complete; the watch starts by itself when the CRD appears.
            logger.warning("the API server has no %s; is the CRD installed?", kind.resource)
            self._now_synced(kind, self._states[kind.kind])
        else:
            await asyncio.sleep(1 + random.random())  # noqa: S311
        return None

    async def _wait_until_seen(self, kind: ApiKind, state: _State, listing: Listing) -> None:
        state.unseen = {ref for ref in listing.objects if not self._versions.seen(ref)}
        tries = 0
        while state.unseen:
            state.all_seen.clear()
            delay = _RECHECK[min(tries, len(_RECHECK) - 1)]
            tries += 1
            try:
                await asyncio.wait_for(state.all_seen.wait(), delay)
            except TimeoutError:
                # One that was deleted between our list and kopf's will never be seen.
                again = await self._list(kind)
                if isinstance(again, Listing):
                    state.unseen &= set(again.objects)

    def _now_synced(self, kind: ApiKind, state: _State) -> None:
        state.synced = True
        news = self._forbidden.pop(kind.kind, None) is not None
        if news:
            logger.info("%s may be listed now", kind.resource)
        self._news(changed=news)

    def _refused(self, kind: ApiKind) -> None:
        if kind.kind in self._forbidden:
            return
        why = _missing_rule(kind)
        logger.warning("%s", why)
        self._forbidden[kind.kind] = why
        self._states[kind.kind].synced = False
        self._news(changed=True)

    def _news(self, *, changed: bool) -> None:
        if not self._passed and not self.pending:
            self._passed = True
            logger.info("all readable kinds are complete")
            self._changed()
        elif self._passed and changed:
            self._changed()

    async def _sweep(self, kind: ApiKind) -> None:
        listing = await self._list(kind)
        if listing is Refusal.FORBIDDEN:
            self._refused(kind)
        if not isinstance(listing, Listing):
            return
        lost = self._versions.absent(kind.kind, listing.objects, listing.version)
        if lost:
            logger.info("%d %s are gone without an event", len(lost), kind.plural)
            self._gone(lost)

    async def _watch_dog(self, kind: ApiKind) -> None:
        """A list newer than the events, and still after a while: the watch is dead, whatever it says."""
        listing = await self._list(kind)
        if not isinstance(listing, Listing) or not self._versions.behind(kind.kind, listing.objects):
            return
        await asyncio.sleep(_BEHIND)
        if self._versions.behind(kind.kind, listing.objects):
            self._stale(kind.kind)


async def list_metadata(api: Requests, kind: ApiKind) -> Listing | Refusal:
    """The keys and versions of all objects of a kind, page by page."""
    query = {"limit": str(_PAGE)}
    if kind.field_selector:
        query["fieldSelector"] = kind.field_selector
    objects: dict[ObjectRef, int] = {}
    while True:
        try:
            answer = await api.request("GET", kind.path, query=query, accept=_METADATA, timeout=_LIST_TIMEOUT)
        except NoAnswer as error:
            logger.info("cannot list %s: %s", kind.resource, error)
            return Refusal.FAILED
        if answer.status in {401, 403}:
            return Refusal.FORBIDDEN if answer.status == 403 else Refusal.FAILED
        if answer.status == 404:
            return Refusal.ABSENT
        if not answer.ok:
            # 410 among them: the pages took so long that their version is gone.
            logger.info("cannot list %s: HTTP %d", kind.resource, answer.status)
            return Refusal.FAILED
        for item in answer.body.get("items") or ():
            meta = item["metadata"]
            objects[ObjectRef(kind.kind, meta.get("namespace", ""), meta["name"])] = version_of(meta)
        meta = answer.body.get("metadata", {})
        query["continue"] = meta.get("continue", "")
        if not query["continue"]:
            return Listing(version_of(meta), objects)


def _missing_rule(kind: ApiKind) -> str:
    """What to tell who must grant the permission."""
    return f"the operator may not list {kind.resource}; add the rule {kind.rule('get', 'list', 'watch')} to its ClusterRole"
