"""The Kubernetes objects that checks look at, each projected to what a check needs.

Values compare equal when nothing that a check reads has changed, so a watch event that changes nothing wakes nobody.
Times are seconds since the epoch; absent ones are None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from auditpipeline.api.findings import ObjectRef

Labels = Mapping[str, str]
NO_LABELS: Final[Labels] = MappingProxyType({})


class KeyRef(NamedTuple):
    """A key of a ConfigMap or Secret."""

    name: str
    key: str
    optional: bool


class EnvVar(NamedTuple):
    """An environment variable: a literal, or a reference of one kind."""

    name: str
    value: str | None = None
    config_map: KeyRef | None = None
    secret: KeyRef | None = None
    field: str = ""
    """A field of the pod, as `metadata.namespace`."""


class EnvFrom(NamedTuple):
    """All keys of a ConfigMap or Secret as variables, with a prefix."""

    prefix: str
    config_map: str
    secret: str
    optional: bool


class Mount(NamedTuple):
    """A volume, or one file of it (`sub_path`), at a path of the container."""

    volume: str
    path: str
    sub_path: str


class ContainerPort(NamedTuple):
    """A declared port; declaring is informational in Kubernetes."""

    name: str
    number: int
    protocol: str


class Probe(NamedTuple):
    """An HTTP probe. `port` is a number or the name of a declared port; `scheme` is HTTP or HTTPS."""

    kind: str
    path: str
    port: int | str
    scheme: str


class ExecProbe(NamedTuple):
    """A probe that runs a command in the container."""

    kind: str
    command: tuple[str, ...]


ContainerRole = Literal["container", "init", "sidecar", "ephemeral"]

_LISTS: Final = {"container": "containers", "init": "initContainers", "sidecar": "initContainers", "ephemeral": "ephemeralContainers"}


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod; `sidecar` is an init container with restartPolicy Always."""

    name: str
    role: ContainerRole
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[EnvVar, ...]
    env_from: tuple[EnvFrom, ...]
    mounts: tuple[Mount, ...]
    ports: tuple[ContainerPort, ...]
    probes: tuple[Probe, ...] = ()
    exec_probes: tuple[ExecProbe, ...] = ()

    @property
    def list_name(self) -> str:
        """The pod spec's list that holds it."""
        return _LISTS[self.role]

    @property
    def runs(self) -> bool:
        """It runs beside the others, rather than once before them or for a person who debugs."""
        return self.role in {"container", "sidecar"}


class ProjectedFile(NamedTuple):
    """A file that a volume provides from a ConfigMap key; an empty key means every key under its own name."""

    config_map: str
    key: str
    path: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume by what it provides.

    Attributes:
        files: ConfigMap keys as files, for volumes of kind configMap and projected.
        opaque: Something besides ConfigMaps provides files here, so a missing file cannot be concluded.
        host_path: The node's directory, for hostPath volumes.
        token: A ServiceAccount token is projected.
    """

    name: str
    files: tuple[ProjectedFile, ...] = ()
    opaque: bool = True
    host_path: str = ""
    token: bool = False


@dataclass(frozen=True, slots=True)
class PodSpec:
    """A pod, or the template of a workload's pods."""

    labels: Labels
    service_account: str
    automount: bool | None
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    host_network: bool
    grace_period: int = 30
    """Seconds between SIGTERM and SIGKILL."""
    reloaded: bool = False
    """An annotation asks a reloader to restart the pods when their configuration changes."""
    dns_policy: str = "ClusterFirst"
    own_resolver: bool = False
    """`dnsConfig` names name servers, or `hostAliases` answers names without one."""
    searches: tuple[str, ...] = ()
    """The search path of `dnsConfig`."""
    host_aliases: frozenset[str] = frozenset()
    """The names, in lower case, that `hostAliases` answers before any name server."""

    @property
    def asks_the_node(self) -> bool:
        """Names go to the node's own resolver instead of cluster DNS."""
        return self.dns_policy == "Default" or (self.host_network and self.dns_policy == "ClusterFirst")


class SelectorTerm(NamedTuple):
    """One requirement of a label selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...]


Selector = tuple[SelectorTerm, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that makes pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, or a bare Pod.

    Attributes:
        replicas: Pods asked for; None where the kind does not say (DaemonSet, Job, CronJob).
        pod: The template of its pods.
        template_path: Where the template's pod spec stands, for field paths.
        reloaded: An annotation asks a reloader to restart the pods when their configuration changes.
    """

    ref: ObjectRef
    replicas: int | None
    selector: Selector
    pod: PodSpec
    template_path: str
    reloaded: bool = False
    owner: ObjectRef | None = None


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container of a live pod that runs now."""

    name: str
    started: float


@dataclass(frozen=True, slots=True)
class Pod:
    """A live pod.

    Attributes:
        owner: The controller, as the API names it: a ReplicaSet for a Deployment's pod.
    """

    ref: ObjectRef
    uid: str
    labels: Labels
    owner: ObjectRef | None
    ip: str
    phase: str
    ready: bool
    terminating: bool
    host_network: bool
    running: tuple[RunningContainer, ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap.

    Attributes:
        data: Text values by key.
        binary: Keys of binaryData.
        written: When the API server last stored the object. Not compared: a write that changes no data is no change,
            so a cache that keeps the first of equal values knows when the data last changed.
    """

    ref: ObjectRef
    data: Mapping[str, str]
    binary: frozenset[str]
    written: float | None = field(default=None, compare=False)


class ServicePort(NamedTuple):
    """A port that a Service exposes."""

    name: str
    port: int
    target: int | str
    protocol: str
    node_port: int | None
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service; `selector` is None where it has none."""

    ref: ObjectRef
    selector: Labels | None
    ports: tuple[ServicePort, ...]
    headless: bool
    external_name: str
    cluster_ips: tuple[str, ...]
    publish_not_ready: bool

    @property
    def dns_name(self) -> str:
        """The name that resolves from every namespace."""
        return f"{self.ref.name}.{self.ref.namespace}.svc.cluster.local"


class Endpoint(NamedTuple):
    """One address set of a slice; `ready` is already defaulted."""

    ready: bool
    pod: str


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """A slice of a Service's endpoints; the Service is named by a label, not by the slice's name."""

    ref: ObjectRef
    service: str
    endpoints: tuple[Endpoint, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A ServiceAccount."""

    ref: ObjectRef
    automount: bool | None


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule of a Role. Empty `resource_names` means all names."""

    verbs: frozenset[str]
    api_groups: frozenset[str]
    resources: frozenset[str]
    resource_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Role:
    """A Role, or a ClusterRole (empty namespace). `aggregates` are the selectors of an aggregated ClusterRole."""

    ref: ObjectRef
    rules: tuple[PolicyRule, ...]
    labels: Labels
    aggregates: tuple[Selector, ...]


class Subject(NamedTuple):
    """A subject of a binding; a ServiceAccount's namespace is already defaulted."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A RoleBinding, or a ClusterRoleBinding (empty namespace)."""

    ref: ObjectRef
    role: ObjectRef
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Namespace with the labels that the API server would show."""

    ref: ObjectRef
    labels: Labels


class ForeignPolicy(NamedTuple):
    """A kind of another API that admits or refuses traffic beside NetworkPolicy."""

    group: str
    kind: str
    cluster_scoped: bool


FOREIGN_POLICIES: Final = (
    ForeignPolicy("cilium.io", "CiliumNetworkPolicy", cluster_scoped=False),
    ForeignPolicy("cilium.io", "CiliumClusterwideNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("crd.projectcalico.org", "GlobalNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("crd.projectcalico.org", "NetworkPolicy", cluster_scoped=False),
    ForeignPolicy("policy.networking.k8s.io", "AdminNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("policy.networking.k8s.io", "BaselineAdminNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("policy.networking.k8s.io", "ClusterNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("projectcalico.org", "GlobalNetworkPolicy", cluster_scoped=True),
    ForeignPolicy("projectcalico.org", "NetworkPolicy", cluster_scoped=False),
)
CALICO_POLICY: Final = "CalicoNetworkPolicy"
"""How Calico's namespaced kind is referred to; its own name is that of Kubernetes."""


class NetworkPort(NamedTuple):
    """A port in a rule of a NetworkPolicy: a number, the first of a range, a container port's name, or all of a protocol."""

    protocol: str
    port: int | str | None
    end_port: int | None


class IPBlock(NamedTuple):
    """Addresses in a rule of a NetworkPolicy."""

    cidr: str
    excepted: tuple[str, ...]


class NetworkPeer(NamedTuple):
    """Whom a rule of a NetworkPolicy speaks of; exactly `ip_block`, or one or both of the selectors.

    A selector that is None was not written, which is not the same as an empty one: that matches all.
    """

    pods: Selector | None
    namespaces: Selector | None
    ip_block: IPBlock | None


class NetworkRule(NamedTuple):
    """A rule of a NetworkPolicy; no peers means everybody, no ports means all of them."""

    peers: tuple[NetworkPeer, ...]
    ports: tuple[NetworkPort, ...]


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A NetworkPolicy, with policyTypes already applied.

    Attributes:
        selector: The pods of its own namespace that it isolates.
        ingress, egress: What it admits; None where it does not isolate in that direction, empty where it admits nothing.
        foreign: Another API than networking.k8s.io (Cilium, Calico, AdminNetworkPolicy): known to be there, not read.
    """

    ref: ObjectRef
    selector: Selector
    ingress: tuple[NetworkRule, ...] | None
    egress: tuple[NetworkRule, ...] | None
    foreign: bool = False


KubernetesObject = (
    Workload | Pod | ConfigMap | Service | EndpointSlice | ServiceAccount | Role | RoleBinding | Namespace | NetworkPolicy
)
