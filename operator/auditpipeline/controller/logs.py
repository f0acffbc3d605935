"""Log lines, plain or one JSON object each, with the pipeline or object they are about.

Callers pass what a line is about as `extra=about(ref)`. Tracebacks are for bugs: of an error that kopf or aiohttp
merely reports, one line is kept.
"""

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from auditpipeline.api.findings import ObjectRef

_RETRY: Final = re.compile(r"Request attempt #\d+ failed; (?:will retry|TCP closed; will re-authenticate): (\w+ [^ ?]+)")
_SELDOM: Final = 600.0
"""Seconds for which a request that kopf tries again and again is not told anew: a forbidden list fails for ever."""

# Frameworks that report expected faults of a cluster (a dropped connection, a 403) with tracebacks.
_FRAMEWORKS: Final = ("kopf", "aiohttp", "asyncio", "kubernetes")


def about(ref: ObjectRef) -> dict[str, Any]:
    """The `extra` of a line about an object."""
    return {"object": {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}}


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Let all loggers of the process write to `stream` (default: stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else PlainLines())
    handler.addFilter(_without_framework_tracebacks)
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Kopf tells of each event at debug and of each retry at error; what matters of it is told by the supervisor.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf.objects").setLevel(logging.ERROR)
    # It warns that it handles no signals: on purpose, it runs in a thread of its own.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _without_framework_tracebacks(record: logging.LogRecord) -> bool:
    if record.exc_info and record.name.partition(".")[0] in _FRAMEWORKS:
        kind, error = record.exc_info[:2]
        record.msg = f"{record.getMessage()} ({kind.__name__ if kind else 'error'}: {str(error)[:200]})"
        record.args = None
        record.exc_info = None
    return True


class _Seldom(logging.Filter):
    """Lets each retried request through once in a while, as a warning: it is tried again, so nothing is lost yet."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        found = _RETRY.match(record.getMessage()) if record.name.startswith("kopf") else None
        if found is None:
            return True
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        now = time.monotonic()
        if now - self._told.get(found[1], -_SELDOM) < _SELDOM:
            return False
        self._told[found[1]] = now
        return True


class PlainLines(logging.Formatter):
    """`2026-11-23T13:00:00Z INFO sync: all kinds are listed [AuditPipeline ns/name]`."""

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        text = f"{_time(record)} {record.levelname} {record.name.rpartition('.')[2]}: {record.getMessage()}"
        subject = getattr(record, "object", None)
        if isinstance(subject, dict):
            text += f" [{subject['kind']} {'/'.join(filter(None, (subject['namespace'], subject['name'])))}]"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and `object` where the line is about one."""

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        subject = getattr(record, "object", None)
        if isinstance(subject, dict):
            line["object"] = subject
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
