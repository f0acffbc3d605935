"""`auditpipeline crd`: print the CustomResourceDefinition, as `kubectl apply -f -` takes it."""

import argparse
from pathlib import Path
from typing import Final

from auditpipeline.cli.exits import EXIT_CLEAN
from auditpipeline.cli.output import write

_NAME: Final = Path("crds", "auditpipelines.yaml")
_PACKAGE: Final = Path(__file__).parents[1]


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> int:
    """Print the CRD.

    Raises:
        OSError: The installation lacks it.
    """
    write(crd_file().read_text("utf-8"))
    return EXIT_CLEAN


def crd_file() -> Path:
    """Inside the package where a wheel put it; beside the sources in a checkout."""
    installed = _PACKAGE / _NAME
    return installed if installed.exists() else _PACKAGE.parents[1] / _NAME
