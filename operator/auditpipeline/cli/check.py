"""`auditpipeline check`: judge manifests before they are deployed."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from auditpipeline.api.reasons import Severity
from auditpipeline.contracts.builtin import AUTO, NAMES
from auditpipeline.report import json_report, table
from auditpipeline.report.model import Position, Report, Unreadable
from auditpipeline.verdict import judge
from auditpipeline.views.manifests import Manifests, add_text, read_manifests, read_stream
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_CLEAN = 0
EXIT_FINDINGS = 1
EXIT_NOTHING = 2


def register(commands: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="judge manifests before they are deployed",
        description="Judge the AuditPipelines in manifests, and emitters that no AuditPipeline covers: files, folders, or - for a stream such as helm template writes.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, or - for stdin")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="format (default: table)")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--closed", action="store_true", help="the input holds everything: each absence is a fault")
    scope.add_argument("--partial", action="store_true", help="the input may lack anything: no absence is a fault")
    parser.add_argument(
        "--fail-on", choices=("error", "warning", "never"), default="error", help="findings that make the exit code 1 (default: error)"
    )
    parser.add_argument(
        "--contract", choices=(AUTO, *NAMES), default=AUTO, help="what the store of discovered emitters promises (default: auto)"
    )
    parser.add_argument("--allow-empty", action="store_true", help="exit 0 where the input holds no emitter")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, print, and return the exit code.

    Raises:
        OSError: A path cannot be read.
    """
    manifests = _read(args.paths, _scope(args))
    now = time.time()
    pipelines = [*manifests.pipelines, *discover(manifests.world, covered_by(manifests.pipelines), contract=args.contract)]
    verdicts = tuple(judge(manifests.world, pipeline, NO_EVIDENCE, now=now) for pipeline in pipelines)
    report = Report(
        mode="manifests",
        verdicts=verdicts,
        unreadable=tuple(Unreadable(problem.message, Position(*problem.origin), problem.object) for problem in manifests.problems),
        positions={ref: Position(*origin) for ref, origin in manifests.origins.items()},
        objects=manifests.objects,
        files=manifests.files,
    )
    if args.output == "json":
        sys.stdout.write(json_report.render(report))
    else:
        sys.stdout.write(table.render(report, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    if not report.emitters and not report.unreadable and not args.allow_empty:
        print("auditpipeline: the input holds no emitter, so nothing was judged; --allow-empty accepts that", file=sys.stderr)
        return EXIT_NOTHING
    return _exit_code(report, args.fail_on)


def _exit_code(report: Report, fail_on: str) -> int:
    if fail_on == "never":
        return EXIT_CLEAN
    found = report.count(Severity.ERROR) + (report.count(Severity.WARNING) if fail_on == "warning" else 0)
    return EXIT_FINDINGS if found else EXIT_CLEAN


def _scope(args: argparse.Namespace) -> InputScope:
    if args.closed:
        return InputScope.CLOSED
    return InputScope.PARTIAL if args.partial else InputScope.BY_NAMESPACE


def _read(paths: list[str], scope: InputScope) -> Manifests:
    if paths == ["-"]:
        return read_stream(sys.stdin.read(), scope=scope)
    manifests = read_manifests([Path(path) for path in paths if path != "-"], scope=scope)
    if "-" in paths:
        add_text(manifests, sys.stdin.read(), "stdin")
    return manifests
