"""Reports of manifests, judged as `auditpipeline check` judges them."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from auditpipeline.api.conditions import ConditionType as C
from auditpipeline.cli.judging import judged
from auditpipeline.report.model import Report
from auditpipeline.verdict import Verdict

INPUTS = {
    "gateway-broken": "examples/gateway-broken",
    "gateway-fixed": "examples/gateway-fixed",
    "every-mark": "tests/unit/report/manifests",
}
"""Input by name, from the root of the repository: a path that a report shows must not depend on where the checkout lies."""


def report_of(paths: Sequence[str]) -> Report:
    """The report of paths."""
    return judged(argparse.Namespace(closed=False, partial=False, contract="auto"), list(paths))


def steady(report: Report) -> Report:
    """The report of the first six hops alone: a golden text must not change where a hop is added."""
    return replace(report, verdicts=tuple(_steady(verdict) for verdict in report.verdicts))


_STEADY = frozenset(
    {C.CONFIG_RESOLVED, C.SERVICE_RESOLVED, C.ENDPOINTS_READY, C.ENVIRONMENT_CLEAN, C.IDENTITY_BOUND, C.ACCESS_GRANTED}
)


def _steady(verdict: Verdict) -> Verdict:
    kept = _STEADY | {C.READY, "Reconciling", "Stalled"}
    return replace(
        verdict,
        findings=tuple(finding for finding in verdict.findings if finding.check in _STEADY),
        unknowns=tuple(unknown for unknown in verdict.unknowns if unknown.check in _STEADY),
        conditions=tuple(condition for condition in verdict.conditions if condition.type in kept),
    )
