"""From paths on the command line to a report: what check, explain and graph have in common."""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from auditpipeline.api.findings import ObjectRef
from auditpipeline.cli.exits import CannotJudge
from auditpipeline.contracts.builtin import AUTO, NAMES
from auditpipeline.report.model import STDIN, Position, Report, Unreadable
from auditpipeline.verdict import Verdict, judge
from auditpipeline.views.manifests import MAX_FILE, Manifests, add_text, position, read_manifests
from auditpipeline.wiring.discovery import covered_by, discover
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE

PATH_HELP = "file, folder, or - for stdin"


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how the manifests are to be read."""
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--closed", action="store_true", help="the input holds everything: each absence is a fault")
    scope.add_argument("--partial", action="store_true", help="the input may lack anything: no absence is a fault")
    add_contract_flag(parser)


def add_contract_flag(parser: argparse.ArgumentParser) -> None:
    """The flag that says by what discovered emitters are judged."""
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


def report_of(args: argparse.Namespace, paths: list[str], *, over_cluster: bool = False) -> Report:
    """Judge what the command line names: paths, paths laid over the running cluster, or the cluster itself.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The flags do not fit together, or the cluster cannot be read.
    """
    _refuse_misfits(args, paths, over_cluster=over_cluster)
    if paths and not over_cluster:
        return judged(args, paths, namespace=args.namespace)
    # Half a second of imports that manifests do not need.
    from auditpipeline.cli import live

    if over_cluster:
        return live.judged_overlay(args, lambda home: read(args, paths, home=home))
    return live.judged_cluster(args)


def discovered(args: argparse.Namespace, paths: list[str]) -> tuple[list[Pipeline], frozenset[ObjectRef]]:
    """The pipelines that nobody declared, and the AuditPipelines that are there.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The flags do not fit together, or the cluster cannot be read.
    """
    _refuse_misfits(args, paths)
    if not paths:
        from auditpipeline.cli import live

        return live.discovered_in_cluster(args)
    manifests = read(args, paths)
    found = discover(manifests.world, covered_by(manifests.pipelines), contract=args.contract)
    return (
        [pipeline for pipeline in found if args.namespace in {"", pipeline.ref.namespace}],
        frozenset(pipeline.ref for pipeline in manifests.pipelines),
    )


def _refuse_misfits(args: argparse.Namespace, paths: list[str], *, over_cluster: bool = False) -> None:
    live = over_cluster or not paths
    if over_cluster and not paths:
        raise CannotJudge("--over-cluster lays manifests over the cluster, and no PATH was given")
    if not live and (args.kubeconfig or args.context):
        raise CannotJudge("--kubeconfig and --context are for the running cluster, and a PATH was given")
    if live and _scope(args) is not InputScope.BY_NAMESPACE:
        raise CannotJudge("--closed and --partial are for manifests alone; what a cluster holds is known")


def judged(args: argparse.Namespace, paths: list[str], *, namespace: str = "") -> Report:
    """Judge the pipelines in these paths, or those of one namespace.

    Raises:
        OSError: A path cannot be read.
    """
    manifests = read(args, paths)
    pipelines = [*manifests.pipelines, *discover(manifests.world, covered_by(manifests.pipelines), contract=args.contract)]
    now = time.time()
    verdicts = tuple(
        judge(manifests.world, pipeline, NO_EVIDENCE, now=now)
        for pipeline in pipelines
        if namespace in {"", pipeline.ref.namespace}
    )
    return Report(
        mode="manifests",
        verdicts=verdicts,
        unreadable=unreadable(manifests),
        positions=positions(manifests, verdicts),
        objects=manifests.objects,
        files=manifests.files,
    )


def unreadable(manifests: Manifests) -> tuple[Unreadable, ...]:
    """What looks like Kubernetes and could not be used."""
    return tuple(Unreadable(problem.message, Position(*problem.origin), problem.object) for problem in manifests.problems)


def positions(manifests: Manifests, verdicts: Iterable[Verdict]) -> dict[tuple[ObjectRef, str], Position]:
    """Where the manifests hold what the findings are about."""
    places = {(finding.object, finding.field) for verdict in verdicts for finding in verdict.findings}
    return {place: Position(*found) for place in places if (found := position(manifests, *place)) is not None}


def _scope(args: argparse.Namespace) -> InputScope:
    if getattr(args, "closed", False):
        return InputScope.CLOSED
    return InputScope.PARTIAL if getattr(args, "partial", False) else InputScope.BY_NAMESPACE


def read(args: argparse.Namespace, paths: list[str], *, home: str = "") -> Manifests:
    """The manifests in these paths; `home` is the namespace of objects that write none, where that is known.

    Raises:
        OSError: A path cannot be read.
    """
    manifests = read_manifests([Path(path) for path in paths if path != "-"], scope=_scope(args), home=home)
    if "-" in paths:
        # Bytes that are no UTF-8 fail in the document where they stand, as in a file.
        text = sys.stdin.buffer.read(MAX_FILE + 1).decode("utf-8-sig", "replace")
        add_text(manifests, text, STDIN)
    return manifests
