"""`auditpipeline graph`: draw pipelines."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from auditpipeline.cli.choosing import chosen, in_namespace_of
from auditpipeline.cli.exits import EXIT_CLEAN, EXIT_USAGE
from auditpipeline.cli.judging import PATH_HELP, add_cluster_flags, add_input_flags, report_of
from auditpipeline.cli.output import complain, write
from auditpipeline.report.graph.model import Graph, graph_of
from auditpipeline.report.model import Report

# A pipeline's name may hold dots and its namespace a slash, but then it looks like a file that is not there.
_NAME: Final = re.compile(r"[a-z0-9-]+")
FORMATS: Final = ("mermaid", "dot", "svg", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Draw the pipelines of manifests or of the running cluster: emitters, hops and store; broken hops in red with the reason."
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[NAME] PATH",
        help=f"a pipeline's NAME or NAMESPACE/NAME, then: {PATH_HELP}; no path: the running cluster",
    )
    parser.add_argument("-o", "--output", choices=FORMATS, default="mermaid", help="format (default: mermaid)")
    add_cluster_flags(parser)
    add_input_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Draw, and return the exit code.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The cluster cannot be read.
    """
    name, paths = _name_and_paths(args.words)
    report = report_of(in_namespace_of(args, name), paths)
    if name:
        report = replace(report, verdicts=chosen(report, name))
    elif not report.verdicts:
        complain(f"the {'input' if paths else 'cluster'} holds no emitter, so there is nothing to draw")
    if not report.verdicts:
        return EXIT_USAGE
    graphs = [graph_of(verdict, number) for number, verdict in enumerate(report.verdicts)]
    write(_drawn(report, graphs, args.output))
    return EXIT_CLEAN


def _name_and_paths(words: list[str]) -> tuple[str, list[str]]:
    """The first word is a name where no such path exists and paths follow, or where no path could be called so."""
    if not words:
        return "", []
    first, *rest = words
    named = first != "-" and not Path(first).exists() and (bool(rest) or _NAME.fullmatch(first) is not None)
    return (first, rest) if named else ("", words)


def _drawn(report: Report, graphs: list[Graph], output: str) -> str:
    match output:
        case "dot":
            from auditpipeline.report.graph import dot

            return dot.render(graphs)
        case "svg":
            from auditpipeline.report.graph import svg

            return svg.render(graphs)
        case "html":
            from auditpipeline.report.graph import html

            return html.render(report, graphs)
        case _:
            from auditpipeline.report.graph import mermaid

            return mermaid.render(graphs)
