"""The static reading of RBAC against a real API server: thousands of worlds, each asked as a SubjectAccessReview."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest

from auditpipeline.probes.access import PATH, review
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.world.bootstrap import bootstrap_roles
from auditpipeline.world.coverage import ClusterCoverage, InputCoverage, InputScope
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.projections import project
from auditpipeline.world.world import World
from cluster_kit import Client, Cluster, Object, Tier, start_cluster, wait_until
from cluster_kit.cluster import use_existing_cluster
from rbac_worlds import CLAUSES, RBAC, WORLD_LABEL, RbacWorld, rbac_worlds

pytestmark = pytest.mark.cluster

WORLDS: Final = 2000
AT_ONCE: Final = 16
"""Requests in flight; more do not make two cores faster."""
KINDS: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
CATCH_UP: Final = 2.0
"""Seconds in which the authorizer, which reads from a cache, sees what was written."""


@dataclass(frozen=True)
class Asked:
    """A cluster that holds all worlds, what it holds, and what it answered."""

    client: Client
    worlds: list[RbacWorld]
    live: list[Object]
    answers: dict[AccessQuestion, bool]
    controllers: bool

    def disagreements(self, world: World) -> list[str]:
        """The questions whose live answer differs from the reading, asked again while the authorizer may lag."""
        differ = self.differing(world, self.answers)
        deadline = time.monotonic() + CATCH_UP
        while differ and time.monotonic() < deadline:
            differ = self.differing(world, ask_all(self.client, differ))
        return [f"{question}: the API server says {live}" for question, live in differ.items()]

    def differing(self, world: World, answers: dict[AccessQuestion, bool]) -> dict[AccessQuestion, bool]:
        expected = {True: Reading.ALLOWED, False: Reading.DENIED}
        return {question: live for question, live in answers.items() if read_access(world, question) is not expected[live]}


def both_ways(world: RbacWorld) -> Iterator[AccessQuestion]:
    """As the store reviews an emitter, and as the API server judges a request."""
    yield world.question
    yield world.question._replace(with_groups=True)


@pytest.fixture(scope="module")
def rbac_cluster() -> Iterator[Cluster]:
    """A cluster of its own: thousands of roles would slow down what other tests watch."""
    found = use_existing_cluster() or start_cluster(f"rbac-{uuid.uuid4().hex[:8]}", Tier.CONTROL_PLANE)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def asked(rbac_cluster: Cluster) -> Iterator[Asked]:
    client = rbac_cluster.client
    prefix = f"rbac-{uuid.uuid4().hex[:6]}"
    worlds = rbac_worlds(WORLDS, prefix)
    try:
        apply_all(client, worlds)
        wait_until_settled(client, prefix)
        questions = [question for world in worlds for question in both_ways(world)]
        yield Asked(client, worlds, live_objects(client), ask_all(client, questions), rbac_cluster.has_controllers)
    finally:
        if rbac_cluster.run is None:
            remove_all(client, prefix, worlds)


# --- the worlds on the server ----------------------------------------------------------------------------------------


def apply_all(client: Client, worlds: list[RbacWorld]) -> None:
    namespaces = dict.fromkeys(namespace for world in worlds for namespace in world.namespaces)
    concurrently(client.create, ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces))
    concurrently(client.create, (item for world in worlds for item in world.objects))


def remove_all(client: Client, prefix: str, worlds: list[RbacWorld]) -> None:
    for kind in ("clusterrolebindings", "clusterroles"):
        client.request("DELETE", f"/apis/{RBAC}/{kind}", params={"labelSelector": f"{WORLD_LABEL}={prefix}"})
    for namespace in {namespace for world in worlds for namespace in world.namespaces}:
        client.delete("v1", "Namespace", namespace, missing_ok=True)


def wait_until_settled(client: Client, prefix: str) -> None:
    """Until the controller has filled the aggregated roles and a grant made last is in effect."""
    seen: list[dict[str, str]] = [{}]

    def quiet() -> bool:
        roles = client.list(RBAC, "ClusterRole", label_selector=f"{WORLD_LABEL}={prefix}")
        seen.append({role["metadata"]["name"]: role["metadata"]["resourceVersion"] for role in roles})
        return seen[-1] == seen[-2]

    wait_until(quiet, interval=0.7, what="the aggregated roles to be filled")
    labels = {WORLD_LABEL: prefix}
    last = f"{prefix}-last"
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}]
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": last}
    client.create({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": last, "labels": labels}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": last}
    for kind, namespace in (("RoleBinding", f"{prefix}-elsewhere"), ("ClusterRoleBinding", "")):
        metadata = {"name": last, "labels": labels, **({"namespace": namespace} if namespace else {})}
        client.create({"apiVersion": RBAC, "kind": kind, "metadata": metadata, "roleRef": role, "subjects": [user]})
        attributes = {"verb": "get", "resource": "configmaps", **({"namespace": namespace} if namespace else {})}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": last, "resourceAttributes": attributes}}
        wait_until(lambda body=body: posted(client, body), timeout=10, what=f"the {kind} made last to count")  # type: ignore[misc]


def live_objects(client: Client) -> list[Object]:
    return [item for kind in KINDS for item in client.list(RBAC, kind)]


def ask_all(client: Client, questions: Iterable[AccessQuestion]) -> dict[AccessQuestion, bool]:
    asked = list(questions)
    return dict(zip(asked, concurrently(lambda question: posted(client, review(question)), asked), strict=True))


def posted(client: Client, body: Object) -> bool:
    return client.request("POST", PATH, json=body).json()["status"]["allowed"] is True


def concurrently(call: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, items))


def filled(world: World, objects: Iterable[Object]) -> World:
    for item in objects:
        value = project(item)
        assert value is not None
        world.put(value)
    return world


# --- the same answer -------------------------------------------------------------------------------------------------


def test_the_worlds_hold_every_clause_and_both_answers_often(asked: Asked) -> None:
    held = Counter(clause for world in asked.worlds for clause in world.clauses)
    assert set(held) == CLAUSES
    rare = {clause: count for clause, count in held.items() if count < 0.05 * len(asked.worlds)}
    assert rare == {}
    for groups in (False, True):
        share = share_allowed(asked, groups=groups)
        assert 0.3 <= share <= 0.7, f"with groups: {groups}"


def share_allowed(asked: Asked, *, groups: bool) -> float:
    answers = [live for question, live in asked.answers.items() if question.with_groups is groups]
    return sum(answers) / len(answers)


def test_groups_decide_often(asked: Asked) -> None:
    decided = [world for world in asked.worlds if len({asked.answers[question] for question in both_ways(world)}) == 2]
    assert len(decided) >= 0.05 * len(asked.worlds)


def test_the_live_objects_are_read_as_the_api_server_reads_them(asked: Asked) -> None:
    assert asked.disagreements(filled(World(ClusterCoverage({})), asked.live)) == []


def test_the_manifests_are_read_as_the_api_server_will(asked: Asked) -> None:
    """Nothing but what was applied and what every API server makes for itself; aggregation is the reading's own work."""
    if not asked.controllers:
        pytest.skip("without its controllers the API server aggregates nothing")
    manifests = (item for world in asked.worlds for item in world.objects)
    assert asked.disagreements(filled(World(InputCoverage(InputScope.CLOSED), bootstrap_roles()), manifests)) == []
