"""The evaluator of NetworkPolicies against a second one that was written from the API text in another way."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditpipeline.api.findings import ObjectRef
from auditpipeline.wiring.network import Answer, PodEnd, egress, ingress
from auditpipeline.world.coverage import InputCoverage, InputScope
from auditpipeline.world.projections import project
from auditpipeline.world.world import World
from unit.wiring.network_worlds import Seeded, clauses, world
from unit.wiring.second_network_evaluator import Connection, Manifest, verdict

T = TypeVar("T")
WORLDS = 2500


class Drawn:
    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def pick(self, options: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self._data.draw(st.integers(0, 99)) < percent


def ours(manifests: list[Manifest], connection: Connection, *, complete: bool) -> str:
    held = World(InputCoverage(InputScope.CLOSED if complete else InputScope.PARTIAL))
    for manifest in manifests:
        projected = project(manifest)
        assert projected is not None
        held.put(projected)
    source, destination = (pods_of(held, end) for end in connection[:2])
    protocol, port = connection[2:]
    answers = {evaluate(held, source, destination, port, protocol).answer for evaluate in (egress, ingress)}
    if Answer.DENIED in answers:
        return "denied"
    return "unknown" if Answer.UNKNOWN in answers else "allowed"


def pods_of(held: World, end: str) -> PodEnd:
    namespace, _, name = end.partition("/")
    workload = held.workloads.get(ObjectRef("Pod", namespace, name))
    assert workload is not None
    return PodEnd.of(workload)


@cache
def compared() -> list[tuple[int, str, str, frozenset[str]]]:
    rows = []
    for seed in range(WORLDS):
        manifests, connection, complete = world(Seeded(seed))
        first = ours(manifests, connection, complete=complete)
        second = verdict(manifests, connection, complete=complete)
        rows.append((seed, first, second, frozenset(clauses(manifests, connection, complete=complete))))
    return rows


def test_neither_says_yes_where_the_other_says_no() -> None:
    wrong = [row[:3] for row in compared() if {row[1], row[2]} == {"allowed", "denied"}]
    assert wrong == [], told(wrong[0][0])


def test_nothing_is_claimed_that_another_cluster_could_refute() -> None:
    wrong = [row[:3] for row in compared() if row[2] == "unknown" and row[1] != "unknown"]
    assert wrong == [], told(wrong[0][0])


def test_hardly_anything_is_left_open_that_could_be_known() -> None:
    # Three-valued logic does not see that `team is red, or team is not red` is always so.
    left_open = [row[:3] for row in compared() if row[1] == "unknown" and row[2] != "unknown"]
    assert len(left_open) <= WORLDS // 100, (left_open[:5], told(left_open[0][0]))


def test_yes_and_no_are_both_common() -> None:
    answers = Counter(second for _, _, second, _ in compared())
    assert min(answers["allowed"], answers["denied"]) >= 0.3 * WORLDS, answers


CLAUSES = """
no policy selects the pod; one policy selects it; policies add up
policyTypes left out, isolates for Ingress; policyTypes left out, isolates for Egress
policyTypes names Ingress only; policyTypes names Egress only
podSelector of the spec left out or empty; podSelector of the spec with labels
no list of rules; empty list of rules; rules
from; to; from left out or empty; to left out or empty; ports; ports left out or empty
peer with podSelector; peer with namespaceSelector; peer with namespaceSelector and podSelector
peer with ipBlock; ipBlock with except
empty podSelector; podSelector with matchLabels; podSelector with matchExpressions
podSelector In; podSelector NotIn; podSelector Exists; podSelector DoesNotExist
empty namespaceSelector; namespaceSelector with matchLabels; namespaceSelector with matchExpressions
namespaceSelector In; namespaceSelector NotIn; namespaceSelector Exists
namespaceSelector DoesNotExist
port number; named port; endPort; no port; protocol left out; protocol TCP; protocol UDP; protocol SCTP
two namespaces; labels of a Namespace not known; host network; policy of another API; input that may lack policies
"""


def test_each_clause_is_common() -> None:
    counted = Counter(clause for *_, clauses_of_world in compared() for clause in clauses_of_world)
    wanted = [clause.strip() for line in CLAUSES.strip().splitlines() for clause in line.split(";")]
    assert {clause: counted[clause] for clause in wanted if counted[clause] < 0.05 * WORLDS} == {}


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_on_worlds_that_can_be_made_small(data: st.DataObject) -> None:
    manifests, connection, complete = world(Drawn(data))
    first, second = ours(manifests, connection, complete=complete), verdict(manifests, connection, complete=complete)
    assert first in {second, "unknown"}, yaml.safe_dump_all(manifests)


def told(seed: int) -> str:
    """The world of a seed, to read."""
    manifests, connection, complete = world(Seeded(seed))
    first, second = ours(manifests, connection, complete=complete), verdict(manifests, connection, complete=complete)
    heading = f"seed {seed}, {connection}, complete {complete}: ours {first}, second {second}"
    return f"{heading}\n{yaml.safe_dump_all(manifests)}"
