"""Hop 2: does the URL name a real Service, and does that Service expose its port?

A host is judged by what cluster DNS would answer in the emitter's pod: `wiring.dns` has applied the search path before
it reaches this module. Where the host is wrong, the port is still judged, against the store that is meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome, Unknown
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, blocked, did_you_mean, nothing_known, store_gap
from auditpipeline.wiring.dns import CLUSTER_DOMAIN, HostKind
from auditpipeline.wiring.environment import listed
from auditpipeline.wiring.resolve import ADMIT_LABEL, Emitter, Target
from auditpipeline.wiring.serving import port_of, spoken_scheme
from auditpipeline.world.objects import Service

HOP: Final = ConditionType.SERVICE_RESOLVED
_API: Final = frozenset({"http", "https", "api", "http-api", "rest"})
_SIDE_PORTS: Final = frozenset({"metrics", "http-metrics", "prometheus", "health", "http-health", "healthz", "pprof"})
_NOT_THE_API: Final = ("metric", "health", "pprof", "debug", "prom")


def not_permitted(given: Given) -> Iterator[Outcome]:
    """The store's namespace has not opted in; nothing of it may be shown."""
    if not given.store.permitted:
        yield Unknown(
            HOP,
            Reason.NOT_PERMITTED,
            _not_admitted(given, given.store.namespace),
        )


def store_service_not_found(given: Given) -> Iterator[Outcome]:
    """The Service that the pipeline names does not exist."""
    store = given.store
    # In a discovered pipeline nobody named it: the emitter's URL is all there is.
    if store.service is not None or not store.permitted or not given.wiring.pipeline.declared:
        return
    gap = store_gap(given, "Service", store.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap)
        return
    nearby = _names(given, store.namespace)
    meant = did_you_mean(store.service_ref.name, nearby)
    elsewhere = [] if meant else _elsewhere(given, store.service_ref.name, {store.namespace})
    if elsewhere:
        yield Finding(
            Reason.SERVICE_IN_OTHER_NAMESPACE,
            f"Service {store.service_ref.name} does not exist in namespace {store.namespace}; one of that name stands in {listed(elsewhere)}.",
            given.wiring.pipeline.ref,
            "spec.store.serviceRef.namespace",
            expected=f"namespace {elsewhere[0]}",
            found=f"namespace {store.namespace}",
            fix=f"set spec.store.serviceRef.namespace to {elsewhere[0]}, or deploy the store to {store.namespace}",
        )
        return
    yield Finding(
        Reason.SERVICE_NOT_FOUND,
        f'Service "{store.service_ref.name}" does not exist in namespace {store.namespace}{_suggest(meant)}',
        given.wiring.pipeline.ref,
        "spec.store.serviceRef.name",
        expected=f"a Service named {store.service_ref.name}",
        found=f"Services {listed(nearby)}" if nearby else "no Service",
        fix=f"set spec.store.serviceRef.name to {meant}" if meant else f"create Service {store.service_ref.name} in namespace {store.namespace}",
    )


def url_unknown(given: Given, emitter: Emitter) -> Iterator[Outcome]:  # noqa: ARG001  (one signature for all checks)
    """Without a URL there is no host to judge, which is no pass."""
    if not any(target.source.use == "events" for target in emitter.targets):
        yield blocked(HOP, ConditionType.CONFIG_RESOLVED, f"The store URL of {emitter.name} is not known.", emitter.name)


def host_not_a_service(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The host means something else than a Service: the pod itself, an address, another domain."""
    for target in emitter.targets:
        endpoint = target.endpoint
        match target.host.kind:
            case HostKind.LOOPBACK:
                if not _served_by_own_pod(emitter, target):
                    yield _finding(
                        given,
                        emitter,
                        target,
                        Reason.LOOPBACK_HOST,
                        f"Host {endpoint.host} means the pod of {emitter.ref} itself, or one machine only; the store is not there.",
                        expected="the name of the store's Service",
                        found=endpoint.host,
                    )
            case HostKind.ADDRESS:
                yield from _address(given, emitter, target)
            case HostKind.OTHER_DOMAIN:
                yield _finding(
                    given,
                    emitter,
                    target,
                    Reason.CLUSTER_DOMAIN_MISMATCH,
                    f"Host {endpoint.host} ends in cluster domain {target.host.domain}; this cluster's is {CLUSTER_DOMAIN}, so the name does not resolve.",
                    expected=CLUSTER_DOMAIN,
                    found=target.host.domain,
                )
            case HostKind.EXTERNAL:
                yield Unknown(HOP, Reason.EXTERNAL_HOST, f"Host {endpoint.host} of {emitter.name} lies outside the cluster.", emitter.name)
            case HostKind.ALIAS:
                yield Unknown(HOP, Reason.EXTERNAL_HOST, f"Host {endpoint.host} of {emitter.name} is an address that hostAliases give.", emitter.name)
            case _:
                pass


def cluster_dns_not_used(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The pods do not search the cluster's domain, and the host leaves it out.

    Where the node's resolver is asked instead of cluster DNS, what it knows cannot be told from manifests.
    """
    pod = None if emitter.workload is None else emitter.workload.pod
    for target in emitter.targets:
        host, endpoint = target.host, target.endpoint
        if pod is None or host.kind is not HostKind.SERVICE:
            continue
        if pod.asks_the_node and not pod.own_resolver:
            message = f"Host {endpoint.host} of {emitter.name} is looked up by the node's resolver, not by cluster DNS."
            yield Unknown(HOP, Reason.EXTERNAL_HOST, message, emitter.name)
        elif pod.dns_policy == "None" and not pod.searches and not host.domain:
            full = f"{host.service}.{host.namespace}.svc.{CLUSTER_DOMAIN}"
            yield _finding(
                given,
                emitter,
                target,
                Reason.CLUSTER_DNS_NOT_USED,
                f'Host "{endpoint.host}" is not found: {emitter.ref} has dnsPolicy None without a search path, so only full names are.',
                expected=full,
                found=endpoint.host,
                fix=f"set it to {endpoint.at(full, endpoint.port)}, or set dnsConfig.searches or dnsPolicy ClusterFirst",
            )


def service_not_found(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The host is a name of this cluster, and no Service has it."""
    for target in emitter.targets:
        host = target.host
        if host.kind is not HostKind.SERVICE or target.service is not None:
            continue
        store = given.store
        if given.wiring.pipeline.declared and (host.namespace, host.service) == (store.namespace, store.service_ref.name):
            # One cause, told once, at the Service that the pipeline names.
            continue
        endpoint = target.endpoint
        if not target.permitted:
            if host.namespace == store.namespace or (host.ambiguous and not _namespace_known(given, host.namespace)):
                # Told by not_permitted; or a name from outside the cluster, told below.
                pass
            elif host.service == store.service_ref.name:
                yield _leads_elsewhere(given, emitter, target)
                continue
            else:
                yield Unknown(HOP, Reason.NOT_PERMITTED, _not_admitted(given, host.namespace), emitter.name)
                continue
        elsewhere = _elsewhere(given, host.service, {host.namespace})
        if host.ambiguous and not elsewhere and not _namespace_known(given, host.namespace):
            yield Unknown(HOP, Reason.EXTERNAL_HOST, f"Host {endpoint.host} of {emitter.name} lies outside the cluster.", emitter.name)
        elif elsewhere and store_gap(given, "Service", host.namespace) is not None:
            # Whether a Service stands there too is not known; that the store does not is.
            if host.service == store.service_ref.name and store.service is not None:
                yield _leads_elsewhere(given, emitter, target)
            else:
                yield from _nowhere(given, emitter, target)
        elif elsewhere and host.short:
            yield _finding(
                given,
                emitter,
                target,
                Reason.SHORT_NAME_ACROSS_NAMESPACES,
                f'Host "{host.service}" carries no namespace, so it is looked up in {host.namespace}; the Service stands in {listed(elsewhere)}.',
                expected=f"{host.service}.{elsewhere[0]}",
                found=host.service,
            )
        elif elsewhere:
            yield _finding(
                given,
                emitter,
                target,
                Reason.SERVICE_IN_OTHER_NAMESPACE,
                f'Service "{host.service}" does not exist in namespace {host.namespace}; one of that name stands in {listed(elsewhere)}.',
                expected=f"namespace {elsewhere[0]}",
                found=f"namespace {host.namespace}",
            )
        else:
            yield from _nowhere(given, emitter, target)


def service_not_the_store(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The Service exists, but is not the pipeline's store and leads to other pods."""
    store = given.store
    for target in emitter.targets:
        service = target.service
        if service is None or service.ref == store.service_ref or store.service is None or target.host.kind is not HostKind.SERVICE:
            continue
        if service.external_name:
            yield Unknown(HOP, Reason.EXTERNAL_NAME_SERVICE, f"Service {service.ref.name} is an alias for a name outside this check.", emitter.name)
            continue
        if service.selector is None:
            message = f"Service {service.ref.name} has no selector, so where it leads cannot be followed."
            yield Unknown(HOP, Reason.EXTERNAL_NAME_SERVICE, message, emitter.name)
            continue
        if _leads_to_the_store(given, service):
            continue
        other_namespace = service.ref.name == store.service_ref.name
        yield _finding(
            given,
            emitter,
            target,
            Reason.SERVICE_IN_OTHER_NAMESPACE if other_namespace else Reason.SERVICE_NOT_THE_STORE,
            f"The URL of {emitter.name} leads to Service {service.ref.name} in namespace {service.ref.namespace}; "
            f"the store of this pipeline is Service {store.service_ref.name} in namespace {store.namespace}.",
            expected=f"{store.service_ref.name}.{store.namespace}",
            found=f"{service.ref.name}.{service.ref.namespace}",
        )


def port_not_exposed(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The Service, the one that the URL names or the one that is meant, does not list the URL's port.

    A headless Service translates no ports: there the pods' own ports count.
    """
    for target in emitter.targets:
        service = _meant(given, target)
        if service is None or service.external_name:
            continue
        endpoint = target.endpoint
        reachable = _reachable(given, service)
        if endpoint.port in reachable:
            if target.source.use == "events" and target.service is not None:
                yield from _not_the_api(given, emitter, target, service)
            continue
        if not reachable:
            if service.ports and not service.headless:
                yield from _no_tcp(given, emitter, target, service)
            continue
        yield _finding(
            given,
            emitter,
            target,
            Reason.PORT_NOT_EXPOSED,
            f"Port {endpoint.port} is not exposed by Service {service.ref.name}; it exposes {_ports(reachable)}{_role_of(service, endpoint.port)}.",
            expected=f"one of {_ports(reachable)}",
            found=str(endpoint.port),
            details={"port": str(endpoint.port), "service": f"{service.ref.namespace}/{service.ref.name}"},
        )


def _not_the_api(given: Given, emitter: Emitter, target: Target, service: Service) -> Iterator[Outcome]:
    """The port is there, and by its name serves metrics or health; another one is the API's."""
    number = target.endpoint.port
    name = next((port.name for port in service.ports if port.port == number), "")
    api = {port.port: port.name for port in service.ports if port.protocol == "TCP" and port.name in _API}
    if api and name in _SIDE_PORTS and not service.headless:
        yield _finding(
            given,
            emitter,
            target,
            Reason.PORT_NOT_EXPOSED,
            f"Port {number} of Service {service.ref.name} is its {name} port, where no event is taken; the API is exposed at {_ports(api)}.",
            expected=f"one of {_ports(api)}",
            found=f"{number} ({name})",
            fix=f"set it to {target.endpoint.at(service.dns_name, next(iter(api)))}",
            details={"port": str(number), "service": f"{service.ref.namespace}/{service.ref.name}"},
        )


def _no_tcp(given: Given, emitter: Emitter, target: Target, service: Service) -> Iterator[Outcome]:
    protocols = listed(sorted({f"{port.port}/{port.protocol}" for port in service.ports}))
    yield _finding(
        given,
        emitter,
        target,
        Reason.PORT_NOT_EXPOSED,
        f"Service {service.ref.name} exposes no TCP port, and HTTP needs one; it exposes {protocols}.",
        expected=f"port {target.endpoint.port} with protocol TCP",
        found=protocols,
        fix=f"set protocol TCP on the port of Service {service.ref.name}",
        details={"port": str(target.endpoint.port), "service": f"{service.ref.namespace}/{service.ref.name}"},
    )


def scheme_mismatch(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """Http to a port that speaks TLS, or the reverse."""
    for target in emitter.targets:
        service = target.service
        port = None if service is None else port_of(service, target.endpoint.port)
        if service is None or port is None or service.external_name:
            continue
        for workload in given.world.workloads_labelled(service.ref.namespace, service.selector or {}):
            spoken = spoken_scheme(given.world, workload, port, given.wiring.contracts)
            if spoken is None or spoken[0] == target.endpoint.scheme:
                continue
            scheme, shown_by = spoken
            yield _finding(
                given,
                emitter,
                target,
                Reason.SCHEME_MISMATCH,
                f"The URL of {emitter.name} says {target.endpoint.scheme}, but port {target.endpoint.port} of Service {service.ref.name} "
                f"speaks {scheme}, by {shown_by}.",
                expected=scheme,
                found=target.endpoint.scheme,
                fix=f"set it to {replace(target.endpoint, scheme=scheme)}",
            )
            break


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    not_permitted,            # the store's namespace keeps us out
    store_service_not_found,  # the pipeline names a Service that is not there
)
CHECKS: Final[tuple[EmitterCheck, ...]] = (
    url_unknown,            # there is no host to judge
    host_not_a_service,     # localhost, an address, a name from outside
    cluster_dns_not_used,   # a name of the cluster, and nobody asks its DNS
    service_not_found,      # the name is nowhere, or stands in another namespace
    service_not_the_store,  # it is there, and is something else
    port_not_exposed,       # the Service is there (or meant), its port is not
    scheme_mismatch,        # the port is there, and speaks otherwise
)


def _not_admitted(given: Given, host_namespace: str) -> str:
    namespace = given.wiring.pipeline.ref.namespace
    return (
        f"Namespace {host_namespace} does not admit pipelines of namespace {namespace}: its owner may set the label "
        f'{ADMIT_LABEL}{namespace}: "true" on it.'
    )


def _leads_elsewhere(given: Given, emitter: Emitter, target: Target) -> Finding:
    """The store's name under another namespace."""
    store = given.store
    return _finding(
        given,
        emitter,
        target,
        Reason.SERVICE_IN_OTHER_NAMESPACE,
        f"The URL of {emitter.name} leads to namespace {target.host.namespace}; "
        f"the store of this pipeline is Service {store.service_ref.name} in namespace {store.namespace}.",
        expected=f"namespace {store.namespace}",
        found=f"namespace {target.host.namespace}",
    )


def _meant(given: Given, target: Target) -> Service | None:
    """The Service that the URL names; where it is told that there is none, the store, which must be meant."""
    host = target.host
    if target.service is not None or host.kind not in {HostKind.SERVICE, HostKind.OTHER_DOMAIN}:
        return target.service
    if host.kind is HostKind.OTHER_DOMAIN:
        return given.store.service
    if not target.permitted:
        return given.store.service if host.service == given.store.service_ref.name else None
    if host.service == given.store.service_ref.name:
        return given.store.service
    outside = host.ambiguous and not _namespace_known(given, host.namespace) and not _elsewhere(given, host.service, {host.namespace})
    if outside or store_gap(given, "Service", host.namespace) is not None:
        return None
    return given.store.service


def _leads_to_the_store(given: Given, service: Service) -> bool:
    """Another Service before the same pods."""
    store = given.store.service
    if store is None or service.ref.namespace != store.ref.namespace:
        return False
    if service.selector == store.selector:
        return True
    selector = service.selector or {}
    selected = {workload.ref for workload in given.world.workloads_labelled(service.ref.namespace, selector)}
    if selected:
        return selected <= {workload.ref for workload in given.store.workloads}
    pods = {pod.ref for pod in given.world.pods_labelled(service.ref.namespace, selector)}
    return bool(pods) and pods <= {pod.ref for pod in given.world.pods_labelled(service.ref.namespace, store.selector or {})}


def _nowhere(given: Given, emitter: Emitter, target: Target) -> Iterator[Outcome]:
    host = target.host
    gap = store_gap(given, "Service", host.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap, emitter.name)
        return
    store = given.store
    likely = store.service_ref.name if store.service is not None and store.namespace == host.namespace else ""
    nearby = _names(given, host.namespace)
    meant = did_you_mean(host.service, nearby, likely=likely)
    yield _finding(
        given,
        emitter,
        target,
        Reason.SERVICE_NOT_FOUND,
        f'Service "{host.service}" does not exist in namespace {host.namespace}{_suggest(meant)}',
        expected=f"Service {meant}" if meant else f"a Service named {host.service}",
        found=f'"{host.service}", which no Service of namespace {host.namespace} is named',
    )


def _address(given: Given, emitter: Emitter, target: Target) -> Iterator[Outcome]:
    endpoint = target.endpoint
    store = given.store.service
    if store is not None and endpoint.host in store.cluster_ips:
        message = f"The URL of {emitter.name} uses the address of Service {store.ref.name}; it changes when the Service is made anew."
    else:
        message = f"The URL of {emitter.name} uses an address instead of a Service's name, so its way to the store cannot be followed."
    yield _finding(given, emitter, target, Reason.HOST_IS_ADDRESS, message, expected="the name of the store's Service", found="an IP address")


def _finding(
    given: Given,
    emitter: Emitter,
    target: Target,
    reason: Reason,
    message: str,
    *,
    expected: str,
    found: str,
    fix: str = "",
    details: dict[str, str] | None = None,
) -> Finding:
    place = target.source.place
    return Finding(
        reason,
        message,
        place.object,
        place.field,
        expected=expected,
        found=found,
        fix=fix or _fix(given, target),
        emitter=emitter.name,
        workload=emitter.ref,
        details=details or {},
    )


def _fix(given: Given, target: Target) -> str:
    """The URL that would be right."""
    service = given.store.service
    if service is None:
        return "name the store's Service"
    endpoint = target.endpoint
    return f"set it to {endpoint.at(service.dns_name, _right_port(_reachable(given, service), endpoint.port))}"


def _right_port(reachable: Mapping[int, str], port: int) -> int:
    """The URL's own port where it can be reached, else the one that is most likely the API's."""
    if port in reachable or not reachable:
        return port
    api = [number for number, name in reachable.items() if name in _API]
    other = [number for number, name in reachable.items() if not any(word in name for word in _NOT_THE_API)]
    return next(iter([*api, *other, *reachable]))


def _reachable(given: Given, service: Service) -> dict[int, str]:
    """The TCP ports that answer under the Service's name, each with its name.

    A headless Service is its pods' addresses: each of their ports answers, listed by the Service or not.
    """
    ports = [port for port in service.ports if port.protocol == "TCP"]
    if not service.headless:
        return {port.port: port.name for port in ports}
    selected = given.world.workloads_labelled(service.ref.namespace, service.selector or {})
    declared = [port for workload in selected for container in workload.pod.containers if container.runs for port in container.ports]
    own = {port.name: port.number for port in declared if port.protocol == "TCP"}
    listed_ports = {own.get(port.target, port.port) if isinstance(port.target, str) else port.target: port.name for port in ports}
    return {**{number: name for name, number in own.items()}, **listed_ports}


def _ports(reachable: Mapping[int, str]) -> str:
    return listed([f"{number} ({name})" if name else str(number) for number, name in reachable.items()])


def _role_of(service: Service, number: int) -> str:
    for port in service.ports:
        if port.node_port == number:
            return f"; {number} is its node port, which is reached at a node's address only"
        if port.target == number:
            return f"; {number} is the container's port behind {port.port}"
    return ""


def _served_by_own_pod(emitter: Emitter, target: Target) -> bool:
    """A proxy beside the emitter may well listen on localhost. One that declares no port may listen on any."""
    if emitter.workload is None or target.endpoint.host.endswith(".internal"):
        return False
    running = [container for container in emitter.workload.pod.containers if container.runs]
    own = target.source.container or running[0].name if running else ""
    beside = [container for container in running if container.name != own]
    return any(not container.ports or target.endpoint.port in {port.number for port in container.ports} for container in beside)


def _elsewhere(given: Given, name: str, but: set[str]) -> list[str]:
    """Namespaces with a Service of that name that may be named: the pipeline's, the store's, offline all of the input."""
    own = {given.wiring.pipeline.ref.namespace, *([given.store.namespace] if given.store.permitted else [])}
    found = {service.ref.namespace for service in given.world.services_named(name)} - but
    return sorted(found & own if given.evidence.live else found)


def _names(given: Given, namespace: str) -> list[str]:
    return sorted(ref.name for ref in given.world.services.in_namespace(namespace))


def _namespace_known(given: Given, name: str) -> bool:
    world = given.world
    return (
        name in {given.wiring.pipeline.ref.namespace, given.store.namespace}
        or world.namespaces.get(ObjectRef("Namespace", "", name)) is not None
        or bool(world.workloads.in_namespace(name) or world.services.in_namespace(name))
    )


def _suggest(meant: str) -> str:
    return f'; did you mean "{meant}"?' if meant else "."

