"""Each folder of tests/scenarios: exactly the findings that it expects, to the letter where it gives letters."""

import pytest

from auditpipeline.api.conditions import HOPS
from auditpipeline.api.reasons import Gap, Reason, Severity
from auditpipeline.verdict import judge
from auditpipeline.world.evidence import NO_EVIDENCE
from scenarios import NOW, Scenario, base_objects, findings_of, read, scenarios

ALL = scenarios()
CLEAN = scenarios("clean/*")
# Reasons that no manifest can show: they need a running cluster, or are said about the process.
NOT_BY_MANIFESTS = {
    Reason.FORBIDDEN,
    Reason.NOT_YET_CHECKED,
    Reason.INPUT_UNREADABLE,
    Reason.PASSED,
    Reason.WAIVED,
    Reason.WIRED_NOT_PROVED,
    Reason.SUSPENDED,
} | {reason for reason in Reason if reason.live}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_scenario_says_exactly_what_it_expects(scenario: Scenario) -> None:
    assert scenario.told() == scenario.expected()


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_scenario_is_filed_under_what_it_shows(scenario: Scenario) -> None:
    hop, _ = scenario.name.split("/")
    checks = {item["check"] for item in (*scenario.expect.get("findings", ()), *scenario.expect.get("unknowns", ()))}
    assert hop == "clean" or hop.title().replace("_", "") in checks


def test_every_reason_that_manifests_can_show_has_a_scenario() -> None:
    shown = {item["reason"] for scenario in ALL for key in ("findings", "unknowns") for item in scenario.expect.get(key, ())}
    wanted = {str(reason) for reason in Reason if reason not in NOT_BY_MANIFESTS and isinstance(reason.weight, Gap | Severity)}
    assert wanted - shown == set()


def test_clean_scenarios_expect_nothing() -> None:
    assert len(CLEAN) >= 25
    assert [scenario.name for scenario in CLEAN if set(scenario.expect) - {"about", "without", "alone", "scope", "pipelines"}] == []


def test_the_base_is_in_order() -> None:
    manifests = read(base_objects())
    (verdict,) = [judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW) for pipeline in manifests.pipelines]
    assert list(findings_of(verdict)) == []
    told = [(condition.type, condition.status, condition.reason) for condition in verdict.conditions]
    assert told == [*((hop, "True", "Passed") for hop in HOPS), ("Ready", "True", "WiredNotProved")]
