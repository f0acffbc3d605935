"""`auditpipeline discover`: AuditPipeline manifests for the emitters that no AuditPipeline covers."""

import argparse

from auditpipeline.cli.exits import EXIT_CLEAN, EXIT_USAGE
from auditpipeline.cli.judging import PATH_HELP, add_cluster_flags, add_contract_flag, discovered
from auditpipeline.cli.output import complain, write
from auditpipeline.report.discovered import render, unnameable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Write AuditPipeline manifests, as kubectl apply -f - takes them, for the emitters in manifests or in the running "
        "cluster that no AuditPipeline covers. Exit code: 0 where something was found, 2 where not."
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"{PATH_HELP}; none: the running cluster")
    add_cluster_flags(parser)
    add_contract_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Write, and return the exit code.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The cluster cannot be read.
    """
    found, taken = discovered(args, args.paths)
    for ref in unnameable(found):
        complain(
            f"{ref} of namespace {ref.namespace} is left out: an AuditPipeline names Deployments, StatefulSets, DaemonSets and CronJobs"
        )
    text = render(found, taken)
    if not text:
        complain("no emitter was found that an AuditPipeline could name and none covers")
        return EXIT_USAGE
    write(text)
    return EXIT_CLEAN
