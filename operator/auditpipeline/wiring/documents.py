"""Configuration files inside ConfigMap values, and look-up of a path in them.

Reading is memoised by text, because many pipelines ask the same file.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from auditpipeline.world.yaml_text import UnreadableText, load

MAX_BYTES: Final = 1 << 20

Document = Mapping[str, Any]


def read_document(text: str) -> Document:
    """The mapping that the text holds; empty for an empty text.

    Raises:
        UnreadableText: It is too large, too deep, not YAML, or no mapping.
    """
    result = _read(text)
    if isinstance(result, UnreadableText):
        raise result
    return result


@lru_cache(maxsize=512)
def _read(text: str) -> Document | UnreadableText:
    try:
        value = load(text, max_bytes=MAX_BYTES)
    except UnreadableText as error:
        return error.with_traceback(None)
    if value is None:
        return {}
    return value if isinstance(value, dict) else UnreadableText("is no YAML mapping")


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
