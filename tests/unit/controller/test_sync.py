"""The start barrier, the sweep and the watchdog, against a list that the test writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller import sync as module
from auditpipeline.controller.listing import Listing, Refusal, list_metadata
from auditpipeline.controller.sync import Sync
from auditpipeline.controller.versions import Versions
from auditpipeline.kube.client import Answer, NoAnswer
from auditpipeline.kube.kinds import OBJECTS, PIPELINES

CONFIG_MAPS = next(kind for kind in OBJECTS if kind.kind == "ConfigMap")
SERVICES = next(kind for kind in OBJECTS if kind.kind == "Service")


def ref(name: str, kind: str = "ConfigMap") -> ObjectRef:
    return ObjectRef(kind, "ns", name)


class FakeApi:
    """Lists of the API server, by path; a status instead of a list is answered as such."""

    def __init__(self) -> None:
        self.lists: dict[str, dict[str, int] | int] = {}
        self.version = 100
        self.requests: list[tuple[str, Mapping[str, str]]] = []

    async def request(
        self,
        method: str,  # noqa: ARG002
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "",  # noqa: ARG002
        timeout: float = 0,  # noqa: ARG002, ASYNC109
    ) -> Answer:
        self.requests.append((path, dict(query or {})))
        await asyncio.sleep(0)
        held = self.lists.get(path, {})
        if held == 0:
            raise NoAnswer("GET: refused")
        if isinstance(held, int):
            return Answer(held, {})
        items = [{"metadata": {"namespace": "ns", "name": name, "resourceVersion": str(at)}} for name, at in held.items()]
        return Answer(200, {"metadata": {"resourceVersion": str(self.version)}, "items": items})


class Bench:
    """A Sync with all its callbacks noted."""

    def __init__(self, resync: float = 1000.0) -> None:
        self.api = FakeApi()
        self.versions = Versions()
        self.forbidden: dict[str, str] = {}
        self.gone: list[ObjectRef] = []
        self.changes = 0
        self.stale: list[str] = []
        self.sync = Sync(
            api=self.api,
            kinds=[CONFIG_MAPS, SERVICES],
            versions=self.versions,
            forbidden=self.forbidden,
            gone=self.gone.extend,
            changed=self._changed,
            stale=self.stale.append,
            resync=resync,
            glance_interval=0.02,
            forbidden_retry=0.05,
        )

    def _changed(self) -> None:
        self.changes += 1

    def event(self, name: str, version: int = 1, *, deleted: bool = False) -> None:
        self.versions.accept(ref(name), version, deleted=deleted)
        self.sync.noticed(ref(name))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sync.run())
        yield
        assert not task.done(), "it never ends by itself"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(check: Callable[[], Any], seconds: float = 3) -> None:
    for _ in range(int(seconds / 0.01)):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not in time")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECHECK", (0.05,))
    monkeypatch.setattr(module, "_RELIST_SETTLE", 0.02)
    monkeypatch.setattr(module, "_BEHIND", 0.05)
    monkeypatch.setattr(module, "_REFUSED_AGAIN", 0.02)


async def test_the_barrier_waits_for_each_listed_object() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = {"a": 1, "b": 2}
    async with bench.running():
        bench.event("a")
        await until(lambda: bench.sync.pending == ["ConfigMap"])
        await asyncio.sleep(0.15)
        assert not bench.sync.passed
        bench.event("b")
        await until(lambda: bench.sync.passed)
    assert bench.changes == 1


async def test_one_that_is_deleted_before_kopf_lists_does_not_hold_the_barrier() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = {"a": 1}
    async with bench.running():
        await asyncio.sleep(0.02)
        bench.api.lists[CONFIG_MAPS.path] = {"new": 9}
        await until(lambda: bench.sync.passed)


async def test_an_event_before_the_list_counts_too_even_a_deletion() -> None:
    bench = Bench()
    bench.event("a", 1)
    bench.event("a", 2, deleted=True)
    bench.api.lists[CONFIG_MAPS.path] = {"a": 1}
    async with bench.running():
        await until(lambda: bench.sync.passed)


async def test_a_forbidden_kind_is_named_with_its_rule_and_heals() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = 403
    async with bench.running():
        await until(lambda: bench.sync.passed)
        assert bench.forbidden == {
            "ConfigMap": "the operator may not list configmaps; add the rule "
            '{apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"]} to its ClusterRole'
        }
        bench.api.lists[CONFIG_MAPS.path] = {"a": 1}
        await asyncio.sleep(0.1)
        assert bench.forbidden, "readable, but not yet complete"
        bench.event("a")
        await until(lambda: not bench.forbidden)
    assert bench.changes >= 2


async def test_an_api_server_that_starts_refuses_for_a_moment_and_is_not_believed() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = 403
    bench.api.lists["/readyz"] = 403
    async with bench.running():
        await asyncio.sleep(0.1)
        assert not bench.sync.passed
        bench.api.lists[CONFIG_MAPS.path] = {}
        await until(lambda: bench.sync.passed)
    assert bench.forbidden == {}
    assert bench.changes == 1


async def test_a_refusal_is_believed_in_the_end_where_nobody_tells_of_readiness() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = 403
    bench.api.lists["/readyz"] = 403
    async with bench.running():
        await until(lambda: bench.sync.passed)
    assert set(bench.forbidden) == {"ConfigMap"}


async def test_an_api_server_that_does_not_answer_holds_the_barrier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: -0.95)
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = 0
    async with bench.running():
        await asyncio.sleep(0.15)
        assert not bench.sync.passed
        bench.api.lists[CONFIG_MAPS.path] = {}
        await until(lambda: bench.sync.passed)


async def test_a_kind_without_a_crd_is_complete() -> None:
    bench = Bench()
    bench.api.lists[CONFIG_MAPS.path] = 404
    async with bench.running():
        await until(lambda: bench.sync.passed)
    assert bench.forbidden == {}


async def test_a_relist_sweeps_what_vanished_in_the_gap() -> None:
    bench = Bench()
    bench.event("ghost", 5)
    bench.event("there", 6)
    bench.api.lists[CONFIG_MAPS.path] = {"there": 6, "ghost": 5}
    async with bench.running():
        await until(lambda: bench.sync.passed)
        bench.api.lists[CONFIG_MAPS.path] = {"there": 6}
        assert bench.sync.relisted("ConfigMap")
        assert not bench.sync.relisted("ConfigMap"), "one relist is one sweep"
        await until(lambda: bench.gone)
    assert bench.gone == [ref("ghost")]
    assert not bench.versions.accept(ref("ghost"), 5, deleted=False), "a late event does not bring it back"


async def test_a_sweep_spares_what_is_newer_than_its_list() -> None:
    bench = Bench()
    async with bench.running():
        await until(lambda: bench.sync.passed)
        bench.event("new", 101)
        bench.event("old", 99)
        bench.sync.relisted("ConfigMap")
        await until(lambda: bench.gone)
    assert bench.gone == [ref("old")]


async def test_a_list_that_fails_proves_nothing() -> None:
    bench = Bench()
    bench.event("a", 5)
    bench.api.lists[CONFIG_MAPS.path] = {"a": 5}
    async with bench.running():
        await until(lambda: bench.sync.passed)
        for status in (0, 500, 404, 410):
            bench.api.lists[CONFIG_MAPS.path] = status
            bench.sync.relisted("ConfigMap")
            await asyncio.sleep(0.06)
    assert bench.gone == []


async def test_a_watch_that_lags_behind_its_list_is_stale() -> None:
    bench = Bench(resync=0.05)
    bench.event("a", 5)
    bench.api.lists[CONFIG_MAPS.path] = {"a": 5}
    async with bench.running():
        await until(lambda: bench.sync.passed)
        await asyncio.sleep(0.2)
        assert bench.stale == []
        bench.api.lists[CONFIG_MAPS.path] = {"a": 6}
        await until(lambda: bench.stale)
    assert bench.stale[0] == "ConfigMap"


async def test_a_pipeline_that_no_watch_tells_of_is_noticed_between_the_sweeps() -> None:
    bench = Bench()
    async with bench.running():
        await until(lambda: bench.sync.passed)
        await asyncio.sleep(0.1)
        assert bench.stale == []
        bench.api.lists[PIPELINES.path] = {"new": 9}
        await until(lambda: bench.stale)
    assert bench.stale[0] == "AuditPipeline"
    glances = [query for path, query in bench.api.requests if path == PIPELINES.path]
    assert all(query == {"limit": "1"} for query in glances)


async def test_pages_are_joined_and_the_selector_is_kept() -> None:
    class Paged(FakeApi):
        async def request(self, method: str, path: str, **options: Any) -> Answer:  # noqa: ARG002
            query = options["query"]
            self.requests.append((path, dict(query)))
            page = int(query.get("continue") or 0)
            meta = {"resourceVersion": "50", "continue": str(page + 1) if page < 2 else ""}
            item = {"metadata": {"namespace": "ns", "name": f"n{page}", "resourceVersion": str(page)}}
            return Answer(200, {"metadata": meta, "items": [item]})

    api = Paged()
    assert await list_metadata(api, CONFIG_MAPS) == Listing(50, {ref("n0"): 0, ref("n1"): 1, ref("n2"): 2})
    assert {query["fieldSelector"] for _, query in api.requests} == {"metadata.name!=kube-root-ca.crt"}
    assert len(api.requests) == 3


@pytest.mark.parametrize(
    ("status", "refusal"),
    [(403, Refusal.FORBIDDEN), (404, Refusal.ABSENT), (401, Refusal.FAILED), (410, Refusal.FAILED), (500, Refusal.FAILED)],
)
async def test_each_refusal_has_a_meaning(status: int, refusal: Refusal) -> None:
    api = FakeApi()
    api.lists[CONFIG_MAPS.path] = status
    assert await list_metadata(api, CONFIG_MAPS) is refusal
