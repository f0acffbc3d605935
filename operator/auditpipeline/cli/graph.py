"""`auditpipeline graph`: draw pipelines."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from auditpipeline.cli.choosing import chosen
from auditpipeline.cli.exits import EXIT_CLEAN, EXIT_USAGE
from auditpipeline.cli.judging import PATH_HELP, add_input_flags, judged
from auditpipeline.cli.output import complain, write
from auditpipeline.report.graph.model import Graph, graph_of
from auditpipeline.report.model import Report

FORMATS: Final = ("mermaid", "dot", "svg", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Draw the pipelines of manifests: emitters, hops and store; broken hops in red with the reason."
    parser.add_argument(
        "words", nargs="+", metavar="[NAME] PATH", help=f"a pipeline's NAME or NAMESPACE/NAME, then: {PATH_HELP}"
    )
    parser.add_argument("-o", "--output", choices=FORMATS, default="mermaid", help="format (default: mermaid)")
    add_input_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Draw, and return the exit code.

    Raises:
        OSError: A path cannot be read.
    """
    name, paths = _name_and_paths(args.words)
    report = judged(args, paths)
    if name:
        report = replace(report, verdicts=chosen(report, name))
    elif not report.verdicts:
        complain("the input holds no emitter, so there is nothing to draw")
    if not report.verdicts:
        return EXIT_USAGE
    graphs = [graph_of(verdict, number) for number, verdict in enumerate(report.verdicts)]
    write(_drawn(report, graphs, args.output))
    return EXIT_CLEAN


def _name_and_paths(words: list[str]) -> tuple[str, list[str]]:
    """The first word is a name where no such path exists and paths follow."""
    first, *rest = words
    return (first, rest) if rest and first != "-" and not Path(first).exists() else ("", words)


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
