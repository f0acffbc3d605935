"""The report as SARIF 2.1.0, as code scanning reads it.

Source: OASIS Static Analysis Results Interchange Format 2.1.0. A hop that cannot be judged is a notification of the run,
not a result: code scanning would show a result as an alert, whatever its kind.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import PurePath, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from auditpipeline import __version__
from auditpipeline.api.reasons import Reason, Severity
from auditpipeline.report.json_report import as_dict
from auditpipeline.report.model import Position, Report
from auditpipeline.report.reason_text import facts

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "auditpipeline/v1"
_LEVELS: Final = {"Error": "error", "Warning": "warning", "Info": "note"}
_PROPERTIES: Final = ("check", "pipeline", "emitter", "expected", "found", "fix", "details")
# What can be a result: a fault of a hop, and input that cannot be read.
RULES: Final = tuple(reason for reason in Reason if reason.weight in {Severity.ERROR, Severity.WARNING})
_INDEX: Final = {str(reason): index for index, reason in enumerate(RULES)}


def render(report: Report) -> str:
    """The report as JSON text, with a final line break."""
    return json.dumps(as_log(report), indent=2, ensure_ascii=False) + "\n"


def as_log(report: Report) -> dict[str, Any]:
    """The SARIF log."""
    driver = {
        "name": "auditpipeline",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(reason) for reason in RULES],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_notifications(report))}],
        "columnKind": "unicodeCodePoints",
        "results": list(_results(as_dict(report)["findings"])),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(reason: Reason) -> dict[str, Any]:
    pairs = facts(reason)
    return {
        "id": str(reason),
        "name": str(reason),
        "shortDescription": {"text": reason.doc},
        "fullDescription": {"text": reason.doc},
        "help": {
            "text": "\n".join([reason.doc, *(f"{name}: {text}" for name, text in pairs)]),
            "markdown": "\n".join([f"{reason.doc}\n", *(f"- **{name}**: {text}" for name, text in pairs)]),
        },
        "defaultConfiguration": {"level": _LEVELS[reason.severity]},
        "properties": {"tags": ["input" if reason.check is None else str(reason.check)]},
    }


def _results(findings: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding in findings:
        identity = _identity(finding)
        # Two findings that differ in nothing but their text are still two.
        fingerprint = sha256(f"{identity}\x1f{seen[identity]}".encode("utf-8", "surrogatepass")).hexdigest()
        seen[identity] += 1
        yield _result(finding, fingerprint)


def _result(finding: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    text = finding["message"] + (f" Fix: {finding['fix']}" if finding["fix"] else "")
    result: dict[str, Any] = {
        "ruleId": finding["reason"],
        "ruleIndex": _INDEX[finding["reason"]],
        "level": _LEVELS[finding["severity"]],
        "message": {"text": text},
        "locations": [_location(finding)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": {name: finding[name] for name in _PROPERTIES if finding[name]},
    }
    if finding["waived"]:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result


def _identity(finding: Mapping[str, Any]) -> str:
    """What makes a fault the same fault when files move and texts are reworded."""
    object_name = "/".join(finding["object"].values())
    return "\x1f".join((finding["reason"], finding["pipeline"], finding["emitter"], object_name, finding["field"]))


def _location(finding: Mapping[str, Any]) -> dict[str, Any]:
    position = Position(finding["file"], finding["line"])
    location: dict[str, Any] = {}
    if position.on_disk:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(position.file)},
            "region": {"startLine": max(position.line, 1)},
        }
    name = "/".join(filter(None, finding["object"].values()))
    if name:
        logical = [{"name": finding["object"]["name"], "fullyQualifiedName": name, "kind": "object"}]
        if finding["field"]:
            logical.append({"name": finding["field"], "fullyQualifiedName": f"{name}#{finding['field']}", "kind": "property"})
        location["logicalLocations"] = logical
    return location


def _uri(file: str) -> str:
    """A relative reference for a relative path, so that it holds wherever the repository is checked out."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(str(PurePosixPath(*path.parts)))


def _notifications(report: Report) -> Iterator[dict[str, Any]]:
    for verdict in report.verdicts:
        pipeline = f"{verdict.pipeline.ref.namespace}/{verdict.pipeline.ref.name}"
        gaps = dict.fromkeys((unknown.check, str(unknown.reason), unknown.message) for unknown in verdict.unknowns)
        for check, reason, message in gaps:
            yield {
                "level": "note",
                "message": {"text": f"{pipeline} {check} could not be judged ({reason}): {message}"},
                "descriptor": {"id": reason},
            }
