"""A queue of keys, as client-go's workqueue: a key is worked on by one worker at a time, and never lost.

Adding a key that waits already changes nothing; adding one that is being worked on lets it wait until `done`, and
then it comes once more. So a storm of changes to one key costs one visit, and the last change is always seen:

        add            get              done
    ─────────► dirty ─────────► busy ─────────► (gone)
                 ▲                │
                 └── dirtied ◄────┘  while busy

For one event loop; no method blocks but `get`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Let it not happen."""

    def when(self) -> float:
        """When it is due, on the clock of its loop."""


class Backoff:
    """Delays that double from `base` to `limit` seconds, each stretched by up to a half so that keys spread out."""

    def __init__(self, base: float = 0.2, limit: float = 60.0, spread: Callable[[], float] = random.random) -> None:
        self._base = base
        self._limit = limit
        self._spread = spread

    def delay(self, failures: int) -> float:
        """The wait after so many failures in a row, the first counted as 0. At most `limit` × 1.5."""
        return float(min(self._limit, self._base * 2 ** min(failures, 30))) * (1 + self._spread() / 2)


class WorkQueue(Generic[K]):
    """See the module's text. `call_later` stands in for the loop's timers in tests."""

    def __init__(
        self, backoff: Backoff | None = None, call_later: Callable[[float, Callable[[K], None], K], Timer] | None = None
    ) -> None:
        self._backoff = backoff or Backoff()
        self._call_later = call_later or (lambda delay, call, key: asyncio.get_running_loop().call_later(delay, call, key))
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._busy: set[K] = set()
        self._timers: dict[K, Timer] = {}
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Keys that are being worked on."""
        return len(self._busy)

    def add(self, key: K) -> None:
        """Let the key be worked on as soon as a worker is free."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._wait(key)

    def add_after(self, key: K, delay: float) -> None:
        """Add the key in `delay` seconds, unless an earlier timer of the key does."""
        if delay <= 0:
            self.add(key)
            return
        timer = self._call_later(delay, self._due, key)
        earlier = self._timers.get(key)
        if earlier is not None:
            if earlier.when() <= timer.when():
                timer.cancel()
                return
            earlier.cancel()
        self._timers[key] = timer

    def add_rate_limited(self, key: K) -> None:
        """Add the key after its backoff, which grows with each call until `forget`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, self._backoff.delay(failures))

    def forget(self, key: K) -> None:
        """The key's work succeeded: its next failure is a first one."""
        self._failures.pop(key, None)

    def drop(self, key: K) -> None:
        """The key is no more: no timer and no failure of it is kept. A waiting key still comes once."""
        self.forget(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def get(self) -> K:
        """The next key, busy from now until `done`."""
        while not self._waiting:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                # The wake-up may have been this worker's: another one takes it.
                if getter.done() and not getter.cancelled() and self._waiting:
                    self._wake()
                raise
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker is through with the key; it comes again if it was added meanwhile."""
        self._busy.discard(key)
        if key in self._dirty:
            self._wait(key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _wait(self, key: K) -> None:
        self._waiting.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
