"""Reports of manifests, judged as `auditpipeline check` judges them."""

import argparse
from collections.abc import Sequence

from auditpipeline.cli.judging import judged
from auditpipeline.report.model import Report

INPUTS = {
    "gateway-broken": "examples/gateway-broken",
    "gateway-fixed": "examples/gateway-fixed",
    "every-mark": "tests/unit/report/manifests",
}
"""Input by name, from the root of the repository: a path that a report shows must not depend on where the checkout lies."""


def report_of(paths: Sequence[str]) -> Report:
    """The report of paths."""
    return judged(argparse.Namespace(closed=False, partial=False, contract="auto"), list(paths))
