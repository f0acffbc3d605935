"""One visit to one pipeline: judge it on the world as it is, and write its status if that differs from what is stored.

Judging is synchronous and takes less than a millisecond, so no snapshot needs to be copied: nothing changes the World
between the first look-up and the verdict. What the judgement looked at becomes the pipeline's dependencies.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.logs import about
from auditpipeline.controller.metrics import Metrics
from auditpipeline.controller.pipelines import Pipelines, Record, RefIndex, snapshot
from auditpipeline.controller.status_writer import Conflict, Failed, Gone, Outcome, Written
from auditpipeline.controller.versions import version_of
from auditpipeline.controller.work_queue import WorkQueue
from auditpipeline.verdict import History, Verdict, invalid_spec, judge, not_yet_checked
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import AccessQuestion, Evidence
from auditpipeline.world.world import World

_FIRST_STATUS_AFTER: Final = 3.0
"""Seconds: a start that is over by then costs each new pipeline one write instead of two."""
_OPEN_QUESTIONS_HOLD: Final = 5.0
"""Seconds after its first judgement by this process for which a stored verdict waits for answers to its questions."""
_COMPLAIN_EVERY: Final = 10.0
"""Seconds between two lines about failed writes."""

logger = logging.getLogger(__name__)


class Writer(Protocol):
    """See `StatusWriter`."""

    async def write(self, ref: ObjectRef, seen: Mapping[str, Any], status: Mapping[str, Any]) -> Outcome:
        """See `StatusWriter.write`."""


class Reviews(Protocol):
    """See `AccessReviewer`."""

    @property
    def answers(self) -> Mapping[AccessQuestion, bool]:
        """Fresh, believed answers."""

    def follow(self, pipeline: ObjectRef, questions: frozenset[AccessQuestion]) -> bool:
        """The pipeline's questions now; whether one of them was never answered."""

    def unfollow(self, pipeline: ObjectRef) -> None:
        """The pipeline is gone."""


@dataclass(frozen=True, slots=True)
class _Desired:
    status: Mapping[str, Any]
    due: float | None = None


class Reconciler:
    """Judges and writes; holds no state of its own but what it was given."""

    def __init__(
        self,
        *,
        world: World,
        pipelines: Pipelines,
        index: RefIndex,
        queue: WorkQueue[ObjectRef],
        writer: Writer,
        reviews: Reviews,
        metrics: Metrics,
        synced: Callable[[], bool],
        forget: Callable[[ObjectRef], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Wire it up.

        Args:
            world: What is judged on.
            pipelines: Who is judged.
            index: Who depends on what; filled here.
            queue: Where a pipeline comes again.
            writer: Stores statuses.
            reviews: Live answers to access questions.
            metrics: Counts.
            synced: Whether every readable kind is listed: before, absence proves nothing.
            forget: Called with a pipeline that the API server no longer knows.
            clock: Seconds since the epoch.
        """
        self._world = world
        self._pipelines = pipelines
        self._index = index
        self._queue = queue
        self._writer = writer
        self._reviews = reviews
        self._metrics = metrics
        self._synced = synced
        self._forget = forget
        self._clock = clock
        self._first_judged: dict[ObjectRef, float] = {}
        self._first_seen: dict[ObjectRef, float] = {}
        self._complained = 0.0
        self._unsaid = 0

    async def work(self) -> None:
        """Visit pipelines of the queue until cancelled."""
        while True:
            ref = await self._queue.get()
            try:
                await self.visit(ref)
            except Exception:
                # A bug in one check must not stop the others' verdicts; it is told with its traceback.
                logger.exception("the visit failed", extra=about(ref))
                self._metrics.reconciles.add(result="error")
                self._queue.add_rate_limited(ref)
            finally:
                self._queue.done(ref)

    async def visit(self, ref: ObjectRef) -> None:
        """Judge one pipeline and store the result if it is news."""
        record = self._pipelines.get(ref)
        if record is None:
            self._drop(ref)
            return
        started = time.perf_counter()
        desired = self._judged(ref, record) if self._synced() else self._first(ref, record)
        if desired is None:
            return
        self._metrics.reconcile_seconds.observe(time.perf_counter() - started)
        if desired.due is not None:
            # A moment late rather than early, or the verdict would find itself not yet due.
            self._queue.add_after(ref, max(0.05, desired.due - self._clock() + 0.05))
        if record.holds(desired.status):
            self._metrics.reconciles.add(result="unchanged")
            self._queue.forget(ref)
            return
        await self._store(ref, record, desired.status)

    # --- what the status should be --------------------------------------------------------------------------------

    def _first(self, ref: ObjectRef, record: Record) -> _Desired | None:
        """Before the start barrier: say that the pipeline was seen, unless a verdict is stored or near."""
        if record.seen.status:
            return None
        now = self._clock()
        waited = now - self._first_seen.setdefault(ref, now)
        if waited < _FIRST_STATUS_AFTER:
            self._queue.add_after(ref, _FIRST_STATUS_AFTER - waited)
            return None
        return _Desired(not_yet_checked(History.of(record.seen.body), now=now))

    def _judged(self, ref: ObjectRef, record: Record) -> _Desired | None:
        self._first_seen.pop(ref, None)
        self._first_judged.setdefault(ref, self._clock())
        history = History.of(record.seen.body)
        pipeline = record.seen.pipeline
        if pipeline is None:
            return _Desired(invalid_spec(history, record.seen.invalid, now=self._clock()))
        verdict = self._verdict(pipeline, history)
        unasked = self._reviews.follow(ref, verdict.questions)
        self._queue.add_after(ref, pipeline.spec.interval * (0.9 + random.random() / 5))  # noqa: S311  (spreads the load)
        if unasked and self._hold(ref, record, verdict):
            return None
        return _Desired(verdict.status, verdict.due)

    def _verdict(self, pipeline: Pipeline, history: History) -> Verdict:
        evidence = Evidence(access=self._reviews.answers, live=True)
        with self._world.reads.recording() as keys:
            verdict = judge(self._world, pipeline, evidence, now=self._clock(), history=history)
        self._index.replace(pipeline.ref, keys)
        return verdict

    def _hold(self, ref: ObjectRef, record: Record, verdict: Verdict) -> bool:
        """Whether to keep a stored verdict of this generation a little longer.

        After a restart no live answer is known yet. Where a live answer decided the stored verdict, the rules alone
        would flip it for a second. A first status, or one of a new spec, never waits.
        """
        stored = record.seen.status
        if stored.get("observedGeneration") != verdict.status.get("observedGeneration") or "summary" not in stored:
            return False
        if record.holds(verdict.status):
            return False
        left = self._first_judged[ref] + _OPEN_QUESTIONS_HOLD - self._clock()
        if left <= 0:
            return False
        self._queue.add_after(ref, left)
        return True

    # --- storing it -----------------------------------------------------------------------------------------------

    async def _store(self, ref: ObjectRef, record: Record, status: Mapping[str, Any]) -> None:
        record.writing = status
        try:
            outcome = await self._writer.write(ref, record.seen.body, status)
        finally:
            record.writing = None
        self._metrics.writes.add(result=type(outcome).__name__.lower())
        if self._pipelines.get(ref) is not record:
            return  # deleted, or deleted and made anew, while the write was on its way
        match outcome:
            case Written(body):
                self._metrics.reconciles.add(result="written")
                self._queue.forget(ref)
                self._take_in(record, body)
                if record.seen.status != status and not record.holds(status):
                    logger.warning(
                        "the API server stores another status than was sent; is the CRD of another version?", extra=about(ref)
                    )
                    record.stored_as = (status, record.seen.status)
            case Conflict(body):
                self._metrics.reconciles.add(result="conflict")
                self._take_in(record, body)
                self._queue.add_rate_limited(ref)
            case Gone():
                self._metrics.reconciles.add(result="gone")
                self._drop(ref)
                self._forget(ref)
            case Failed(why, after):
                self._metrics.reconciles.add(result="failed")
                self._complain(ref, why)
                if after is None:
                    self._queue.add_rate_limited(ref)
                else:
                    # Spread, or all who were told the same second would come back in it.
                    self._queue.add_after(ref, after * (1 + random.random() / 2))  # noqa: S311

    def _complain(self, ref: ObjectRef, why: str) -> None:
        """Tell of a failed write, unless another one was told of just now: what fails one mostly fails all."""
        now = self._clock()
        if now - self._complained >= _COMPLAIN_EVERY:
            more = f" (and {self._unsaid} more)" if self._unsaid else ""
            logger.warning("status not written, will try again: %s%s", why, more, extra=about(ref))
            self._complained, self._unsaid = now, 0
        else:
            self._unsaid += 1

    def _take_in(self, record: Record, body: Mapping[str, Any]) -> None:
        """The object as an answer shows it, unless the watch was faster."""
        version = version_of(body["metadata"])
        if version > record.seen.version:
            self._pipelines.put(snapshot(record.seen.ref, version, body))

    def _drop(self, ref: ObjectRef) -> None:
        self._index.drop(ref)
        self._queue.drop(ref)
        self._reviews.unfollow(ref)
        self._first_judged.pop(ref, None)
        self._first_seen.pop(ref, None)
