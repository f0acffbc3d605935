"""The World: projected objects by reference, by namespace and by label, and what is known to be complete.

Checks only read it. A view fills it: once from manifests or a LIST, or change by change from the operator's watches.
A World knows what it does not know: `gap` says why an absent object proves nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.world.objects import (
    CALICO_POLICY,
    FOREIGN_POLICIES,
    ConfigMap,
    EndpointSlice,
    KubernetesObject,
    Labels,
    Namespace,
    NetworkPolicy,
    Pod,
    Role,
    RoleBinding,
    Service,
    ServiceAccount,
    Subject,
    Workload,
)
from auditpipeline.world.reads import Key, Reads
from auditpipeline.world.selectors import CONTROLLER_LABELS, matches

T = TypeVar("T", bound=KubernetesObject)
Answer = TypeVar("Answer")
NO_ROLES: Final[Mapping[ObjectRef, Role]] = MappingProxyType({})


class Table(Generic[T]):
    """Objects of one type, by reference and by namespace. Look-ups are O(1)."""

    def __init__(self, name: str, reads: Reads) -> None:
        self.name = name
        self._reads = reads
        self._by_namespace: dict[str, dict[ObjectRef, T]] = {}

    def get(self, ref: ObjectRef) -> T | None:
        """The object, or None."""
        self._reads.note(ref)
        objects = self._by_namespace.get(ref.namespace)
        return None if objects is None else objects.get(ref)

    def in_namespace(self, namespace: str) -> Mapping[ObjectRef, T]:
        """All objects of a namespace (empty: cluster-scoped), in the order in which they came."""
        self._reads.note((self.name, namespace))
        return self._by_namespace.get(namespace, {})

    def __iter__(self) -> Iterator[T]:
        self._reads.note((self.name, "*"))
        for objects in self._by_namespace.values():
            yield from objects.values()

    def __len__(self) -> int:
        return sum(map(len, self._by_namespace.values()))

    def put(self, obj: T) -> None:
        """Add or replace."""
        self._by_namespace.setdefault(obj.ref.namespace, {})[obj.ref] = obj

    def drop(self, ref: ObjectRef) -> None:
        """Remove, if there."""
        objects = self._by_namespace.get(ref.namespace)
        if objects is not None:
            objects.pop(ref, None)
            if not objects:
                del self._by_namespace[ref.namespace]


class _Index:
    """References by a property other than their name."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._refs: defaultdict[Key, dict[ObjectRef, None]] = defaultdict(dict)

    def get(self, key: Key) -> Mapping[ObjectRef, None]:
        self._reads.note(key)
        return self._refs.get(key, {})

    def with_all(self, keys: Iterable[Key]) -> list[ObjectRef]:
        """References under every key; there must be one key at least."""
        sets = [self.get(key) for key in keys]
        smallest = min(sets, key=len)
        return [ref for ref in smallest if all(ref in other for other in sets)]

    def add(self, ref: ObjectRef, keys: Iterable[Key]) -> None:
        for key in keys:
            self._refs[key][ref] = None

    def remove(self, ref: ObjectRef, keys: Iterable[Key]) -> None:
        for key in keys:
            refs = self._refs.get(key)
            if refs is not None:
                refs.pop(ref, None)
                if not refs:
                    del self._refs[key]


class Coverage(Protocol):
    """What a view knows to be complete."""

    by_namespace: bool
    """Completeness is concluded from what a namespace holds, not known."""

    def gap(self, world: "World", kind: str, namespace: str) -> tuple[Reason, str] | None:
        """Why an absent object of that kind in that namespace proves nothing; None where absence is a fact."""


class World:
    """The objects of a cluster or of a set of manifests.

    `bootstrap` are roles that are there although no view puts them, for manifests; without it the World is a running
    cluster, which holds them itself, and whose controllers have written what follows from other objects.
    """

    def __init__(self, coverage: Coverage, bootstrap: Mapping[ObjectRef, Role] | None = None) -> None:
        self.coverage = coverage
        self._live = bootstrap is None
        self._bootstrap = NO_ROLES if bootstrap is None else bootstrap
        self.reads = Reads()
        self.config_maps: Table[ConfigMap] = Table("configmaps", self.reads)
        self.endpoint_slices: Table[EndpointSlice] = Table("endpointslices", self.reads)
        self.namespaces: Table[Namespace] = Table("namespaces", self.reads)
        self.network_policies: Table[NetworkPolicy] = Table("networkpolicies", self.reads)
        self.pods: Table[Pod] = Table("pods", self.reads)
        self.role_bindings: Table[RoleBinding] = Table("rolebindings", self.reads)
        self.roles: Table[Role] = Table("roles", self.reads)
        self.service_accounts: Table[ServiceAccount] = Table("serviceaccounts", self.reads)
        self.services: Table[Service] = Table("services", self.reads)
        self.workloads: Table[Workload] = Table("workloads", self.reads)
        self._index = _Index(self.reads)
        self._answers: dict[Key, Any] = {}

    # --- reading --------------------------------------------------------------------------------------------------

    def gap(self, kind: str, namespace: str) -> tuple[Reason, str] | None:
        """Why an absent object of that kind in that namespace proves nothing; None where absence is a fact."""
        return self.coverage.gap(self, kind, namespace)

    def table(self, kind: str) -> Table[Any]:
        """The table that holds objects of a kind; live pods for Pod, workloads for a kind that nobody here knows."""
        return getattr(self, _TABLES.get(kind, "workloads"))  # type: ignore[no-any-return]

    def service(self, namespace: str, name: str) -> Service | None:
        """A Service by name."""
        return self.services.get(ObjectRef("Service", namespace, name))

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """A ConfigMap by name."""
        return self.config_maps.get(ObjectRef("ConfigMap", namespace, name))

    def services_named(self, name: str) -> list[Service]:
        """Services of that name in any namespace."""
        return self._found(self.services, self._index.get(("service", name)))

    def workloads_labelled(self, namespace: str, labels: Labels) -> list[Workload]:
        """Workloads whose pods carry all `labels`. Empty labels select nothing, as in a Service.

        A ReplicaSet or Job that a controller made is left out: it is its owner's business.
        """
        if not labels:
            return []
        refs = self._index.with_all(_label_keys("workloads", namespace, labels))
        return [workload for workload in self._found(self.workloads, refs) if workload.owner is None]

    def pods_labelled(self, namespace: str, labels: Labels) -> list[Pod]:
        """Live pods that carry all `labels`."""
        return self._found(self.pods, self._index.with_all(_label_keys("pods", namespace, labels))) if labels else []

    def pods_of(self, workload: Workload) -> list[Pod]:
        """Live pods that the workload controls, directly or through its ReplicaSets."""
        equal = {key: values[0] for key, operator, values in workload.selector if operator == "In" and len(values) == 1}
        namespace = workload.ref.namespace
        candidates = self.pods_labelled(namespace, equal) if equal else self.pods.in_namespace(namespace).values()
        return [pod for pod in candidates if matches(workload.selector, pod.labels) and _controls(workload.ref, pod)]

    def slices_of(self, service: Service) -> list[EndpointSlice]:
        """The EndpointSlices that name the Service in their label."""
        return self._found(self.endpoint_slices, self._index.get(("slices", service.ref.namespace, service.ref.name)))

    def policies_near(self, namespace: str, labels: Labels) -> list[NetworkPolicy]:
        """The NetworkPolicies of a namespace that may select pods with these labels, by name: all that do, few that do not."""
        keys: list[Key] = [("policies", namespace), *_label_keys("policies", namespace, labels)]
        refs = sorted(ref for key in keys for ref in self._index.get(key))
        return self._found(self.network_policies, refs)

    def foreign_policies(self, namespace: str) -> list[NetworkPolicy]:
        """Policies of other APIs in the namespace and of the cluster."""
        refs = [ref for where in dict.fromkeys((namespace, "")) for ref in self._index.get(("foreign policies", where))]
        return self._found(self.network_policies, refs)

    def role(self, ref: ObjectRef) -> Role | None:
        """A Role or ClusterRole by reference, those of every API server included."""
        return self.roles.get(ref) or self._bootstrap.get(ref)

    def bindings_of(self, namespace: str, subject: Subject) -> list[RoleBinding]:
        """RoleBindings of a namespace (empty: ClusterRoleBindings) that name the subject."""
        return self._found(self.role_bindings, self._index.get(("subject", namespace, subject)))

    def bindings_anywhere(self, subject: Subject) -> list[RoleBinding]:
        """RoleBindings of every namespace, and ClusterRoleBindings, that name the subject."""
        return self._found(self.role_bindings, self._index.get(("subject", subject)))

    def roles_naming(self, resource_name: str) -> list[Role]:
        """Roles and ClusterRoles with a rule that names this resource."""
        return self._found(self.roles, self._index.get(("resourceName", resource_name)))

    def gathered(self, role: Role) -> Iterator[Role]:
        """The role, and for an aggregated ClusterRole of manifests those it gathers, and those that they gather.

        A live aggregated role holds what its controller gathered: until the controller has run, and where none runs, the
        API server grants no more than that.
        """
        yield role
        if self._live:
            return
        gathered, gathering = {role.ref}, [role]
        while gathering:
            selectors = gathering.pop().aggregates
            for other in self._cluster_roles() if selectors else ():
                if other.ref not in gathered and any(matches(selector, other.labels) for selector in selectors):
                    gathered.add(other.ref)
                    gathering.append(other)
                    yield other

    def _cluster_roles(self) -> Iterator[Role]:
        """Every ClusterRole, those of every API server included where no object has taken their place."""
        held = self.roles.in_namespace("")
        yield from held.values()
        yield from (role for ref, role in self._bootstrap.items() if ref not in held)

    def once(self, key: Key, ask: Callable[[], Answer]) -> Answer:
        """What `ask` answers of this World, asked once as long as the World stays as it is.

        While look-ups are recorded it is asked each time, because each judgement must make its own.
        """
        if self.reads.recorded:
            return ask()
        if key not in self._answers:
            self._answers[key] = ask()
        answer: Answer = self._answers[key]
        return answer

    def find(self, ref: ObjectRef) -> KubernetesObject | None:
        """The object of any kind."""
        if ref.kind == "Pod":
            # A Pod is a live pod or, without an owner, a workload of its own.
            return self.pods.get(ref) or self.workloads.get(ref)
        found: KubernetesObject | None = self.table(ref.kind).get(ref)
        return found

    # --- filling --------------------------------------------------------------------------------------------------

    def put(self, obj: KubernetesObject) -> set[Key]:
        """Add or replace an object. Returns the look-ups whose answer may differ now; none if the value is equal."""
        old = self.find(obj.ref)
        if old == obj:
            return set()
        changed = set() if old is None else self.drop(obj.ref)
        self._answers.clear()
        table: Table[Any] = self.workloads if isinstance(obj, Workload) else self.table(obj.ref.kind)
        table.put(obj)
        keys = _index_keys(obj)
        self._index.add(obj.ref, keys)
        return changed | _lookups(table, obj.ref) | set(keys)

    def drop(self, ref: ObjectRef) -> set[Key]:
        """Remove an object, if there. Returns the look-ups whose answer may differ now."""
        obj = self.find(ref)
        if obj is None:
            return set()
        self._answers.clear()
        table: Table[Any] = self.workloads if isinstance(obj, Workload) else self.table(ref.kind)
        table.drop(ref)
        keys = _index_keys(obj)
        self._index.remove(ref, keys)
        return _lookups(table, ref) | set(keys)

    def _found(self, table: Table[T], refs: Collection[ObjectRef]) -> list[T]:
        # By name: the order in which objects came must not show in a verdict.
        return [obj for ref in (sorted(refs) if len(refs) > 1 else refs) if (obj := table.get(ref)) is not None]


_TABLES: Final = {
    "ClusterRole": "roles",
    "ClusterRoleBinding": "role_bindings",
    "ConfigMap": "config_maps",
    "CronJob": "workloads",
    "DaemonSet": "workloads",
    "Deployment": "workloads",
    "EndpointSlice": "endpoint_slices",
    "Job": "workloads",
    "Namespace": "namespaces",
    "NetworkPolicy": "network_policies",
    CALICO_POLICY: "network_policies",
    **{policy.kind: "network_policies" for policy in FOREIGN_POLICIES},
    "Pod": "pods",
    "ReplicaSet": "workloads",
    "Role": "roles",
    "RoleBinding": "role_bindings",
    "Service": "services",
    "ServiceAccount": "service_accounts",
    "StatefulSet": "workloads",
}
KINDS: Final = frozenset(_TABLES)
"""The kinds that a World holds."""


def _lookups(table: Table[Any], ref: ObjectRef) -> set[Key]:
    return {ref, (table.name, ref.namespace), (table.name, "*")}


def _index_keys(obj: KubernetesObject) -> list[Key]:
    namespace = obj.ref.namespace
    match obj:
        case Workload():
            return _label_keys("workloads", namespace, obj.pod.labels)
        case Pod():
            return _label_keys("pods", namespace, obj.labels)
        case Service():
            return [("service", obj.ref.name)]
        case EndpointSlice():
            return [("slices", namespace, obj.service)]
        case NetworkPolicy():
            return [_policy_key(obj)]
        case RoleBinding():
            return [key for subject in obj.subjects for key in (("subject", namespace, subject), ("subject", subject))]
        case Role():
            return [("resourceName", name) for rule in obj.rules for name in rule.resource_names]
        case _:
            return []


def _label_keys(table: str, namespace: str, labels: Labels) -> list[Key]:
    return [(table, namespace, key, value) for key, value in labels.items()]


def _policy_key(policy: NetworkPolicy) -> Key:
    """A label that every pod it selects must carry in the template, where its selector has one."""
    if policy.foreign:
        return ("foreign policies", policy.ref.namespace)
    for key, operator, values in policy.selector:
        if operator == "In" and len(values) == 1 and key not in CONTROLLER_LABELS:
            return ("policies", policy.ref.namespace, key, values[0])
    return ("policies", policy.ref.namespace)


def _controls(workload: ObjectRef, pod: Pod) -> bool:
    if pod.owner is None:
        return False
    if pod.owner.kind != "ReplicaSet":
        return (pod.owner.kind, pod.owner.name) == (workload.kind, workload.name)
    # A Deployment's ReplicaSet is named after it and its template's hash, which the pod carries too.
    return workload.kind == "Deployment" and pod.owner.name == f"{workload.name}-{pod.labels.get('pod-template-hash', '')}"
