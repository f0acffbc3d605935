"""Order and absence: no event older than what is known may change anything."""

from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.versions import Versions, version_of

A = ObjectRef("ConfigMap", "ns", "a")
B = ObjectRef("ConfigMap", "ns", "b")


def test_an_older_event_is_refused() -> None:
    versions = Versions()
    assert versions.accept(A, 20, deleted=False)
    assert not versions.accept(A, 19, deleted=False)
    assert versions.known("ConfigMap") == {A: 20}


def test_the_deletion_of_a_predecessor_does_not_hide_its_successor() -> None:
    versions = Versions()
    versions.accept(A, 10, deleted=False)
    assert versions.accept(A, 21, deleted=False), "made anew; kopf's worker of the old uid is still behind"
    assert not versions.accept(A, 20, deleted=True)
    assert A in versions.known("ConfigMap")


def test_what_a_sweep_found_gone_is_not_revived_by_a_late_event() -> None:
    versions = Versions()
    versions.accept(A, 10, deleted=False)
    assert versions.absent("ConfigMap", [B], 30) == [A]
    assert not versions.accept(A, 12, deleted=False), "it was there before the list was made"
    assert versions.accept(A, 31, deleted=False), "it was made after the list"


def test_what_is_newer_than_the_list_survives_the_sweep() -> None:
    versions = Versions()
    versions.accept(A, 31, deleted=False)
    assert versions.absent("ConfigMap", [], 30) == []
    assert A in versions.known("ConfigMap")


def test_seen_means_told_of_be_it_there_or_gone() -> None:
    versions = Versions()
    assert not versions.seen(A)
    versions.accept(A, 1, deleted=False)
    versions.accept(A, 2, deleted=True)
    assert versions.seen(A)
    assert A not in versions.known("ConfigMap")


def test_tombstones_are_forgotten_at_the_next_sweep_after_ten_minutes() -> None:
    now = 0.0
    versions = Versions(lambda: now)
    versions.accept(A, 5, deleted=True)
    now = 599.0
    versions.absent("ConfigMap", [], 6)
    assert versions.seen(A)
    now = 601.0
    versions.absent("ConfigMap", [], 7)
    assert not versions.seen(A)


def test_behind_names_what_no_event_told_of() -> None:
    versions = Versions()
    versions.accept(A, 5, deleted=False)
    assert versions.behind("ConfigMap", {A: 5}) == []
    assert versions.behind("ConfigMap", {A: 6, B: 1}) == [A, B]
    versions.accept(B, 9, deleted=True)
    assert versions.behind("ConfigMap", {B: 1}) == [], "deleted since it was listed"


def test_a_version_that_is_no_number_is_none() -> None:
    assert [version_of({"resourceVersion": text}) for text in ("17", "", "x1", "...", "-3")] == [17, 0, 0, 0, 0]
    assert version_of({}) == 0


HISTORY = st.lists(st.booleans(), min_size=1, max_size=8)


@given(HISTORY, st.data())
def test_any_order_of_events_ends_in_the_newest_state(deletions: list[bool], data: st.DataObject) -> None:
    """`deletions[i]` says whether version i+1 deletes the object."""
    events = data.draw(st.permutations(list(enumerate(deletions, start=1))))
    versions = Versions()
    for version, deleted in events:
        versions.accept(A, version, deleted=deleted)
    assert (A in versions.known("ConfigMap")) is not deletions[-1]
