"""Bounded reading of YAML (and so JSON) text that a user wrote.

Size, nesting and aliases are limited before a value is built: a short text can describe a huge value, and a deep one
can exhaust the parser's stack.
"""

import re
from typing import Any, Final

import yaml

MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 100
MAX_NODES: Final = 3_000_000
_ALIAS_WEIGHT: Final = 100

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What a text must have to be deep or to hold aliases. Ordinary manifests have none of it, so they are parsed once.
_SUSPICIOUS: Final = re.compile(r"^[ \t]{100}|(?:^|\s)\*[^\s*]|(?:- ){20}", re.MULTILINE)


class UnreadableText(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The text cannot be read; the message is a clause such as `is no valid YAML: line 3, column 7`, without the text.

    Attributes:
        line: Line of the fault, from 1; 0 where it has none.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load(text: str, *, max_bytes: int = MAX_BYTES) -> object:
    """The one document that the text holds; None for an empty one.

    Raises:
        UnreadableText: It is too large, too deep, or not YAML.
    """
    if len(text) > max_bytes:
        raise UnreadableText(f"is larger than {max_bytes // 1024} KiB")
    try:
        if text.count("[") + text.count("{") > MAX_DEPTH or _SUSPICIOUS.search(text):
            _measure(text)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  (one of the two safe loaders)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is None:
            raise UnreadableText("is no valid YAML") from None
        raise UnreadableText(f"is no valid YAML: line {mark.line + 1}, column {mark.column + 1}", mark.line + 1) from None
    except UnreadableText:
        raise
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        # Timestamps out of range, unhashable keys, control characters.
        raise UnreadableText("is no valid YAML") from None


def _measure(text: str) -> None:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        nodes += 1
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise UnreadableText(f"is nested deeper than {MAX_DEPTH} levels", _line(event))
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.events.AliasEvent):
            nodes += _ALIAS_WEIGHT
        if nodes > MAX_NODES:
            raise UnreadableText(f"holds more than {MAX_NODES} nodes, or aliases that would become as many")


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1
