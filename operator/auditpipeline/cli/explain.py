"""`auditpipeline explain`: what a reason means, or how one pipeline stands hop by hop."""

import argparse

from auditpipeline.cli.exits import EXIT_CLEAN, EXIT_USAGE
from auditpipeline.cli.output import coloured, complain, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    from auditpipeline.cli.judging import PATH_HELP, add_cluster_flags, add_input_flags

    parser.description = (
        "With a reason or condition: its documentation. With a pipeline's NAME (or NAMESPACE/NAME): that pipeline of the "
        "manifests in PATH, or without PATH of the running cluster, hop by hop, with the command that shows each fact. "
        "With nothing: all reasons."
    )
    parser.add_argument("name", nargs="?", metavar="REASON|NAME", help="a reason, a condition, or a pipeline")
    parser.add_argument("paths", nargs="*", metavar="PATH", help=PATH_HELP)
    add_cluster_flags(parser)
    add_input_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Print, and return the exit code.

    Raises:
        OSError: A path cannot be read.
        CannotJudge: The cluster cannot be read.
    """
    if args.paths or _of_cluster(args.name):
        return _explain_pipeline(args)
    return _explain_word(args.name)


def _of_cluster(word: str | None) -> bool:
    """Names of objects are in lower case; reasons and conditions are not, however they are typed."""
    from auditpipeline.report.reason_text import documentation

    return word is not None and word == word.lower() and documentation(word) is None


def _explain_pipeline(args: argparse.Namespace) -> int:
    from auditpipeline.cli.choosing import chosen, in_namespace_of
    from auditpipeline.cli.judging import report_of
    from auditpipeline.report import explain

    report = report_of(in_namespace_of(args, args.name), args.paths)
    verdicts = chosen(report, args.name)
    for index, verdict in enumerate(verdicts):
        write(("\n" if index else "") + explain.render(report, verdict, colour=coloured()))
    return EXIT_CLEAN if verdicts else EXIT_USAGE


def _explain_word(word: str | None) -> int:
    from auditpipeline.report.reason_text import documentation, overview, similar
    from auditpipeline.report.text import joined

    if word is None:
        write(joined(overview()))
        return EXIT_CLEAN
    lines = documentation(word)
    if lines is not None:
        write(joined(lines))
        return EXIT_CLEAN
    meant = similar(word)
    hint = f"; did you mean {meant}?" if meant else ""
    complain(f'no reason or condition is named "{word}"{hint} To explain a pipeline, name its manifests too: explain NAME PATH')
    return EXIT_USAGE
