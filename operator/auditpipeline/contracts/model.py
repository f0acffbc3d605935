"""A contract as typed values, and the reader of its YAML form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml_rs


class InvalidContract(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The document is no contract; the text names the field."""


class Review(NamedTuple):
    """A right that the store's own ServiceAccount needs."""

    group: str
    resource: str
    verb: str


class Access(NamedTuple):
    """The tuple of the store's access review: user alone, no groups, in the store's namespace."""

    resource: str
    resource_name: str
    verbs: tuple[str, ...]
    client_role: str = ""


@dataclass(frozen=True, slots=True)
class EmitterRules:
    """Where the workloads of these names read their store URL.

    Attributes:
        keys: Paths in the configuration file, in order of preference.
        health_keys: Paths of the URL that the readiness gate asks.
        settings: Paths of the buffer's settings in the same file, by the setting's name: batchSize, bufferSize, timeout.
        default: The URL that the program uses where none is set; empty where it then fails or none is recorded.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...] = ()
    health_keys: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    default: str = ""


class Limits(NamedTuple):
    """Numbers that settings are held against; 0 where the contract has none.

    Attributes:
        batch: Most events that the store takes in one request.
        close: Seconds that an emitter may need to flush at its end.
        timeout: Least seconds that the store's two reviews may take.
    """

    batch: int = 0
    close: int = 0
    timeout: int = 0


class Gate(NamedTuple):
    """The probe paths of an emitter whose readiness waits for the store."""

    ready: str
    live: str


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """What one era of the store and its emitters promises. There is one of each, so identity compares them.

    Attributes:
        port_env: The store's variable that overrides its API port.
        namespace_env: The store's variable for the namespace of its access reviews; without it its own namespace counts.
        probe_paths: What the store answers to probes; empty where that is not known.
        gate: The paths at which an emitter tells that it is ready (and so is the store) and that it is alive, if it has a gate.
    """

    name: str
    title: str
    services: tuple[str, ...]
    workloads: tuple[str, ...]
    access: Access | None
    reviews: tuple[Review, ...]
    emitters: tuple[EmitterRules, ...]
    limits: Limits
    tls_key: str = ""
    port_env: str = ""
    namespace_env: str = ""
    probe_paths: tuple[str, ...] = ()
    gate: Gate | None = None

    def rules_for(self, workload: str) -> EmitterRules | None:
        """The rules of the workload of that name."""
        return next((rules for rules in self.emitters if workload in rules.names), None)


def parse_contract(text: str) -> Contract:
    """Read a contract from YAML.

    Raises:
        InvalidContract: A field is missing, unknown or of the wrong type.
    """
    try:
        body = yaml_rs.loads(text)
    except yaml_rs.YAMLDecodeError:
        raise InvalidContract("a contract must be YAML") from None
    if not isinstance(body, dict):
        raise InvalidContract("a contract must be a YAML mapping")
    _only(body, {"name", "title", "store", "access", "reviews", "gate", "limits", "emitters"}, "contract")
    store = _mapping(body.get("store", {}), "store")
    _only(store, {"services", "workloads", "tlsKey", "portEnv", "namespaceEnv", "probePaths"}, "store")
    limits = _mapping(body.get("limits", {}), "limits")
    _only(limits, set(Limits._fields), "limits")
    access = body.get("access")
    if access is not None:
        _mapping(access, "access")
        _only(access, {"resource", "resourceName", "verbs", "clientRole"}, "access")
    return Contract(
        name=_text(body, "name", "contract"),
        title=_text(body, "title", "contract"),
        services=_names(store, "services", "store"),
        workloads=_names(store, "workloads", "store"),
        access=None
        if access is None
        else Access(
            _text(access, "resource", "access"),
            _text(access, "resourceName", "access"),
            _names(access, "verbs", "access"),
            _text(access, "clientRole", "access") if "clientRole" in access else "",
        ),
        reviews=tuple(
            Review(_text(item, "group", "reviews"), _text(item, "resource", "reviews"), _text(item, "verb", "reviews"))
            for item in _mappings(body, "reviews")
        ),
        emitters=tuple(_rules(item) for item in _mappings(body, "emitters")),
        limits=Limits(**{name: _number(limits, name, "limits") for name in limits}),
        tls_key=_text(store, "tlsKey", "store") if "tlsKey" in store else "",
        port_env=_text(store, "portEnv", "store") if "portEnv" in store else "",
        namespace_env=_text(store, "namespaceEnv", "store") if "namespaceEnv" in store else "",
        probe_paths=_names(store, "probePaths", "store"),
        gate=_gate(body),
    )


def _gate(body: Mapping[str, Any]) -> Gate | None:
    if "gate" not in body:
        return None
    gate = _mapping(body["gate"], "gate")
    _only(gate, set(Gate._fields), "gate")
    return Gate(_text(gate, "ready", "gate"), _text(gate, "live", "gate"))


def _rules(item: Mapping[str, Any]) -> EmitterRules:
    _only(item, {"names", "keys", "healthKeys", "env", "args", "settings", "defaultUrl"}, "emitters")
    settings = _mapping(item.get("settings", {}), "settings")
    _only(settings, {"batchSize", "bufferSize", "timeout"}, "settings")
    return EmitterRules(
        names=_names(item, "names", "emitters"),
        keys=_names(item, "keys", "emitters"),
        health_keys=_names(item, "healthKeys", "emitters"),
        env=_names(item, "env", "emitters"),
        args=_names(item, "args", "emitters"),
        settings={name: _text(settings, name, "settings") for name in settings},
        default=_text(item, "defaultUrl", "emitters") if "defaultUrl" in item else "",
    )


def _number(body: Mapping[str, Any], key: str, where: str) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidContract(f"{where}.{key} must be a number")
    return value


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidContract(f"{where} must be a mapping")
    return value


def _mappings(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise InvalidContract(f"{key} must be a list of mappings")
    return value


def _only(body: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(body) - allowed)
    if unknown:
        raise InvalidContract(f"{where} has unknown fields: {', '.join(unknown)}")


def _text(body: Mapping[str, Any], key: str, where: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise InvalidContract(f"{where}.{key} must be a string")
    return value


def _names(body: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = body.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InvalidContract(f"{where}.{key} must be a list of strings")
    return tuple(value)
