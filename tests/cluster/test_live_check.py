"""`auditpipeline check` of a running cluster: the same objects say the same as files, as a LIST and to the operator."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
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
# What the API server refuses as it stands, and objects of APIs that this cluster does not have.
REFUSED = {
    "clean/crds-and-webhooks",
    "clean/prometheus",
    "clean/store-as-a-deployment-config",
    "clean/store-as-a-rollout",
    "clean/two-workloads-behind-the-service",
    "clean/undeclared-target-number",
    "network_allowed/other-policy-api",
    "service_resolved/address-behind-a-policy",
}
# In a cluster nothing is named of a namespace that does not admit the pipeline's; in manifests all of the input is.
DISCREET = {"access_granted/binding-in-third-namespace"}
SHARED = {"default", "kube-system"}
FURTHER = itertools.count(900)
"""Numbers of stages beyond the scenarios': a namespace that ends takes nothing in."""
ELSEWHERE = "kubernaut-system"
"""Named in URLs of scenarios, and held by none: in a cluster a namespace is there or not."""


@pytest.fixture(scope="module")
def alone(own_cluster: Cluster) -> Iterator[Cluster]:  # noqa: ARG001  (skips where no cluster of the kit's own can be)
    """A cluster that holds nothing else: hints name what stands in other namespaces."""
    cluster = start_cluster(f"live-check-{os.getpid()}")
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
        self.objects = settled(renamed(scenario.objects, prefix))
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


def settled(objects: list[Object]) -> list[Object]:
    """The objects with the namespace that the product takes them to be meant for, where they write none."""
    homes = {(ref.kind, ref.name): ref.namespace for ref in read(objects).origins}
    for item in objects:
        home = homes.get((item["kind"], item["metadata"]["name"]), "")
        if home and "namespace" not in item["metadata"]:
            item["metadata"]["namespace"] = home
    return objects


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


@pytest.mark.parametrize(
    ("number", "scenario"),
    [pair for pair in enumerate(scenarios()) if pair[1].name not in DISCREET],
    ids=lambda value: getattr(value, "name", ""),
)
def test_three_worlds_say_the_same(
    number: int, scenario: Scenario, alone: Cluster, operator: kit.OperatorProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    staged = Staged(scenario, number)
    try:
        try:
            staged.apply(alone)
        except ApiError:
            assert scenario.name in REFUSED
            return
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


# --- what may not be read, what would be, and what is not there ---------------------------------------------------


@pytest.fixture
def stage(alone: Cluster) -> Iterator[Staged]:
    staged = Staged(scenarios("clean/config-path-variable")[0], next(FURTHER))
    staged.apply(alone)
    yield staged
    staged.remove(alone)


def reader(cluster: Cluster, staged: Staged, folder: Path, *rules: Object, everywhere: bool = False) -> str:
    """The kubeconfig of a ServiceAccount that may do what the rules say, in the stage's first namespace or everywhere."""
    namespace = staged.namespaces[0]
    name = f"reader-{'all' if everywhere else 'one'}"
    where = {} if everywhere else {"namespace": namespace}
    prefix = "Cluster" if everywhere else ""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{prefix}Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    made: list[Object] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
        {"apiVersion": kit.RBAC, "kind": f"{prefix}Role", "metadata": {"name": name, **where}, "rules": list(rules)},
        {
            "apiVersion": kit.RBAC,
            "kind": f"{prefix}RoleBinding",
            "metadata": {"name": name, **where},
            "roleRef": reference,
            "subjects": [subject],
        },
    ]
    cluster.apply(made)
    staged.objects += made
    return str(kit.kubeconfig(cluster, folder, namespace, name))


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Object, str]:
    code = main(["check", "-o", "json", *words])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {}, told.err


EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["list"]}


def test_a_kind_that_may_not_be_read_is_a_gap_with_the_missing_rule(
    alone: Cluster, stage: Staged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = ["apps", "batch", "discovery.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io", "auditpipeline.dev"]
    core = ["pods", "services", "serviceaccounts", "namespaces"]
    rules = [{**EVERYTHING, "apiGroups": groups}, {**EVERYTHING, "apiGroups": [""], "resources": core}]
    config = reader(alone, stage, tmp_path, *rules, everywhere=True)

    def told() -> bool:
        code, report, err = check(capsys, "--kubeconfig", config)
        assert code == 0, report
        assert (
            err
            == "auditpipeline: not all of the cluster may be read, so emitters and faults may be missing; refused: ConfigMap\n"
        )
        (condition,) = [item for item in report["pipelines"][0]["conditions"] if item["type"] == "ConfigResolved"]
        assert (condition["status"], condition["reason"]) == ("Unknown", "Forbidden")
        assert '{apiGroups: [""], resources: ["configmaps"], verbs: ["list"]}' in condition["message"]
        assert [item for item in report["findings"] if item["severity"] == "Error" and item["reason"] not in LIVE] == []
        return True

    wait_until(told, timeout=10, what="the role to be in force")


def test_one_namespace_is_judged_by_who_may_read_no_other(
    alone: Cluster, stage: Staged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = reader(alone, stage, tmp_path, EVERYTHING)

    def told() -> bool:
        code, report, err = check(capsys, "--kubeconfig", config)
        assert code == 0, report
        # Kinds of the whole cluster stay unread, and so do the namespaces that nobody asked for.
        assert "ClusterRole" in err
        status = {item["type"]: (item["status"], item["reason"]) for item in report["pipelines"][0]["conditions"]}
        assert status["ConfigResolved"] == ("True", "Passed")
        assert status["ServiceResolved"] == ("True", "Passed")
        assert status["AccessGranted"] == ("Unknown", "Forbidden")
        return True

    wait_until(told, timeout=10, what="the role to be in force")


def test_a_broken_config_map_says_before_it_is_applied_what_would_break(
    alone: Cluster, stage: Staged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = next(item for item in stage.objects if item["kind"] == "ConfigMap")
    broken = {
        **config,
        "data": {key: text.replace("data-storage-service", "datastorage") for key, text in config["data"].items()},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(broken))
    live = ["--kubeconfig", str(alone.kubeconfig)]
    code, report, _ = check(capsys, str(file), "--over-cluster", *live)
    assert code == 1
    assert report["mode"] == "overlay"
    (finding,) = [item for item in report["findings"] if item["severity"] == "Error"]
    assert finding["reason"] == "ServiceNotFound"
    assert finding["file"] == str(file)
    file.write_text(yaml.safe_dump(config))
    code, report, _ = check(capsys, str(file), "--over-cluster", *live)
    assert (code, report["findings"]) == (0, [])
    assert [item["name"] for item in report["pipelines"]] == ["gateway"]
    file.write_text(yaml.safe_dump({**config, "metadata": {**config["metadata"], "name": "of-nobody"}}))
    code, _, err = check(capsys, str(file), "--over-cluster", *live)
    assert code == 2
    assert err.endswith("the manifests touch no pipeline of the cluster, so nothing was judged; --allow-empty accepts that\n")


def test_an_api_server_that_went_away_and_refused_credentials_are_said_in_one_line(
    alone: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = alone.kubeconfig.read_text()
    config = yaml.safe_load(text)
    config["users"][0]["user"] = {"token": "planted-secret"}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    server = config["clusters"][0]["cluster"]["server"]
    code, report, err = check(capsys, "--kubeconfig", str(file))
    assert (code, report) == (2, {})
    assert err.startswith(f"auditpipeline: the API server {server} refuses the credentials")
    assert err.count("\n") == 1
    assert "planted-secret" not in err
    alone.stop_apiserver()
    try:
        code, report, err = check(capsys, "--kubeconfig", str(alone.kubeconfig))
        assert (code, report) == (2, {})
        assert err == f"auditpipeline: the API server {server} does not answer: Connection refused\n"
    finally:
        alone.start_apiserver()
