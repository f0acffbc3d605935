"""Every place where an emitter's store URL is set, and the one that wins.

Declared in the AuditPipeline, or discovered by the contracts' names: command line, environment, mounted configuration
files. Argument wins over environment, environment over file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from posixpath import normpath
from typing import Final, Literal

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.api.spec import ConfigMapKeyRef, EmitterSpec
from auditpipeline.contracts.model import Contract
from auditpipeline.wiring.documents import Document, leaves, look_up, read_document
from auditpipeline.wiring.environment import (
    Missing,
    Place,
    Variable,
    command_line,
    config_map_value,
    container_place,
    known_in_pod_only,
    variables,
)
from auditpipeline.wiring.mounts import MountedFile, covers, mounted_files
from auditpipeline.wiring.urls import Endpoint, UrlProblem, parse_url
from auditpipeline.world.objects import Container, KeyRef, Workload
from auditpipeline.world.world import World
from auditpipeline.world.yaml_text import UnreadableText

Via = Literal["value", "arg", "env", "file", "default"]
Use = Literal["events", "health"]
_RANK: Final = {"value": 0, "arg": 1, "env": 2, "file": 3, "default": 4}

# Names under which a workload that no contract knows is wired, as its own manifest shows.
GENERIC_ENV: Final = ("DATA_STORAGE_URL", "DATASTORAGE_URL")
GENERIC_ARGS: Final = ("--data-storage-url", "--datastorage-url")
GENERIC_LEAVES: Final = frozenset({"data_storage_url", "dataStorageUrl", "datastorage_url", "datastorageUrl", "DATA_STORAGE_URL", "DATASTORAGE_URL"})
CONFIG_ARGS: Final = ("--config", "-config", "--config-file", "-config-file")
CONFIG_ENV: Final = ("CONFIG_PATH", "CONFIG_FILE")


@dataclass(frozen=True, slots=True)
class Names:
    """Where to look for the URL."""

    keys: tuple[str, ...] = ()
    health_keys: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    leaves: frozenset[str] = frozenset()

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(contracts: tuple[Contract, ...], workload: str) -> "Names | None":
        """The names that the contracts give a workload; None if none of them knows it."""
        rules = [rule for contract in contracts if (rule := contract.rules_for(workload)) is not None]
        if not rules:
            return None
        return Names(
            keys=_unique(key for rule in rules for key in rule.keys),
            health_keys=_unique(key for rule in rules for key in rule.health_keys),
            env=_unique(name for rule in rules for name in rule.env),
            args=_unique(name for rule in rules for name in rule.args),
        )

    @staticmethod
    @cache
    def generic(contracts: tuple[Contract, ...]) -> "Names":
        """Every name that any contract or habit uses."""
        rules = [rule for contract in contracts for rule in contract.emitters]
        return Names(
            keys=_unique(key for rule in rules for key in rule.keys),
            health_keys=_unique(key for rule in rules for key in rule.health_keys),
            env=GENERIC_ENV,
            args=GENERIC_ARGS,
            leaves=GENERIC_LEAVES,
        )


@dataclass(frozen=True, slots=True)
class UrlSource:
    """One place where a URL is set.

    Attributes:
        place: Where the value stands; for the fix and the report.
        name: The key, variable or flag under which it was found; empty where the AuditPipeline names the place.
        endpoint: The URL taken apart; None where there is none.
        missing: Why it cannot be read.
        problem: Why its text is no usable URL.
        written: When the ConfigMap that holds it was last written.
        unread_instead_of: The keys that the emitter reads, where this one is none of them.
    """

    use: Use
    via: Via
    container: str
    place: Place
    name: str = ""
    endpoint: Endpoint | None = None
    missing: Missing | None = None
    problem: UrlProblem | None = None
    written: float | None = None
    unread_instead_of: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """`ConfigMap gateway-config[config.yaml] infrastructure.data_storage_url`, or the workload's field."""
        if self.place.object.kind == "ConfigMap":
            key, _, path = self.place.field.removeprefix("data[").partition("]")
            return f"ConfigMap {self.place.object.name}[{key}] {path.removeprefix('.')}".rstrip()
        if self.via == "default":
            return f"built-in default of {self.place.object}"
        return f"{self.place.object} {self.place.field}"


def declared_sources(world: World, namespace: str, workload: Workload, spec: EmitterSpec) -> list[UrlSource]:
    """The one place that the AuditPipeline names; in each container that has it, for env and arg."""
    ref = spec.url
    if ref is None:
        return []
    if ref.config_map is not None:
        return [_declared_config_map(world, namespace, workload, ref.config_map)]
    if ref.value:
        place = Place(workload.ref, "")
        return [_from_text("value", "", place, ref.value)]
    sources: list[UrlSource] = []
    for container in _containers(workload, spec.container):
        environment = variables(world, workload, container)
        if ref.env and ref.env in environment:
            sources.append(_from_variable(container, environment[ref.env]))
        if ref.arg:
            sources += _from_args(workload, container, environment, (ref.arg,))
    return sources


def discovered_sources(world: World, workload: Workload, container_name: str, names: Names) -> tuple[UrlSource, ...]:
    """Every place that `names` lead to, the winner first."""
    # Discovery, the choice of the era and the pipeline itself all ask.
    return world.once(("sources", workload.ref, container_name, names), lambda: _discovered(world, workload, container_name, names))


def _discovered(world: World, workload: Workload, container_name: str, names: Names) -> tuple[UrlSource, ...]:
    sources: list[UrlSource] = []
    for container in _containers(workload, container_name):
        environment = variables(world, workload, container)
        sources += _from_args(workload, container, environment, names.args)
        # Programs take an empty variable for one that is not set.
        sources += [
            replace(_from_variable(container, environment[name]), name=name) for name in names.env if name in environment and not _blank(environment[name])
        ]
        sources += _from_files(world, workload, container, environment, names)
    return tuple(sorted(sources, key=lambda source: _RANK[source.via]))


def default_source(workload: Workload, url: str) -> UrlSource:
    """The URL that the program itself falls back to."""
    return _from_text("default", "", Place(workload.ref, ""), url)


def config_file_not_mounted(world: World, workload: Workload, container_name: str) -> Missing | None:
    """A configuration file that an argument or variable names and a ConfigMap volume should hold, but does not."""
    for container in _containers(workload, container_name):
        environment = variables(world, workload, container)
        files = {file.path for file in mounted_files(world, workload.ref.namespace, workload.pod, container)}
        for path, field in _config_paths(container, environment):
            mounts = [mount for mount in container.mounts if covers(mount, path)]
            volumes = {volume.name: volume for volume in workload.pod.volumes}
            opaque = any(mount.volume not in volumes or volumes[mount.volume].opaque for mount in mounts)
            # Without any mount the file may be part of the image; a ConfigMap that is not there is told by itself.
            if not mounts or opaque or any(file == path or file.startswith(path + "/") for file in files):
                continue
            if any(
                world.config_map(workload.ref.namespace, file.config_map) is None for mount in mounts for file in volumes[mount.volume].files
            ):
                continue
            return Missing(
                Reason.CONFIG_FILE_NOT_MOUNTED,
                f"{workload.ref} container {container.name} reads its configuration from {path}, which none of its volumes provides.",
                container_place(workload, container, field),
                expected=f"a volume that provides {path}",
                found=f"volumes mounted at {', '.join(mount.path for mount in mounts)}",
                fix="mount the ConfigMap key at that path, or name the file that is mounted",
            )
    return None


def _blank(variable: Variable) -> bool:
    return variable.text is not None and not variable.text.strip()


def _containers(workload: Workload, name: str) -> list[Container]:
    if name:
        return [container for container in workload.pod.containers if container.name == name]
    return [container for container in workload.pod.containers if container.runs]


def _from_variable(container: Container, variable: Variable) -> UrlSource:
    source = UrlSource("events", "env", container.name, variable.place, missing=variable.missing, written=variable.written)
    if variable.text is None:
        return source if variable.missing else replace(source, missing=known_in_pod_only(variable.name, variable.reader))
    return _with_text(source, variable.text)


def _from_args(
    workload: Workload, container: Container, environment: dict[str, Variable], flags: tuple[str, ...]
) -> Iterator[UrlSource]:
    words = command_line(container, environment)
    for index, word in enumerate(words):
        for flag in flags:
            name, equals, text = word.text.partition("=")
            # Go programs take a flag with one dash or two.
            if name.lstrip("-") != flag.lstrip("-") or not name.startswith("-"):
                continue
            holder = word
            if not equals:
                if index + 1 == len(words):
                    continue
                holder = words[index + 1]
                text = holder.text
            place = container_place(workload, container, holder.field)
            if holder.awaits:
                variable = environment.get(holder.awaits)
                gap = variable.missing if variable is not None else None
                yield UrlSource("events", "arg", container.name, place, flag, missing=gap or known_in_pod_only(holder.awaits, place))
            else:
                yield replace(_from_text("arg", container.name, place, text), name=flag)


def _config_paths(container: Container, environment: dict[str, Variable]) -> Iterator[tuple[str, str]]:
    words = command_line(container, environment)
    for index, word in enumerate(words):
        name, equals, path = word.text.partition("=")
        if name not in CONFIG_ARGS:
            continue
        if not equals:
            path = words[index + 1].text if index + 1 < len(words) else ""
        if path.startswith("/") and "$(" not in path:
            yield normpath(path), word.field
    for name in CONFIG_ENV:
        variable = environment.get(name)
        if variable is not None and variable.text and variable.text.startswith("/"):
            yield normpath(variable.text), f"env[{name}]"


def _from_files(
    world: World, workload: Workload, container: Container, environment: dict[str, Variable], names: Names
) -> Iterator[UrlSource]:
    named = {path for path, _ in _config_paths(container, environment)}
    files = list(mounted_files(world, workload.ref.namespace, workload.pod, container))
    # A file that the command line or a variable names is the one that is read; else each mounted file may be.
    for file in [file for file in files if file.path in named] or files:
        yield from _from_file(world, workload, container, file, names)


def _from_file(world: World, workload: Workload, container: Container, file: MountedFile, names: Names) -> Iterator[UrlSource]:
    config_map = world.config_map(workload.ref.namespace, file.config_map)
    text = None if config_map is None else config_map.data.get(file.key)
    if config_map is None or text is None:
        return
    place = Place(config_map.ref, f"data[{file.key}]")
    if file.key in names.leaves:
        yield _from_text("file", container.name, place, text, written=config_map.written)
        return
    try:
        document = read_document(text)
    except UnreadableText:
        # Any file may be mounted; only one that is declared to hold the URL must be readable.
        return
    uses: tuple[tuple[Use, tuple[str, ...]], ...] = (("events", names.keys), ("health", names.health_keys))
    for use, paths in uses:
        for path in paths:
            value = look_up(document, path)
            if isinstance(value, str) and value.strip():
                source = _from_text("file", container.name, Place(place.object, f"{place.field}.{path}"), value, written=config_map.written)
                yield replace(source, use=use, name=path)
    yield from _generic_leaves(document, place, container, names, config_map.written)


def _generic_leaves(
    document: Document, place: Place, container: Container, names: Names, written: float | None
) -> Iterator[UrlSource]:
    if not names.leaves:
        return
    for path, value in leaves(document):
        if path.rpartition(".")[2] in names.leaves and path not in names.keys and isinstance(value, str) and value.strip():
            yield _from_text("file", container.name, Place(place.object, f"{place.field}.{path}"), value, written=written)


def _declared_config_map(world: World, namespace: str, workload: Workload, ref: ConfigMapKeyRef) -> UrlSource:
    reader = Place(workload.ref, "")
    text, missing, written = config_map_value(world, namespace, KeyRef(ref.name, ref.key, optional=False), reader)
    config_map = ObjectRef("ConfigMap", namespace, ref.name)
    field = f"data[{ref.key}]"
    if missing is not None or text is None:
        place = missing.place if missing is not None and missing.place.object.kind == "ConfigMap" else Place(config_map, field)
        missing = None if missing is None else replace(missing, place=place)
        return UrlSource("events", "file", "", place, missing=missing, written=written)
    if not ref.path:
        return _from_text("file", "", Place(config_map, field), text, written=written)
    place = Place(config_map, f"{field}.{ref.path}")
    source = UrlSource("events", "file", "", place, written=written)
    try:
        value = look_up(read_document(text), ref.path)
    except UnreadableText as error:
        return replace(
            source,
            missing=Missing(
                Reason.CONFIG_UNPARSABLE,
                f'Key "{ref.key}" of ConfigMap {ref.name} {error}, so {ref.path} cannot be read from it.',
                Place(config_map, field),
                expected="a YAML or JSON mapping",
                found=f"a value that {error}",
                fix=f"mend the document under data[{ref.key}]",
            ),
        )
    if value is None or isinstance(value, dict | list):
        return replace(
            source,
            missing=Missing(
                Reason.CONFIG_PATH_NOT_FOUND,
                f'Key "{ref.key}" of ConfigMap {ref.name} holds no value at {ref.path}.',
                place,
                expected=f"a URL at {ref.path}",
                found="nothing there" if value is None else "no plain value",
                fix=f"set {ref.path} in data[{ref.key}], or name the path under which the emitter reads the URL",
            ),
        )
    return _with_text(source, str(value))


def _from_text(via: Via, container: str, place: Place, text: str, *, written: float | None = None) -> UrlSource:
    return _with_text(UrlSource("events", via, container, place, written=written), text)


def _with_text(source: UrlSource, text: str) -> UrlSource:
    parsed = parse_url(text)
    return replace(source, problem=parsed) if isinstance(parsed, UrlProblem) else replace(source, endpoint=parsed)


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
