"""`auditpipeline version`: the versions of what the program writes and reads."""

import argparse

from auditpipeline import __version__
from auditpipeline.api.spec import API_VERSION
from auditpipeline.cli.exits import EXIT_CLEAN
from auditpipeline.cli.output import write
from auditpipeline.contracts.builtin import NAMES
from auditpipeline.report.model import SCHEMA


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> int:
    """Print the versions."""
    write(
        f"auditpipeline {__version__}\napi           {API_VERSION}\nreport        {SCHEMA}\ncontracts     {', '.join(NAMES)}\n"
    )
    return EXIT_CLEAN
