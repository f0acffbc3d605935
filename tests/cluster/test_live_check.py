"""`auditpipeline check` of a running cluster: the same objects say the same as files, as a LIST and to the operator."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import operator_kit as kit
from auditpipeline.api.reasons import Reason
from auditpipeline.cli.main import main
from auditpipeline.verdict import finding_dict, judge
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE
from cluster_kit import ApiError, Cluster, Object, start_cluster, wait_until
from scenarios import NOW, Scenario, read, scenarios

pytestmark = pytest.mark.cluster

# Reasons that need a running cluster: manifests cannot show them.
LIVE = {str(reason) for reason in Reason if reason.live}
# What the API server refuses, or what belongs to APIs that this cluster does not have.
REFUSED: set[str] = set()
SHARED = {"default", "kube-system"}
ELSEWHERE = "kubernaut-system"
"""Named in URLs of scenarios, and held by none: in a cluster a namespace is there or not."""


@pytest.fixture(scope="module")
def alone(own_cluster: Cluster) -> Iterator[Cluster]:  # noqa: ARG001  (skips where no cluster of the kit's own can be)
    """A cluster that holds nothing else: hints name what stands in other namespaces."""
    cluster = start_cluster("live-check")
    cluster.start_kubelet_stand_in()
    kit.install_crd(cluster)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def operator(alone: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.OperatorProcess]:
    folder = tmp_path_factory.mktemp("operator")
    alone.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "audit-operator"}})
    kit.install(alone, "audit-operator")
    process = kit.OperatorProcess(kit.kubeconfig(alone, folder, "audit-operator"), folder).start()
    yield process
    process.kill()


class Staged:
    """A scenario's objects in namespaces of its own."""

    def __init__(self, scenario: Scenario, number: int) -> None:
        prefix = f"s{number}"
        self.objects = renamed(scenario.objects, prefix)
        held = {item["metadata"]["name"] for item in self.objects if item["kind"] == "Namespace"}
        self.namespaces = sorted(
            {item["metadata"]["namespace"] for item in self.objects if "namespace" in item["metadata"]} - SHARED
            | {f"{prefix}-{ELSEWHERE}"}
        )
        # A live object stands in a Namespace. Manifests seldom hold it, and then it counts as admitting everybody.
        labels = {"allow-from.auditpipeline.dev/all": "true"}
        self.objects += [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            for name in self.namespaces
            if name not in held
        ]

    def apply(self, cluster: Cluster) -> None:
        order = {"Namespace": 0, "ServiceAccount": 1, "AuditPipeline": 9}
        for item in sorted(self.objects, key=lambda item: order.get(item["kind"], 5)):
            cluster.client.apply(item)

    def remove(self, cluster: Cluster) -> None:
        for item in reversed(self.objects):
            meta = item["metadata"]
            cluster.client.delete(
                item["apiVersion"], item["kind"], meta["name"], meta.get("namespace"), missing_ok=True, grace_seconds=0
            )

    def by_files(self) -> list[dict[str, Any]]:
        manifests = read(self.objects, InputScope.CLOSED)
        assert manifests.problems == []
        verdicts = [judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW) for pipeline in manifests.pipelines]
        return [spec_derived(finding_dict(finding)) for verdict in verdicts for finding in verdict.findings]


def renamed(objects: list[Object], prefix: str) -> list[Object]:
    """The objects with other namespaces, wherever those are named: in metadata, subjects, URLs and configuration."""
    names = {item["metadata"].get("namespace", "") for item in objects}
    names |= {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"} | {ELSEWHERE}
    text = yaml.safe_dump_all(objects, sort_keys=False, width=100_000)
    for name in sorted(names - {"", *SHARED}):
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", f"{prefix}-{name}", text)
    # A day of a waiver is a text to the API server.
    text = re.sub(r"^(\s*expires: )(\d{4}-\d\d-\d\d)$", r'\1"\2"', text, flags=re.MULTILINE)
    return list(yaml.safe_load_all(text))


def spec_derived(finding: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in every world: details name what else a cause explains, symptoms of running pods included."""
    return {key: value for key, value in finding.items() if key != "details" and value not in ("", False, None)}


def by_list(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code = main(["check", "-A", "-o", "json", "--kubeconfig", str(cluster.kubeconfig), "--allow-empty"])
    told = capsys.readouterr()
    assert code in {0, 1}, told.err
    assert not told.err
    report = json.loads(told.out)
    assert report["mode"] == "cluster"
    # Emitters that no AuditPipeline covers are judged too; the operator judges declared ones.
    declared = {f"{item['namespace']}/{item['name']}" for item in report["pipelines"] if item["source"] == "declared"}
    here = [item for item in report["findings"] if item["pipeline"] in declared]
    drop = {"pipeline", "file", "line"}
    return [
        spec_derived(
            {key: _ref(value) if key in {"workload", "object"} else value for key, value in item.items() if key not in drop}
        )
        for item in here
        if item["reason"] not in LIVE
    ]


def _ref(ref: dict[str, str]) -> dict[str, str] | str:
    return {key: value for key, value in ref.items() if value} or ""


def by_operator(cluster: Cluster, staged: Staged) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in staged.objects:
        if item["kind"] == "AuditPipeline":
            body = kit.status(cluster.client, item["metadata"]["namespace"], item["metadata"]["name"])
            assert "summary" in body, "not judged yet"
            found += [spec_derived(one) for one in body.get("findings", []) if one["reason"] not in LIVE]
    return found


@pytest.mark.parametrize(("number", "scenario"), list(enumerate(scenarios())), ids=lambda value: getattr(value, "name", ""))
def test_three_worlds_say_the_same(
    number: int, scenario: Scenario, alone: Cluster, operator: kit.OperatorProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    staged = Staged(scenario, number)
    try:
        try:
            staged.apply(alone)
        except ApiError as error:
            pytest.skip(f"the API server refuses it: {error.message[:150]}")
        expected = staged.by_files()
        assert operator.running
        listed = wait_until(lambda: _equal(by_list(alone, capsys), expected), timeout=5, what="the live list to agree")
        wait_until(lambda: _equal(by_operator(alone, staged), expected), timeout=15, interval=0.1, what="the operator to agree")
        assert listed
    finally:
        staged.remove(alone)


def _equal(told: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    assert _sorted(told) == _sorted(expected)
    return True


def _sorted(findings: list[dict[str, Any]]) -> list[str]:
    # The API server orders the fields of what it stores.
    return sorted(json.dumps(finding, sort_keys=True) for finding in findings)
