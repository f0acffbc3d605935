"""From paths on the command line to a report: what check, explain and graph have in common."""

import argparse
import sys
import time
from pathlib import Path

from auditpipeline.cli.exits import CannotJudge
from auditpipeline.contracts.builtin import AUTO, NAMES
from auditpipeline.report.model import STDIN, Position, Report, Unreadable
from auditpipeline.verdict import judge
from auditpipeline.views.manifests import MAX_FILE, Manifests, add_text, position, read_manifests
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE

PATH_HELP = "file, folder, or - for stdin"


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how the manifests are to be read."""
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--closed", action="store_true", help="the input holds everything: each absence is a fault")
    scope.add_argument("--partial", action="store_true", help="the input may lack anything: no absence is a fault")
    parser.add_argument(
        "--contract",
        choices=(AUTO, *NAMES),
        default=AUTO,
        help="what the store of discovered emitters promises (default: auto)",
    )


def add_cluster_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say which cluster, and what of it."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-n",
        "--namespace",
        default="",
        help="judge the pipelines of this namespace only (default: all in PATH; of a cluster the context's namespace)",
    )
    where.add_argument("-A", "--all-namespaces", action="store_true", help="judge the pipelines of all namespaces")
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="the cluster's kubeconfig (default: as kubectl)")
    parser.add_argument("--context", default="", help="the context of the kubeconfig (default: the current one)")


def report_of(args: argparse.Namespace, paths: list[str]) -> Report:
    """Judge what the command line names: paths, else the running cluster.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The flags do not fit together, or the cluster cannot be read.
    """
    if paths:
        if args.kubeconfig or args.context:
            raise CannotJudge("--kubeconfig and --context are for the running cluster: leave PATH out")
        return judged(args, paths, namespace=args.namespace)
    if args.closed or args.partial:
        raise CannotJudge("--closed and --partial are for manifests, and no PATH was given")
    # Half a second of imports that manifests do not need.
    from auditpipeline.cli.live import judged_cluster

    return judged_cluster(args)


def judged(args: argparse.Namespace, paths: list[str], *, namespace: str = "") -> Report:
    """Judge the pipelines in these paths, or those of one namespace.

    Raises:
        OSError: A path cannot be read.
    """
    manifests = _read(paths, _scope(args))
    pipelines = [*manifests.pipelines, *discover(manifests.world, covered_by(manifests.pipelines), contract=args.contract)]
    now = time.time()
    verdicts = tuple(
        judge(manifests.world, pipeline, NO_EVIDENCE, now=now)
        for pipeline in pipelines
        if namespace in {"", pipeline.ref.namespace}
    )
    places = {(finding.object, finding.field) for verdict in verdicts for finding in verdict.findings}
    return Report(
        mode="manifests",
        verdicts=verdicts,
        unreadable=tuple(
            Unreadable(problem.message, Position(*problem.origin), problem.object) for problem in manifests.problems
        ),
        positions={place: Position(*found) for place in places if (found := position(manifests, *place)) is not None},
        objects=manifests.objects,
        files=manifests.files,
    )


def _scope(args: argparse.Namespace) -> InputScope:
    if args.closed:
        return InputScope.CLOSED
    return InputScope.PARTIAL if args.partial else InputScope.BY_NAMESPACE


def _read(paths: list[str], scope: InputScope) -> Manifests:
    manifests = read_manifests([Path(path) for path in paths if path != "-"], scope=scope)
    if "-" in paths:
        # Bytes that are no UTF-8 fail in the document where they stand, as in a file.
        text = sys.stdin.buffer.read(MAX_FILE + 1).decode("utf-8-sig", "replace")
        add_text(manifests, text, STDIN)
    return manifests
