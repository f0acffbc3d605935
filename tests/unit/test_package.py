"""The package as a whole: its place beside the standard library, its vocabulary, its version."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import auditpipeline
from auditpipeline.api.conditions import HOPS, ConditionType, Status
from auditpipeline.api.findings import Finding, ObjectRef
from auditpipeline.api.reasons import Gap, Reason, Severity, blocked_by
from auditpipeline.checks.chain import CHAIN

ROOT = Path(__file__).parents[2]
BY_NAME = {str(reason): reason for reason in Reason}


def test_the_folder_operator_is_no_package_and_hides_no_module() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    done = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.add(1, 2), operator.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    answer, file = done.stdout.split()
    assert answer == "3"
    assert not Path(file).is_relative_to(ROOT / "operator")


def test_version() -> None:
    assert auditpipeline.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", auditpipeline.__version__)


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_each_reason_is_documented_and_consistent(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", str(reason))
    assert re.fullmatch(r"\S.{15,}\.", reason.doc)
    assert BY_NAME[str(reason)] is reason
    for cause in reason.explained_by:
        assert BY_NAME[cause].weight is Severity.ERROR
    if isinstance(reason.weight, Gap):
        assert not reason.settles
        with pytest.raises(TypeError):
            _ = reason.severity
    else:
        assert reason.severity is reason.weight
        assert not reason.awaited


@pytest.mark.parametrize("condition", ConditionType, ids=str)
def test_each_condition_has_a_question_and_an_affirmation(condition: ConditionType) -> None:
    assert condition.question.endswith("?")
    assert condition.affirmation.endswith(".")


def test_each_hop_has_one_module_in_path_order_and_reasons_of_its_own() -> None:
    assert [module.HOP for module in CHAIN] == list(HOPS)
    for hop in HOPS:
        assert any(reason.check is hop and isinstance(reason.weight, Severity) for reason in Reason)


def test_every_check_stands_in_its_chain() -> None:
    for module in CHAIN:
        listed = {check.__name__ for check in (*module.CHECKS, *module.STORE_CHECKS)}
        defined = {
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        }
        assert {name for name in defined if not name.startswith("_")} == listed


def test_blocked_hops_are_named_after_their_cause() -> None:
    assert blocked_by(ConditionType.CONFIG_RESOLVED) == "BlockedByConfigResolved"
    assert [str(status) for status in Status] == ["True", "False", "Unknown"]


def test_references_read_as_people_write_them() -> None:
    assert str(ObjectRef("Service", "audit", "store")) == "Service/store"
    assert ObjectRef("Service", "audit", "store").qualified == "Service/audit/store"
    assert ObjectRef("ClusterRole", "", "edit").qualified == "ClusterRole/edit"


def test_waived_finding_is_no_error() -> None:
    finding = Finding(Reason.URL_NOT_FOUND, "m", ObjectRef("Deployment", "a", "g"))
    assert (finding.is_error, finding.severity) == (True, Severity.ERROR)
    assert (finding.as_waived().is_error, finding.as_waived().severity) == (False, Severity.INFO)
    with pytest.raises(TypeError):
        _ = Finding(Reason.FORBIDDEN, "m", ObjectRef("Deployment", "a", "g")).check
