"""Hop 8: do the emitter's batch, time-outs, probe and grace period fit what the store accepts and the contract promises?

All of it is latent: events are lost under load, at the end of a pod, or not at all.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, all_workloads
from auditpipeline.contracts.builtin import AUTO
from auditpipeline.contracts.model import Contract, EmitterRules, Limits
from auditpipeline.wiring.documents import look_up, read_document
from auditpipeline.wiring.environment import Place, container_place
from auditpipeline.wiring.resolve import Emitter
from auditpipeline.wiring.serving import store_container
from auditpipeline.world.yaml_text import UnreadableText

HOP: Final = ConditionType.SETTINGS_FIT
_GO_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def batch_exceeds_limit(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """A full batch is larger than what the store takes: it answers 400 and the batch is lost."""
    limit = given.wiring.pipeline.spec.batch_limit or _limits(given).batch
    batch = _setting(given, emitter, "batchSize")
    if limit and batch is not None and isinstance(batch[0], int) and batch[0] > limit:
        yield _finding(
            emitter,
            Reason.BATCH_EXCEEDS_LIMIT,
            f"{emitter.ref} sends batches of up to {batch[0]} events; the store takes {limit} and refuses a larger one whole.",
            batch[1],
            expected=f"{limit} or less",
            found=str(batch[0]),
            fix=f"set the batch size to {limit} or less, or raise the store's limit and say so in spec.contractOverrides.batchLimit",
        )


def batch_exceeds_buffer(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The client refuses such a pair and silently uses its defaults."""
    batch, buffer = _setting(given, emitter, "batchSize"), _setting(given, emitter, "bufferSize")
    if batch is None or buffer is None or not isinstance(batch[0], int) or not isinstance(buffer[0], int):
        return
    if batch[0] > buffer[0]:
        yield _finding(
            emitter,
            Reason.BATCH_EXCEEDS_BUFFER,
            f"{emitter.ref} has a batch of {batch[0]} events in a buffer of {buffer[0]}; the client refuses that and uses its defaults.",
            batch[1],
            expected=f"{buffer[0]} or less",
            found=str(batch[0]),
            fix="set the batch size below the buffer size",
        )


def timeout_too_short(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The store asks the API server twice before it answers; a client that does not wait for that never gets through."""
    least = _limits(given).timeout
    timeout = _setting(given, emitter, "timeout")
    seconds = None if timeout is None else _duration(timeout[0])
    if timeout is not None and least and seconds is not None and seconds < least:
        yield _finding(
            emitter,
            Reason.TIMEOUT_TOO_SHORT,
            f"{emitter.ref} waits {timeout[0]} for the store, which needs longer for its own two questions to the API server.",
            timeout[1],
            expected=f"{least}s or more",
            found=str(timeout[0]),
            fix="set the time-out to 5s, the client's own default, or more",
        )


def grace_period_too_short(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The pod is killed while the client still flushes."""
    workload = emitter.workload
    needed = _limits(given).close
    if workload is not None and needed and workload.pod.grace_period < needed:
        yield _finding(
            emitter,
            Reason.GRACE_PERIOD_TOO_SHORT,
            f"{emitter.ref} is killed {workload.pod.grace_period} s after it is asked to stop; its last flush may take {needed} s.",
            Place(workload.ref, f"{workload.template_path}.terminationGracePeriodSeconds"),
            expected=f"{needed} or more",
            found=str(workload.pod.grace_period),
            fix=f"set terminationGracePeriodSeconds to {needed}, or remove it",
        )


def probe_misconfigured(given: Given) -> Iterator[Outcome]:
    """A probe names a port that its container does not declare, so it can only fail."""
    for emitter, workload in all_workloads(given):
        for container in workload.pod.containers:
            names = {port.name for port in container.ports}
            for probe in container.probes:
                if isinstance(probe.port, str) and probe.port not in names:
                    yield Finding(
                        Reason.PROBE_MISCONFIGURED,
                        f'{workload.ref} container {container.name} has a {probe.kind} on port "{probe.port}", which it does not declare.',
                        *_at(container_place(workload, container, f"{probe.kind}.httpGet.port")),
                        expected=f"one of {', '.join(sorted(filter(None, names)))}" if any(names) else "a number, or a declared port",
                        found=probe.port,
                        fix="name a declared port, or use its number",
                        emitter=emitter,
                        workload=workload.ref,
                    )


def probe_is_no_command(given: Given) -> Iterator[Outcome]:
    """A probe runs the text of a list, `[/usr/bin/curl,`, as if it were a program; copied from another format."""
    for emitter, workload in all_workloads(given):
        for container in workload.pod.containers:
            for probe in container.exec_probes:
                # `[` and `[[` are programs of their own.
                if re.match(r"\[[^\s\[]", probe.command[0]):
                    yield Finding(
                        Reason.PROBE_MISCONFIGURED,
                        f"{workload.ref} container {container.name} has a {probe.kind} whose program is the beginning of a list written as text.",
                        *_at(container_place(workload, container, f"{probe.kind}.exec.command[0]")),
                        expected="the program's path",
                        found="text that begins with [",
                        fix="write each word of the command as a list item of its own, without brackets and commas",
                        emitter=emitter,
                        workload=workload.ref,
                    )


def probe_path_not_served(given: Given) -> Iterator[Outcome]:
    """A probe of the store asks a path that this version does not answer.

    Only a version that the pipeline names is known well enough; between those that are known there were others.
    """
    paths = given.wiring.contracts[0].probe_paths
    if given.wiring.pipeline.spec.contract == AUTO or not paths:
        return
    for workload in given.store.workloads:
        container = store_container(workload, given.wiring.contracts)
        for probe in container.probes if container is not None else ():
            path = probe.path.partition("?")[0]
            if path not in {*paths, "/metrics"}:
                yield Finding(
                    Reason.PROBE_MISCONFIGURED,
                    f"{workload.ref} container {container.name if container else ''} has a {probe.kind} on path {path[:64]}, "
                    f"which a store of contract {given.wiring.contracts[0].name} does not serve; it serves {', '.join(paths)}.",
                    *_at(container_place(workload, container, f"{probe.kind}.httpGet.path") if container else Place(workload.ref, "")),
                    expected=f"one of {', '.join(paths)}",
                    found=path[:64],
                    fix=f"set the path to {paths[0]}",
                    workload=workload.ref,
                )


def probe_bypasses_gate(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The readiness probe asks the liveness path, so the pod is ready whatever its gate says.

    That there is a gate shows in the health URL that the emitter is given, or the pipeline names the version.
    """
    gates = {contract.gate for contract in given.wiring.contracts}
    gate = gates.pop() if len(gates) == 1 else None
    gated = given.wiring.pipeline.spec.contract != AUTO or any(source.use == "health" for source in emitter.sources)
    if emitter.workload is None or gate is None or not gated:
        return
    for container in emitter.workload.pod.containers:
        for probe in container.probes:
            if probe.kind == "readinessProbe" and probe.path == gate.live and container.name in _readers(emitter):
                yield _finding(
                    emitter,
                    Reason.PROBE_BYPASSES_GATE,
                    f"{emitter.ref} container {container.name} counts as ready by {gate.live}, which does not wait for the store; {gate.ready} does.",
                    container_place(emitter.workload, container, "readinessProbe.httpGet.path"),
                    expected=gate.ready,
                    found=gate.live,
                    fix=f"set the readinessProbe's path to {gate.ready}",
                )


def _readers(emitter: Emitter) -> set[str]:
    """The containers that read a store URL, rather than run beside one that does."""
    winners = {source.container for source in emitter.sources if not source.unread_instead_of}
    if emitter.workload is None or winners - {""}:
        return winners
    running = [container.name for container in emitter.workload.pod.containers if container.role == "container"]
    return set(running[:1])


def port_collision(given: Given) -> Iterator[Outcome]:
    """Two containers of a pod share its network: the second to listen on a port fails."""
    for emitter, workload in all_workloads(given):
        seen: dict[tuple[int, str], str] = {}
        for container in workload.pod.containers:
            if not container.runs:
                continue
            for port in container.ports:
                other = seen.setdefault((port.number, port.protocol), container.name)
                if other != container.name:
                    yield Finding(
                        Reason.PORT_COLLISION,
                        f"{workload.ref} containers {other} and {container.name} both declare port {port.number}; only one can listen on it.",
                        *_at(container_place(workload, container, "ports")),
                        expected=f"another port than {port.number}",
                        found=str(port.number),
                        fix="give one of them another port",
                        emitter=emitter,
                        workload=workload.ref,
                    )


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    probe_misconfigured,    # a probe of a port that is not there
    probe_is_no_command,    # of a program that is not there
    probe_path_not_served,  # of a path that is not there
    port_collision,         # two that want the same port
)
CHECKS: Final[tuple[EmitterCheck, ...]] = (
    batch_exceeds_limit,     # a full batch is refused
    batch_exceeds_buffer,    # a full batch cannot be
    timeout_too_short,       # the answer comes too late
    probe_bypasses_gate,     # the first events come before the store
    grace_period_too_short,  # the last flush is cut
)


def _limits(given: Given) -> Limits:
    """What every possible contract agrees on."""
    return _agreed(given.wiring.contracts)


@lru_cache
def _agreed(contracts: tuple[Contract, ...]) -> Limits:
    limits = [contract.limits for contract in contracts]
    agreed = (values[0] if len(set(values)) == 1 else 0 for values in zip(*limits, strict=True))
    return Limits(*agreed)


def _setting(given: Given, emitter: Emitter, name: str) -> tuple[object, Place] | None:
    """A setting's value and place, in the file that holds the URL; None where the file does not set it."""
    winner = emitter.winner
    rules: EmitterRules | None = next(
        (found for contract in given.wiring.contracts if (found := contract.rules_for(emitter.ref.name)) and name in found.settings), None
    )
    if rules is None or winner is None or winner.via != "file" or winner.place.object.kind != "ConfigMap":
        return None
    config_map = given.world.config_maps.get(winner.place.object)
    key = winner.place.field.removeprefix("data[").partition("]")[0]
    text = None if config_map is None else config_map.data.get(key)
    if text is None:
        return None
    try:
        value = look_up(read_document(text), rules.settings[name])
    except UnreadableText:
        return None
    return None if value is None else (value, Place(winner.place.object, f"data[{key}].{rules.settings[name]}"))


def _duration(value: object) -> float | None:
    """Seconds of a Go duration such as `1m30s` or `500ms`; None for anything else."""
    if not isinstance(value, str):
        return None
    parts = _GO_DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return 0.0 if value == "0" else None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _at(place: Place) -> tuple[ObjectRef, str]:
    return place.object, place.field


def _finding(emitter: Emitter, reason: Reason, message: str, place: Place, *, expected: str, found: str, fix: str) -> Finding:
    return Finding(reason, message, place.object, place.field, expected, found, fix, emitter.name, emitter.ref)
