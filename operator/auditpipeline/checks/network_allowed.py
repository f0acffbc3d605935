"""Hop 7: do NetworkPolicies let the emitter reach the store and DNS, and the store what it needs?

Judged on the pods' ports, after the Service has translated the URL's, and against the store that is meant where the
URL is wrong: a wrong name does not hide a closed port. Pods that no policy selects are open, so a cluster without
policies passes whatever else is broken.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome, Unknown
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, blocked, nothing_known, store_gap
from auditpipeline.wiring.dns import HostKind
from auditpipeline.wiring.environment import listed
from auditpipeline.wiring.infrastructure import api_server_egress, dns_egress, dns_server
from auditpipeline.wiring.network import (
    NAME_LABEL,
    NO,
    OPEN,
    Answer,
    Direction,
    PodEnd,
    Ruling,
    Truth,
    admits_peer,
    admits_port,
    decide,
    egress,
    ingress,
    rules_of,
)
from auditpipeline.wiring.resolve import Emitter, Target
from auditpipeline.world.objects import Labels, NetworkPolicy, NetworkPort, NetworkRule, Service, Workload
from auditpipeline.world.selectors import contains

HOP: Final = ConditionType.NETWORK_ALLOWED


def store_egress_denied(given: Given) -> Iterator[Outcome]:
    """The store's policies keep it from something that it needs for every event, wherever that runs."""
    for workload in given.store.workloads:
        end = PodEnd.of(workload)
        if _asks_cluster_dns(workload) and (ruling := dns_egress(given.world, end)).answer is Answer.DENIED:
            yield _store_finding(
                workload,
                ruling,
                f"cluster DNS (UDP {_dns_port(given)}), so it finds nothing by name, its database included",
                port=_dns_port(given),
                protocol="UDP",
                expected=_dns_rule(given),
            )
        if not given.store.reviews or not given.store.authenticates:
            # A store that asks for no token has no business with the API server.
            continue
        if (ruling := api_server_egress(given.world, end)).answer is Answer.DENIED:
            yield _store_finding(
                workload,
                ruling,
                "the API server, so it can review no token and refuses every emitter",
                port="6443",
                protocol="TCP",
                expected="{ports: [{protocol: TCP, port: 443}, {protocol: TCP, port: 6443}]}",
            )


def connection_denied(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The emitter may not send to the store's pods, or they may not let it in."""
    if _nobody_isolated(given, emitter):
        return
    if emitter.workload is None:
        message = f"The labels of {emitter.name} are not known without {emitter.ref}."
        yield blocked(HOP, ConditionType.IDENTITY_BOUND, message, emitter.name)
        return
    if not given.store.permitted:
        yield blocked(HOP, ConditionType.SERVICE_RESOLVED, f"Namespace {given.store.namespace} has not opted in.", emitter.name)
        return
    if not any(target.source.use == "events" for target in emitter.targets):
        yield blocked(HOP, ConditionType.CONFIG_RESOLVED, f"The store URL of {emitter.name} is not known.", emitter.name)
    ways: list[_Way] = []
    for target in emitter.targets:
        found = _way(given, emitter, target)
        if isinstance(found, Unknown):
            yield found
        else:
            ways.append(found)
    yield from _told(given, emitter, emitter.workload, ways)


def dns_denied(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The emitter has a name to look up, and no policy that selects it could admit a DNS port."""
    workload = emitter.workload
    hosts = dict.fromkeys(target.endpoint.host for target in emitter.targets if target.host.kind in _BY_NAME)
    if workload is None or not hosts or not _asks_cluster_dns(workload):
        return
    ruling = dns_egress(given.world, PodEnd.of(workload))
    if ruling.answer is Answer.UNKNOWN and ruling.gap is not None:
        yield nothing_known(HOP, ruling.gap, emitter.name)
    if ruling.answer is not Answer.DENIED:
        return
    policy = _first(ruling.policies, "egress")
    names, rule, port = listed(list(hosts)), _dns_rule(given), _dns_port(given)
    yield Finding(
        Reason.DNS_DENIED,
        f"{_do_not(ruling.policies)} let {workload.ref} ask any DNS server (UDP {port}), so it cannot look up {names}.",
        policy.ref,
        "spec.egress",
        expected=rule,
        found=_found_rules(policy, "egress"),
        fix=_fix(policy, "egress", rule, workload),
        emitter=emitter.name,
        workload=emitter.ref,
        details=_details(ruling, policy, "egress", port, "UDP"),
    )


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (store_egress_denied,)  # nobody's events are stored
CHECKS: Final[tuple[EmitterCheck, ...]] = (
    connection_denied,  # the way to the store is closed, at this end or at the other
    dns_denied,         # nor is its name found
)

_BY_NAME: Final = frozenset({HostKind.SERVICE, HostKind.OTHER_DOMAIN, HostKind.EXTERNAL})


class _Way(NamedTuple):
    """One URL's way: the workload behind the Service, its pods' port, and what the policies say at both ends."""

    target: Target
    service: Service
    workload: Workload
    port: int
    out: Ruling
    into: Ruling


def _asks_cluster_dns(workload: Workload) -> bool:
    pod = workload.pod
    return not pod.host_network and not pod.own_resolver and pod.dns_policy in {"ClusterFirst", "ClusterFirstWithHostNet"}


def _nobody_isolated(given: Given, emitter: Emitter) -> bool:
    """No policy selects the emitter for egress or the store for ingress: whatever the port, the way is open."""
    sides: tuple[tuple[str, tuple[Workload, ...], Direction], ...] = (
        (emitter.ref.namespace, (emitter.workload,) if emitter.workload else (), "egress"),
        (given.store.namespace, given.store.workloads, "ingress"),
    )
    for namespace, workloads, direction in sides:
        if direction == "ingress" and not given.store.permitted:
            return False
        if workloads:
            rulings = [decide(given.world, PodEnd.of(workload), direction, lambda _, __: NO) for workload in workloads]
            if any(ruling.answer is not Answer.ALLOWED for ruling in rulings):
                return False
        elif _gap(given, namespace, direction) is not None or any(
            rules_of(policy, direction) is not None for policy in given.world.network_policies.in_namespace(namespace).values()
        ):
            return False
    return True


def _gap(given: Given, namespace: str, direction: Direction) -> tuple[Reason, str] | None:
    kind = "NetworkPolicy"
    return store_gap(given, kind, namespace) if direction == "ingress" else given.world.gap(kind, namespace)


# --- from the URL to the pods -------------------------------------------------------------------------------------


def _way(given: Given, emitter: Emitter, target: Target) -> _Way | Unknown:
    """The way that is judged; of several workloads behind the Service the most open one."""
    service = _meant(given, target)
    if service is None or service.external_name:
        gap = None if service is not None else store_gap(given, "Service", given.store.namespace)
        if gap is not None:
            return nothing_known(HOP, gap, emitter.name)
        message = f"Which pods {target.endpoint.host} of {emitter.name} leads to is not known."
        return blocked(HOP, ConditionType.SERVICE_RESOLVED, message, emitter.name)
    behind = given.world.workloads_labelled(service.ref.namespace, service.selector or {})
    if not behind and service.ref == given.store.service_ref:
        behind = list(given.store.workloads)
    number = target.endpoint.port
    if not service.headless and all((port.port, port.protocol) != (number, "TCP") for port in service.ports):
        message = f"Port {number} of {emitter.name} leads to no port of the pods behind Service {service.ref.name}."
        return blocked(HOP, ConditionType.SERVICE_RESOLVED, message, emitter.name)
    source = PodEnd.of(emitter.workload) if emitter.workload else PodEnd(emitter.ref.namespace, {})
    ways = []
    for workload in behind:
        end = PodEnd.of(workload)
        port = _pod_port(service, end, number)
        if workload.ref == emitter.ref and port is not None:
            # A pod cannot be kept from itself.
            ways.append(_Way(target, service, workload, port, OPEN, OPEN))
        elif port is not None:
            out, into = egress(given.world, source, end, port), ingress(given.world, source, end, port)
            ways.append(_Way(target, service, workload, port, out, into))
    if not ways:
        message = f"Which pods and which of their ports Service {service.ref.name} leads to is not known."
        return blocked(HOP, ConditionType.ENDPOINTS_READY, message, emitter.name)
    return min(ways, key=lambda way: _OPENNESS[way.out.answer] + _OPENNESS[way.into.answer])


_OPENNESS: Final = {Answer.ALLOWED: 0, Answer.UNKNOWN: 1, Answer.DENIED: 4}


def _meant(given: Given, target: Target) -> Service | None:
    """The Service that the URL names, or the store's where it names a wrong one or none."""
    store = given.store
    match target.host.kind:
        case HostKind.ADDRESS:
            return store.service if store.service is not None and target.endpoint.host in store.service.cluster_ips else None
        case HostKind.LOOPBACK | HostKind.EXTERNAL | HostKind.ALIAS:
            return None
        case _:
            pass
    named = target.service
    if named is None or store.service is None or named.ref == store.service_ref or named.external_name:
        return named or store.service
    behind = {workload.ref for workload in given.world.workloads_labelled(named.ref.namespace, named.selector or {})}
    return named if behind and behind <= {workload.ref for workload in store.workloads} else store.service


def _pod_port(service: Service, pods: PodEnd, number: int) -> int | None:
    """The port of the pods behind a Service's port. A headless Service translates none."""
    if service.headless:
        return number
    target = next((port.target for port in service.ports if (port.port, port.protocol) == (number, "TCP")), None)
    return pods.port_named(target, "TCP") if isinstance(target, str) else target


# --- telling ------------------------------------------------------------------------------------------------------


def _told(given: Given, emitter: Emitter, source: Workload, ways: Iterable[_Way]) -> Iterator[Outcome]:
    """One finding for each side and set of policies, whatever the number of ports that they close."""
    closed: dict[tuple[Direction, ObjectRef, tuple[ObjectRef, ...]], list[_Way]] = {}
    gaps: dict[tuple[Reason, str], None] = {}
    for way in ways:
        sides: tuple[tuple[Direction, Ruling], ...] = (("egress", way.out), ("ingress", way.into))
        for direction, ruling in sides:
            if ruling.answer is Answer.DENIED:
                key = (direction, way.workload.ref, tuple(policy.ref for policy in ruling.policies))
                closed.setdefault(key, []).append(way)
            elif ruling.gap is not None:
                gaps[ruling.gap] = None
    for (direction, _, _), shut in closed.items():
        yield _denied(given, emitter, source, direction, shut)
    for gap in gaps:
        yield nothing_known(HOP, gap, emitter.name)


def _denied(given: Given, emitter: Emitter, source: Workload, direction: Direction, shut: list[_Way]) -> Finding:
    way = shut[0]
    outward = direction == "egress"
    ruling = way.out if outward else way.into
    selected, other = (source, way.workload) if outward else (way.workload, source)
    policy, short = _nearest(given, ruling.policies, direction, way, PodEnd.of(other))
    numbers = list(dict.fromkeys(way.port for way in shut))
    ports = listed([f"TCP {number}" for number in numbers])
    ports_of_rule = ", ".join(f"{{protocol: TCP, port: {number}}}" for number in numbers)
    peer = _peer(way.service, policy, other, outward=outward)
    rule = f"{{{'to' if outward else 'from'}: [{peer}], ports: [{ports_of_rule}]}}"
    verb = f"let {source.ref} reach {way.workload.ref}" if outward else f"let {source.ref} in to {way.workload.ref}"
    return Finding(
        Reason.EGRESS_DENIED if outward else Reason.INGRESS_DENIED,
        f"{_do_not(ruling.policies)} {verb} on {ports}: {short}{_translated(way)}.",
        policy.ref,
        f"spec.{direction}",
        expected=rule,
        found=_found_rules(policy, direction),
        fix=_fix(policy, direction, rule, selected),
        emitter=emitter.name,
        workload=emitter.ref,
        details={
            **_details(ruling, policy, direction, str(numbers[0]), "TCP"),
            **({"ports": ", ".join(map(str, numbers))} if len(numbers) > 1 else {}),
        },
    )


def _nearest(
    given: Given, policies: tuple[NetworkPolicy, ...], direction: Direction, way: _Way, other: PodEnd
) -> tuple[NetworkPolicy, str]:
    """The policy that most nearly admits, the one to mend, and what it lacks."""
    destination = PodEnd.of(way.workload)
    for policy in policies:
        rules = rules_of(policy, direction) or ()
        ports = [_ports(rule) for rule in rules if admits_peer(given.world, policy, rule, other).truth is Truth.YES]
        if ports:
            return policy, f"{policy.ref.name} admits these pods on {listed(ports)} only"
    for policy in policies:
        rules = rules_of(policy, direction) or ()
        if any(rule.ports and admits_port(rule, destination, way.port, "TCP").truth is Truth.YES for rule in rules):
            return policy, f"{policy.ref.name} admits this port for other pods only"
    policy = _first(policies, direction)
    return policy, "no rule admits these pods" if rules_of(policy, direction) else "no rule admits anything"


def _first(policies: tuple[NetworkPolicy, ...], direction: Direction) -> NetworkPolicy:
    """A policy with rules, before one that only isolates."""
    return next((policy for policy in policies if rules_of(policy, direction)), policies[0])


def _translated(way: _Way) -> str:
    """The commonest misreading: a rule with the Service's port instead of the pods'."""
    number = way.target.endpoint.port
    if number == way.port:
        return ""
    return f"; rules count ports of pods, and port {number} of Service {way.service.ref.name} is their port {way.port}"


def _store_finding(workload: Workload, ruling: Ruling, what: str, *, port: str, protocol: str, expected: str) -> Finding:
    policy = _first(ruling.policies, "egress")
    return Finding(
        Reason.STORE_EGRESS_DENIED,
        f"{_do_not(ruling.policies)} let {workload.ref}, the store, reach {what}.",
        policy.ref,
        "spec.egress",
        expected=expected,
        found=_found_rules(policy, "egress"),
        fix=_fix(policy, "egress", expected, workload),
        workload=workload.ref,
        details=_details(ruling, policy, "egress", port, protocol),
    )


def _details(ruling: Ruling, policy: NetworkPolicy, direction: Direction, port: str, protocol: str) -> Mapping[str, str]:
    name = f"{policy.ref.namespace}/{policy.ref.name}"
    details = {"port": port, "protocol": protocol, "direction": direction, "policy": name}
    if len(ruling.policies) > 1:
        details["policies"] = ", ".join(f"{each.ref.namespace}/{each.ref.name}" for each in ruling.policies)
    return details


def _do_not(policies: tuple[NetworkPolicy, ...]) -> str:
    names = listed([policy.ref.name for policy in policies])
    return f"NetworkPolicies {names} do not" if len(policies) > 1 else f"NetworkPolicy {names} does not"


def _fix(policy: NetworkPolicy, direction: Direction, rule: str, selected: Workload) -> str:
    if rules_of(policy, direction):
        return f"add {rule} to spec.{direction} of NetworkPolicy {policy.ref.name}"
    # A policy without rules closes a namespace on purpose; what is admitted stands in policies of its own.
    return (
        f"add a NetworkPolicy to namespace {policy.ref.namespace} with podSelector {_selector(_pod_labels(selected))} "
        f"and {rule} in spec.{direction}"
    )


def _dns_port(given: Given) -> str:
    return str(dns_server(given.world).udp or 53)


def _dns_rule(given: Given) -> str:
    server = dns_server(given.world)
    namespace = _selector({NAME_LABEL: server.pods.namespace})
    peer = f"namespaceSelector: {namespace}, podSelector: {_selector(server.selector)}"
    ports = (("UDP", server.udp), ("TCP", server.tcp))
    told = ", ".join(f"{{protocol: {protocol}, port: {port}}}" for protocol, port in ports if port is not None)
    return f"{{to: [{{{peer}}}], ports: [{told}]}}"


def _peer(service: Service, policy: NetworkPolicy, other: Workload, *, outward: bool) -> str:
    """The peer to add, in the words of the manifest."""
    labels = _pod_labels(other)
    if outward and service.selector and contains(other.pod.labels, service.selector):
        labels = service.selector
    peer = f"podSelector: {_selector(labels)}"
    if other.ref.namespace != policy.ref.namespace:
        peer = f"namespaceSelector: {_selector({NAME_LABEL: other.ref.namespace})}, {peer}"
    return f"{{{peer}}}"


def _pod_labels(workload: Workload) -> Labels:
    """The labels by which the workload knows its own pods; all of the template's where it names none."""
    own = {key: values[0] for key, operator, values in workload.selector if operator == "In" and len(values) == 1}
    return own or workload.pod.labels


def _selector(labels: Labels) -> str:
    pairs = ", ".join(f"{key}: {value}" for key, value in sorted(labels.items()))
    return f"{{matchLabels: {{{pairs}}}}}" if pairs else "{}"


def _found_rules(policy: NetworkPolicy, direction: Direction) -> str:
    rules = rules_of(policy, direction)
    if not rules:
        return "no rule"
    return f"{len(rules)} {'rule' if len(rules) == 1 else 'rules'}, for {listed(list(dict.fromkeys(map(_ports, rules))))}"


def _ports(rule: NetworkRule) -> str:
    return listed([_port(port) for port in rule.ports]) if rule.ports else "all ports"


def _port(port: NetworkPort) -> str:
    if port.port is None:
        return f"all {port.protocol} ports"
    return f"{port.protocol} {port.port}" + (f"-{port.end_port}" if port.end_port else "")
