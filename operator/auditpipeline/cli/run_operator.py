"""`auditpipeline operator`: watch a cluster and write what is judged into the status of its AuditPipelines."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from auditpipeline.controller.settings import InvalidSetting, Settings

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXIT_USAGE = 2


def register(commands: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "operator",
        help="run the operator",
        description="Watch AuditPipelines and what they refer to; write the verdict into their status.",
    )
    Settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until stopped.

    The operator's packages take half a second to import, so no other command pays for them.
    """
    try:
        settings = Settings.read(vars(args), os.environ)
    except InvalidSetting as error:
        print(f"auditpipeline operator: {error}", file=sys.stderr)
        return EXIT_USAGE
    from auditpipeline.controller.run import run as run_operator  # noqa: PLC0415

    return run_operator(settings)
