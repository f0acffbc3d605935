"""The line of an object's field in the text it was read from.

Only texts with findings are parsed again, by PyYAML, which keeps positions. A field of a configuration file inside a
ConfigMap is followed into that file: `data[config.yaml].datastorage.url`.
"""

import re
from typing import Any, Final

import yaml

from auditpipeline.api.findings import ObjectRef

_STEP: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
# By what a list's items are told apart, in order.
_NAMES: Final = ("name", "key", "port", "containerPort", "mountPath", "kind")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def line_of(document: str, ref: ObjectRef, field: str) -> int:
    """Lines from the document's first to the field, or to the deepest part of its path that is there; 0 if none is."""
    root = _compose(document)
    target = None if root is None else _object(root, ref)
    if target is None:
        return 0
    steps = [match[1] if match[1] is not None else match[2] for match in _STEP.finditer(field)]
    return _descend(target, steps, target.start_mark.line)


def _compose(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        # The text was read by a parser that takes more, or stands inside a value that nobody promised to be YAML.
        return None
    return node


def _object(root: yaml.Node, ref: ObjectRef) -> yaml.Node | None:
    """The object itself, or the member of a List that has its name."""
    items = _member(root, "items")
    if items is None or not isinstance(items[1], yaml.SequenceNode):
        return root
    for item in items[1].value:
        meta = _member(item, "metadata")
        name = None if meta is None else _member(meta[1], "name")
        kind = _member(item, "kind")
        if name is not None and name[1].value == ref.name and (kind is None or kind[1].value == ref.kind):
            found: yaml.Node = item
            return found
    return root


def _descend(node: yaml.Node, steps: list[str], line: int) -> int:
    if not steps:
        return line
    if isinstance(node, yaml.MappingNode):
        # A key may hold dots itself.
        for taken in range(1, len(steps) + 1):
            found = _member(node, ".".join(steps[:taken]))
            if found is not None:
                return _descend(found[1], steps[taken:], found[0].start_mark.line)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if steps[0] in _labels(item) or steps[0] == str(index):
                return _descend(item, steps[1:], item.start_mark.line)
    elif isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        inner = _compose(node.value)
        if inner is not None:
            # The block begins on the line below its indicator.
            return line + 1 + _descend(inner, steps, inner.start_mark.line)
    return line


def _member(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return name, value
    return None


def _labels(item: yaml.Node) -> set[str]:
    found = (_member(item, name) for name in _NAMES)
    return {str(pair[1].value) for pair in found if pair is not None and isinstance(pair[1], yaml.ScalarNode)}
