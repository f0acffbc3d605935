"""`auditpipeline`, also installed as a kubectl plugin.

Exit codes: 0 nothing at or above `--fail-on`; 1 findings; 2 usage, nothing to judge, or an internal error.
"""

import argparse
import sys
from collections.abc import Sequence

from auditpipeline import __version__
from auditpipeline.cli import check, run_operator

USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the entry point of the console script."""
    parser = argparse.ArgumentParser(
        prog="auditpipeline", description="Says every reason why audit events do not land, at once."
    )
    parser.add_argument("--version", action="version", version=f"auditpipeline {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check.register(commands)
    run_operator.register(commands)
    args = parser.parse_args(argv)
    try:
        code: int = args.run(args)
    except BrokenPipeError:
        # The reader of a pipe went away, as `| head` does.
        sys.stderr.close()
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"auditpipeline: {error.filename or 'input'}: {error.strerror or error}", file=sys.stderr)
        return USAGE_ERROR
    return code
