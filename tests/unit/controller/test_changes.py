"""Events become values, whatever they hold, and cross threads in order."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.cache import Cache
from auditpipeline.controller.changes import Change, Inbox, read_change
from auditpipeline.kube.kinds import OBJECTS, PIPELINES
from auditpipeline.world.coverage import ClusterCoverage
from auditpipeline.world.world import World

CONFIG_MAPS = next(kind for kind in OBJECTS if kind.kind == "ConfigMap")
DEPLOYMENTS = next(kind for kind in OBJECTS if kind.kind == "Deployment")
REF = ObjectRef("Deployment", "ns", "a")


def event(kind: str, body: dict[str, Any], *, type: str | None = "MODIFIED", version: str = "7") -> dict[str, Any]:  # noqa: A002
    meta = {"name": "a", "namespace": "ns", "resourceVersion": version}
    group = {"ConfigMap": "v1", "Deployment": "apps/v1"}.get(kind, "auditpipeline.dev/v1alpha1")
    return {"type": type, "object": {"apiVersion": group, "kind": kind, "metadata": meta, **body}}


def test_an_event_is_projected() -> None:
    change = read_change(CONFIG_MAPS, event("ConfigMap", {"data": {"k": "v"}}, type=None))
    assert (change.ref, change.version, change.listed, change.deleted) == (ObjectRef("ConfigMap", "ns", "a"), 7, True, False)
    assert change.value is not None


def test_a_deletion_needs_no_projection() -> None:
    assert read_change(DEPLOYMENTS, event("Deployment", {"spec": 3}, type="DELETED")) == Change(REF, 7, deleted=True)


def test_a_malformed_object_names_its_field() -> None:
    change = read_change(DEPLOYMENTS, event("Deployment", {"spec": {"replicas": "many"}}))
    assert change.value is None
    assert change.malformed == "spec.replicas must be a number"


def test_an_audit_pipeline_comes_as_a_snapshot() -> None:
    change = read_change(PIPELINES, event("AuditPipeline", {"spec": {}}))
    assert change.pipeline is not None
    assert change.pipeline.invalid


def test_a_malformed_object_counts_as_absent_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(World(ClusterCoverage({})))
    good = read_change(DEPLOYMENTS, event("Deployment", {"spec": {"replicas": 1}}))
    bad = read_change(DEPLOYMENTS, event("Deployment", {"spec": {"replicas": "many"}}))
    with caplog.at_level(logging.WARNING):
        assert cache.apply(good)
        assert not cache.apply(good), "nothing changed"
        assert cache.apply(bad)
        assert not cache.apply(bad)
        cache.apply(bad)
    assert cache.world.find(REF) is None
    assert [record.getMessage() for record in caplog.records] == [
        "cannot read the object, so it counts as absent: spec.replicas must be a number"
    ]
    assert cache.apply(good)
    cache.apply(bad)
    assert len(caplog.records) == 2, "a fault that came back is said again"


async def test_changes_cross_threads_in_order_and_none_is_lost() -> None:
    taken: list[int] = []
    inbox = Inbox(lambda change: taken.append(change.version))

    def produce() -> None:
        for version in range(2_000):
            inbox.put(Change(REF, version))

    thread = threading.Thread(target=produce)
    thread.start()
    for _ in range(500):
        await asyncio.sleep(0.01)
        if len(taken) == 2_000:
            break
    thread.join()
    assert taken == list(range(2_000))


async def test_a_flood_leaves_room_for_others() -> None:
    taken: list[int] = []
    inbox = Inbox(lambda change: taken.append(change.version))
    for version in range(1_000):
        inbox.put(Change(REF, version))
    await asyncio.sleep(0)
    assert 0 < len(taken) < 1_000
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(taken) == 1_000
