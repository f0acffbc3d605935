"""The JSON report's document as YAML."""

import yaml

from auditpipeline.report.json_report import as_dict
from auditpipeline.report.model import Report


def render(report: Report) -> str:
    """The report as YAML text, with a final line break."""
    text: str = yaml.safe_dump(as_dict(report), sort_keys=False, allow_unicode=True, width=120)
    return text
