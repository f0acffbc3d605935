"""Whether policies let a pod reach what every cluster has and manifests seldom hold: cluster DNS and the API server.

Where such servers run is a habit, not a rule, so a refusal is told only where no rule could possibly admit them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from auditpipeline.api.reasons import Reason
from auditpipeline.wiring.network import (
    NAME_LABEL,
    NO,
    YES,
    Judged,
    PodEnd,
    Ruling,
    Truth,
    admits_peer,
    admits_port,
    both,
    decide,
    either,
    maybe,
)
from auditpipeline.world.objects import (
    ContainerPort,
    Labels,
    NetworkPeer,
    NetworkPolicy,
    NetworkPort,
    NetworkRule,
    Selector,
    Service,
)
from auditpipeline.world.selectors import matches
from auditpipeline.world.world import World

# Ports on which DNS servers of common distributions listen behind port 53 of their Service.
_DNS_PORTS: Final = (53, 1053, 5353, 8053, 10053)
_DNS_SERVICES: Final = ("kube-dns", "coredns", "dns-default", "rke2-coredns-rke2-coredns")
_DNS_NAMESPACES: Final = ("kube-system", "openshift-dns")
_SYSTEM_NAMESPACES: Final = frozenset({*_DNS_NAMESPACES, "openshift-kube-apiserver"})

class DnsServer(NamedTuple):
    """The pods behind a DNS Service, the labels by which it finds them, and their ports, None where they have none."""

    pods: PodEnd
    selector: Labels
    udp: int | None
    tcp: int | None


# The server of kubeadm, kind, k3s, EKS, AKS and GKE.
_USUAL_DNS: Final = DnsServer(
    PodEnd(
        "kube-system",
        {"k8s-app": "kube-dns"},
        ports=(ContainerPort("dns", 53, "UDP"), ContainerPort("dns-tcp", 53, "TCP")),
    ),
    {"k8s-app": "kube-dns"},
    udp=53,
    tcp=53,
)


def dns_egress(world: World, source: PodEnd) -> Ruling:
    """Whether the source may ask cluster DNS. Most questions go by UDP, so UDP alone is enough."""
    known = world.once("DNS servers", lambda: tuple(_dns_servers(world)))
    return decide(world, source, "egress", lambda policy, rule: _admits_dns(world, policy, rule, known))


def dns_server(world: World) -> DnsServer:
    """The server to name in a rule: one that the world holds, else the usual one."""
    return next(_dns_servers(world), _USUAL_DNS)


def api_server_egress(world: World, source: PodEnd) -> Ruling:
    """Whether the source may reach the API server. Its address is not known, so a yes never comes but from an open door."""
    return decide(world, source, "egress", lambda policy, rule: _admits_api_server(world, policy, rule))


def _admits_dns(world: World, policy: NetworkPolicy, rule: NetworkRule, known: tuple[DnsServer, ...]) -> Judged:
    servers = known or (_USUAL_DNS,)
    found = either(_admits_server(world, policy, rule, server) for server in servers)
    if found.truth is not Truth.NO:
        return found
    if rule.ports and not any(_may_be_dns(port) for port in rule.ports):
        return NO
    if not rule.peers or any(peer.ip_block is not None for peer in rule.peers):
        # A resolver on the node (node-local DNS) is reached by its address.
        why = f"NetworkPolicy {policy.ref.name} may admit DNS; at which address and port it answers is not known."
        return maybe(Reason.POLICY_UNDETERMINED, why)
    if not known and any(_may_hold(world, policy, peer) for peer in rule.peers):
        why = f"NetworkPolicy {policy.ref.name} may admit cluster DNS, whose pods are not known here."
        return maybe(Reason.NOT_IN_INPUT, why)
    return NO


def _admits_server(world: World, policy: NetworkPolicy, rule: NetworkRule, server: DnsServer) -> Judged:
    peer = admits_peer(world, policy, rule, server.pods)
    udp = NO if server.udp is None else admits_port(rule, server.pods, server.udp, "UDP")
    if udp is YES:
        return peer
    tcp = NO if server.tcp is None else admits_port(rule, server.pods, server.tcp, "TCP")
    if tcp is NO:
        return NO
    why = f"NetworkPolicy {policy.ref.name} admits DNS by TCP only, and resolvers ask by UDP first."
    return both(peer, maybe(Reason.POLICY_UNDETERMINED, why))


def _may_be_dns(port: NetworkPort) -> bool:
    if port.protocol == "SCTP":
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        return "dns" in port.port or "domain" in port.port
    return any(port.port <= number <= (port.end_port or port.port) for number in _DNS_PORTS)


def _admits_api_server(world: World, policy: NetworkPolicy, rule: NetworkRule) -> Judged:
    if rule.ports and all(port.protocol != "TCP" or _is_dns_only(port) for port in rule.ports):
        return NO
    if not rule.peers:
        return YES if not rule.ports else maybe(Reason.POLICY_UNDETERMINED, "The API server's port is not known.")
    if any(_may_hold(world, policy, peer, also="default") for peer in rule.peers):
        # The Service of the API server stands in `default`, so that is where people look for its pods.
        return maybe(Reason.POLICY_UNDETERMINED, "The API server's address is not known.")
    return NO


def _is_dns_only(port: NetworkPort) -> bool:
    if isinstance(port.port, str):
        return "dns" in port.port or "domain" in port.port
    return port.port in _DNS_PORTS and (port.end_port or port.port) == port.port


def _may_hold(world: World, policy: NetworkPolicy, peer: NetworkPeer, *, also: str = "") -> bool:
    """Whether a peer may speak of a server of the cluster that the world does not hold."""
    if peer.ip_block is not None:
        return True
    named = [policy.ref.namespace] if peer.namespaces is None else _names(peer.namespaces)
    return named is None or any(name == also or _may_serve_cluster(world, name) for name in named)


def _names(selector: Selector) -> list[str] | None:
    """The only namespaces that a selector can match; None where it does not say."""
    terms = tuple(term for term in selector if term.key == NAME_LABEL)
    named = next((term.values for term in terms if term.operator == "In"), None)
    return None if named is None else [name for name in named if matches(terms, {NAME_LABEL: name})]


def _may_serve_cluster(world: World, namespace: str) -> bool:
    """Whether a namespace may hold servers of the cluster: not one whose Services are all known, none of them DNS."""
    if namespace in _SYSTEM_NAMESPACES or world.gap("Service", namespace) is not None:
        return True
    return any(_dns_port(service) for service in world.services.in_namespace(namespace).values())


def _dns_port(service: Service) -> bool:
    return any(port.port == 53 for port in service.ports)


def _dns_servers(world: World) -> Iterator[DnsServer]:
    """The pods of cluster DNS, where the world holds them: mostly in a cluster that may be read, seldom in manifests.

    A DNS server in another namespace, whatever its name, is somebody's own.
    """
    for namespace in _DNS_NAMESPACES:
        for name in _DNS_SERVICES:
            service = world.service(namespace, name)
            if service is None or not service.selector or not _dns_port(service):
                continue
            for workload in world.workloads_labelled(service.ref.namespace, service.selector):
                pods = PodEnd.of(workload)
                yield DnsServer(pods, service.selector, _target(service, pods, "UDP"), _target(service, pods, "TCP"))


def _target(service: Service, pods: PodEnd, protocol: str) -> int | None:
    for port in service.ports:
        if (port.port, port.protocol) == (53, protocol):
            return port.target if isinstance(port.target, int) else pods.port_named(port.target, protocol)
    return None
