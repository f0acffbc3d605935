"""The AuditPipeline's spec as typed values.

The CRD's schema is the gate; this reader still names the field of anything it cannot use, because manifests on disk
have passed no gate.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

GROUP: Final = "auditpipeline.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "AuditPipeline"
PLURAL: Final = "auditpipelines"

CONTRACTS: Final = ("auto", "kubernaut-v1", "kubernaut-2026-01", "kubernaut-2026-01-noauth")
WORKLOAD_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")

_DURATION: Final = re.compile(r"([0-9]{1,9})([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


class InvalidPipeline(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """The object is no usable AuditPipeline; the text names the field."""


def seconds(duration: str, field: str) -> int:
    """Seconds of a duration such as `1h30m`.

    Raises:
        InvalidPipeline: The text is no duration.
    """
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise InvalidPipeline(f'{field} must be a duration such as 30s or 5m, found "{duration[:40]}"')
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


class WorkloadRef(NamedTuple):
    """A workload in the pipeline's (or the store's) namespace."""

    kind: str
    name: str


class ServiceRef(NamedTuple):
    """The store's Service; an empty namespace is the pipeline's own."""

    name: str
    namespace: str = ""


class ConfigMapKeyRef(NamedTuple):
    """A ConfigMap value, or with `path` a value inside the YAML or JSON document it holds."""

    name: str
    key: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class UrlRef:
    """Where the emitter reads its store URL; exactly one member is set."""

    config_map: ConfigMapKeyRef | None = None
    env: str = ""
    arg: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class EmitterSpec:
    """One emitter of a pipeline."""

    workload: WorkloadRef
    name: str
    container: str = ""
    url: UrlRef | None = None


@dataclass(frozen=True, slots=True)
class AccessSpec:
    """What the store's access review asks for; `none` where it asks for nothing."""

    none: bool = False
    resource: str = ""
    resource_name: str = ""
    verbs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """The store that should hold the events."""

    service: ServiceRef
    workload: WorkloadRef | None = None
    access: AccessSpec | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A fault that its owners accept until a day (UTC, inclusive)."""

    check: str
    reason: str
    because: str
    object_kind: str = ""
    object_name: str = ""
    field: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """The spec with its defaults filled in. Durations are seconds."""

    store: StoreSpec
    emitters: tuple[EmitterSpec, ...]
    contract: str = "auto"
    batch_limit: int = 0
    """`contractOverrides.batchLimit`; 0 where the contract's counts."""
    suspend: bool = False
    interval: int = 300
    grace_period: int = 120
    waivers: tuple[Waiver, ...] = ()


def parse_spec(spec: object) -> PipelineSpec:
    """Read `.spec` of an AuditPipeline.

    Raises:
        InvalidPipeline: A field is missing or has the wrong type; the text names it.
    """
    body = _mapping(spec, "spec")
    emitters = tuple(
        _emitter(item, f"spec.emitters[{index}]") for index, item in enumerate(_sequence(body.get("emitters"), "spec.emitters"))
    )
    if not emitters:
        raise InvalidPipeline("spec.emitters must name at least one emitter")
    names = [emitter.name for emitter in emitters]
    for name in names:
        if names.count(name) > 1:
            raise InvalidPipeline(f'spec.emitters must have unique names, "{name}" stands twice')
    return PipelineSpec(
        store=_store(_mapping(body.get("store"), "spec.store")),
        emitters=emitters,
        contract=_one_of(_text(body, "contract", "spec") or "auto", CONTRACTS, "spec.contract"),
        batch_limit=_count(_mapping(body.get("contractOverrides") or {}, "spec.contractOverrides"), "batchLimit", "spec.contractOverrides"),
        suspend=body.get("suspend") is True,
        interval=seconds(_text(body, "interval", "spec") or "5m", "spec.interval"),
        grace_period=seconds(_text(body, "gracePeriod", "spec") or "2m", "spec.gracePeriod"),
        waivers=tuple(
            _waiver(_mapping(item, f"spec.waivers[{index}]"), f"spec.waivers[{index}]")
            for index, item in enumerate(_sequence(body.get("waivers"), "spec.waivers"))
        ),
    )


def _emitter(item: object, field: str) -> EmitterSpec:
    body = _mapping(item, field)
    workload = _workload(body.get("workloadRef"), f"{field}.workloadRef")
    url = body.get("url")
    return EmitterSpec(
        workload=workload,
        name=_text(body, "name", field) or workload.name,
        container=_text(body, "container", field),
        url=None if url is None else _url(_mapping(url, f"{field}.url"), f"{field}.url"),
    )


def _url(body: Mapping[str, Any], field: str) -> UrlRef:
    if len(set(body) & {"configMapKeyRef", "env", "arg", "value"}) != 1:
        raise InvalidPipeline(f"{field} must set exactly one of configMapKeyRef, env, arg, value")
    if "configMapKeyRef" in body:
        ref = _mapping(body["configMapKeyRef"], f"{field}.configMapKeyRef")
        return UrlRef(
            config_map=ConfigMapKeyRef(
                _required(ref, "name", f"{field}.configMapKeyRef"),
                _required(ref, "key", f"{field}.configMapKeyRef"),
                _text(ref, "path", f"{field}.configMapKeyRef"),
            )
        )
    given = next(name for name in ("env", "arg", "value") if name in body)
    text = _required(body, given, field)
    return UrlRef(env=text if given == "env" else "", arg=text if given == "arg" else "", value=text if given == "value" else "")


def _store(body: Mapping[str, Any]) -> StoreSpec:
    ref = _mapping(body.get("serviceRef"), "spec.store.serviceRef")
    workload = body.get("workloadRef")
    access = body.get("access")
    return StoreSpec(
        service=ServiceRef(
            _required(ref, "name", "spec.store.serviceRef"), _text(ref, "namespace", "spec.store.serviceRef")
        ),
        workload=None if workload is None else _workload(workload, "spec.store.workloadRef"),
        access=None if access is None else _access(_mapping(access, "spec.store.access")),
    )


def _access(body: Mapping[str, Any]) -> AccessSpec:
    verbs = _sequence(body.get("verbs"), "spec.store.access.verbs")
    if not all(isinstance(verb, str) for verb in verbs):
        raise InvalidPipeline("spec.store.access.verbs must be a list of strings")
    return AccessSpec(
        none=body.get("none") is True,
        resource=_text(body, "resource", "spec.store.access"),
        resource_name=_text(body, "resourceName", "spec.store.access"),
        verbs=tuple(verbs),
    )


def _waiver(body: Mapping[str, Any], field: str) -> Waiver:
    target = _mapping(body.get("object", {}), f"{field}.object")
    expires = body.get("expires")
    try:
        # YAML reads an unquoted day as a date already.
        day = expires if expires is None or type(expires) is date else date.fromisoformat(expires)
    except (TypeError, ValueError):
        raise InvalidPipeline(f"{field}.expires must be a day such as 2027-01-31") from None
    return Waiver(
        check=_required(body, "check", field),
        reason=_required(body, "reason", field),
        because=_required(body, "because", field),
        object_kind=_text(target, "kind", f"{field}.object"),
        object_name=_text(target, "name", f"{field}.object"),
        field=_text(body, "field", field),
        expires=day,
    )


def _workload(value: object, field: str) -> WorkloadRef:
    body = _mapping(value, field)
    kind = _one_of(_text(body, "kind", field) or "Deployment", WORKLOAD_KINDS, f"{field}.kind")
    return WorkloadRef(kind, _required(body, "name", field))


def _one_of(value: str, allowed: Sequence[str], field: str) -> str:
    if value not in allowed:
        raise InvalidPipeline(f"{field} must be one of {', '.join(allowed)}")
    return value


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidPipeline(f"{field} must be an object" if value is not None else f"{field} must be set")
    return value


def _sequence(value: object, field: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidPipeline(f"{field} must be a list")
    return value


def _text(body: Mapping[str, Any], key: str, field: str) -> str:
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidPipeline(f"{field}.{key} must be a string")
    return value


def _count(body: Mapping[str, Any], key: str, field: str) -> int:
    value = body.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidPipeline(f"{field}.{key} must be a positive number")
    return value


def _required(body: Mapping[str, Any], key: str, field: str) -> str:
    value = _text(body, key, field)
    if not value:
        raise InvalidPipeline(f"{field}.{key} must be set")
    return value
