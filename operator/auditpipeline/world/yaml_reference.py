"""PyYAML's reading of a text: what the text means, or where it goes wrong.

`yaml_text` imports this for the few texts that need it.
"""

from typing import Any, Final

import yaml

from auditpipeline.world.yaml_text import MAX_DEPTH, MAX_NODES, UnreadableText

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str, *, measured: bool) -> object:
    """The one document that the text holds; `measured` looks at its depth and aliases first.

    Raises:
        UnreadableText: It is too deep, too large, or not YAML.
    """
    try:
        if measured:
            _measure(text)
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  (one of the two safe loaders)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is None:
            raise UnreadableText("is no valid YAML") from None
        raise UnreadableText(f"is no valid YAML: line {mark.line + 1}, column {mark.column + 1}", mark.line + 1) from None
    except UnreadableText:
        raise
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError):
        # Timestamps out of range, unhashable keys, control characters, tags of numbers without one.
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
