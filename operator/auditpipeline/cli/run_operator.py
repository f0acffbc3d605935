"""`auditpipeline operator`: watch a cluster and write what is judged into the status of its AuditPipelines."""

import argparse
import gc
import os

from auditpipeline.cli.exits import EXIT_USAGE
from auditpipeline.cli.output import complain
from auditpipeline.controller.settings import InvalidSetting, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Watch AuditPipelines and what they refer to; write the verdict into their status."
    Settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Run until stopped.

    The operator's packages take half a second to import, so a wrong setting is told before.
    """
    try:
        settings = Settings.read(vars(args), os.environ)
    except InvalidSetting as error:
        complain(f"operator: {error}")
        return EXIT_USAGE
    from auditpipeline.controller.run import run as run_operator

    gc.enable()
    return run_operator(settings)
