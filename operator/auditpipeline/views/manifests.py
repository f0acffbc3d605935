"""A World from manifests: files, folders, or a stream such as `helm template` writes.

Files may hold several documents and Lists. What is no Kubernetes object is counted and skipped; what looks like one
and cannot be read is a problem with file and line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import GROUP, KIND, InvalidPipeline, parse_spec
from auditpipeline.views.release import release_namespace
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.bootstrap import bootstrap_roles
from auditpipeline.world.coverage import InputCoverage, InputScope
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.projections import CLUSTER_SCOPED, object_ref, project
from auditpipeline.world.world import World
from auditpipeline.world.yaml_text import UnreadableText, load

SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_FILE: Final = 64 << 20
_DOCUMENT: Final = re.compile(r"^---(?=\s|$)[^\n]*\n?", re.MULTILINE)
_KUBERNETES: Final = re.compile(r"^\s*[{\"]?\s*\"?apiVersion\"?\s*:", re.MULTILINE)


class Origin(NamedTuple):
    """Where an object was read."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that looks like Kubernetes and cannot be used."""

    message: str
    origin: Origin
    object: ObjectRef | None = None


@dataclass(slots=True)
class Manifests:
    """What was read: the World, the AuditPipelines in it, and where each object stands."""

    world: World
    pipelines: list[Pipeline] = field(default_factory=list)
    origins: dict[ObjectRef, Origin] = field(default_factory=dict)
    documents: dict[Origin, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    objects: int = 0
    files: int = 0
    skipped: int = 0
    homeless: list["Homeless"] = field(default_factory=list)
    """Objects that leave their namespace to whoever applies them; empty once all is read."""
    home: str = ""
    """The namespace they go to; where it is empty, the one that their own texts give them."""


class Homeless(NamedTuple):
    """A namespaced object without a namespace, as it was read."""

    value: dict[str, Any]
    origin: Origin


def read_manifests(paths: Iterable[Path], *, scope: InputScope = InputScope.BY_NAMESPACE, home: str = "") -> Manifests:
    """Read files and folders (recursively, in name order).

    Raises:
        OSError: A path does not exist or cannot be read.
    """
    manifests = Manifests(World(InputCoverage(scope), bootstrap_roles()), home=home)
    for path in paths:
        for file in _files(path):
            _read_file(manifests, file)
    _settle(manifests)
    return manifests


def read_stream(text: str, name: str = "stdin", *, scope: InputScope = InputScope.BY_NAMESPACE) -> Manifests:
    """Read one text of YAML documents."""
    manifests = Manifests(World(InputCoverage(scope), bootstrap_roles()))
    add_text(manifests, text, name)
    return manifests


def position(manifests: Manifests, ref: ObjectRef, field_path: str) -> Origin | None:
    """The file and line of a field, or of its object where the field stands nowhere; None for an object not read here."""
    from auditpipeline.views.locate import line_of  # noqa: PLC0415  (PyYAML is imported only where something was found)

    origin = manifests.origins.get(ref)
    if origin is None:
        return None
    return Origin(origin.file, origin.line + line_of(manifests.documents[origin], ref, field_path))


def add_text(manifests: Manifests, text: str, name: str) -> None:
    """Add the documents of a text. Never raises: what is wrong becomes a problem."""
    _add_text(manifests, text, name)
    _settle(manifests)


def _add_text(manifests: Manifests, text: str, name: str) -> None:
    manifests.files += 1
    for line, document in _documents(text):
        try:
            value = load(document)
        except UnreadableText as error:
            if _KUBERNETES.search(document):
                # A parser that ran out of text points behind it.
                at = line + min(max(error.line - 1, 0), document.rstrip().count("\n"))
                manifests.problems.append(Problem(f"{name} {_without_position(error)}.", Origin(name, at)))
            else:
                manifests.skipped += 1
            continue
        manifests.documents[Origin(name, line)] = document
        _add(manifests, value, Origin(name, line))


def _add(manifests: Manifests, value: object, origin: Origin) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not isinstance(value.get("apiVersion"), str) or not isinstance(value.get("kind"), str):
        manifests.skipped += 1
        return
    kind: str = value["kind"]
    if kind.endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            if isinstance(item, dict):
                # The members of a typed list carry no kind of their own.
                _add(manifests, {"apiVersion": value["apiVersion"], "kind": kind.removesuffix("List"), **item}, origin)
        return
    manifests.objects += 1
    if kind not in CLUSTER_SCOPED and isinstance(value.get("metadata"), dict) and not value["metadata"].get("namespace"):
        manifests.homeless.append(Homeless(value, origin))
    else:
        _place(manifests, value, origin)


def _settle(manifests: Manifests) -> None:
    """Put the objects without a namespace where they belong together, now that all is read."""
    if not manifests.homeless:
        return
    home = manifests.home or release_namespace(manifests.world, [homeless.value for homeless in manifests.homeless])
    for value, origin in manifests.homeless:
        _place(manifests, value, origin, home)
    manifests.homeless.clear()


def _place(manifests: Manifests, value: dict[str, Any], origin: Origin, home: str = "") -> None:
    kind = value["kind"]
    ref: ObjectRef | None = None
    try:
        ref = object_ref(value)
        if home:
            ref = ref._replace(namespace=home)
        _put(manifests, value, ref, origin)
    except (MalformedObject, InvalidPipeline) as error:
        what = f"{kind} {ref.name}" if ref is not None else kind
        manifests.problems.append(Problem(f"{what} cannot be used: {error}.", origin, ref))


def _put(manifests: Manifests, value: dict[str, Any], ref: ObjectRef, origin: Origin) -> None:
    if ref.kind == KIND and value["apiVersion"].startswith(f"{GROUP}/"):
        pipeline = Pipeline(ref, parse_spec(value.get("spec")))
        manifests.pipelines = [known for known in manifests.pipelines if known.ref != ref] + [pipeline]
        manifests.origins[ref] = origin
        return
    obj = project(value, ref)
    if obj is not None:
        manifests.world.put(obj)
        manifests.origins[obj.ref] = origin


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            yield file


def _read_file(manifests: Manifests, file: Path) -> None:
    if file.stat().st_size > MAX_FILE:
        manifests.problems.append(Problem(f"{file} is larger than {MAX_FILE >> 20} MiB.", Origin(str(file), 1)))
        return
    # A byte order mark is allowed in YAML; bytes that are no UTF-8 fail in the document where they stand.
    _add_text(manifests, file.read_bytes().decode("utf-8-sig", "replace"), str(file))


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """Each document with the line of its first content, so that one bad document does not hide the others."""
    start, line = 0, 1
    for match in [*_DOCUMENT.finditer(text), None]:
        document = text[start : match.start() if match else len(text)]
        content = document.lstrip("\r\n \t")
        if content.strip():
            yield line + document[: len(document) - len(content)].count("\n"), content
        if match is not None:
            line += text.count("\n", start, match.end())
            start = match.end()


def _without_position(error: UnreadableText) -> str:
    """The position inside the document is told by the problem's own line."""
    return str(error).partition(": line")[0]
