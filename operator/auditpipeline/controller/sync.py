"""When is a kind complete, and what is gone that no event told of?

Kopf gives no sign that a list is over, and after a relist it never tells of objects deleted in the gap. So the keys of
each kind are listed here as metadata, beside kopf:

- the *start barrier*: a kind is synced when each listed key was seen, or is gone. Before, absence proves nothing.
- the *sweep*: after a relist, and every `resync` seconds, what is known but not listed is dropped.
- the *watchdog*: a listed version that no event told of within some seconds means a watch that died silently.
- the *glance*: one AuditPipeline, every half minute. When a CRD is deleted and made again, kopf asks for the kind before
  the API server serves it, and then never again.

A kind that may not be listed does not hold the barrier: its absences are `Forbidden`, with the missing rule as text.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.listing import Listing, Refusal, Requests, glance, list_metadata
from auditpipeline.controller.versions import Versions
from auditpipeline.kube.client import NoAnswer
from auditpipeline.kube.kinds import PIPELINES, ApiKind

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
        glance_interval: float,
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
            glance_interval: Seconds between looks at one AuditPipeline.
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
        self._glance_interval = glance_interval
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
            group.create_task(self._look_again())

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
        await self._must_catch_up(kind, await self._list(kind))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self._glance_interval)
            await self._must_catch_up(PIPELINES, await glance(self._api, PIPELINES))

    async def _must_catch_up(self, kind: ApiKind, listing: Listing | Refusal) -> None:
        """A list newer than the events, and still after a while: the watch is dead, whatever it says."""
        if not isinstance(listing, Listing) or not self._versions.behind(kind.kind, listing.objects):
            return
        await asyncio.sleep(_BEHIND)
        if self._versions.behind(kind.kind, listing.objects):
            self._stale(kind.kind)


def _missing_rule(kind: ApiKind) -> str:
    """What to tell who must grant the permission."""
    return f"the operator may not list {kind.resource}; add the rule {kind.rule('get', 'list', 'watch')} to its ClusterRole"
