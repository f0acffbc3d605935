"""Hop 1: is a store URL set where the emitter really reads it, and are the ConfigMaps and keys there?"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, Outcome, Unknown
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import MAX_URLS, EmitterCheck, Given, StoreCheck, Urls, blocked, from_missing
from auditpipeline.wiring.dns import HostKind, read_host
from auditpipeline.wiring.environment import container_place, listed
from auditpipeline.wiring.resolve import Emitter, used_sources
from auditpipeline.wiring.serving import store_container
from auditpipeline.wiring.sources import config_file_not_mounted
from auditpipeline.wiring.urls import Endpoint
from auditpipeline.world.objects import Workload

HOP: Final = ConditionType.CONFIG_RESOLVED


def key_not_read(given: Given, emitter: Emitter) -> Iterator[Outcome]:  # noqa: ARG001  (one signature for all checks)
    """The configuration file holds a URL, under a key that the emitter does not read."""
    for source in emitter.sources:
        if source.unread_instead_of and source.use == "events":
            keys = listed(list(source.unread_instead_of))
            path = source.place.field.partition("].")[2] or source.place.field
            yield Finding(
                Reason.KEY_NOT_READ,
                f"{emitter.ref} does not read {path}, under which {source.place.object} sets the store URL; it reads {keys}.",
                source.place.object,
                source.place.field,
                expected=f"the URL under {keys}",
                found=f"the URL under {path}",
                fix=f"move the URL to {source.unread_instead_of[0]}",
                emitter=emitter.name,
                workload=emitter.ref,
            )
            return


def url_not_found(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """No place that the emitter reads holds a URL."""
    if emitter.winner is not None or any(source.unread_instead_of for source in emitter.sources):
        return
    if emitter.workload is None:
        yield blocked(HOP, ConditionType.IDENTITY_BOUND, f"The URL of {emitter.name} is read from {emitter.ref}, which does not exist.", emitter.name)
        return
    missing = config_file_not_mounted(given.world, emitter.workload, emitter.spec.container)
    if missing is not None:
        yield from_missing(emitter, missing, HOP)
        return
    for name, field in _needed_config_maps(emitter.workload).items():
        if given.world.config_map(emitter.ref.namespace, name) is None:
            gap = given.world.gap("ConfigMap", emitter.ref.namespace)
            if gap is not None:
                yield Unknown(HOP, gap[0], gap[1], emitter.name)
                return
            yield _finding(
                emitter,
                Reason.CONFIG_MAP_NOT_FOUND,
                f'ConfigMap "{name}" does not exist in namespace {emitter.ref.namespace}, but {emitter.ref} needs it.',
                field=field,
                expected=f"ConfigMap {name}",
                found="no such ConfigMap",
                fix=f"create ConfigMap {name} in namespace {emitter.ref.namespace}",
            )
            return
    contracts = given.wiring.contracts
    if emitter.spec.url is None and any((rule := contract.rules_for(emitter.ref.name)) is not None and rule.default for contract in contracts):
        yield Unknown(
            HOP, Reason.CONTRACT_UNDETERMINED, f"{emitter.ref} sets no store URL; whether it has a default depends on its version.", emitter.name
        )
        return
    what = _declared(emitter)
    yield _finding(
        emitter,
        Reason.URL_NOT_FOUND,
        f"No store URL is set for {emitter.ref}: {what}.",
        field=emitter.workload.template_path,
        expected="a store URL in an argument, a variable or a mounted configuration file",
        found="none",
        fix=f'set the store URL, or say where it stands in spec.emitters of AuditPipeline "{given.wiring.pipeline.ref.name}"',
    )


def value_unreadable(given: Given, emitter: Emitter) -> Iterator[Outcome]:  # noqa: ARG001  (one signature for all checks)
    """The place is known, but the ConfigMap, key or path is not there."""
    for source in used_sources(emitter.sources):
        if source.missing is not None:
            yield from_missing(emitter, source.missing, HOP)


def url_unusable(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The value is no URL that a client could use."""
    for source in used_sources(emitter.sources):
        if source.problem is not None:
            yield Finding(
                source.problem.reason,
                f"The store URL of {emitter.name} {source.problem.message}.",
                source.place.object,
                source.place.field,
                expected=source.problem.expected,
                found=f"a value that {source.problem.message}",
                fix="set a URL such as " + _example(given),
                emitter=emitter.name,
                workload=emitter.ref,
            )


def url_with_api_path(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The URL holds the path of the API, which the client appends to it once more: every request is answered 404.

    Whoever is in no contract may use a client of another kind.
    """
    if all(contract.rules_for(emitter.ref.name) is None for contract in given.wiring.contracts):
        return
    for source in used_sources(emitter.sources):
        endpoint = source.endpoint
        if endpoint is not None and source.use == "events" and endpoint.path.startswith("/api/v1"):
            root = replace(endpoint, path="")
            yield Finding(
                Reason.URL_INVALID,
                f"The store URL of {emitter.name} ends in {endpoint.path[:64]}; the emitter appends the path of the API itself, and the store answers 404.",
                source.place.object,
                source.place.field,
                expected=str(root),
                found=str(endpoint),
                fix=f"set it to {root}",
                emitter=emitter.name,
                workload=emitter.ref,
            )


def url_sources_disagree(given: Given, emitter: Emitter) -> Iterator[Outcome]:  # noqa: ARG001  (one signature for all checks)
    """Two places set different URLs; only one of them counts."""
    winner = emitter.winner
    if winner is None or winner.endpoint is None:
        return
    for other in emitter.sources:
        if other.use != "events" or other.unread_instead_of or other.container != winner.container or other.endpoint is None:
            continue
        if _meaning(other.endpoint, emitter) != _meaning(winner.endpoint, emitter):
            yield Finding(
                Reason.URL_SOURCES_DISAGREE,
                f"{emitter.ref} has two store URLs: {winner.description} says {winner.endpoint} and wins, "
                f"{other.description} says {other.endpoint}.",
                other.place.object,
                other.place.field,
                expected=str(winner.endpoint),
                found=str(other.endpoint),
                fix="set both to the same URL, or remove the one that is not used",
                emitter=emitter.name,
                workload=emitter.ref,
            )


def config_not_reloaded(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """A running container started before its URL last changed.

    A variable is fixed when its container starts and programs read their configuration file at start, so the container's
    start counts. The moment of change is the API server's own time of the write that changed the value.
    """
    urls = given.urls.get(emitter.name, ())
    workload = emitter.workload
    source = emitter.winner
    if len(urls) == 0 or workload is None or source is None or source.endpoint is None or source.place.object.kind != "ConfigMap":
        return
    if not given.evidence.live or workload.reloaded or workload.pod.reloaded:
        return
    names = {container.name for container in workload.pod.containers if container.runs and source.container in {"", container.name}}
    stale = [
        pod
        for pod in given.world.pods_of(workload)
        if not pod.terminating and any(running.name in names and _stale(urls, running.started) for running in pod.running)
    ]
    if stale:
        yield _finding(
            emitter,
            Reason.CONFIG_NOT_RELOADED,
            f"{emitter.ref} runs pods that started before its store URL in {source.description} was changed; they still use the old one.",
            field=emitter.workload.template_path if emitter.workload else "",
            expected="pods started after the change",
            found="pods started before it",
            fix=f"kubectl -n {emitter.ref.namespace} rollout restart {emitter.ref.kind.lower()}/{emitter.ref.name}",
        )


def store_file_not_mounted(given: Given) -> Iterator[Outcome]:
    """The store ends at once without the configuration file that its variable names."""
    for workload in given.store.workloads:
        container = store_container(workload, given.wiring.contracts)
        missing = None if container is None else config_file_not_mounted(given.world, workload, container.name)
        if missing is not None:
            yield Finding(
                missing.reason,
                missing.message,
                missing.place.object,
                missing.place.field,
                missing.expected,
                missing.found,
                missing.fix,
                workload=workload.ref,
            )


CHECKS: Final[tuple[EmitterCheck, ...]] = (
    key_not_read,          # a place holds one, and the emitter does not look there
    url_not_found,         # no place holds a URL
    value_unreadable,      # a place is named, what it names is not there
    url_unusable,          # it is there, and is no URL
    url_with_api_path,     # or more than one
    url_sources_disagree,  # there are two, and they differ
    config_not_reloaded,   # it is right, and the running pods do not know it
)
STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (store_file_not_mounted,)  # the store finds no configuration of its own


def _needed_config_maps(workload: Workload) -> dict[str, str]:
    """The ConfigMaps without which no pod starts, each with the first field that asks for it."""
    needed: dict[str, str] = {}
    for volume in workload.pod.volumes:
        for file in volume.files:
            if not file.optional:
                needed.setdefault(file.config_map, f"{workload.template_path}.volumes[{volume.name}]")
    for container in workload.pod.containers:
        for index, source in enumerate(container.env_from):
            if source.config_map and not source.optional:
                needed.setdefault(source.config_map, container_place(workload, container, f"envFrom[{index}]").field)
    return needed


def _meaning(endpoint: Endpoint, emitter: Emitter) -> tuple[str, ...]:
    """What a URL leads to: the short and the long name of a Service are one."""
    host = read_host(endpoint.host, absolute=endpoint.absolute, namespace=emitter.ref.namespace)
    place = (host.service, host.namespace) if host.kind is HostKind.SERVICE else (endpoint.host, "")
    return (endpoint.scheme, *place, str(endpoint.port), endpoint.path)


def _declared(emitter: Emitter) -> str:
    url = emitter.spec.url
    if url is not None and url.env:
        return f"no container has a variable {url.env}"
    if url is not None and url.arg:
        return f"no container has an argument {url.arg}"
    return "neither its arguments, nor its variables, nor its mounted configuration files hold one"


def _example(given: Given) -> str:
    service = given.store.service
    if service is None or not service.ports:
        return "http://data-storage-service.<namespace>.svc.cluster.local:8080"
    return f"http://{service.dns_name}:{service.ports[0].port}"


def _finding(emitter: Emitter, reason: Reason, message: str, *, field: str, expected: str, found: str, fix: str) -> Finding:
    return Finding(reason, message, emitter.ref, field, expected, found, fix, emitter.name, emitter.ref)


def _stale(urls: Urls, started: float) -> bool:
    """Another URL stood there when the container started.

    Times have whole seconds, so within the second of a change both URLs may be the one. What stood there before the
    first that was seen is not known, unless nothing did.
    """
    before = [seen.url for seen in urls if seen.since is None or seen.since < started]
    until = [seen.url for seen in urls if seen.since is None or seen.since <= started]
    possible = {*before[-1:], *until[-1:]}
    return urls[-1].url not in possible if possible else len(urls) < MAX_URLS
