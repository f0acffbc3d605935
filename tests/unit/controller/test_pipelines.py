"""Who is woken by what, and the reverse index against a model."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.pipelines import Pipelines, RefIndex, Snapshot, snapshot

REF = ObjectRef("AuditPipeline", "ns", "gateway")
SPEC: dict[str, Any] = {"store": {"serviceRef": {"name": "store"}}, "emitters": [{"workloadRef": {"name": "gateway"}}]}


def seen(version: int, *, spec: object = SPEC, status: object = None, **meta: object) -> Snapshot:
    body: dict[str, Any] = {
        "metadata": {
            "name": "gateway",
            "namespace": "ns",
            "uid": "u1",
            "generation": 1,
            "resourceVersion": str(version),
            **meta,
        },
        "spec": spec,
    }
    if status is not None:
        body["status"] = status
    return snapshot(REF, version, body)


def test_a_new_pipeline_is_judged() -> None:
    assert Pipelines().put(seen(1))


def test_labels_and_annotations_wake_nobody() -> None:
    pipelines = Pipelines()
    pipelines.put(seen(1, status={"summary": "x"}))
    assert not pipelines.put(seen(2, status={"summary": "x"}, annotations={"a": "b"}))


def test_a_new_generation_uid_or_deletion_wakes() -> None:
    pipelines = Pipelines()
    pipelines.put(seen(1))
    assert pipelines.put(seen(2, generation=2))
    assert pipelines.put(seen(3, generation=2, uid="u2"))
    assert pipelines.put(seen(4, generation=2, uid="u2", deletionTimestamp="2026-01-01T00:00:00Z"))


def test_a_foreign_status_wakes_and_the_echo_of_our_own_does_not() -> None:
    pipelines = Pipelines()
    pipelines.put(seen(1))
    record = pipelines.get(REF)
    assert record is not None
    record.writing = {"summary": "ours"}
    assert not pipelines.put(seen(2, status={"summary": "ours"})), "the echo came before the answer"
    record.writing = None
    assert not pipelines.put(seen(2, status={"summary": "ours"}))
    assert pipelines.put(seen(3, status={"summary": "theirs"}))
    assert pipelines.put(seen(4)), "somebody removed it"


def test_times_of_annotations_are_not_taken_for_times_of_the_spec() -> None:
    pipelines = Pipelines()
    pipelines.put(seen(1, managedFields=[{"time": "2026-01-01T00:00:00Z"}]))
    pipelines.put(seen(2, managedFields=[{"time": "2026-06-01T00:00:00Z"}], status={"a": 1}))
    record = pipelines.get(REF)
    assert record is not None
    meta = record.seen.body["metadata"]
    assert meta["managedFields"] == [{"time": "2026-01-01T00:00:00Z"}]
    assert meta["resourceVersion"] == "2"
    assert record.seen.status == {"a": 1}


def test_a_status_that_the_schema_prunes_is_not_sent_again() -> None:
    pipelines = Pipelines()
    pipelines.put(seen(1, status={"a": 1}))
    record = pipelines.get(REF)
    assert record is not None
    record.stored_as = ({"a": 1, "new": 2}, {"a": 1})
    assert record.holds({"a": 1, "new": 2})
    assert not record.holds({"a": 2, "new": 2})
    pipelines.put(seen(2, status={"a": 0}))
    assert not record.holds({"a": 1, "new": 2}), "what is stored is another thing now"


def test_a_spec_that_cannot_be_read_is_state() -> None:
    broken = seen(1, spec={"emitters": 7})
    assert broken.pipeline is None
    assert "spec.emitters must be a list" in broken.invalid


KEYS = st.frozensets(st.sampled_from("klmno"))
PIPELINES = st.sampled_from([ObjectRef("AuditPipeline", "ns", name) for name in "abc"])


@given(st.lists(st.tuples(PIPELINES, KEYS), max_size=20), KEYS)
def test_the_index_finds_exactly_the_readers(steps: list[tuple[ObjectRef, frozenset[str]]], asked: frozenset[str]) -> None:
    index, model = RefIndex(), dict[ObjectRef, frozenset[str]]()
    for pipeline, keys in steps:
        index.replace(pipeline, keys)
        model[pipeline] = keys
    assert index.readers(asked) == {pipeline for pipeline, keys in model.items() if keys & asked}
    for pipeline in model:
        index.drop(pipeline)
    assert index.readers("klmno") == set()
    assert not index._readers
    assert not index._keys
