"""Runs kopf in a thread of its own, again and again.

Why a thread: when kopf ends, for good or for a restart, it waits five seconds and then cancels every task of its event
loop that is younger than itself. Connections of the health server, writes in flight and whatever our tasks start
meanwhile would be among them. In its own loop kopf finds only its own tasks, so it stops at once and cancels nothing
of ours; a first list of many thousand objects does not delay health checks either; and the operator's state belongs to
one thread, because handlers only hand values over (see `changes`).

Why again and again: an error event in a watch, a CRD that is deleted or refused credentials end all of kopf. The cache
outlives that, and the relist of the next run triggers the sweeps that find what was missed.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import kopf

from auditpipeline.api.spec import GROUP, PLURAL
from auditpipeline.controller.work_queue import Backoff
from auditpipeline.kube.kinds import WATCHED

_HEALTHY_AFTER: Final = 60.0
"""Seconds of a run after which the next failure counts as a first one."""

logger = logging.getLogger(__name__)


class _Endless:
    """Waits between tries of one request; without an end, for the end of a finite series ends all of kopf."""

    def __iter__(self) -> Iterator[float]:
        """A fresh series for each request."""
        yield from (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
        while True:
            yield 20.0


class _NoDiffBase(kopf.DiffBaseStorage):
    """No handler looks at differences, and their base is a deep copy of every object: a fifth of the load."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """No handler makes progress that would have to be stored in the object."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def kopf_settings() -> kopf.OperatorSettings:
    """Kopf as a mere watcher: it writes nothing, posts nothing and never gives up on a request."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.networking.error_backoffs = _Endless()
    settings.networking.request_timeout = 120
    settings.networking.connect_timeout = 10
    # It would kill the whole process; here only a thread is to end.
    settings.process.ultimate_exiting_timeout = None
    # Scanning finds our CRD when it comes later; the selector spares the schemas of all others.
    settings.watching.field_selectors["apiextensions.k8s.io", "v1", "customresourcedefinitions"] = (
        f"metadata.name={PLURAL}.{GROUP}"
    )
    for kind in WATCHED:
        if kind.field_selector:
            where = (kind.group, kind.version, kind.plural) if kind.group else (kind.version, kind.plural)
            settings.watching.field_selectors[where] = kind.field_selector
    return settings


class Supervisor:
    """One thread that runs kopf until it is asked to stop."""

    def __init__(self, handlers: Callable[[], kopf.OperatorRegistry], ended: Callable[[], None]) -> None:
        """Nothing starts yet.

        Args:
            handlers: Makes the handlers of a run, which get their events in the thread.
            ended: Called in the thread for each end of kopf that nobody asked for.
        """
        self._handlers = handlers
        self._ended = ended
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._run: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread = threading.Thread(target=self._supervise, name="kopf", daemon=True)

    @property
    def alive(self) -> bool:
        """The thread runs, though kopf itself may be between two runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def restart(self) -> None:
        """End the present run; the next one lists everything anew."""
        with self._lock:
            if self._run is not None:
                loop, flag = self._run
                loop.call_soon_threadsafe(flag.set)

    def stop(self, timeout: float) -> bool:
        """Stop for good. Whether the thread ended within `timeout` seconds; it does not hold the process otherwise."""
        self._stopping.set()
        self.restart()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        backoff = Backoff(1.0, 30.0)
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                asyncio.run(self._watch())
                why = "it was asked to"
            except Exception as error:  # noqa: BLE001  (whatever ends kopf, the next run must start)
                why = f"{type(error).__name__}: {str(error)[:300]}"
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - started > _HEALTHY_AFTER else failures
            delay = backoff.delay(failures)
            failures += 1
            logger.warning("watching ended (%s); it starts again in %.1f s", why, delay)
            self._ended()
            self._stopping.wait(delay)

    async def _watch(self) -> None:
        flag = asyncio.Event()
        with self._lock:
            self._run = (asyncio.get_running_loop(), flag)
        try:
            if not self._stopping.is_set():
                await kopf.operator(
                    registry=self._handlers(), settings=kopf_settings(), stop_flag=flag, clusterwide=True, standalone=True
                )
        finally:
            with self._lock:
                self._run = None
