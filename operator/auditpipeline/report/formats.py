"""The formats of `check`, by name. A renderer is imported when it is asked for, since a run needs one of them."""

from typing import Final, Literal, get_args

from auditpipeline.report.model import FailOn, Report

Format = Literal["table", "json", "sarif", "junit", "github", "yaml"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)


def render(report: Report, output: Format, *, fail_on: FailOn = "error", colour: bool = False) -> str:
    """The report in one format, with a final line break.

    Every format tells every finding. `fail_on` counts where a format has failures of its own; `colour` where it has colour.
    """
    match output:
        case "table":
            from auditpipeline.report import table

            return table.render(report, colour=colour)
        case "json":
            from auditpipeline.report import json_report

            return json_report.render(report)
        case "sarif":
            from auditpipeline.report import sarif

            return sarif.render(report)
        case "junit":
            from auditpipeline.report import junit

            return junit.render(report, fail_on=fail_on)
        case "github":
            from auditpipeline.report import github

            return github.render(report)
        case "yaml":
            from auditpipeline.report import yaml_report

            return yaml_report.render(report)
