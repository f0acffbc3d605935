"""Wait until the cluster says so, with an error that tells what was seen last."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

from .client import ApiError, Client, Object

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of an object's status, such as `Available` of a Deployment."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    type: str
    status: str = "True"

    def check(self, client: Client) -> Object | None:
        """The object, once the condition has the status; AssertionError with the conditions there are before."""
        found = client.get(self.api_version, self.kind, self.name, self.namespace)
        conditions = found.get("status", {}).get("conditions") or []
        if any(entry["type"] == self.type and entry["status"] == self.status for entry in conditions):
            return found
        raise AssertionError(f"{self.kind} {self.name} is not {self.type}={self.status}; conditions: {conditions}")


def wait_until(check: Callable[[], T], *, timeout: float = 30.0, interval: float = 0.1, what: str = "") -> T:
    """Call `check` until it returns something true, and return that.

    An AssertionError, an ApiError or a failed connection counts as "not yet".

    Raises:
        TimeoutError: after `timeout` seconds, with `what` was awaited and the last error.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            if answer := check():
                return answer
            last = answer
        except (AssertionError, ApiError, LookupError, httpx.TransportError) as error:
            last = error
        if time.monotonic() > deadline:
            waited = what or getattr(check, "__name__", "the condition")
            cause = last if isinstance(last, Exception) else None
            raise TimeoutError(f"not within {timeout:g} s: {waited}; last: {last!r}") from cause
        time.sleep(interval)
