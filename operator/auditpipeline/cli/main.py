"""`auditpipeline`, also installed as a kubectl plugin.

Exit codes: 0 nothing at or above `--fail-on`; 1 findings; 2 usage, nothing to judge, or an internal error.
"""

import argparse
import gc
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import PurePath
from typing import Final

from auditpipeline import __version__
from auditpipeline.cli.exits import EXIT_USAGE, CannotJudge

# Command, the module that holds it, and what it does. A command's module is imported when it is called: most of a
# short run's time is imports.
COMMANDS: Final = (
    ("check", "check", "judge manifests before they are deployed, or a running cluster"),
    ("explain", "explain", "explain a reason, or one pipeline hop by hop"),
    ("graph", "graph", "draw pipelines: emitters, hops and store"),
    ("discover", "discover", "write AuditPipeline manifests for what emits"),
    ("operator", "run_operator", "run the operator"),
    ("crd", "crd", "print the CustomResourceDefinition"),
    ("version", "version", "print the versions"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the entry point of the console scripts."""
    _never_fail_to_print()
    words = list(sys.argv[1:] if argv is None else argv)
    # What a command makes lives until it ends. Looking for cycles in it would cost a short run a tenth of its time.
    gc.disable()
    try:
        args = _parser(words[0] if words else "").parse_args(words)
        code: int = args.run(args)
    except KeyboardInterrupt:
        return 130
    except CannotJudge as error:
        print(f"auditpipeline: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"auditpipeline: {error.filename or 'input'}: {error.strerror or error}", file=sys.stderr)
        return EXIT_USAGE
    except Exception as error:  # noqa: BLE001  (a defect of ours must not pass for findings, which exit with 1)
        _tell_defect(error)
        return EXIT_USAGE
    finally:
        if argv is None:
            # The process ends here, and the interpreter's last collection need not walk through all of it.
            gc.freeze()
        gc.enable()
    return code


def _parser(called: str) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command that is called and the names of all."""
    parser = argparse.ArgumentParser(prog=_prog(), description="Says every reason why audit events do not land, at once.")
    parser.add_argument("--version", action="version", version=f"auditpipeline {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module, text in COMMANDS:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == called:
            implementation = import_module(f"auditpipeline.cli.{module}")
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    return parser


def _prog() -> str:
    """How the user called it: kubectl runs `kubectl-auditpipeline` for `kubectl auditpipeline`."""
    return "kubectl auditpipeline" if PurePath(sys.argv[0]).name.startswith("kubectl-") else "auditpipeline"


def _never_fail_to_print() -> None:
    """Characters that the terminal's encoding lacks are written as escapes; a report must not end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell_defect(error: Exception) -> None:
    """Where it happened and of what kind; never the error's text, which may hold a value of the input."""
    import traceback

    traceback.print_tb(error.__traceback__)
    print(f"auditpipeline: internal error: {type(error).__name__}; please report it with the lines above", file=sys.stderr)
