import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker

from auditpipeline.api.findings import Finding, ObjectRef
from auditpipeline.api.reasons import Reason, Severity
from auditpipeline.report import sarif
from auditpipeline.report.model import Position, Report
from reports import INPUTS, report_of

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text("utf-8"))
VALIDATOR = Draft4Validator(SCHEMA, format_checker=FormatChecker())


def results(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sarif.as_log(report)["runs"][0]["results"]
    return found


def with_finding(report: Report, **changes: object) -> Report:
    """A report whose first finding has these values."""
    verdict = report.verdicts[0]
    finding = replace(verdict.findings[0], **changes)  # type: ignore[arg-type]
    return replace(report, verdicts=(replace(verdict, findings=(finding, *verdict.findings[1:])),))


@pytest.mark.parametrize("name", INPUTS)
def test_log_is_valid(name: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(sarif.as_log(report_of([INPUTS[name]])))] == []


def test_the_schema_refuses_what_is_wrong() -> None:
    log = sarif.as_log(report_of([INPUTS["gateway-broken"]]))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert [error.path[-1] for error in VALIDATOR.iter_errors(log)] == ["level"]


def test_every_reason_that_can_be_a_finding_is_a_rule_with_help() -> None:
    rules = sarif.as_log(report_of([INPUTS["gateway-fixed"]]))["runs"][0]["tool"]["driver"]["rules"]
    wanted = [str(reason) for reason in Reason if reason.weight in {Severity.ERROR, Severity.WARNING}]
    assert [rule["id"] for rule in rules] == wanted
    assert all(rule["help"]["text"] and rule["help"]["markdown"] and rule["shortDescription"]["text"] for rule in rules)


def test_rule_index_leads_to_the_rule() -> None:
    run = sarif.as_log(report_of([INPUTS["every-mark"]]))["runs"][0]
    assert run["results"]
    assert all(run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_waived_finding_is_a_suppressed_note() -> None:
    waived = [result for result in results(report_of([INPUTS["every-mark"]])) if "suppressions" in result]
    assert [(result["ruleId"], result["level"], result["suppressions"]) for result in waived] == [
        ("HostPathEnv", "note", [{"kind": "external", "status": "accepted"}])
    ]


def test_hop_that_cannot_be_judged_is_no_result() -> None:
    run = sarif.as_log(report_of([INPUTS["every-mark"]]))["runs"][0]
    told = [note["descriptor"]["id"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert "ExternalHost" in told
    assert "ExternalHost" not in {result["ruleId"] for result in run["results"]}


def test_fingerprint_outlives_moves_and_rewording() -> None:
    report = report_of([INPUTS["gateway-broken"]])
    moved = replace(
        with_finding(report, message="Said otherwise.", fix="", expected="", found=""),
        positions={ref: Position("elsewhere.yaml", 7) for ref in report.positions},
    )
    before, after = ([result["partialFingerprints"] for result in results(each)] for each in (report, moved))
    assert before == after


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": Reason.URL_INVALID},
        {"object": ObjectRef("ConfigMap", "other", "gateway-config")},
        {"field": "data[other.yaml]"},
        {"emitter": "other"},
    ],
)
def test_fingerprint_tells_faults_apart(changes: dict[str, object]) -> None:
    report = report_of([INPUTS["gateway-broken"]])
    assert results(with_finding(report, **changes))[0]["partialFingerprints"] != results(report)[0]["partialFingerprints"]


def test_fingerprints_of_twins_differ() -> None:
    report = report_of([INPUTS["gateway-broken"]])
    verdict = report.verdicts[0]
    twins: tuple[Finding, ...] = (verdict.findings[0], verdict.findings[0])
    prints = [
        result["partialFingerprints"][sarif.FINGERPRINT]
        for result in results(replace(report, verdicts=(replace(verdict, findings=twins),)))
    ]
    assert len(set(prints)) == 2


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("deploy/a.yaml", "deploy/a.yaml"),
        ("./deploy/a.yaml", "deploy/a.yaml"),
        ("../a.yaml", "../a.yaml"),
        ("with space/ü%.yaml", "with%20space/%C3%BC%25.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
        ("/srv/a b.yaml", "file:///srv/a%20b.yaml"),
    ],
)
def test_file_is_a_uri(file: str, uri: str) -> None:
    report = report_of([INPUTS["gateway-broken"]])
    log = sarif.as_log(replace(report, positions={ref: Position(file, 3) for ref in report.positions}))
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}
    assert VALIDATOR.is_valid(log)


@pytest.mark.parametrize("position", [Position(), Position("stdin", 12)])
def test_what_has_no_file_has_a_logical_location_only(position: Position) -> None:
    report = report_of([INPUTS["gateway-broken"]])
    log = sarif.as_log(replace(report, positions=dict.fromkeys(report.positions, position)))
    assert set(log["runs"][0]["results"][0]["locations"][0]) == {"logicalLocations"}
    assert VALIDATOR.is_valid(log)
