"""What leaves the process besides statuses: log lines and metrics."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller import logs
from auditpipeline.controller.health import HealthServer
from auditpipeline.controller.metrics import Metrics, pipeline_lines

REF = ObjectRef("AuditPipeline", "ns", "gateway")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_names_its_pipeline(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    logging.getLogger("auditpipeline.x").info("status %s", "written", extra=logs.about(REF))
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "auditpipeline.x",
        "message": "status written",
        "object": {"kind": "AuditPipeline", "namespace": "ns", "name": "gateway"},
    }


def test_a_plain_line_is_one_line(stream: io.StringIO) -> None:
    logs.configure("plain", "info", stream)
    logging.getLogger("auditpipeline.controller.sync").warning("gone", extra=logs.about(REF))
    assert stream.getvalue().endswith("Z WARNING sync: gone [AuditPipeline ns/gateway]\n")


@pytest.mark.parametrize("log_format", ["plain", "json"])
def test_tracebacks_are_for_our_bugs_and_not_for_what_kopf_reports(log_format: str, stream: io.StringIO) -> None:
    logs.configure(log_format, "info", stream)
    for name in ("kopf.x", "auditpipeline.x"):
        try:
            raise OSError("connection reset")  # noqa: TRY301
        except OSError:
            logging.getLogger(name).exception("it failed")
    kopfs, _, ours = stream.getvalue().partition("\n")
    assert "it failed (OSError: connection reset)" in kopfs
    assert "Traceback" not in kopfs
    assert "Traceback" in ours


def test_a_request_that_is_tried_for_ever_is_told_once(stream: io.StringIO) -> None:
    logs.configure("plain", "info", stream)
    for attempt in range(1, 9):
        text = f"Request attempt #{attempt} failed; will retry: GET https://x/api/v1/pods?resourceVersion={attempt} -> 403"
        logging.getLogger("kopf._cogs.clients.watching").error(text)
    logging.getLogger("kopf._cogs.clients.watching").error(
        "Request attempt #1 failed; will retry: GET https://x/api/v1/services -> 403"
    )
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all(" WARNING " in line for line in lines)


def test_series_of_pipelines_come_from_their_statuses() -> None:
    status = {
        "conditions": [{"type": "ServiceResolved", "status": "False"}, {"type": "Ready", "status": "False"}],
        "findings": [{"check": "ServiceResolved", "severity": "Error"}, {"check": "ServiceResolved", "severity": "Error"}],
    }
    lines = list(pipeline_lines([(REF, status), (ObjectRef("AuditPipeline", "ns", "new"), {})]))
    assert 'auditpipeline_ready{namespace="ns",name="gateway"} 0' in lines
    assert 'auditpipeline_ready{namespace="ns",name="new"} -1' in lines
    assert 'auditpipeline_condition{namespace="ns",name="gateway",type="ServiceResolved",status="False"} 1' in lines
    assert 'auditpipeline_findings{namespace="ns",name="gateway",check="ServiceResolved",severity="Error"} 2' in lines


def test_a_histogram_counts_up_to_infinity() -> None:
    metrics = Metrics()
    metrics.reconcile_seconds.observe(0.001)
    metrics.reconcile_seconds.observe(99)
    lines = list(metrics.lines())
    assert 'auditpipeline_reconcile_duration_seconds_bucket{le="0.001"} 1' in lines
    assert 'auditpipeline_reconcile_duration_seconds_bucket{le="5.0"} 1' in lines
    assert 'auditpipeline_reconcile_duration_seconds_bucket{le="+Inf"} 2' in lines
    assert "auditpipeline_reconcile_duration_seconds_count 2" in lines


async def test_readiness_says_what_is_awaited() -> None:
    waiting = ["not yet complete: ConfigMap"]
    health = HealthServer(
        host="127.0.0.1", port=0, alive=lambda: "", ready=lambda: waiting[0] if waiting else "", metrics=lambda: ["a 1"]
    )
    port = await health.start()
    async with ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status, await response.text()

        assert await get("/livez") == (200, "ok\n")
        assert await get("/readyz") == (503, "not yet complete: ConfigMap\n")
        waiting.clear()
        assert await get("/readyz") == (200, "ok\n")
        assert await get("/metrics") == (200, "a 1\n")
    await health.stop()
