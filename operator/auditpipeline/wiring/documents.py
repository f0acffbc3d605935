"""Configuration files inside ConfigMap values: bounded reading of YAML and JSON, and look-up of a path.

A value comes from a user, so everything about it is bounded: size, nesting, aliases. Reading is memoised by text,
because many pipelines ask the same file.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_NODES: Final = 200_000

Document = Mapping[str, Any]


class UnreadableDocument(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The text is no YAML or JSON mapping; the message says why and never quotes the text."""


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_document(text: str) -> Document:
    """The mapping that the text holds; empty for an empty text.

    Raises:
        UnreadableDocument: It is too large, too deep, not YAML, or no mapping.
    """
    result = _read(text)
    if isinstance(result, str):
        raise UnreadableDocument(result)
    return result


@lru_cache(maxsize=512)
def _read(text: str) -> Document | str:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 1024} KiB"
    depth = 0
    nodes = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            nodes += 1
            if isinstance(event, yaml.events.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.events.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.events.AliasEvent):
                nodes += 100
            if depth > MAX_DEPTH:
                return f"is nested deeper than {MAX_DEPTH} levels"
            if nodes > MAX_NODES:
                return f"holds more than {MAX_NODES} nodes or too many aliases"
        value = yaml.load(text, Loader=_LOADER)  # noqa: S506  (one of the two safe loaders)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return "is no valid YAML" if mark is None else f"is no valid YAML: line {mark.line + 1}, column {mark.column + 1}"
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return "is no valid YAML"
    if value is None:
        return {}
    return value if isinstance(value, dict) else "is no YAML mapping"


def look_up(document: Document, path: str) -> object:
    """The value at a dotted path, or None. A key that holds dots itself is found too: `a.b` in `{"a.b": 1}`."""
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    while dot:
        inner = document.get(head)
        if isinstance(inner, dict):
            found = look_up(inner, rest)
            if found is not None:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def leaves(document: Document, prefix: str = "") -> Iterator[tuple[str, object]]:
    """All scalar values with their dotted paths."""
    for key, value in document.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.")
        elif not isinstance(value, list):
            yield path, value
