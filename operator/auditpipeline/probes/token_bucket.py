"""A token bucket: how the operator keeps its requests to others below a rate, while a short burst may pass at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class TokenBucket:
    """Lets `rate` callers a second pass in the long run, and `burst` at once after a rest.

    Callers pass in the order in which they came: each takes its token at once and waits until that token exists.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = float(burst)
        self._at = clock()

    async def take(self) -> None:
        """Wait for a token. Cancelling the wait loses the token, which only makes the rate lower."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
        self._at = now
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)
