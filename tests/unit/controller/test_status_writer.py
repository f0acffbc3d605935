"""What the writer sends, and what it makes of each answer; over real HTTP."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.login import login
from auditpipeline.controller.status_writer import Conflict, Failed, Gone, StatusWriter, Written
from auditpipeline.kube.client import ApiServer
from auditpipeline.probes.token_bucket import TokenBucket

from .stub_api import Stub, stub_api

REF = ObjectRef("AuditPipeline", "ns", "gateway")
SEEN = {"metadata": {"name": "gateway", "namespace": "ns", "uid": "u1", "resourceVersion": "41", "labels": {"a": "b"}}}
PATH = "/apis/auditpipeline.dev/v1alpha1/namespaces/ns/auditpipelines/gateway"
NOW = {"metadata": {"resourceVersion": "42"}, "status": {"summary": "x"}}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_api() as server:
        yield server


@pytest.fixture
async def writer(stub: Stub, tmp_path: Path) -> AsyncIterator[StatusWriter]:
    api = await ApiServer.connect(stub.kubeconfig(tmp_path))
    yield StatusWriter(api, TokenBucket(1000, 1000), timeout=0.3)
    await api.close()


async def test_it_replaces_the_whole_status_of_the_version_that_was_judged(stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(200, NOW)
    assert await writer.write(REF, SEEN, {"summary": "x"}) == Written(NOW)
    assert stub.requests == [
        (
            "PUT",
            f"{PATH}/status",
            {
                "apiVersion": "auditpipeline.dev/v1alpha1",
                "kind": "AuditPipeline",
                "metadata": {"name": "gateway", "namespace": "ns", "uid": "u1", "resourceVersion": "41"},
                "status": {"summary": "x"},
            },
        )
    ]


async def test_a_conflict_brings_the_fresh_object(stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(409, {"message": "the object has been modified"})
    stub.will_answer(200, NOW)
    assert await writer.write(REF, SEEN, {}) == Conflict(NOW)
    assert stub.requests[1][:2] == ("GET", PATH)


async def test_a_conflict_with_an_object_that_is_gone(stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(409)
    stub.will_answer(404)
    assert await writer.write(REF, SEEN, {}) == Gone()


async def test_not_found_is_gone(stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(404)
    assert await writer.write(REF, SEEN, {}) == Gone()


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("100000", 60.0), ("soon", None), (None, None)])
async def test_too_many_requests_says_how_long_to_wait(
    header: str | None, after: float | None, stub: Stub, writer: StatusWriter
) -> None:
    stub.will_answer(429, {"message": "slow down"}, **({"Retry_After": header} if header else {}))
    assert await writer.write(REF, SEEN, {}) == Failed("HTTP 429 slow down", after)


async def test_a_missing_permission_is_told_with_its_rule(stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(403, {"message": "forbidden"})
    rule = '{apiGroups: ["auditpipeline.dev"], resources: ["auditpipelines/status"], verbs: ["update"]}'
    why = f"the operator may not update auditpipelines/status; add the rule {rule} to its ClusterRole"
    assert await writer.write(REF, SEEN, {}) == Failed(why)


@pytest.mark.parametrize("status", [500, 503, 401])
async def test_other_failures_are_told(status: int, stub: Stub, writer: StatusWriter) -> None:
    stub.will_answer(status, {"message": "why"})
    assert await writer.write(REF, SEEN, {}) == Failed(f"HTTP {status} why")


@pytest.mark.parametrize("fault", [0, -1], ids=["dropped", "hung"])
async def test_no_answer_is_a_failure_within_the_time_out(fault: int, stub: Stub, writer: StatusWriter) -> None:
    for _ in range(3):  # a dropped connection may be tried anew
        stub.will_answer(fault)
    outcome = await writer.write(REF, SEEN, {})
    assert isinstance(outcome, Failed)
    assert outcome.why.startswith(f"PUT {PATH}/status: ")


async def test_a_status_that_the_schema_refuses_is_an_error_line(
    stub: Stub, writer: StatusWriter, caplog: pytest.LogCaptureFixture
) -> None:
    stub.will_answer(422, {"message": "status.errors: must be a number"})
    with caplog.at_level(logging.ERROR):
        assert isinstance(await writer.write(REF, SEEN, {}), Failed)
    assert "status.errors: must be a number" in caplog.text


async def test_the_credentials_reach_kopf(stub: Stub, tmp_path: Path) -> None:
    api = await ApiServer.connect(stub.kubeconfig(tmp_path))
    info = await login(api)
    await api.close()
    assert (info.server, info.scheme, info.token) == (f"http://127.0.0.1:{stub.port}", "Bearer", "planted-secret")
    assert info.expiration is not None
