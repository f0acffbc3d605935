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

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What a text must have to be deep. Ordinary manifests have none of it, so they are parsed once.
_DEEP: Final = re.compile(r"^[ \t]{100}|(?:[-?:][ \t]+){20}", re.MULTILINE)
_ANCHOR: Final = re.compile(r"(?:^|[\s\[{,:\-?])&[^\s&]", re.MULTILINE)


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
        aliases = "*" in text and _ANCHOR.search(text)
        if aliases or text.count("[") + text.count("{") > MAX_DEPTH or _DEEP.search(text):
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
    """Refuse what would be too deep or too large once each alias stands for what it names."""
    nodes = 0
    # Levels below and nodes of what each anchor names, and the collections that are open: anchor, nodes before, levels below.
    named: dict[str, tuple[int, int]] = {}
    opened: list[tuple[str | None, int, int]] = []
    for event in yaml.parse(text, Loader=_LOADER):
        below = size = 0
        if isinstance(event, yaml.events.CollectionStartEvent):
            opened.append((event.anchor, nodes, 0))
            nodes += 1
            if event.anchor is not None:
                named.pop(event.anchor, None)
        elif isinstance(event, yaml.events.CollectionEndEvent):
            anchor, before, below = opened.pop()
            below += 1
            if anchor is not None:
                named[anchor] = (below, nodes - before)
        elif isinstance(event, yaml.events.AliasEvent):
            if event.anchor not in named:
                raise UnreadableText("holds an alias of nothing, or of what it stands in", _line(event))
            below, size = named[event.anchor]
        elif isinstance(event, yaml.events.ScalarEvent):
            size = 1
            if event.anchor is not None:
                named[event.anchor] = (0, 1)
        nodes += size
        if opened:
            anchor, before, deepest = opened[-1]
            opened[-1] = (anchor, before, max(deepest, below))
        if len(opened) + below > MAX_DEPTH:
            raise UnreadableText(f"is nested deeper than {MAX_DEPTH} levels", _line(event))
        if nodes > MAX_NODES:
            raise UnreadableText(f"holds more than {MAX_NODES} nodes, or aliases that would become as many", _line(event))


def _line(event: yaml.Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1
