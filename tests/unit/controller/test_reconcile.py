"""One visit: what is written, when nothing is, and what follows from each answer of the API server."""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.metrics import Metrics
from auditpipeline.controller.pipelines import Pipelines, RefIndex, snapshot
from auditpipeline.controller.reconcile import Reconciler
from auditpipeline.controller.status_writer import Conflict, Failed, Gone, Outcome, Written
from auditpipeline.controller.work_queue import Backoff, WorkQueue
from auditpipeline.world.coverage import ClusterCoverage
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.projections import project
from auditpipeline.world.world import World

EXAMPLES = Path(__file__).parents[3] / "examples"
REF = ObjectRef("AuditPipeline", "kubernaut-system", "gateway")
NOW = 1_800_000_000.0


class FakeServer:
    """The writer and the API server behind it: stores what is written, unless told to answer otherwise."""

    def __init__(self) -> None:
        self.version = 10
        self.statuses: list[Mapping[str, Any]] = []
        self.next: Outcome | None = None

    async def write(self, ref: ObjectRef, seen: Mapping[str, Any], status: Mapping[str, Any]) -> Outcome:
        assert ref == REF
        if self.next is not None:
            outcome, self.next = self.next, None
            return outcome
        self.version += 1
        self.statuses.append(status)
        meta = {**seen["metadata"], "resourceVersion": str(self.version)}
        stored = json.loads(json.dumps(status))  # as it comes back over the wire
        return Written({**seen, "metadata": meta, "status": stored})


class FakeReviews:
    def __init__(self) -> None:
        self.answers: dict[AccessQuestion, bool] = {}
        self.unanswered = False
        self.followed: dict[ObjectRef, frozenset[AccessQuestion]] = {}

    def follow(self, pipeline: ObjectRef, questions: frozenset[AccessQuestion]) -> bool:
        self.followed[pipeline] = questions
        return self.unanswered

    def unfollow(self, pipeline: ObjectRef) -> None:
        self.followed.pop(pipeline, None)


class Timers:
    """Nothing rings; what is due is noted."""

    class Timer:
        def __init__(self, at: float) -> None:
            self.at = at

        def cancel(self) -> None: ...

        def when(self) -> float:
            return self.at

    def __init__(self) -> None:
        self.delays: list[float] = []

    def call_later(self, delay: float, *_: object) -> "Timers.Timer":
        self.delays.append(delay)
        return self.Timer(delay)


class Bench:
    def __init__(self, example: str = "gateway-broken") -> None:
        self.world = World(ClusterCoverage({}))
        self.pipelines = Pipelines()
        self.index = RefIndex()
        self.timers = Timers()
        self.queue: WorkQueue[ObjectRef] = WorkQueue(Backoff(1.0, 8.0, lambda: 0.0), self.timers.call_later)
        self.server = FakeServer()
        self.reviews = FakeReviews()
        self.metrics = Metrics()
        self.synced = True
        self.now = NOW
        self.forgotten: list[ObjectRef] = []
        self.reconciler = Reconciler(
            world=self.world,
            pipelines=self.pipelines,
            index=self.index,
            queue=self.queue,
            writer=self.server,
            reviews=self.reviews,
            metrics=self.metrics,
            synced=lambda: self.synced,
            forget=self.forgotten.append,
            clock=lambda: self.now,
        )
        for file in (EXAMPLES / example).glob("*.yaml"):
            for item in yaml.safe_load_all(file.read_text()):
                if item["kind"] == "AuditPipeline":
                    self.body = item | {"metadata": item["metadata"] | {"uid": "u1", "generation": 1, "resourceVersion": "10"}}
                else:
                    value = project(item)
                    assert value is not None
                    self.world.put(value)
        self.pipelines.put(snapshot(REF, 10, self.body))

    async def visit(self) -> list[Mapping[str, Any]]:
        """Statuses written by one visit."""
        before = len(self.server.statuses)
        await self.reconciler.visit(REF)
        return self.server.statuses[before:]


async def test_a_first_visit_writes_and_the_next_200_do_not() -> None:
    bench = Bench()
    assert len(await bench.visit()) == 1
    for _ in range(200):
        bench.now += 0.1
        assert await bench.visit() == []
    assert bench.metrics.reconciles.value(result="unchanged") == 200


async def test_a_new_process_finds_the_stored_status_right() -> None:
    before = Bench()
    await before.visit()
    record = before.pipelines.get(REF)
    assert record is not None
    after = Bench()
    after.now = NOW + 3600
    before.now = NOW + 3600
    await before.visit()
    after.pipelines.put(snapshot(REF, 12, record.seen.body))
    assert await after.visit() == []


async def test_a_change_is_written_once_and_only_what_flipped_moves() -> None:
    bench = Bench()
    (first,) = await bench.visit()
    bench.now += 60
    bench.world.drop(ObjectRef("ServiceAccount", "kubernaut-system", "gateway"))
    (second,) = await bench.visit()
    times = {item["type"]: item["lastTransitionTime"] for item in first["conditions"]}
    moved = {item["type"] for item in second["conditions"] if item["lastTransitionTime"] != times.get(item["type"])}
    assert "IdentityBound" in moved
    assert "ServiceResolved" not in moved
    assert await bench.visit() == []


async def test_what_the_judgement_looked_at_wakes_it() -> None:
    bench = Bench()
    await bench.visit()
    binding = bench.world.drop(ObjectRef("ServiceAccount", "kubernaut-system", "gateway"))
    assert bench.index.readers(binding) == {REF}
    stranger = project({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "elsewhere"}})
    assert stranger is not None
    assert bench.index.readers(bench.world.put(stranger)) == set()


async def test_before_the_barrier_a_new_pipeline_is_first_given_some_seconds() -> None:
    bench = Bench()
    bench.synced = False
    assert await bench.visit() == []
    bench.now += 3.0
    (status,) = await bench.visit()
    assert {item["reason"] for item in status["conditions"]} == {"NotYetChecked"}
    assert await bench.visit() == []
    bench.synced = True
    (verdict,) = await bench.visit()
    assert verdict["brokenHop"] == "ServiceResolved"


async def test_before_the_barrier_a_stored_status_stays() -> None:
    bench = Bench()
    await bench.visit()
    bench.synced = False
    bench.now += 60
    bench.world.drop(ObjectRef("Service", "kubernaut-system", "data-storage-service"))
    assert await bench.visit() == []


async def test_after_a_restart_a_verdict_waits_for_the_answers_that_may_have_decided_it() -> None:
    before = Bench("gateway-fixed")
    await before.visit()
    record = before.pipelines.get(REF)
    assert record is not None

    after = Bench("gateway-broken")  # the rules seem to say another thing than what is stored
    after.pipelines.put(snapshot(REF, 12, record.seen.body))
    after.reviews.unanswered = True
    assert await after.visit() == []
    after.now += 5.1
    assert len(await after.visit()) == 1, "but not for ever"


async def test_a_first_status_waits_for_no_answer() -> None:
    bench = Bench()
    bench.reviews.unanswered = True
    assert len(await bench.visit()) == 1


async def test_a_spec_that_cannot_be_read_is_a_condition() -> None:
    bench = Bench()
    bench.pipelines.put(
        snapshot(REF, 11, bench.body | {"spec": {"emitters": 7}, "metadata": bench.body["metadata"] | {"generation": 2}})
    )
    (status,) = await bench.visit()
    assert "spec.emitters" in status["summary"]
    assert await bench.visit() == []


async def test_a_conflict_takes_the_fresh_object_and_comes_again() -> None:
    bench = Bench()
    fresh = bench.body | {"metadata": bench.body["metadata"] | {"resourceVersion": "15", "generation": 2}}
    bench.server.next = Conflict(fresh)
    assert await bench.visit() == []
    record = bench.pipelines.get(REF)
    assert record is not None
    assert record.seen.version == 15
    assert 1.0 in bench.timers.delays
    (status,) = await bench.visit()
    assert status["observedGeneration"] == 2


async def test_gone_forgets_the_pipeline() -> None:
    bench = Bench()
    bench.server.next = Gone()
    await bench.visit()
    assert bench.forgotten == [REF]
    assert bench.reviews.followed == {}
    assert bench.index.readers(bench.world.drop(ObjectRef("Service", "kubernaut-system", "data-storage-service"))) == set()


async def test_a_failure_comes_again_with_backoff_and_a_success_forgets_it(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    with caplog.at_level(logging.WARNING):
        for delay in (1.0, 2.0, 4.0):
            bench.server.next = Failed("HTTP 503")
            await bench.visit()
            assert delay in bench.timers.delays
    assert caplog.text.count("status not written, will try again: HTTP 503") == 1, "an outage is told once in a while"
    with caplog.at_level(logging.WARNING):
        bench.now += 11
        bench.server.next = Failed("HTTP 503")
        await bench.visit()
    assert "HTTP 503 (and 2 more)" in caplog.text
    await bench.visit()
    bench.timers.delays.clear()
    bench.world.drop(ObjectRef("ServiceAccount", "kubernaut-system", "gateway"))
    bench.server.next = Failed("HTTP 503")
    await bench.visit()
    assert 1.0 in bench.timers.delays


async def test_too_many_requests_waits_as_long_as_it_is_asked_to() -> None:
    bench = Bench()
    bench.server.next = Failed("HTTP 429", after=7.0)
    await bench.visit()
    assert any(7.0 <= delay <= 10.5 for delay in bench.timers.delays)


async def test_what_the_schema_prunes_is_written_once_and_said(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    pruned = bench.body | {"metadata": bench.body["metadata"] | {"resourceVersion": "11"}, "status": {"summary": "cut"}}
    bench.server.next = Written(pruned)
    with caplog.at_level(logging.WARNING):
        await bench.visit()
    assert "stores another status than was sent" in caplog.text
    assert await bench.visit() == []


async def test_the_next_visit_is_at_the_end_of_grace_and_at_the_interval() -> None:
    bench = Bench("gateway-fixed")
    bench.world.drop(ObjectRef("ServiceAccount", "kubernaut-system", "gateway"))
    await bench.visit()
    grace = [delay for delay in bench.timers.delays if 119 < delay < 122]
    interval = [delay for delay in bench.timers.delays if 270 <= delay <= 330]
    assert grace
    assert interval


async def test_a_bug_is_told_and_the_pipeline_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()

    async def broken(_: ObjectRef) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.reconciler, "visit", broken)
    bench.queue.add(REF)
    coroutine = bench.reconciler.work()
    with caplog.at_level(logging.ERROR):
        coroutine.send(None)  # until the queue is empty
    coroutine.close()
    assert "the visit failed" in caplog.text
    assert bench.timers.delays == [1.0]
    assert bench.metrics.reconciles.value(result="error") == 1


async def test_judging_is_fast_enough_for_one_loop() -> None:
    bench = Bench()
    await bench.visit()
    started = time.process_time()
    for _ in range(100):
        await bench.visit()
    assert (time.process_time() - started) / 100 < 0.01
