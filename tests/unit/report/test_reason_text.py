import pytest

from auditpipeline.api.conditions import HOPS, ConditionType
from auditpipeline.api.reasons import Reason
from auditpipeline.report.commands import _BY_HOP
from auditpipeline.report.reason_text import documentation, overview, similar


@pytest.mark.parametrize("name", [*(str(reason) for reason in Reason), *ConditionType, *(f"BlockedBy{hop}" for hop in HOPS)])
def test_everything_that_a_report_says_is_documented(name: str) -> None:
    lines = documentation(name)
    assert lines is not None
    assert lines[0] == name
    assert documentation(name.lower()) == lines


def test_overview_names_every_reason_once() -> None:
    words = [line.split()[0] for line in overview() if line.startswith("  ")]
    assert sorted(words) == sorted(str(reason) for reason in Reason)


@pytest.mark.parametrize(
    ("word", "meant"), [("ServiceNotfond", "ServiceNotFound"), ("accesgranted", "AccessGranted"), ("zzz", "")]
)
def test_similar(word: str, meant: str) -> None:
    assert similar(word) == meant


def test_every_hop_of_manifests_has_a_command() -> None:
    live = {"StoreReady", "CanaryLanded", "EventsLanding"}
    assert {hop for hop in HOPS if hop not in _BY_HOP} <= live
