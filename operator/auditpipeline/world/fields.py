"""Fields of a Kubernetes object as it was read, each with its type checked.

Every function raises `MalformedObject` with the field's path where the value has another type than it must have.
"""

from collections.abc import Mapping
from typing import Any, Final

from auditpipeline.world.objects import NO_LABELS, Labels


class MalformedObject(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The object does not have the shape of its kind; the text names the field."""


EMPTY: Final[Mapping[str, Any]] = NO_LABELS


def as_mapping(value: object, path: str) -> Mapping[str, Any]:
    """A value that must be an object."""
    if isinstance(value, Mapping):
        return value
    raise MalformedObject(f"{path} must be an object")


def mapping(body: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    """The object under a key; empty where it is absent or null."""
    value = body.get(key)
    if value is None:
        return EMPTY
    if isinstance(value, Mapping):
        return value
    raise MalformedObject(f"{path} must be an object")


def objects(body: Mapping[str, Any], key: str, path: str) -> list[Mapping[str, Any]]:
    """The list of objects under a key; empty where it is absent or null."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise MalformedObject(f"{path}.{key} must be a list of objects")
    return value


def texts(body: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    """The list of scalars under a key, as texts; empty where it is absent or null."""
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MalformedObject(f"{path}.{key} must be a list of strings")
    return tuple(scalar(item, f"{path}.{key}") for item in value)


def text(body: Mapping[str, Any], key: str, path: str) -> str:
    """The scalar under a key, as text; empty where it is absent or null."""
    value = body.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return scalar(value, path)


def number(body: Mapping[str, Any], key: str, path: str) -> int:
    """The number under a key, which must be there."""
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedObject(f"{path}.{key} must be a number")
    return value


def scalar(value: object, path: str) -> str:
    """A scalar as the text that its author meant: YAML reads `yes` and `1` as something else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 64):
        return str(value)
    raise MalformedObject(f"{path} must be a string")


def labels(body: Mapping[str, Any], key: str, path: str) -> Labels:
    """The map of texts under a key; empty where it is absent or null."""
    value = mapping(body, key, path)
    return {str(name): scalar(item, f"{path}[{name}]") for name, item in value.items()} if value else NO_LABELS
