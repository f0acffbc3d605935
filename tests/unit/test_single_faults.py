"""The bench's pipelines: a clean one, and one for each single fault; exactly the reason that names it, and nothing else."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from auditpipeline.verdict import Verdict, judge
from auditpipeline.world.evidence import NO_EVIDENCE
from scenarios import NOW, read

ROOT = Path(__file__).parents[2]
REASONS = {
    "service-name-typo": "ServiceNotFound",
    "service-other-namespace": "ServiceInOtherNamespace",
    "url-port": "PortNotExposed",
    "target-port": "TargetPortNotServed",
    "selector": "SelectorMatchesNothing",
    "kubeconfig-env": "HostPathEnv",
    "kubeconfig-init": "HostPathEnv",
    "missing-serviceaccount": "ServiceAccountNotFound",
    "missing-configmap": "ConfigMapNotFound",
    "missing-key": "ConfigMapKeyNotFound",
    "missing-role": "RoleNotFound",
    "verb": "VerbMissing",
}


def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pipelines", ROOT / "bench" / "pipelines.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCH = bench()


def verdict(fault: str | None) -> Verdict:
    manifests = read([*BENCH.cluster_roles(fault), *BENCH.pipeline(0, fault, with_cr=True)])
    assert manifests.problems == []
    (pipeline,) = manifests.pipelines
    return judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW)


def test_every_fault_of_the_bench_is_expected() -> None:
    assert set(REASONS) == set(BENCH.FAULTS)


@pytest.mark.parametrize("fault", REASONS)
def test_exactly_the_reason(fault: str) -> None:
    (finding,) = verdict(fault).findings
    check, reasons = BENCH.FAULTS[fault]
    assert (str(finding.check), str(finding.reason)) == (check, REASONS[fault])
    assert str(finding.reason) in reasons


def test_clean() -> None:
    found = verdict(None)
    assert (found.findings, found.unknowns) == ((), ())
    assert str(found.ready.status) == "True"
