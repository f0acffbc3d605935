"""`auditpipeline discover`, and that what it writes says what was said without it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import EmitterSpec, PipelineSpec, ServiceRef, StoreSpec, WorkloadRef, parse_spec
from auditpipeline.cli.main import main
from auditpipeline.report.discovered import render
from auditpipeline.verdict import Verdict, finding_dict, judge
from auditpipeline.views.manifests import Manifests, read_stream
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.evidence import NO_EVIDENCE
from scenarios import NOW, Scenario, scenarios

BROKEN = "examples/gateway-broken"


def pipeline(*emitters: tuple[str, str], name: str = "store", namespace: str = "audit", contract: str = "auto") -> Pipeline:
    named = tuple(EmitterSpec(WorkloadRef(kind, workload), workload) for kind, workload in emitters)
    spec = PipelineSpec(StoreSpec(ServiceRef(name, namespace)), named, contract)
    return Pipeline(ObjectRef("AuditPipeline", namespace, name), spec, declared=False)


def written(*args: Any) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(render(*args)))


def bare(scenario: Scenario) -> list[dict[str, Any]]:
    return [item for item in scenario.objects if item["kind"] != "AuditPipeline"]


def judged(manifests: Manifests, pipelines: list[Pipeline]) -> list[Verdict]:
    return [judge(manifests.world, found, NO_EVIDENCE, now=NOW) for found in pipelines]


def told(verdicts: list[Verdict]) -> list[str]:
    return sorted(str(finding_dict(finding)) for verdict in verdicts for finding in verdict.findings)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.name)
def test_manifests_and_what_was_discovered_in_them_say_what_they_said_before(scenario: Scenario) -> None:
    manifests = read_stream(yaml.safe_dump_all(bare(scenario)))
    found = discover(manifests.world)
    text = render(found)
    again = read_stream(yaml.safe_dump_all(bare(scenario)) + "\n---\n" + text)
    nameable = {"Deployment", "StatefulSet", "DaemonSet", "CronJob"}
    emitters = {ref for ref in covered_by(found) if ref.kind in nameable}
    assert again.problems == []
    assert covered_by(again.pipelines) == emitters
    if emitters == covered_by(found):
        assert told(judged(again, again.pipelines)) == told(judged(manifests, found))
    left = discover(again.world, covered_by(again.pipelines))
    assert covered_by(left) == covered_by(found) - emitters


def test_the_order_is_that_of_names() -> None:
    one = pipeline(("Deployment", "b"), ("CronJob", "a"), name="store")
    two = pipeline(("Deployment", "c"), namespace="a-namespace")
    texts = {render([one, two]), render([two, one])}
    assert len(texts) == 1
    first, second = written([one, two])
    assert first["metadata"] == {"name": "store", "namespace": "a-namespace"}
    assert second["spec"] == {
        "store": {"serviceRef": {"name": "store"}},
        "emitters": [{"workloadRef": {"kind": "CronJob", "name": "a"}}, {"workloadRef": {"kind": "Deployment", "name": "b"}}],
    }


def test_no_more_than_64_emitters_stand_in_one() -> None:
    documents = written([pipeline(*(("Deployment", f"emitter-{number:03}") for number in range(130)))])
    assert [(item["metadata"]["name"], len(item["spec"]["emitters"])) for item in documents] == [
        ("store", 64),
        ("store-2", 64),
        ("store-3", 2),
    ]
    for item in documents:
        parse_spec(item["spec"])


def test_a_name_that_is_taken_is_not_used_again() -> None:
    (document,) = written([pipeline(("Deployment", "b"))], {ObjectRef("AuditPipeline", "audit", "store")})
    assert document["metadata"]["name"] == "store-2"


def test_a_named_contract_is_kept() -> None:
    (document,) = written([pipeline(("Deployment", "b"), contract="kubernaut-v1")])
    assert document["spec"]["contract"] == "kubernaut-v1"


def test_it_writes_what_kubectl_applies(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["discover", *without_pipelines(tmp_path)]) == 0
    (document,) = yaml.safe_load_all(capsys.readouterr().out)
    assert document["apiVersion"] == "auditpipeline.dev/v1alpha1"
    assert document["spec"]["emitters"] == [{"workloadRef": {"kind": "Deployment", "name": "gateway"}}]


def test_a_kind_that_cannot_be_named_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    assert main(["discover", str(file)]) == 2
    assert capsys.readouterr().err == (
        "auditpipeline: Job/import of namespace audit is left out: an AuditPipeline names Deployments, StatefulSets, "
        "DaemonSets and CronJobs\n"
        "auditpipeline: no emitter was found that an AuditPipeline could name and none covers\n"
    )


def test_what_is_covered_is_not_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", BROKEN]) == 2
    assert capsys.readouterr().out == ""


def without_pipelines(folder: Path) -> list[str]:
    paths = []
    for file in sorted(Path(BROKEN).glob("*.yaml")):
        kept = [item for item in yaml.safe_load_all(file.read_text()) if item and item["kind"] != "AuditPipeline"]
        (folder / file.name).write_text(yaml.safe_dump_all(kept))
        paths.append(str(folder / file.name))
    return paths


JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: import, namespace: audit}
spec:
  template:
    spec:
      containers:
      - name: app
        env: [{name: DATA_STORAGE_URL, value: "http://data-storage-service:8080"}]
"""
