"""`auditpipeline check`: judge manifests before they are deployed, or a running cluster."""

import argparse

from auditpipeline.cli.exits import EXIT_CLEAN, EXIT_FINDINGS, EXIT_USAGE
from auditpipeline.cli.judging import PATH_HELP, add_cluster_flags, add_input_flags, report_of
from auditpipeline.cli.output import coloured, complain, write
from auditpipeline.report.formats import FORMATS, render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Judge the AuditPipelines in manifests, and the emitters that no AuditPipeline covers. Without a PATH: those of "
        "the running cluster. "
        "Exit code: 0 nothing at or above --fail-on, 1 findings, 2 usage or nothing to judge."
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"{PATH_HELP}; none: the running cluster")
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="format (default: table)")
    parser.add_argument(
        "--over-cluster",
        action="store_true",
        help="judge the pipelines that the manifests touch as if they were applied to the running cluster",
    )
    add_cluster_flags(parser)
    add_input_flags(parser)
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "never"),
        default="error",
        help="findings that make the exit code 1 (default: error)",
    )
    parser.add_argument("--allow-empty", action="store_true", help="exit 0 where the input holds no emitter")


def run(args: argparse.Namespace) -> int:
    """Check, print, and return the exit code.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The cluster cannot be read.
    """
    report = report_of(args, args.paths, over_cluster=args.over_cluster)
    write(render(report, args.output, fail_on=args.fail_on, colour=coloured()))
    if not report.emitters and not report.unreadable and not args.allow_empty:
        complain(f"{_nothing(args)}, so nothing was judged; --allow-empty accepts that")
        return EXIT_USAGE
    return EXIT_FINDINGS if report.fails(args.fail_on) else EXIT_CLEAN


def _nothing(args: argparse.Namespace) -> str:
    if args.over_cluster:
        return "the manifests touch no pipeline of the cluster"
    whole = "the input" if args.paths else "the cluster"
    if args.namespace:
        return f"namespace {args.namespace} of {whole} holds no emitter"
    return f"{whole} holds no emitter" if args.paths or args.all_namespaces else "the context's namespace holds no emitter"
