"""A container's environment and command line as Kubernetes makes them.

Rules (API reference of EnvVar and Container): envFrom first, then env in order, later ones win; `$(NAME)` in a value is
replaced by a variable that stands before it, in command and args by any; `$$(NAME)` stays `$(NAME)`; an unknown one
stays as it is. The variables that Kubernetes makes for each Service of the namespace (`GATEWAY_SERVICE_HOST`) count as
known, but their values stand in the pod only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.world.objects import Container, EnvVar, KeyRef, Workload
from auditpipeline.world.world import World

_REFERENCE: Final = re.compile(r"\$(\$|\(([^()]*)\))")
_SERVICE_LINK: Final = re.compile(r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)?)")


@dataclass(frozen=True, slots=True)
class Place:
    """A field of an object."""

    object: ObjectRef
    field: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a value could not be read."""

    reason: Reason
    message: str
    place: Place
    expected: str = ""
    found: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's value with the place where it stands.

    Attributes:
        text: The value; None where it cannot be known (a Secret, a field reference, something missing).
        place: Where the value stands: the workload for a literal, the ConfigMap for a reference.
        reader: The workload's field that reads it.
        missing: Why there is no text, where that is a fault or a gap.
        written: When the ConfigMap that holds it was last written; None for literals.
    """

    name: str
    text: str | None
    place: Place
    reader: Place
    missing: Missing | None = None
    written: float | None = None


class Word(NamedTuple):
    """An expanded word of the command line.

    Attributes:
        field: Where it stands in the container: `args[2]`.
        awaits: A variable in it whose value is known in the pod only; the text then keeps its `$(NAME)`.
        written_there: The word itself holds the text, rather than a variable that it refers to.
    """

    text: str
    field: str
    awaits: str
    written_there: bool


def variables(world: World, workload: Workload, container: Container) -> dict[str, Variable]:
    """The container's environment by name."""
    result: dict[str, Variable] = {}
    for index, source in enumerate(container.env_from):
        reader = container_place(workload, container, f"envFrom[{index}]")
        config_map = world.config_map(workload.ref.namespace, source.config_map) if source.config_map else None
        if config_map is not None:
            for key, text in config_map.data.items():
                name = source.prefix + key
                result[name] = Variable(name, text, Place(config_map.ref, f"data[{key}]"), reader, written=config_map.written)
    for entry in container.env:
        variable = _variable(world, workload, container, entry, result)
        if variable is not None:
            result[entry.name] = variable
    return result


def command_line(container: Container, environment: Mapping[str, Variable]) -> list[Word]:
    """The expanded words of command and args."""
    return [
        Word(expand(word, environment), f"{field}[{index}]", awaited(word, environment), "$(" not in word)
        for field, words in (("command", container.command), ("args", container.args))
        for index, word in enumerate(words)
    ]


def expand(text: str, environment: Mapping[str, Variable]) -> str:
    """Replace `$(NAME)` by its value; unknown names stay."""
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        variable = environment.get(match[2])
        return match[0] if variable is None or variable.text is None else variable.text

    return _REFERENCE.sub(value, text)


def awaited(text: str, environment: Mapping[str, Variable]) -> str:
    """The first variable that the text refers to and whose value is known in the pod only; empty for none."""
    for match in _REFERENCE.finditer(text):
        name = match[2]
        if name is None:
            continue
        variable = environment.get(name)
        if variable is None and _SERVICE_LINK.fullmatch(name):
            return name
        if variable is not None and variable.text is None:
            return name
    return ""


def known_in_pod_only(name: str, reader: Place) -> Missing:
    """The gap of a value that no manifest can tell."""
    return Missing(Reason.SOURCE_IS_SECRET, f"The value of {name} is set when the pod starts.", reader)


def container_place(workload: Workload, container: Container, field: str) -> Place:
    """A field of a container in the workload."""
    return Place(workload.ref, f"{workload.template_path}.{container.list_name}[{container.name}].{field}")


def config_map_value(world: World, namespace: str, ref: KeyRef, reader: Place) -> tuple[str | None, Missing | None, float | None]:
    """The text under a ConfigMap key, or why there is none, and when the ConfigMap was last written.

    What an optional reference does not find is no fault: text and reason are None.
    """
    config_map = world.config_map(namespace, ref.name)
    if config_map is None:
        if ref.optional:
            return None, None, None
        target = ObjectRef("ConfigMap", namespace, ref.name)
        gap = world.gap("ConfigMap", namespace)
        if gap is not None:
            return None, Missing(gap[0], gap[1], reader), None
        return (
            None,
            Missing(
                Reason.CONFIG_MAP_NOT_FOUND,
                f'ConfigMap "{ref.name}" does not exist in namespace {namespace}.',
                reader,
                expected=f"ConfigMap {target.name} with key {ref.key}" if ref.key else f"ConfigMap {target.name}",
                found="no such ConfigMap",
                fix=f"create ConfigMap {ref.name} in namespace {namespace}, or name the one that holds the store URL",
            ),
            None,
        )
    place = Place(config_map.ref, f"data[{ref.key}]")
    if ref.key in config_map.data:
        return config_map.data[ref.key], None, config_map.written
    if ref.optional:
        return None, None, None
    if ref.key in config_map.binary:
        return (
            None,
            Missing(
                Reason.CONFIG_UNPARSABLE,
                f'Key "{ref.key}" of ConfigMap {ref.name} stands in binaryData, so no URL can be read from it.',
                Place(config_map.ref, f"binaryData[{ref.key}]"),
                expected="text under data",
                found="binaryData",
                fix=f"move the key {ref.key} from binaryData to data",
            ),
            config_map.written,
        )
    keys = sorted(config_map.data)
    return (
        None,
        Missing(
            Reason.CONFIG_MAP_KEY_NOT_FOUND,
            f'ConfigMap {ref.name} has no key "{ref.key}"; it has {listed(keys) or "none"}.',
            place,
            expected=f"key {ref.key}",
            found=f"keys {listed(keys)}" if keys else "no keys",
            fix=f"set data[{ref.key}] in ConfigMap {ref.name}, or name the key that holds the store URL",
        ),
        config_map.written,
    )


def listed(names: list[str], most: int = 8) -> str:
    """Names joined by commas, cut after `most`."""
    shown = ", ".join(name[:64] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _variable(
    world: World, workload: Workload, container: Container, entry: EnvVar, before: Mapping[str, Variable]
) -> Variable | None:
    reader = container_place(workload, container, f"env[{entry.name}]")
    if entry.value is not None:
        name = awaited(entry.value, before)
        if name:
            there = before.get(name)
            gap = there.missing if there is not None else None
            return Variable(entry.name, None, Place(reader.object, f"{reader.field}.value"), reader, gap or known_in_pod_only(name, reader))
        return Variable(entry.name, expand(entry.value, before), Place(reader.object, f"{reader.field}.value"), reader)
    if entry.config_map is not None:
        text, missing, written = config_map_value(world, workload.ref.namespace, entry.config_map, reader)
        if text is None and missing is None:
            return None
        place = missing.place if missing else Place(ObjectRef("ConfigMap", workload.ref.namespace, entry.config_map.name), f"data[{entry.config_map.key}]")
        return Variable(entry.name, text, place, reader, missing, written)
    if entry.secret is not None:
        gap = Missing(
            Reason.SOURCE_IS_SECRET,
            f"{workload.ref} container {container.name} takes {entry.name} from a Secret; Secrets are never read.",
            reader,
        )
        return Variable(entry.name, None, reader, reader, gap)
    known = {"metadata.namespace": workload.ref.namespace, "spec.serviceAccountName": workload.pod.service_account}
    return Variable(entry.name, known.get(entry.field), reader, reader)
