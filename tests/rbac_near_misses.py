"""Pipelines whose emitter has access, each broken by one mutation of its RBAC, with the reason to be told.

The good way to grant it is drawn (role or ClusterRole, aggregated or not, one rule or two, RoleBinding or
ClusterRoleBinding, who else is bound, what else the account may do), so that a mutation meets many shapes.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from auditpipeline.api.reasons import Reason
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject
from rbac_worlds import RBAC, STORE_RIGHTS, WORLD_LABEL, Object

STORE: Final = "data-storage-service"
OF_STORE: Final = "store: "
"""What the names of mutations of the store's own rights begin with."""
_ACCOUNTS: Final = ("gateway", "notification-controller", "event-exporter-sa", "authwebhook")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A broken pipeline.

    Attributes:
        mutation: What was done to the good one.
        reason: What must be told of it.
        namespaces: Where its bindings may stand.
        rbac: Roles and bindings, mutated.
        good: The same before.
        workloads: The pipeline's other objects.
        questions: What the store asks about the emitter, and what its own account asks.
    """

    name: str
    mutation: str
    reason: Reason
    namespaces: tuple[str, ...]
    rbac: tuple[Object, ...]
    good: tuple[Object, ...]
    workloads: tuple[Object, ...]
    emitter_namespace: str
    store_namespace: str
    questions: tuple[AccessQuestion, ...]


def near_misses(prefix: str, *, of_emitter: int, of_store: int) -> list[NearMiss]:
    """So many for each mutation of the emitter's access and of the store's own; the same for the same arguments."""
    mutations = [name for name in MUTATIONS for _ in range(of_store if name.startswith(OF_STORE) else of_emitter)]
    return [_Pipeline(number, prefix).broken(mutation) for number, mutation in enumerate(mutations)]


class _Pipeline:
    """A good pipeline, to be broken."""

    def __init__(self, number: int, prefix: str) -> None:
        self.prefix = prefix
        self.name = f"{prefix}-miss-{number}"
        self.random = Random(f"near miss {number}")  # noqa: S311  (a seed, no secret)
        self.store_namespace = f"{self.name}-audit"
        self.emitter_namespace = self.random.choice([self.store_namespace, f"{self.name}-team"])
        self.other_namespace = f"{self.name}-other"
        self.account = self.random.choice(_ACCOUNTS)
        self.subject: Object = {"kind": "ServiceAccount", "name": self.account, "namespace": self.emitter_namespace}

    def broken(self, mutation: str) -> NearMiss:
        mutate, reason = MUTATIONS[mutation]
        binding, roles, beside = self._grant(mutation), self._roles, self._beside()
        store_binding, store_role = self._store_grant()
        good = deepcopy((binding, *roles, *beside, store_binding, store_role))
        mutable = _Mutable(self, binding, roles, store_binding, store_role)
        mutate(mutable)
        rbac = (mutable.binding, *mutable.roles, *beside, *mutable.store)
        return NearMiss(
            name=self.name,
            mutation=mutation,
            reason=reason,
            namespaces=tuple(dict.fromkeys((self.store_namespace, self.emitter_namespace, self.other_namespace))),
            rbac=rbac,
            good=good,
            workloads=self._workloads(),
            emitter_namespace=self.emitter_namespace,
            store_namespace=self.store_namespace,
            questions=(
                *(self._question(verb) for verb in ("create", "get")),
                *(
                    AccessQuestion(
                        Subject("ServiceAccount", self.store_namespace, "data-storage-sa"),
                        with_groups=True,
                        namespace="",
                        group=right.group,
                        resource=right.resource,
                        name="",
                        verb=right.verb,
                    )
                    for right in STORE_RIGHTS
                ),
            ),
        )

    def _question(self, verb: str) -> AccessQuestion:
        account = Subject("ServiceAccount", self.emitter_namespace, self.account)
        return AccessQuestion(account, with_groups=False, namespace=self.store_namespace, group="", resource="services", name=STORE, verb=verb)

    def object(self, kind: str, name: str, namespace: str = "", **body: Any) -> Object:
        metadata = {"name": name, "labels": {WORLD_LABEL: self.prefix, **body.pop("labels", {})}}
        return {"apiVersion": RBAC, "kind": kind, "metadata": {**metadata, **({"namespace": namespace} if namespace else {})}, **body}

    # --- the good pipeline --------------------------------------------------------------------------------------------

    def _grant(self, mutation: str) -> Object:
        """The binding, its roles beside it."""
        rule = {
            "apiGroups": self.random.choice([[""], [""], ["", "apps"], ["*"]]),
            "resources": self.random.choice([["services"], ["services"], ["configmaps", "services"], ["*"]]),
            "resourceNames": self.random.choice([[STORE], [STORE], [STORE, "cache"]]),
        }
        verbs = self.random.choice([[["create", "get"]], [["create"], ["get"]], [["create", "get", "list"]], [["*"]]])
        rules = [{**deepcopy(rule), "verbs": words} for words in verbs]
        # A group's ClusterRoleBinding would reach other pipelines, and one without a namespace cannot stand in a wrong one.
        cluster_wide = mutation not in {"binding in another namespace", "group subject"} and self.random.random() < 0.2
        namespace = "" if cluster_wide else self.store_namespace
        shape = self.random.choices(["Role", "ClusterRole", "aggregated"], [0 if cluster_wide else 3, 4, 1])[0]
        role_name = f"{self.name}-client"
        self._roles: list[Object] = [self.object("Role" if shape == "Role" else "ClusterRole", role_name, namespace if shape == "Role" else "", rules=rules)]
        if shape == "aggregated":
            label = {f"rbac-worlds.test/{self.name}": "true"}
            gathering = {"clusterRoleSelectors": [{"matchLabels": label}]}
            part = self.object("ClusterRole", f"{role_name}-part", labels=label, rules=rules)
            self._roles = [part, self.object("ClusterRole", role_name, aggregationRule=gathering, rules=[])]
        # Another emitter may be bound beside it.
        others = self.random.choice([[], [], [{"kind": "ServiceAccount", "name": "other", "namespace": self.emitter_namespace}]])
        return self.object(
            "ClusterRoleBinding" if cluster_wide else "RoleBinding",
            f"{self.name}-client",
            namespace,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role" if shape == "Role" else "ClusterRole", "name": role_name},
            subjects=[self.subject, *others],
        )

    def _beside(self) -> tuple[Object, ...]:
        """What the account may do besides, and what others may: neither has to do with the store."""
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "own"}
        namespace = self.random.choice([self.store_namespace, self.emitter_namespace])
        rules = self.random.choice(
            [
                [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
                [{"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]}],
                [{"apiGroups": [""], "resources": ["services/status"], "verbs": ["create", "get"], "resourceNames": [STORE]}],
            ]
        )
        return self.random.choice(
            [
                (),
                (
                    self.object("Role", "own", namespace, rules=rules),
                    self.object("RoleBinding", "own", namespace, roleRef=role, subjects=[dict(self.subject)]),
                ),
            ]
        )

    def _store_grant(self) -> tuple[Object, Object]:
        subject: Object = self.random.choice(
            [
                {"kind": "ServiceAccount", "name": "data-storage-sa", "namespace": self.store_namespace},
                {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Group",
                    "name": f"system:serviceaccounts:{self.store_namespace}",
                },
            ]
        )
        rules = [
            {"apiGroups": [right.group], "resources": self.random.choice([[right.resource], ["*"]]), "verbs": self.random.choice([["create"], ["*"]])}
            for right in STORE_RIGHTS
        ]
        role = self.object("ClusterRole", f"{self.name}-reviews", rules=rules)
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{self.name}-reviews"}
        return self.object("ClusterRoleBinding", f"{self.name}-reviews", roleRef=ref, subjects=[subject]), role

    def _workloads(self) -> tuple[Object, ...]:
        store, emitters = self.store_namespace, self.emitter_namespace
        namespaces = [_core("Namespace", name, labels={"allow-from.auditpipeline.dev/all": "true"}) for name in (store, emitters, self.other_namespace)]
        return (
            *namespaces,
            *(_core("ServiceAccount", name, emitters) for name in ("default", "other", self.account)),
            _core("ServiceAccount", "data-storage-sa", store),
            _core("Service", STORE, store, spec={"selector": {"app": "datastorage"}, "ports": [{"port": 8080, "targetPort": 8080}]}),
            _deployment("datastorage", store, "data-storage-sa"),
            _deployment("other", emitters, "other"),
            _deployment("emitter", emitters, self.account, f"http://{STORE}.{store}.svc.cluster.local:8080"),
        )


def _core(kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None, **body: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels or {}}, **body}


def _deployment(name: str, namespace: str, account: str, url: str = "") -> Object:
    labels = {"app": name}
    env = [{"name": "STORE_URL", "value": url}] if url else []
    pod = {"serviceAccountName": account, "containers": [{"name": name, "image": "localhost/none", "env": env}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


# --- the mutations ---------------------------------------------------------------------------------------------------


@dataclass
class _Mutable:
    """What a mutation may change."""

    pipeline: _Pipeline
    binding: Object
    roles: list[Object]
    store_binding: Object
    store_role: Object

    @property
    def random(self) -> Random:
        return self.pipeline.random

    @property
    def subject(self) -> Object:
        subject: Object = self.binding["subjects"][0]
        return subject

    @property
    def rules(self) -> list[Object]:
        rules: list[Object] = self.roles[0]["rules"]
        return rules

    @property
    def store(self) -> tuple[Object, ...]:
        return tuple(item for item in (self.store_binding, self.store_role) if item)


def _subject_name(world: _Mutable) -> None:
    name = world.subject["name"]
    short = name.removesuffix("-sa").removesuffix("-controller")
    at = world.random.randrange(1, len(name) - 1)
    near = {
        f"{short}-serviceaccount", f"{short}-sa", short, f"{short}-controller",  # conventions
        f"kubernaut-{name}", f"{name}-v2",  # a release's name before it, a version behind it
        name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:],  # slips of the hand
    }  # fmt: skip
    world.subject["name"] = world.random.choice(sorted(near - {name}))


def _subject_namespace(world: _Mutable) -> None:
    spaces = {world.pipeline.store_namespace, world.pipeline.other_namespace, "kubernaut-system"}
    world.subject["namespace"] = world.random.choice(sorted(spaces - {world.pipeline.emitter_namespace}))


def _role_absent(world: _Mutable) -> None:
    if world.random.random() < 0.5:
        world.roles.pop()
    else:
        world.binding["roleRef"]["name"] = world.random.choice(["data-storage-writer", f"{world.pipeline.name}-clients"])


def _verb_removed(world: _Mutable) -> None:
    removed = world.random.choice(["create", "get"])
    for rule in list(world.rules):
        rule["verbs"] = [verb for verb in ({"create", "get"} if rule["verbs"] == ["*"] else rule["verbs"]) if verb != removed]
        if not rule["verbs"]:
            world.rules.remove(rule)


def _resource_name(world: _Mutable) -> None:
    name = world.random.choice(["datastorage", "data-storage", "data-storage-svc", f"{STORE}-v2"])
    for rule in world.rules:
        rule["resourceNames"] = [name if word == STORE else word for word in rule["resourceNames"]]


def _binding_elsewhere(world: _Mutable) -> None:
    spaces = {world.pipeline.emitter_namespace, world.pipeline.other_namespace} - {world.pipeline.store_namespace}
    namespace = world.random.choice(sorted(spaces))
    world.binding["metadata"]["namespace"] = namespace
    if world.binding["roleRef"]["kind"] == "Role" and world.random.random() < 0.5:
        # `kubectl apply -n` moves both.
        world.roles[0]["metadata"]["namespace"] = namespace


def _group_instead(world: _Mutable) -> None:
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{world.pipeline.emitter_namespace}", "system:authenticated"]
    world.binding["subjects"][0] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": world.random.choice(groups)}


def _binding_removed(world: _Mutable) -> None:
    others = world.binding["subjects"][1:]
    world.binding["subjects"] = others


def _store_rule_removed(world: _Mutable) -> None:
    world.store_role["rules"].pop(world.random.randrange(2))


def _store_role_absent(world: _Mutable) -> None:
    world.store_role = {}


def _store_bound_in_namespace(world: _Mutable) -> None:
    world.store_binding["kind"] = "RoleBinding"
    world.store_binding["metadata"]["namespace"] = world.pipeline.store_namespace


def _store_subject(world: _Mutable) -> None:
    world.store_binding["subjects"] = [{"kind": "ServiceAccount", "name": "data-storage", "namespace": world.pipeline.store_namespace}]


def _store_group_of_another_namespace(world: _Mutable) -> None:
    group = f"system:serviceaccounts:{world.pipeline.other_namespace}"
    world.store_binding["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]


MUTATIONS: Final[dict[str, tuple[Callable[[_Mutable], None], Reason]]] = {
    "subject name": (_subject_name, Reason.SUBJECT_MISMATCH),
    "subject namespace": (_subject_namespace, Reason.SUBJECT_MISMATCH),
    "role absent": (_role_absent, Reason.ROLE_NOT_FOUND),
    "verb removed": (_verb_removed, Reason.VERB_MISSING),
    "resource name": (_resource_name, Reason.RESOURCE_NAME_MISMATCH),
    "binding in another namespace": (_binding_elsewhere, Reason.BINDING_IN_OTHER_NAMESPACE),
    "group subject": (_group_instead, Reason.GROUP_SUBJECT_IGNORED),
    "binding removed": (_binding_removed, Reason.BINDING_MISSING),
    "store: a rule removed": (_store_rule_removed, Reason.STORE_CANNOT_REVIEW),
    "store: role absent": (_store_role_absent, Reason.STORE_CANNOT_REVIEW),
    "store: bound in its namespace only": (_store_bound_in_namespace, Reason.STORE_CANNOT_REVIEW),
    "store: subject name": (_store_subject, Reason.STORE_CANNOT_REVIEW),
    "store: group of another namespace": (_store_group_of_another_namespace, Reason.STORE_CANNOT_REVIEW),
}
"""What one mistake does to a good pipeline, and the reason that it must be given."""
