"""The JSON report's document as YAML."""

import re
from typing import Final

import yaml

from auditpipeline.report.json_report import as_dict
from auditpipeline.report.model import Report

# Control characters and line breaks of YAML 1.1, which are lost outside double quotes.
_FRAGILE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")


class _Dumper(yaml.SafeDumper):
    """Writes fragile texts in double quotes, where each such character has an escape."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _FRAGILE.search(text) else None)


_Dumper.add_representer(str, _text)


def render(report: Report) -> str:
    """The report as YAML text, with a final line break."""
    text: str = yaml.dump(as_dict(report), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
