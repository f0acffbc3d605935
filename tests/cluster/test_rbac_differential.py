"""The static reading of RBAC against a real API server: thousands of worlds, each asked as a SubjectAccessReview."""

import http.client
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import pytest

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import parse_spec
from auditpipeline.probes.access import PATH, review
from auditpipeline.verdict import judge
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.bootstrap import bootstrap_roles
from auditpipeline.world.coverage import ClusterCoverage, InputCoverage, InputScope
from auditpipeline.world.evidence import NO_EVIDENCE, AccessQuestion, Evidence
from auditpipeline.world.objects import PolicyRule, Role, Subject
from auditpipeline.world.projections import object_ref, project
from auditpipeline.world.world import World
from cluster_kit import Client, Cluster, Object, Tier, start_cluster, wait_until
from cluster_kit.cluster import use_existing_cluster
from cluster_kit.kubeconfig import Kubeconfig
from kube_objects import fill
from rbac_near_misses import MUTATIONS, OF_STORE, STORE, NearMiss, near_misses
from rbac_worlds import CLAUSES, RBAC, STORE_RIGHTS, WORLD_LABEL, RbacWorld, rbac_worlds

pytestmark = pytest.mark.cluster

T = TypeVar("T")

WORLDS: Final = 2000
NEAR_MISSES_OF_EMITTER: Final = 38
"""For each mutation of the emitter's access, so 300 in all."""
NEAR_MISSES_OF_STORE: Final = 20
AT_ONCE: Final = 16
"""Requests in flight; more do not make two cores faster."""
KINDS: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
CATCH_UP: Final = 2.0
"""Seconds in which the authorizer, which reads from a cache, sees what was written."""
BOOTSTRAPPING: Final = "kubernetes.io/bootstrapping"
"""The label of what the API server makes for itself."""
NOW: Final = 1_790_000_000.0


class Connection:
    """Posts JSON. For ten thousand requests the kit's client takes more time than the server."""

    def __init__(self, config: Kubeconfig) -> None:
        self._connection = http.client.HTTPSConnection(urlsplit(config.server).netloc, context=config.tls, timeout=30)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {config.token}"} if config.token else {})

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: Object) -> Object:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        with self._connection.getresponse() as response:
            answer: Object = json.load(response)
        assert response.status == http.client.CREATED, answer
        return answer

    def create(self, manifest: Object) -> None:
        namespace = manifest["metadata"].get("namespace")
        root = "/api/v1" if manifest["apiVersion"] == "v1" else f"/apis/{manifest['apiVersion']}"
        self.post(f"{root}{f'/namespaces/{namespace}' if namespace else ''}/{manifest['kind'].lower()}s", manifest)

    def ask(self, question: AccessQuestion) -> tuple[AccessQuestion, bool]:
        return question, self.post(PATH, review(question))["status"]["allowed"] is True


def for_each(client: Client, call: Callable[[Connection, Any], T], items: Iterable[Any]) -> list[T]:
    """Several at once; the results come in no order."""
    config = Kubeconfig.read(client.kubeconfig)
    every = list(items)

    def lane(number: int) -> list[T]:
        with closing(Connection(config)) as connection:
            return [call(connection, item) for item in every[number::AT_ONCE]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [result for results in pool.map(lane, range(AT_ONCE)) for result in results]


def ask_all(client: Client, questions: Iterable[AccessQuestion]) -> dict[AccessQuestion, bool]:
    return dict(for_each(client, Connection.ask, questions))


@dataclass(frozen=True)
class Asked:
    """A cluster that holds all worlds, what it holds, and what it answered."""

    client: Client
    worlds: list[RbacWorld]
    near_misses: list[NearMiss]
    live: dict[ObjectRef, Object]
    answers: dict[AccessQuestion, bool]
    controllers: bool

    def disagreements(self, read: Callable[[AccessQuestion], Reading], questions: Iterable[AccessQuestion]) -> list[str]:
        """The questions whose live answer differs from the reading, asked again while the authorizer may lag."""
        differ = {question: self.answers[question] for question in questions}
        deadline = time.monotonic() + CATCH_UP
        while differ := {question: live for question, live in differ.items() if read(question) is not _READINGS[live]}:
            if time.monotonic() > deadline:
                break
            differ = ask_all(self.client, differ)
        return [f"{question}: the API server says {live}" for question, live in differ.items()]


_READINGS: Final = {True: Reading.ALLOWED, False: Reading.DENIED}


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
    missed = near_misses(prefix, of_emitter=NEAR_MISSES_OF_EMITTER, of_store=NEAR_MISSES_OF_STORE)
    objects = [item for held in (*(world.objects for world in worlds), *(miss.rbac for miss in missed)) for item in held]
    namespaces = sorted({item["metadata"].get("namespace", f"{prefix}-last") for item in objects})
    try:
        for_each(client, Connection.create, ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces))
        # A ClusterRole makes the controller gather for every aggregated one anew, so these come last.
        for last in (False, True):
            for_each(client, Connection.create, (item for item in objects if ("aggregationRule" in item) is last))
        wait_until_settled(client, prefix)
        questions = [question for world in worlds for question in both_ways(world)]
        answers = ask_all(client, [*questions, *(question for miss in missed for question in miss.questions)])
        live = {object_ref(item): item for kind in KINDS for item in client.list(RBAC, kind)}
        yield Asked(client, worlds, missed, live, answers, rbac_cluster.has_controllers)
    finally:
        if rbac_cluster.run is None:
            remove_all(client, prefix, namespaces)


def remove_all(client: Client, prefix: str, namespaces: Iterable[str]) -> None:
    for kind in ("clusterrolebindings", "clusterroles"):
        client.request("DELETE", f"/apis/{RBAC}/{kind}", params={"labelSelector": f"{WORLD_LABEL}={prefix}"})
    for namespace in namespaces:
        client.delete("v1", "Namespace", namespace, missing_ok=True)


def wait_until_settled(client: Client, prefix: str) -> None:
    """Until the controller has filled the aggregated roles, and the authorizer knows what was written last."""
    seen: list[dict[str, str]] = [{}]

    def quiet() -> bool:
        roles = client.list(RBAC, "ClusterRole", label_selector=f"{WORLD_LABEL}={prefix}")
        seen.append({role["metadata"]["name"]: role["metadata"]["resourceVersion"] for role in roles})
        return seen[-1] == seen[-2]

    wait_until(quiet, timeout=60, interval=0.7, what="the aggregated roles to be filled")
    last = f"{prefix}-last"
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}]
    # Each kind has a cache of its own.
    for namespace, role_kind, binding_kind in ((last, "Role", "RoleBinding"), ("", "ClusterRole", "ClusterRoleBinding")):
        metadata = {"name": last, "labels": {WORLD_LABEL: prefix}, **({"namespace": namespace} if namespace else {})}
        subject = {"kind": "ServiceAccount", "name": last, "namespace": last}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": last}
        client.create({"apiVersion": RBAC, "kind": role_kind, "metadata": metadata, "rules": rules})
        client.create({"apiVersion": RBAC, "kind": binding_kind, "metadata": metadata, "roleRef": role, "subjects": [subject]})
        question = AccessQuestion(Subject("ServiceAccount", last, last), False, namespace, "", "configmaps", "", "get")
        wait_until(lambda question=question: ask_all(client, [question])[question], timeout=10, what=f"{binding_kind} {last} to count")  # type: ignore[misc]


# --- the same answer -------------------------------------------------------------------------------------------------


def test_the_worlds_hold_every_clause_and_both_answers_often(asked: Asked) -> None:
    assert len(asked.worlds) >= 2000
    held = Counter(clause for world in asked.worlds for clause in world.clauses)
    assert set(held) == CLAUSES
    assert {clause: count for clause, count in held.items() if count < 0.05 * len(asked.worlds)} == {}
    assert 0.3 <= share_allowed(asked, (world.question for world in asked.worlds)) <= 0.7
    assert 0.3 <= share_allowed(asked, (with_groups(world) for world in asked.worlds)) <= 0.7


def test_groups_decide_often(asked: Asked) -> None:
    decided = [world for world in asked.worlds if len({asked.answers[question] for question in both_ways(world)}) == 2]
    assert len(decided) >= 0.05 * len(asked.worlds)


def test_the_live_objects_are_read_as_the_api_server_reads_them(asked: Asked) -> None:
    world = fill(World(ClusterCoverage({})), asked.live.values())
    assert asked.disagreements(lambda question: read_access(world, question), asked.answers) == []


def test_the_manifests_are_read_as_the_api_server_will(asked: Asked) -> None:
    """Nothing but what was applied and what every API server makes for itself; aggregation is the reading's own work."""
    if not asked.controllers:
        pytest.skip("without its controllers the API server aggregates nothing")
    worlds = {question: manifests(case.objects) for case in asked.worlds for question in both_ways(case)}
    worlds |= {question: manifests(case.rbac) for case in asked.near_misses for question in case.questions}
    assert asked.disagreements(lambda question: read_access(worlds[question], question), worlds) == []


def test_the_rights_of_the_store_are_read_as_the_api_server_reads_them(asked: Asked) -> None:
    """A real request, so with groups: token and access reviews are cluster-scoped."""
    resources = {right.resource for right in STORE_RIGHTS}
    questions = [with_groups(world) for world in asked.worlds if world.question.resource in resources]
    assert len(questions) >= 300
    assert 0.3 <= share_allowed(asked, questions) <= 0.7
    world = fill(World(ClusterCoverage({})), asked.live.values())
    assert asked.disagreements(lambda question: read_access(world, question), questions) == []


def with_groups(world: RbacWorld) -> AccessQuestion:
    return world.question._replace(with_groups=True)


def share_allowed(asked: Asked, questions: Iterable[AccessQuestion]) -> float:
    answers = [asked.answers[question] for question in questions]
    return sum(answers) / len(answers)


def manifests(objects: Iterable[Object]) -> World:
    return fill(World(InputCoverage(InputScope.CLOSED), bootstrap_roles()), objects)


# --- the near miss ---------------------------------------------------------------------------------------------------


def test_near_misses_are_many(asked: Asked) -> None:
    of_store = [miss for miss in asked.near_misses if miss.mutation.startswith(OF_STORE)]
    assert len(of_store) >= 100
    assert len(asked.near_misses) - len(of_store) >= 300


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_reason_told_is_that_of_the_mutation(asked: Asked, mutation: str) -> None:
    """In a running cluster, where the API server's own answers are known, and in its manifests."""
    cases = [miss for miss in asked.near_misses if miss.mutation == mutation]
    wrong = []
    for miss in cases:
        expected = [(str(miss.reason), "" if mutation.startswith(OF_STORE) else "emitter")]
        answers = {question: asked.answers[question] for question in miss.questions}
        assert not all(answers.values()), f"{miss.name}: the mutation took nothing away"
        live = fill(World(ClusterCoverage({})), (*(asked.live[object_ref(item)] for item in miss.rbac), *miss.workloads))
        for world, evidence in ((live, Evidence(access=answers)), (manifests((*miss.rbac, *miss.workloads)), NO_EVIDENCE)):
            told = told_of_access(miss, world, evidence)
            if told != expected:
                wrong.append((miss.name, told))
    assert wrong == []


def test_before_its_mutation_every_pipeline_is_in_order(asked: Asked) -> None:
    """Else the reason might be told of something else."""
    for miss in asked.near_misses:
        assert told_of_access(miss, manifests((*miss.good, *miss.workloads)), NO_EVIDENCE) == [], miss.name


def told_of_access(miss: NearMiss, world: World, evidence: Evidence) -> list[tuple[str, str]]:
    """Reason and emitter of everything that is said of access, unknowns included."""
    spec = {
        "store": {"serviceRef": {"name": STORE, "namespace": miss.store_namespace}},
        "contract": "kubernaut-v1",
        "emitters": [{"workloadRef": {"name": "emitter"}, "url": {"env": "STORE_URL"}}],
    }
    pipeline = Pipeline(ObjectRef("AuditPipeline", miss.emitter_namespace, "audit"), parse_spec(spec))
    verdict = judge(world, pipeline, evidence, now=NOW)
    hop = ConditionType.ACCESS_GRANTED
    told = [(str(finding.reason), finding.emitter) for finding in verdict.findings if finding.check is hop]
    return told + [(str(unknown.reason), unknown.emitter) for unknown in verdict.unknowns if unknown.check is hop]


# --- what every API server makes for itself --------------------------------------------------------------------------


def test_the_recorded_roles_are_those_of_the_api_server(asked: Asked) -> None:
    live = {ref: item for ref, item in bootstrapped(asked).items() if ref.kind == "ClusterRole"}
    assert len(live) > 50
    there = {ref: comparable(project(item)) for ref, item in live.items()}
    recorded = {ref: comparable(role) for ref, role in bootstrap_roles().items()}
    assert {ref: role for ref, role in recorded.items() if there.get(ref) != role} == {}
    # Those that are not recorded grant URLs alone.
    assert {ref for ref in there.keys() - recorded.keys() if there[ref][0]} == set()


def test_no_binding_of_the_api_server_grants_an_account_what_is_asked(asked: Asked) -> None:
    """So manifests may be judged without them."""
    world = fill(World(ClusterCoverage({})), bootstrapped(asked).values())
    assert sum(ref.kind.endswith("Binding") for ref in bootstrapped(asked)) > 50
    questions = {question._replace(with_groups=True) for miss in asked.near_misses for question in miss.questions}
    assert {question for question in questions if read_access(world, question) is not Reading.DENIED} == set()
    # They do count: anybody who is known may ask about himself.
    about_oneself = next(iter(questions))._replace(namespace="", group="authorization.k8s.io", resource="selfsubjectaccessreviews", verb="create")
    assert read_access(world, about_oneself) is Reading.ALLOWED


def bootstrapped(asked: Asked) -> dict[ObjectRef, Object]:
    return {ref: item for ref, item in asked.live.items() if BOOTSTRAPPING in item["metadata"].get("labels", {})}


def comparable(role: object) -> tuple[frozenset[PolicyRule], Mapping[str, str], object]:
    """What a role says of resources: rules for URLs are not recorded, nor is the label that all of them carry."""
    assert isinstance(role, Role)
    labels = {key: value for key, value in role.labels.items() if key != BOOTSTRAPPING}
    return frozenset(rule for rule in role.rules if rule.resources), labels, role.aggregates
