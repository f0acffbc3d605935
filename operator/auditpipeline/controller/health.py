"""/livez, /readyz and /metrics. Up before anything else, so that a slow start is seen as such."""

from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web

from auditpipeline.controller.metrics import CONTENT_TYPE

_TEXT: Final = "text/plain"


class HealthServer:
    """Serves probes and metrics from the operator's event loop: if that hangs, so do they, and the kubelet acts."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        alive: Callable[[], str],
        ready: Callable[[], str],
        metrics: Callable[[], Iterable[str]],
    ) -> None:
        """Nothing listens yet.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0 takes a free one.
            alive: Why the process should be restarted; empty if it should not.
            ready: What the operator still waits for; empty if nothing.
            metrics: Lines of the Prometheus text format.
        """
        self._host = host
        self._port = port
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; the port.

        Raises:
            OSError: The address cannot be listened on.
        """
        app = web.Application()
        app.router.add_get("/livez", self._show_alive)
        app.router.add_get("/readyz", self._show_ready)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show_alive(self, _: web.Request) -> web.Response:
        return _verdict(self._alive())

    async def _show_ready(self, _: web.Request) -> web.Response:
        return _verdict(self._ready())

    async def _show_metrics(self, _: web.Request) -> web.Response:
        text = "".join(f"{line}\n" for line in self._metrics())
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _verdict(problem: str) -> web.Response:
    return web.Response(text=(problem or "ok") + "\n", status=503 if problem else 200, content_type=_TEXT)
