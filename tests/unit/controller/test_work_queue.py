"""The queue against a model of client-go's promises: one worker a key, nothing lost, nothing twice without cause."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auditpipeline.controller.work_queue import Backoff, WorkQueue

KEYS = st.sampled_from("abc")


class Clock:
    """Timers that ring when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[ManualTimer] = []

    def call_later(self, delay: float, call: Callable[[str], None], key: str) -> "ManualTimer":
        timer = ManualTimer(self.now + delay, lambda: call(key))
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer.at <= self.now]
        self.timers = [timer for timer in self.timers if timer.at > self.now]
        for timer in sorted(due, key=lambda timer: timer.at):
            if not timer.cancelled:
                timer.call()


class ManualTimer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self.at


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue: WorkQueue[str] = WorkQueue(Backoff(1.0, 8.0, lambda: 0.0), self.clock.call_later)
        self.wanted: set[str] = set()  # added since they were last taken
        self.busy: set[str] = set()
        self.due: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.wanted.add(key)

    @rule(key=KEYS, delay=st.integers(1, 10))
    def add_after(self, key: str, delay: int) -> None:
        self.queue.add_after(key, delay)
        self._expect(key, delay)

    @rule(key=KEYS)
    def add_rate_limited(self, key: str) -> None:
        self.queue.add_rate_limited(key)
        failures = self.failures.get(key, 0)
        self.failures[key] = failures + 1
        self._expect(key, min(8.0, 2.0**failures))

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures.pop(key, None)

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        self.queue.drop(key)
        self.failures.pop(key, None)
        self.due.pop(key, None)

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for key, at in list(self.due.items()):
            if at <= self.clock.now:
                del self.due[key]
                self.wanted.add(key)

    @precondition(lambda self: self.wanted - self.busy)
    @rule()
    def get(self) -> None:
        key = _now(self.queue)
        assert key in self.wanted
        assert key not in self.busy, "one worker at a time"
        self.wanted.discard(key)
        self.busy.add(key)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.busy)))
        self.queue.done(key)
        self.busy.discard(key)

    @invariant()
    def what_waits_is_what_was_added_and_is_free(self) -> None:
        assert len(self.queue) == len(self.wanted - self.busy)
        assert self.queue.busy == len(self.busy)

    def _expect(self, key: str, delay: float) -> None:
        self.due[key] = min(self.due.get(key, self.clock.now + delay), self.clock.now + delay)


TestQueue = QueueMachine.TestCase


def _now(queue: WorkQueue[str]) -> str:
    """The next key of a queue in which one waits, without an event loop."""
    coroutine = queue.get()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        key: str = stop.value
        return key
    raise AssertionError("the queue had a key but did not give it")


async def test_a_waiting_worker_is_woken() -> None:
    queue: WorkQueue[str] = WorkQueue()
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(worker, 1) == "a"


async def test_a_cancelled_worker_hands_its_wake_up_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")  # wakes the first
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_each_wake_up_reaches_one_of_many_workers() -> None:
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in "abc":
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*workers), 1)) == ["a", "b", "c"]


async def test_a_timer_adds_the_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.01)
    assert await asyncio.wait_for(queue.get(), 1) == "a"


def test_backoff_is_bounded_and_spread() -> None:
    backoff = Backoff(0.5, 10.0, lambda: 1.0)
    assert [backoff.delay(failures) for failures in (0, 1, 2, 10, 10**6)] == [0.75, 1.5, 3.0, 15.0, 15.0]
