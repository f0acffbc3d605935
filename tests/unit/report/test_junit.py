from collections import Counter
from dataclasses import replace
from typing import get_args
from xml.etree import ElementTree as ET

import pytest

from auditpipeline.report import junit
from auditpipeline.report.model import FailOn
from reports import INPUTS, report_of


def cases(name: str, fail_on: FailOn = "error") -> dict[str, tuple[str, str]]:
    """Result element and type of each test case."""
    tree = ET.fromstring(junit.render(report_of([INPUTS[name]]), fail_on=fail_on))  # noqa: S314  (our own text)
    found = {}
    for case in tree.iter("testcase"):
        result = next((child for child in case if child.tag != "system-out"), None)
        found[f"{case.get('classname')} {case.get('name')}"] = (
            ("passed", "") if result is None else (result.tag, result.get("type", ""))
        )
    return found


def test_one_case_for_each_hop() -> None:
    found = cases("gateway-broken")
    assert found["kubernaut-system/gateway ConfigResolved"] == ("passed", "")
    assert found["kubernaut-system/gateway ServiceResolved"] == ("failure", "ServiceNotFound")
    assert found["kubernaut-system/gateway EnvironmentClean"] == ("failure", "HostPathEnv")
    assert found["kubernaut-system/gateway AccessGranted"] == ("failure", "BindingMissing")


def test_what_cannot_be_judged_is_skipped_and_a_bad_file_fails() -> None:
    found = cases("every-mark")
    assert found["shop/every-mark ConfigResolved"] == ("skipped", "")
    assert found["input tests/unit/report/manifests/unreadable.yaml:5"] == ("failure", "InputUnreadable")


@pytest.mark.parametrize(
    ("fail_on", "result"),
    [("error", ("skipped", "")), ("warning", ("failure", "APIServerOverridden")), ("never", ("skipped", ""))],
)
def test_a_warning_fails_where_the_exit_code_does(fail_on: FailOn, result: tuple[str, str]) -> None:
    assert cases("every-mark", fail_on)["shop/every-mark EnvironmentClean"] == result


def test_nothing_fails_with_never() -> None:
    assert {kind for kind, _ in cases("every-mark", "never").values()} == {"passed", "skipped"}


def test_what_does_not_fail_is_still_told() -> None:
    text = junit.render(report_of([INPUTS["every-mark"]]), fail_on="never")
    for reason in ("ServiceNotFound", "APIServerOverridden", "InputUnreadable", "waived HostPathEnv"):
        assert reason in text


@pytest.mark.parametrize("fail_on", get_args(FailOn))
def test_counts_are_those_of_the_cases(fail_on: FailOn) -> None:
    tree = ET.fromstring(junit.render(report_of([INPUTS["every-mark"]]), fail_on=fail_on))  # noqa: S314
    for element in (tree, *tree.iter("testsuite")):
        tags = Counter(child.tag for case in element.iter("testcase") for child in case)
        counted = {key: int(element.get(key, "")) for key in ("tests", "failures", "errors", "skipped")}
        assert counted == {
            "tests": len(list(element.iter("testcase"))),
            "failures": tags["failure"],
            "errors": 0,
            "skipped": tags["skipped"],
        }


def test_any_text_is_well_formed_xml() -> None:
    report = report_of([INPUTS["gateway-broken"]])
    verdict = report.verdicts[0]
    nasty = "<b> & ]]> \"double\" 'single' \x00\x1b[31m\x0b\ud800\ufffe\t\n end"
    finding = replace(verdict.findings[0], message=nasty, fix=nasty, field=nasty)
    text = junit.render(replace(report, verdicts=(replace(verdict, findings=(finding,)),)))
    failure = next(ET.fromstring(text.encode()).iter("failure"))  # noqa: S314
    assert failure.get("message") == "<b> & ]]> \"double\" 'single' ��[31m���\t\n end"
