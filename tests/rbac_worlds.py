"""RBAC worlds as data: a few roles and bindings, one question, and the clauses of RBAC that the world is about.

A world is one right or wrong way to grant one right: dimension by dimension (verb, group, resource, name, role, binding,
subject) a form is drawn that grants it or one that falls short, and further grants stand beside it. All worlds stand in
one cluster at once without touching each other: accounts, roles and cluster-wide bindings carry the world's number, and
a world with a group as subject has a namespace of its own, since a group's members are those of other worlds too. For
the same reason a ClusterRoleBinding names no group but the one of the world's own namespace.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject

Object = dict[str, Any]
RBAC: Final = "rbac.authorization.k8s.io/v1"
WORLD_LABEL: Final = "rbac-worlds.test/run"
"""On every object of a run, so that a cluster that stood before can be cleaned."""
_SHARE: Final = 8
"""Worlds without groups in one namespace."""
_FLAW: Final = 0.07
"""How often a dimension of the first grant falls short; together the seven of them make about as many denials as grants."""
_FLAW_BESIDE: Final = 0.3
"""The same for the grants that stand beside it: most fall short, and must not be mistaken for one that does not."""


class Target(NamedTuple):
    """A right that a question asks for; `namespaced` ones are asked in the world's namespace."""

    group: str
    resource: str
    name: str
    verb: str
    namespaced: bool = True


STORE_RIGHTS: Final = (
    Target("authentication.k8s.io", "tokenreviews", "", "create", namespaced=False),
    Target("authorization.k8s.io", "subjectaccessreviews", "", "create", namespaced=False),
)
"""What the store's own account asks of the API server."""
_TARGETS: Final = (
    Target("", "services", "data-storage-service", "create"),
    Target("", "services", "data-storage-service", "get"),
    Target("", "services", "", "list"),
    Target("", "serviceaccounts/token", "auditpipeline-prober", "create"),
    Target("", "pods/log", "", "get"),
    Target("apps", "deployments/status", "gateway", "patch"),
    Target("apps", "deployments", "gateway", "get"),
    Target("", "nodes", "node-1", "get", namespaced=False),
    *STORE_RIGHTS,
)


@dataclass(frozen=True, slots=True)
class RbacWorld:
    """A world: what is applied, what is asked (user alone; ask it with groups as well), and what it is about."""

    number: int
    namespaces: tuple[str, ...]
    objects: tuple[Object, ...]
    question: AccessQuestion
    clauses: frozenset[str]


CLAUSES: Final = frozenset(
    {
        # rules
        "all verbs", "all groups", "all resources", "subresource", "subresource of all resources", "resource/* is no wildcard",
        "resource does not cover its subresource", "resource name", "another resource name", "names, but none is asked for",
        "another verb", "another group", "another resource", "several rules",
        # roles
        "Role", "ClusterRole through RoleBinding", "aggregated role", "role of roles aggregated", "aggregation that selects nothing",
        "role of the API server", "dangling roleRef", "ClusterRole of the Role's name",
        # bindings
        "RoleBinding", "ClusterRoleBinding", "binding in another namespace", "several bindings", "several subjects",
        "RoleBinding for a cluster-scoped resource",
        # subjects
        "ServiceAccount", "ServiceAccount without namespace", "User of the account's full name", "another account", "another namespace",
        "all ServiceAccounts", "ServiceAccounts of the namespace", "ServiceAccounts of another namespace", "authenticated",
    }
)  # fmt: skip


def rbac_worlds(count: int, prefix: str, targets: Sequence[Target] = _TARGETS) -> list[RbacWorld]:
    """The first so many worlds; the same for the same arguments."""
    return [_World(number, prefix, targets).made() for number in range(count)]


class _World:
    """One world in the making."""

    def __init__(self, number: int, prefix: str, targets: Sequence[Target]) -> None:
        self.number = number
        self.prefix = prefix
        self.name = f"{prefix}-{number}"
        self.random = Random(f"rbac world {number}")  # noqa: S311  (a seed, no secret)
        # Turn by turn and not by chance, so that no clause of a target is starved.
        self.target = targets[number % len(targets)]
        self.grouped = self.random.random() < 0.28
        self.namespace = self.name if self.grouped else f"{prefix}-shared-{number // _SHARE}"
        # Nobody is ever asked about there, so all worlds may share it.
        self.elsewhere = f"{prefix}-elsewhere"
        self.account = Subject("ServiceAccount", self.random.choice([self.namespace, f"{self.name}-team"]), f"{self.name}-gateway")
        self.objects: list[Object] = []
        self.clauses: set[str] = set()

    def made(self) -> RbacWorld:
        self.grant("a", _FLAW)
        further = self.random.choice([0, 0, 0, 1, 1, 2])
        for index in range(further):
            self.grant("bc"[index], _FLAW_BESIDE)
        if further:
            self.clauses.add("several bindings")
        target = self.target
        question = AccessQuestion(
            self.account,
            with_groups=False,
            namespace=self.namespace if target.namespaced else "",
            group=target.group,
            resource=target.resource,
            name=target.name,
            verb=target.verb,
        )
        return RbacWorld(self.number, (self.namespace, self.elsewhere), tuple(self.objects), question, frozenset(self.clauses))

    def grant(self, letter: str, flaw: float) -> None:
        """Add a role and a binding to it."""
        binding = self._binding(letter, flaw)
        role_namespace = binding["metadata"].get("namespace", "")
        binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", **self._role(letter, flaw, role_namespace)}
        self.objects.append(binding)

    # --- draws ----------------------------------------------------------------------------------------------------

    def _flawed(self, flaw: float) -> bool:
        return self.random.random() < flaw

    def _draw(self, *forms: tuple[str, Any]) -> Any:
        """One of the forms, with its clause noted."""
        clause, value = self.random.choice(forms)
        if clause:
            self.clauses.add(clause)
        return value

    def _object(self, kind: str, name: str, namespace: str = "", **body: Any) -> Object:
        labels = {WORLD_LABEL: self.prefix, **body.pop("labels", {})}
        metadata = {"name": name, "labels": labels, **({"namespace": namespace} if namespace else {})}
        return {"apiVersion": RBAC, "kind": kind, "metadata": metadata, **body}

    # --- rules ----------------------------------------------------------------------------------------------------

    def _rules(self, flaw: float) -> list[Object]:
        rules = [self._rule(flaw)]
        if self.random.random() < 0.3:
            self.clauses.add("several rules")
            rules.insert(self.random.randrange(2), self._rule(0.5))
        return rules

    def _rule(self, flaw: float) -> Object:
        target = self.target
        if self._flawed(flaw):
            verbs = self._draw(("another verb", [verb for verb in ("get", "list", "create", "update") if verb != target.verb]))
        else:
            verbs = self._draw(("", [target.verb]), ("", ["watch", target.verb]), ("all verbs", ["*"]))
        if self._flawed(flaw):
            groups = self._draw(("another group", ["batch"]), ("another group", ["apps" if target.group == "" else ""]))
        else:
            groups = self._draw(("", [target.group]), ("", ["batch", target.group]), ("all groups", ["*"]))
        rule = {"verbs": verbs, "apiGroups": groups, "resources": self._resources(flaw)}
        names = self._resource_names(flaw)
        return {**rule, "resourceNames": names} if names is not None else rule

    def _resources(self, flaw: float) -> list[str]:
        resource, _, subresource = self.target.resource.partition("/")
        if self._flawed(flaw):
            # A form that few targets allow stands several times, so that it is not lost among the others.
            forms: list[tuple[str, list[str]]] = [("another resource", ["configmaps"]), ("resource/* is no wildcard", [f"{resource}/*"])]
            if subresource:
                forms += 4 * [("resource does not cover its subresource", [resource])]
                forms += [("subresource of all resources", ["*/scale"]), ("resource/* is no wildcard", [f"{resource}/*"])]
            else:
                forms += [("subresource", [f"{resource}/status"]), ("subresource of all resources", ["*/status"])]
            return self._chosen(forms)
        forms = [("", [self.target.resource]), ("", ["configmaps", self.target.resource]), ("all resources", ["*"])]
        if subresource:
            forms = [("subresource", names) for _, names in forms[:2]] + [forms[2]] + 2 * [("subresource of all resources", [f"*/{subresource}"])]
        return self._chosen(forms)

    def _chosen(self, forms: Sequence[tuple[str, list[str]]]) -> list[str]:
        chosen: list[str] = self._draw(*forms)
        return chosen

    def _resource_names(self, flaw: float) -> list[str] | None:
        """The rule's resourceNames; None for a rule without any."""
        if not self.target.name:
            if not self._flawed(flaw):
                # Alone an empty name in the rule is the name of a request without one.
                return self.random.choice([None, None, [""]])
            return self._chosen([("names, but none is asked for", ["data-storage-service"])])
        if self._flawed(flaw):
            return self._chosen([("another resource name", ["datastorage"]), ("another resource name", [self.target.name + "-2", "*"])])
        if self.random.random() < 0.5:
            return None
        return self._chosen([("resource name", [self.target.name]), ("resource name", ["datastorage", self.target.name])])

    # --- roles ----------------------------------------------------------------------------------------------------

    def _role(self, letter: str, flaw: float, namespace: str) -> Object:
        """Makes the role and returns kind and name for the roleRef; a Role only for a binding with a namespace."""
        name = f"{self.name}-{letter}"
        if self._flawed(flaw):
            self.clauses.add("dangling roleRef")
            if namespace and self.random.random() < 0.6:
                # The name is there, as the other kind of role.
                self.clauses.add("ClusterRole of the Role's name")
                self.objects.append(self._object("ClusterRole", name, rules=self._rules(flaw)))
                return {"kind": "Role", "name": name}
            return {"kind": "ClusterRole", "name": f"{name}-absent"}
        shape = self.random.choices(["Role", "ClusterRole", "aggregated", "bootstrap"], [5 if namespace else 0, 6, 1.1, 1])[0]
        if shape == "Role":
            self.clauses.add("Role")
            self.objects.append(self._object("Role", name, namespace, rules=self._rules(flaw)))
            return {"kind": "Role", "name": name}
        if namespace:
            self.clauses.add("ClusterRole through RoleBinding")
        if shape == "bootstrap":
            self.clauses.add("role of the API server")
            return {"kind": "ClusterRole", "name": self.random.choice(["admin", "edit", "view", "cluster-admin", "system:auth-delegator"])}
        if shape == "ClusterRole":
            self.objects.append(self._object("ClusterRole", name, rules=self._rules(flaw)))
        else:
            self._aggregated(name, flaw)
        return {"kind": "ClusterRole", "name": name}

    def _aggregated(self, name: str, flaw: float) -> None:
        """A ClusterRole that gathers one with rules, at times by way of another that gathers, at times in vain."""
        self.clauses.add("aggregated role")
        key = f"rbac-worlds.test/{name}"
        part_labels = {key: "true"}
        if self.random.random() < 0.45:
            self.clauses.add("aggregation that selects nothing")
            part_labels = {key: "false"}
        selector: Object = self.random.choice(
            [{"matchLabels": {key: "true"}}, {"matchExpressions": [{"key": key, "operator": "In", "values": ["true", "yes"]}]}]
        )
        if self.random.random() < 0.5:
            self.clauses.add("role of roles aggregated")
            middle = {f"{key}-middle": "true"}
            self.objects.append(
                self._object("ClusterRole", name, aggregationRule={"clusterRoleSelectors": [{"matchLabels": middle}]}, rules=[])
            )
            rule = {"clusterRoleSelectors": [selector]}
            self.objects.append(self._object("ClusterRole", f"{name}-middle", labels=middle, aggregationRule=rule, rules=[]))
        else:
            self.objects.append(self._object("ClusterRole", name, aggregationRule={"clusterRoleSelectors": [selector]}, rules=[]))
        self.objects.append(self._object("ClusterRole", f"{name}-part", labels=part_labels, rules=self._rules(flaw)))

    # --- bindings -------------------------------------------------------------------------------------------------

    def _binding(self, letter: str, flaw: float) -> Object:
        name = f"{self.name}-{letter}"
        # What is cluster-scoped is granted by a ClusterRoleBinding alone; a RoleBinding is the flaw.
        cluster_wide = self.random.random() < 0.3 if self.target.namespaced else not self._flawed(max(flaw, 0.25))
        if cluster_wide:
            self.clauses.add("ClusterRoleBinding")
            return self._object("ClusterRoleBinding", name, subjects=self._subjects(flaw, ""))
        self.clauses.add("RoleBinding")
        if not self.target.namespaced:
            self.clauses.add("RoleBinding for a cluster-scoped resource")
        namespace = self.namespace
        if self._flawed(flaw):
            self.clauses.add("binding in another namespace")
            namespace = self.elsewhere
        return self._object("RoleBinding", name, namespace, subjects=self._subjects(flaw, namespace))

    def _subjects(self, flaw: float, namespace: str) -> list[Object]:
        subjects = [self._subject(flaw, namespace)]
        if self.random.random() < 0.25:
            self.clauses.add("several subjects")
            subjects.insert(self.random.randrange(2), self._subject(0.8, namespace))
        return subjects

    def _subject(self, flaw: float, namespace: str) -> Object:
        account = {"kind": "ServiceAccount", "name": self.account.name, "namespace": self.account.namespace}
        forms: list[tuple[str, Object]]
        if self._flawed(flaw):
            forms = [
                ("another account", {**account, "name": f"{self.account.name}-sa"}),
                ("another account", {"kind": "User", "name": self.account.name}),
                ("another namespace", {**account, "namespace": f"{self.name}-other"}),
                ("another namespace", {"kind": "User", "name": f"system:serviceaccount:{self.name}-other:{self.account.name}"}),
            ]
        else:
            forms = [
                ("ServiceAccount", account),
                ("User of the account's full name", {"kind": "User", "name": f"system:serviceaccount:{account['namespace']}:{account['name']}"}),
            ]
            if namespace:
                # Grants where the account is of the binding's namespace.
                forms.append(("ServiceAccount without namespace", {"kind": "ServiceAccount", "name": self.account.name}))
        if self.grouped and self.random.random() < 0.7:
            forms = self._groups(namespace)
        subject = dict(self._draw(*forms))
        if subject["kind"] != "ServiceAccount":
            subject["apiGroup"] = "rbac.authorization.k8s.io"
        return subject

    def _groups(self, namespace: str) -> list[tuple[str, Object]]:
        names = [
            ("ServiceAccounts of the namespace", f"system:serviceaccounts:{self.account.namespace}"),
            ("ServiceAccounts of another namespace", f"system:serviceaccounts:{self.name}-other"),
        ]
        if namespace:
            names += [("all ServiceAccounts", "system:serviceaccounts"), ("authenticated", "system:authenticated")]
        return [(clause, {"kind": "Group", "name": name}) for clause, name in names]
