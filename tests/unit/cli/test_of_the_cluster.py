"""Commands about a running cluster, over answers of an API server that are told by path."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from auditpipeline.cli.main import main
from auditpipeline.kube.client import Answer, Context
from auditpipeline.kube.kinds import OBJECTS, ONE_OFF, PIPELINES
from scenarios import base_objects

PATHS = {kind.kind: kind.path for kind in (PIPELINES, *OBJECTS, *ONE_OFF)}


class Api:
    """The base's objects as a cluster holds them."""

    def __init__(self, *, allowed: bool | None = None) -> None:
        self.configuration = SimpleNamespace(host="https://api.example.com:6443")
        self.context = Context("staging", "audit")
        self.reviews: list[Mapping[str, Any]] = []
        self.allowed = allowed
        self.objects: dict[str, list[dict[str, Any]]] = {}
        for item in base_objects():
            self.objects.setdefault(PATHS[item["kind"]], []).append(item)

    async def close(self) -> None:
        pass

    async def request(self, method: str, path: str, *, body: Any = None, **_: Any) -> Answer:
        if method == "POST":
            self.reviews.append(body["spec"])
            return Answer(201, {"status": {"allowed": self.allowed}}) if self.allowed is not None else Answer(403, {})
        return Answer(200, {"items": self.objects.get(path, []), "metadata": {}})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()

    async def connect(*_: str) -> Api:
        return made

    monkeypatch.setattr("auditpipeline.kube.client.ApiServer.connect", connect)
    return made


def findings(capsys: pytest.CaptureFixture[str], *words: str) -> set[tuple[str, str]]:
    main(["check", "-o", "json", *words])
    return {(item["reason"], item["severity"]) for item in json.loads(capsys.readouterr().out)["findings"]}


def test_only_what_needs_running_pods_is_said_of_a_clean_cluster_without_any(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    assert findings(capsys) == {("NoReadyEndpoints", "Error")}
    assert len(api.reviews) == 1  # refused, so not asked again


def test_the_api_server_wins_over_the_rules(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditpipeline.probes.reviews._CONFIRM_AFTER", 0)
    api.allowed = False
    assert {("AccessDenied", "Error"), ("StoreCannotReview", "Error")} <= findings(capsys)


def test_another_namespace_is_not_told_of(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-n", "other"]) == 2
    assert capsys.readouterr().err == (
        "auditpipeline: namespace other of the cluster holds no emitter, so nothing was judged; --allow-empty accepts that\n"
    )
    assert findings(capsys, "-A") == {("NoReadyEndpoints", "Error")}
    assert api.reviews


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("name", ["gateway", "audit/gateway"])
def test_a_pipeline_is_explained_and_drawn_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out.startswith("AuditPipeline audit/gateway")
    assert main(["graph", "gateway"]) == 0
    assert "gateway" in capsys.readouterr().out
    assert main(["explain", "nobody"]) == 2
    assert capsys.readouterr().err == 'auditpipeline: the cluster holds no pipeline "nobody"; it holds audit/gateway\n'


def test_emitters_that_nobody_covers_are_written(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover"]) == 2
    assert capsys.readouterr().out == ""
    api.objects[PATHS["AuditPipeline"]] = []
    assert main(["discover"]) == 0
    (document,) = yaml.safe_load_all(capsys.readouterr().out)
    assert document["metadata"] == {"name": "data-storage-service", "namespace": "audit"}


def test_an_object_that_cannot_be_read_is_told(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.objects[PATHS["AuditPipeline"]].append({"metadata": {"name": "broken", "namespace": "audit"}, "spec": {"store": 1}})
    assert main(["check"]) == 1
    assert "InputUnreadable  AuditPipeline/broken" in capsys.readouterr().out
