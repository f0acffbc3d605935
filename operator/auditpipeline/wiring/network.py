"""Would the NetworkPolicies of a World let a connection through?

By the API reference of NetworkPolicy (networking.k8s.io/v1) and the concept page "Network Policies". Both ends count:
the source's egress and the destination's ingress. Ports are those of the destination's pods, after the Service has
translated them. What no policy can settle here is unknown, never denied: addresses against pods (`ipBlock`), pods on
the host network, labels of a Namespace that the World does not hold, and policies of other APIs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Literal, NamedTuple

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.world.objects import (
    ContainerPort,
    Labels,
    NetworkPeer,
    NetworkPolicy,
    NetworkPort,
    NetworkRule,
    Selector,
    Workload,
)
from auditpipeline.world.selectors import CONTROLLER_LABELS, matches
from auditpipeline.world.world import World

Direction = Literal["ingress", "egress"]
NAME_LABEL: Final = "kubernetes.io/metadata.name"

Gap = tuple[Reason, str]
"""Why something cannot be known."""


class Truth(IntEnum):
    """Three-valued logic: the least of several is their and, the greatest their or."""

    NO = 0
    MAYBE = 1
    YES = 2


class Judged(NamedTuple):
    """A truth, with what stands in the way of knowing more."""

    truth: Truth
    gap: Gap | None = None


NO: Final = Judged(Truth.NO)
YES: Final = Judged(Truth.YES)


def maybe(reason: Reason, why: str) -> Judged:
    """Neither yes nor no, and why."""
    return Judged(Truth.MAYBE, (reason, why))


def both(*parts: Judged) -> Judged:
    """All of them hold."""
    return min(parts, key=_truth)


def either(parts: Iterable[Judged]) -> Judged:
    """One of them holds; none is no."""
    return max(parts, key=_truth, default=NO)


def _truth(part: Judged) -> Truth:
    return part.truth


_ON_HOST: Final = maybe(
    Reason.POLICY_UNDETERMINED, "Pods on the host network are their node to most network plugins; no podSelector matches them."
)


class Answer(Enum):
    """What the policies say of a connection, on one of its sides."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer with its grounds.

    Attributes:
        policies: Those that select the pods in this direction, by name; none where the pods are not isolated.
        gap: Why the answer is unknown.
    """

    answer: Answer
    policies: tuple[NetworkPolicy, ...] = ()
    gap: Gap | None = None


OPEN: Final = Ruling(Answer.ALLOWED)


@dataclass(frozen=True, slots=True)
class PodEnd:
    """The pods of a workload as one end of a connection.

    Attributes:
        labels: Those of the template; what controllers add is not known.
        ports: What its containers and sidecars declare: the names that a policy may use.
    """

    namespace: str
    labels: Labels
    host_network: bool = False
    ports: tuple[ContainerPort, ...] = ()

    @classmethod
    def of(cls, workload: Workload) -> "PodEnd":
        """The end that a workload's pods are."""
        pod = workload.pod
        ports = tuple(port for container in pod.containers if container.runs for port in container.ports)
        return cls(workload.ref.namespace, pod.labels, pod.host_network, ports)

    def port_named(self, name: str, protocol: str) -> int | None:
        """The number of a declared port."""
        return next((port.number for port in self.ports if (port.name, port.protocol) == (name, protocol)), None)


Admits = Callable[[NetworkPolicy, NetworkRule], Judged]


def egress(world: World, source: PodEnd, destination: PodEnd, port: int, protocol: str = "TCP") -> Ruling:
    """Whether the source's policies let it send to a port of the destination's pods."""

    def admits(policy: NetworkPolicy, rule: NetworkRule) -> Judged:
        return both(admits_port(rule, destination, port, protocol), admits_peer(world, policy, rule, destination))

    return _unless_on_host(decide(world, source, "egress", admits), destination)


def ingress(world: World, source: PodEnd, destination: PodEnd, port: int, protocol: str = "TCP") -> Ruling:
    """Whether the destination's policies let the source in on a port of its pods."""

    def admits(policy: NetworkPolicy, rule: NetworkRule) -> Judged:
        return both(admits_port(rule, destination, port, protocol), admits_peer(world, policy, rule, source))

    return _unless_on_host(decide(world, destination, "ingress", admits), source)


def decide(world: World, end: PodEnd, direction: Direction, admits: Admits) -> Ruling:
    """Add up the policies that select an end: it is open where none does, else one rule of any of them must admit."""
    selecting = [
        (policy, rules, selected)
        for policy in world.policies_near(end.namespace, end.labels)
        if (rules := rules_of(policy, direction)) is not None
        and (selected := meets(policy.selector, end.labels, _added_later(end))).truth is not Truth.NO
    ]
    gap = world.gap("NetworkPolicy", end.namespace)
    if not selecting:
        # A policy that is not known could isolate the pods.
        return OPEN if gap is None else Ruling(Answer.UNKNOWN, (), gap)
    policies = tuple(policy for policy, _, _ in selecting)
    judged = [(selected, either(admits(policy, rule) for rule in rules)) for policy, rules, selected in selecting]
    admitted = either(both(selected, admission) for selected, admission in judged)
    if admitted.truth is Truth.YES or (gap is None and all(admission.truth is Truth.YES for _, admission in judged)):
        # In the second case the pods are either open or selected by a policy that admits.
        return Ruling(Answer.ALLOWED, policies)
    doubt = admitted.gap or _not_final(world, end, policies) or gap
    if doubt is None and not any(selected.truth is Truth.YES for selected, _ in judged):
        doubt = judged[0][0].gap
    return Ruling(Answer.DENIED if doubt is None else Answer.UNKNOWN, policies, doubt)


def _unless_on_host(ruling: Ruling, other: PodEnd) -> Ruling:
    """Traffic of a pod on the host network is its node's, and a node may always reach its own pods."""
    if ruling.answer is Answer.DENIED and other.host_network:
        return Ruling(Answer.UNKNOWN, ruling.policies, _ON_HOST.gap)
    return ruling


def rules_of(policy: NetworkPolicy, direction: Direction) -> tuple[NetworkRule, ...] | None:
    """The rules of one direction; None where the policy does not isolate in it."""
    return policy.egress if direction == "egress" else policy.ingress


def admits_port(rule: NetworkRule, destination: PodEnd, number: int, protocol: str) -> Judged:
    """Whether a rule speaks of a port of the destination's pods. No ports means all of them."""
    if not rule.ports or any(_is_port(port, destination, number, protocol) for port in rule.ports):
        return YES
    return NO


def _is_port(port: NetworkPort, destination: PodEnd, number: int, protocol: str) -> bool:
    if port.protocol != protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        # A name is looked up on the destination's pods; two containers may use the same one.
        return any(declared == (port.port, number, protocol) for declared in destination.ports)
    return port.port <= number <= (port.end_port or port.port)


def admits_peer(world: World, policy: NetworkPolicy, rule: NetworkRule, other: PodEnd) -> Judged:
    """Whether a rule speaks of the pods at the other end. No peers means everybody."""
    if not rule.peers:
        return YES
    return either(_is_peer(world, policy, peer, other) for peer in rule.peers)


def _is_peer(world: World, policy: NetworkPolicy, peer: NetworkPeer, other: PodEnd) -> Judged:
    if peer.ip_block is not None:
        return maybe(
            Reason.POLICY_UNDETERMINED,
            f"{_name(policy)} admits addresses by ipBlock; whether pods count among them is up to the network plugin.",
        )
    parts = []
    if peer.namespaces is not None:
        parts.append(_in_namespaces(world, policy, peer.namespaces, other.namespace))
    elif policy.ref.namespace != other.namespace:
        return NO
    if peer.pods is not None:
        parts.append(meets(peer.pods, other.labels, _added_later(other)))
    if other.host_network:
        # Most network plugins see such a pod as its node, some by its labels.
        parts.append(_ON_HOST)
    return both(*parts)


def _in_namespaces(world: World, policy: NetworkPolicy, selector: Selector, name: str) -> Judged:
    namespace = world.namespaces.get(ObjectRef("Namespace", "", name))
    if namespace is not None:
        return YES if matches(selector, namespace.labels) else NO
    gap = world.gap("Namespace", "")
    why = f"{_name(policy)} admits namespaces by their labels, and those of namespace {name} are not known."
    # The API server puts this one label on every Namespace.
    return meets(selector, {NAME_LABEL: name}, lambda _: (Reason.NOT_IN_INPUT if gap is None else gap[0], why))


def meets(selector: Selector, labels: Labels, unknown: Callable[[str], Gap | None]) -> Judged:
    """Whether labels meet a selector, where some that are absent may yet be there."""
    found = YES
    for term in selector:
        gap = None if term.key in labels else unknown(term.key)
        if gap is not None:
            found = both(found, Judged(Truth.MAYBE, gap))
        elif not matches((term,), labels):
            return NO
    return found


def _added_later(end: PodEnd) -> Callable[[str], Gap | None]:
    def unknown(key: str) -> Gap | None:
        if key not in CONTROLLER_LABELS:
            return None
        why = f"A NetworkPolicy selects pods of namespace {end.namespace} by label {key}, which only running pods carry."
        return Reason.POLICY_UNDETERMINED, why

    return unknown


def _not_final(world: World, end: PodEnd, policies: Iterable[NetworkPolicy]) -> Gap | None:
    """Why a refusal by these policies may not be the last word."""
    if end.host_network:
        names = ", ".join(policy.ref.name for policy in policies)
        return (
            Reason.POLICY_UNDETERMINED,
            f"NetworkPolicy {names} selects pods on the host network, which most network plugins leave alone.",
        )
    foreign = world.foreign_policies(end.namespace)
    if foreign:
        return (
            Reason.POLICY_UNDETERMINED,
            f"{foreign[0].ref} may admit what the NetworkPolicies of namespace {end.namespace} do not; it is not read.",
        )
    return None


def _name(policy: NetworkPolicy) -> str:
    return f"NetworkPolicy {policy.ref.name}"
