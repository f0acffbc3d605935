"""The AuditPipelines as last seen or written, and who of them must be judged again when something changes.

A pipeline is woken by its own spec, by a status that somebody else wrote, and by a change to anything that its last
judgement looked at. The echo of the operator's own write, labels and annotations wake nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import InvalidPipeline, parse_spec
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.reads import Key

_NO_STATUS: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One AuditPipeline at one version.

    Attributes:
        body: The whole object as the API server sent it.
        pipeline: Its typed value; None where the spec cannot be used.
        invalid: Why not, naming the field; empty otherwise.
    """

    ref: ObjectRef
    version: int
    body: Mapping[str, Any]
    pipeline: Pipeline | None
    invalid: str = ""

    @property
    def uid(self) -> str:
        """Tells it from an earlier object of that name."""
        return str(self.body["metadata"].get("uid", ""))

    @property
    def status(self) -> Mapping[str, Any]:
        """The stored status, empty where there is none."""
        return self.body.get("status") or _NO_STATUS

    @property
    def identity(self) -> tuple[object, ...]:
        """What of metadata and spec matters: a change of it wakes the pipeline."""
        meta = self.body["metadata"]
        return (meta.get("uid"), meta.get("generation"), "deletionTimestamp" in meta)


def snapshot(ref: ObjectRef, version: int, body: Mapping[str, Any]) -> Snapshot:
    """Read an AuditPipeline; a spec that the schema should have refused is state, not an exception."""
    try:
        return Snapshot(ref, version, body, Pipeline(ref, parse_spec(body.get("spec"))))
    except InvalidPipeline as error:
        return Snapshot(ref, version, body, None, str(error))


@dataclass(slots=True)
class Record:
    """What the operator holds of one AuditPipeline.

    Attributes:
        seen: As last seen, or as the API server answered to our last write.
        writing: The status of the write in flight: its echo may come before its answer.
        stored_as: The last status sent, and what the API server made of it where it stored another one.
    """

    seen: Snapshot
    writing: Mapping[str, Any] | None = None
    stored_as: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None

    def holds(self, status: Mapping[str, Any]) -> bool:
        """Whether that status is stored already, as far as the API server would store it."""
        if self.seen.status == status:
            return True
        # A schema that is older than the operator prunes fields; sending them again would never end.
        return self.stored_as is not None and self.stored_as == (status, self.seen.status)


class Pipelines:
    """All AuditPipelines by reference."""

    def __init__(self) -> None:
        self._records: dict[ObjectRef, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ObjectRef]:
        return iter(tuple(self._records))

    def records(self) -> Iterable[Record]:
        """All records, for reading."""
        return self._records.values()

    def get(self, ref: ObjectRef) -> Record | None:
        """The record of an AuditPipeline, None where there is none."""
        return self._records.get(ref)

    def put(self, seen: Snapshot) -> bool:
        """Take in an object that the API server sent. True if the pipeline must be judged again."""
        record = self._records.get(seen.ref)
        if record is None:
            self._records[seen.ref] = Record(seen)
            return True
        before = record.seen
        if before.identity != seen.identity:
            record.seen = seen
            record.stored_as = None
            return True
        record.seen = _same_spec(before, seen)
        return seen.status not in (before.status, record.writing)

    def drop(self, ref: ObjectRef) -> bool:
        """It is gone. Whether it was there."""
        return self._records.pop(ref, None) is not None


def _same_spec(before: Snapshot, now: Snapshot) -> Snapshot:
    """The newer status and version with the metadata of when the spec was last written.

    A label or annotation leaves its time in managedFields, and a verdict must not take it for a change of the spec.
    """
    meta = {**before.body["metadata"], "resourceVersion": now.body["metadata"].get("resourceVersion", "")}
    body = {**before.body, "metadata": meta}
    body.pop("status", None)
    if now.status:
        body["status"] = now.status
    return replace(before, version=now.version, body=body)


@dataclass(slots=True)
class RefIndex:
    """Which pipelines looked at what: `Key -> pipelines`, and back for replacing."""

    _readers: defaultdict[Key, set[ObjectRef]] = field(default_factory=lambda: defaultdict(set))
    _keys: dict[ObjectRef, frozenset[Key]] = field(default_factory=dict)

    def replace(self, pipeline: ObjectRef, keys: Iterable[Key]) -> None:
        """Replace what the pipeline looked at. Costs as much as what changed."""
        new = frozenset(keys)
        old = self._keys.get(pipeline, frozenset())
        for key in old - new:
            readers = self._readers[key]
            readers.discard(pipeline)
            if not readers:
                del self._readers[key]
        for key in new - old:
            self._readers[key].add(pipeline)
        if new:
            self._keys[pipeline] = new
        else:
            self._keys.pop(pipeline, None)

    def drop(self, pipeline: ObjectRef) -> None:
        """The pipeline is gone."""
        self.replace(pipeline, ())

    def readers(self, keys: Iterable[Key]) -> set[ObjectRef]:
        """The pipelines that looked at any of the keys."""
        found: set[ObjectRef] = set()
        for key in keys:
            found |= self._readers.get(key, set())
        return found
