"""Every root cause of the field: shown by a scenario that names its reason, told later, or not visible with a reason why."""

from collections import Counter

import pytest

from scenarios import Scenario, scenarios
from scenarios.field_causes import Cause, causes, main

ALL = causes()
RUNNING = {"EndpointsReady", "StoreReady", "CanaryLanded", "EventsLanding"}  # the hops that look at what runs
SCENARIOS = {scenario.name: scenario for scenario in scenarios()}


def test_all_causes_are_there() -> None:
    assert Counter(cause.id[0] for cause in ALL) == {"A": 24, "B": 10, "C": 17, "D": 16, "E": 7, "F": 11, "G": 12, "H": 13, "I": 6}
    assert len({cause.id for cause in ALL}) == 116


@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.id)
def test_each_cause_is_told_in_exactly_one_way(cause: Cause) -> None:
    assert [bool(cause.scenarios), bool(cause.later), bool(cause.unseen)].count(True) == 1
    assert cause.later in {"", *RUNNING}


@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.id)
def test_each_scenario_says_a_reason_of_its_cause(cause: Cause) -> None:
    assert [name for name in cause.scenarios if not _reasons(SCENARIOS[name]).intersection(cause.reasons)] == []


@pytest.mark.parametrize("cause", [cause for cause in ALL if "M" in cause.seen.split() and cause.id[0] in "ABCDFI"], ids=lambda cause: cause.id)
def test_what_manifests_show_is_not_left_without_a_word(cause: Cause) -> None:
    # A running cluster tells C17 by the log line of the store, which alone knows what its version refuses.
    assert cause.scenarios or cause.unseen or cause.id == "C17"


def test_the_page_is_current() -> None:
    assert main(["--check"]) == 0


def _reasons(scenario: Scenario) -> set[str]:
    return {item["reason"] for item in scenario.expect.get("findings", ())}
