"""The pipelines of a report that a NAME on the command line means."""

import argparse

from auditpipeline.cli.output import complain
from auditpipeline.report.model import Report
from auditpipeline.verdict import Verdict


def chosen(report: Report, name: str) -> tuple[Verdict, ...]:
    """The pipelines named `name` or `namespace/name`; complains where there is none."""
    where = "cluster" if report.mode == "cluster" else "input"
    found = tuple(verdict for verdict in report.verdicts if name in {verdict.pipeline.ref.name, _qualified(verdict)})
    if not found:
        known = ", ".join(_qualified(verdict) for verdict in report.verdicts) or "none"
        complain(f'the {where} holds no pipeline "{name}"; it holds {known}')
        for problem in report.unreadable:
            complain(f"{problem.position.file}:{problem.position.line}: {problem.message}")
    return found


def in_namespace_of(args: argparse.Namespace, name: str) -> argparse.Namespace:
    """The arguments with the namespace that a `namespace/name` names."""
    namespace, slash, _ = name.partition("/")
    if not slash or args.namespace or args.all_namespaces:
        return args
    return argparse.Namespace(**{**vars(args), "namespace": namespace})


def _qualified(verdict: Verdict) -> str:
    return f"{verdict.pipeline.ref.namespace}/{verdict.pipeline.ref.name}"
