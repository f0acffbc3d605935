"""The report for machines: schema `auditpipeline.dev/report/v1`."""

import json
from typing import Any

from auditpipeline.api.findings import Finding, ObjectRef
from auditpipeline.api.reasons import Severity
from auditpipeline.report.model import SCHEMA, Report
from auditpipeline.verdict import Verdict
from auditpipeline.wiring.resolve import Emitter


def render(report: Report) -> str:
    """The report as JSON text, with a final line break."""
    return json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"


def as_dict(report: Report) -> dict[str, Any]:
    """The report's document."""
    findings = [_finding(finding, verdict, report) for verdict in report.verdicts for finding in verdict.findings]
    findings += [
        {
            **_empty_finding(),
            "reason": "InputUnreadable",
            "severity": str(Severity.ERROR),
            "object": _ref(problem.object),
            "message": problem.message,
            "file": problem.position.file,
            "line": problem.position.line,
        }
        for problem in report.unreadable
    ]
    return {
        "schema": SCHEMA,
        "mode": report.mode,
        "pipelines": [_pipeline(verdict) for verdict in report.verdicts],
        "findings": findings,
        "summary": {
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
            "unknowns": report.unknowns,
            "emitters": report.emitters,
            "objects": report.objects,
            "files": report.files,
        },
    }


def _pipeline(verdict: Verdict) -> dict[str, Any]:
    store = verdict.wiring.store
    workload = store.workloads[0] if store.workloads else None
    return {
        "namespace": verdict.pipeline.ref.namespace,
        "name": verdict.pipeline.ref.name,
        "source": "declared" if verdict.pipeline.declared else "discovered",
        "ready": str(verdict.ready.status),
        "conditions": [
            {"type": condition.type, "status": str(condition.status), "reason": condition.reason, "message": condition.message}
            for condition in verdict.conditions
        ],
        "store": {
            "service": f"{store.service_ref.namespace}/{store.service_ref.name}",
            "workload": "/".join(workload.ref) if workload else "",
            "serviceAccount": workload.pod.service_account if workload else "",
        },
        "emitters": [_emitter(emitter) for emitter in verdict.wiring.emitters],
    }


def _emitter(emitter: Emitter) -> dict[str, Any]:
    winners = {id(target.source): target for target in emitter.targets}
    target = next((target for target in emitter.targets if target.source.use == "events"), None)
    service = ""
    if target is not None and target.service is not None:
        service = f"{target.service.ref.namespace}/{target.service.ref.name}:{target.endpoint.port}"
    return {
        "name": emitter.name,
        "workload": _ref(emitter.ref),
        "serviceAccount": emitter.account.name if emitter.account else "",
        "urls": [
            {
                "url": "" if source.endpoint is None else str(source.endpoint),
                "use": source.use,
                "source": source.description,
                "wins": id(source) in winners,
            }
            for source in emitter.sources
        ],
        "service": service,
    }


def _finding(finding: Finding, verdict: Verdict, report: Report) -> dict[str, Any]:
    position = report.position(finding)
    return {
        **_empty_finding(),
        "check": str(finding.check),
        "reason": str(finding.reason),
        "severity": str(finding.severity),
        "pipeline": f"{verdict.pipeline.ref.namespace}/{verdict.pipeline.ref.name}",
        "emitter": finding.emitter,
        "workload": _ref(finding.workload),
        "object": _ref(finding.object),
        "field": finding.field,
        "message": finding.message,
        "expected": finding.expected,
        "found": finding.found,
        "fix": finding.fix,
        "file": position.file,
        "line": position.line,
        "details": dict(finding.details),
        "waived": finding.waived,
    }


def _empty_finding() -> dict[str, Any]:
    """Every field of a finding stands in every finding, in this order."""
    texts = dict.fromkeys(("check", "reason", "severity", "pipeline", "emitter"), "")
    places = {"workload": _ref(None), "object": _ref(None)}
    told = dict.fromkeys(("field", "message", "expected", "found", "fix", "file"), "")
    return {**texts, **places, **told, "line": 0, "details": {}, "waived": False}


def _ref(ref: ObjectRef | None) -> dict[str, str]:
    return dict(zip(ObjectRef._fields, ref or ("", "", ""), strict=True))
