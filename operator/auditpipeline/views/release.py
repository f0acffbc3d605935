"""The namespace into which manifests that write none are meant to go.

Charts leave the namespace of their objects to `helm install -n`, and fill it in where a text needs it: in the subjects
of bindings and in the names of Services. To read such objects as the namespace `default` would set them against their
own texts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.world.world import World

DEFAULT: Final = "default"
_SERVICE_NAME: Final = re.compile(r"//([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc\b|[:/]|$)")


def release_namespace(world: World, objects: Iterable[Mapping[str, Any]]) -> str:
    """The one namespace that the texts of these objects, which write none, and the bindings of the world give them.

    `default` where they give none, or several.
    """
    values = list(objects)
    accounts = _names(values, "ServiceAccount")
    subjects = {(name, namespace) for value in values for name, namespace in _subjects(value)}
    subjects |= {(subject.name, subject.namespace) for binding in world.role_bindings for subject in binding.subjects if subject.kind == "ServiceAccount"}
    by_subject = {
        namespace for name, namespace in subjects if name in accounts and world.service_accounts.get(ObjectRef("ServiceAccount", namespace, name)) is None
    }
    if by_subject:
        return by_subject.pop() if len(by_subject) == 1 else DEFAULT
    services = _names(values, "Service")
    texts = (match for value in values for text in _texts(value.get("data") or value.get("spec")) for match in _SERVICE_NAME.finditer(text))
    by_host = {namespace for name, namespace in (match.groups() for match in texts) if name in services and world.service(namespace, name) is None}
    return by_host.pop() if len(by_host) == 1 else DEFAULT


def _names(values: Iterable[Mapping[str, Any]], kind: str) -> set[str]:
    return {name for value in values if value.get("kind") == kind and isinstance(name := value["metadata"].get("name"), str)}


def _subjects(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    subjects = value.get("subjects")
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, Mapping) and subject.get("kind") == "ServiceAccount":
            name, namespace = subject.get("name"), subject.get("namespace")
            if isinstance(name, str) and isinstance(namespace, str) and namespace:
                yield name, namespace


def _texts(value: object) -> Iterator[str]:
    """Every text below a value. What is read from YAML may be deep, and its aliases may name one list many times over."""
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
