"""The parts of the operator put together: who tells whom.

kopf's thread            │ the operator's event loop
event ─► read_change ────┼─► Shell.take ─► World ─► RefIndex ─► WorkQueue ─► Reconciler ─► StatusWriter
                         │                   ▲                     ▲  ▲          │
                         │   Sync (sweeps) ──┘       AccessReviewer┘  └─ timers  └─► AccessReviewer
"""

import asyncio
import gc
import logging
from collections.abc import Iterable, Iterator
from typing import Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import KIND
from auditpipeline.controller.cache import Cache
from auditpipeline.controller.changes import Change, Inbox
from auditpipeline.controller.handlers import registry
from auditpipeline.controller.health import HealthServer
from auditpipeline.controller.login import login
from auditpipeline.controller.metrics import Metrics, family, pipeline_lines
from auditpipeline.controller.pipelines import Pipelines, RefIndex
from auditpipeline.controller.reconcile import Reconciler
from auditpipeline.controller.settings import Settings
from auditpipeline.controller.status_writer import StatusWriter
from auditpipeline.controller.supervisor import Supervisor
from auditpipeline.controller.sync import Sync
from auditpipeline.controller.versions import Versions
from auditpipeline.controller.work_queue import Backoff, WorkQueue
from auditpipeline.kube.client import ApiServer, NoAnswer
from auditpipeline.kube.kinds import RBAC_KINDS, WATCHED
from auditpipeline.probes import access
from auditpipeline.probes.token_bucket import TokenBucket
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.world.coverage import ClusterCoverage
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.reads import Key
from auditpipeline.world.world import World

_READINGS: Final = {Reading.ALLOWED: True, Reading.DENIED: False, Reading.UNDECIDED: None}
_REVIEW_TIMEOUT: Final = 5.0

logger = logging.getLogger(__name__)


class Shell:
    """One operator on one cluster. Lives in the event loop that makes it."""

    def __init__(self, api: ApiServer, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._forbidden: dict[str, str] = {}
        self._world = World(ClusterCoverage(self._forbidden))
        self._versions = Versions()
        self._cache = Cache(self._world)
        self._pipelines = Pipelines()
        self._index = RefIndex()
        self._queue: WorkQueue[ObjectRef] = WorkQueue(Backoff(0.05, 60.0))
        self._metrics = Metrics()
        self._sync = Sync(
            api=api,
            kinds=WATCHED,
            versions=self._versions,
            forbidden=self._forbidden,
            gone=self._swept,
            changed=self._wake_all,
            stale=self._stale,
            resync=settings.resync_interval,
            glance_interval=settings.glance_interval,
            forbidden_retry=settings.forbidden_retry,
        )
        self._reviewer = access.AccessReviewer(
            ask=self._review,
            expected=lambda question: _READINGS[read_access(self._world, question)],
            wake=self._wake,
            bucket=TokenBucket(settings.review_rate, settings.review_burst),
            concurrency=settings.review_concurrency,
            confirm_delay=settings.review_confirm_delay,
            count=lambda result: self._metrics.reviews.add(result=result),
        )
        self._reconciler = Reconciler(
            world=self._world,
            pipelines=self._pipelines,
            index=self._index,
            queue=self._queue,
            writer=StatusWriter(api, TokenBucket(settings.write_rate, settings.write_burst), settings.write_timeout),
            reviews=self._reviewer,
            metrics=self._metrics,
            synced=lambda: self._sync.passed,
            forget=self._forget_pipeline,
        )
        inbox = Inbox(self.take)
        self._supervisor = Supervisor(lambda: registry(lambda: login(api), inbox.put), ended=self._metrics.restarts.add)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            OSError: The health port cannot be listened on.
        """
        health = HealthServer(
            host=self._settings.health_host,
            port=self._settings.health_port,
            alive=lambda: "" if self._supervisor.alive else "the watching thread ended",
            ready=lambda: "" if self._sync.passed else f"not yet complete: {', '.join(self._sync.pending)}",
            metrics=self._metric_lines,
        )
        logger.info("health and metrics on port %d", await health.start())
        tasks = [
            asyncio.create_task(self._reconciler.work(), name=f"worker {number}") for number in range(self._settings.workers)
        ]
        tasks += [
            asyncio.create_task(self._sync.run(), name="sync"),
            asyncio.create_task(self._reviewer.run(), name="access reviews"),
        ]
        # What is loaded now stays; a collector that walks it again and again only costs time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        self._supervisor.start()
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()  # none of them ends but by a bug, which must be seen
        finally:
            await self._stop([stopped, *tasks], health)

    async def _stop(self, tasks: list["asyncio.Task[None] | asyncio.Task[bool]"], health: HealthServer) -> None:
        logger.info("stopping")
        if not await asyncio.to_thread(self._supervisor.stop, self._settings.stop_timeout):
            # While a request of kopf's is tried again and again, it takes five seconds to end; nothing of it needs that.
            logger.info("the watches did not end within %g s; the process ends without them", self._settings.stop_timeout)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await health.stop()

    # --- changes --------------------------------------------------------------------------------------------------

    def take(self, change: Change) -> None:
        """Apply one change and wake whom it concerns."""
        ref = change.ref
        if change.listed and ref in self._versions.known(ref.kind) and self._sync.relisted(ref.kind):
            self._metrics.relists.add(kind=ref.kind)
        if self._versions.accept(ref, change.version, deleted=change.deleted):
            if ref.kind == KIND:
                self._take_pipeline(change)
            else:
                self._changed(ref, self._cache.apply(change))
        self._sync.noticed(ref)

    def _take_pipeline(self, change: Change) -> None:
        if change.pipeline is None:
            self._forget_pipeline(change.ref)
        elif self._pipelines.put(change.pipeline):
            self._queue.add(change.ref)

    def _forget_pipeline(self, ref: ObjectRef) -> None:
        if self._pipelines.drop(ref):
            # Its visit finds it gone and lets go of what depends on it.
            self._queue.add(ref)

    def _swept(self, lost: list[ObjectRef]) -> None:
        for ref in lost:
            if ref.kind == KIND:
                self._forget_pipeline(ref)
            else:
                self._changed(ref, self._cache.forget(ref))

    def _changed(self, ref: ObjectRef, keys: set[Key]) -> None:
        if not keys:
            return
        if ref.kind in RBAC_KINDS:
            self._reviewer.rbac_changed(ref.namespace)
        self._wake(self._index.readers(keys))

    def _wake(self, pipelines: Iterable[ObjectRef]) -> None:
        for pipeline in pipelines:
            self._queue.add(pipeline)

    def _wake_all(self) -> None:
        self._wake(self._pipelines)

    def _stale(self, kind: str) -> None:
        logger.warning("the watch of %s lags behind its list; all watches start again", kind)
        self._supervisor.restart()

    # --- asking and showing ---------------------------------------------------------------------------------------

    async def _review(self, question: AccessQuestion) -> bool | access.Trouble:
        try:
            answer = await self._api.request("POST", access.PATH, body=access.review(question), timeout=_REVIEW_TIMEOUT)
        except NoAnswer:
            return access.Trouble.FAILED
        return access.read_review(answer.status, answer.body)

    def _metric_lines(self) -> Iterator[str]:
        yield from self._metrics.lines()
        yield from family("auditpipeline_queue_depth", "gauge", "Pipelines that wait to be judged.", [((), len(self._queue))])
        yield from family("auditpipeline_synced", "gauge", "Every readable kind is complete.", [((), int(self._sync.passed))])
        yield from pipeline_lines((record.seen.ref, record.seen.status) for record in self._pipelines.records())
