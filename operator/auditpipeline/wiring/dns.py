"""What a host name means inside a pod, by the search path that Kubernetes gives it.

Source: Kubernetes documentation, "DNS for Services and Pods": search `<ns>.svc.<domain> svc.<domain> <domain>`, ndots 5.
"""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

CLUSTER_DOMAIN: Final = "cluster.local"
_LOOPBACK_NAMES: Final = frozenset(
    {"localhost", "host.docker.internal", "host.containers.internal", "host.minikube.internal", "host.lima.internal", "gateway.docker.internal"}
)


class HostKind(Enum):
    """What sort of thing a host names."""

    SERVICE = "a Service of this cluster"
    ADDRESS = "an IP address"
    LOOPBACK = "the pod itself or the machine it happens to run on"
    OTHER_DOMAIN = "a Service name under another cluster domain"
    EXTERNAL = "a name outside the cluster"
    ALIAS = "a name that the pod's hostAliases answer"


@dataclass(frozen=True, slots=True)
class Host:
    """The meaning of a host.

    Attributes:
        service, namespace: For SERVICE and OTHER_DOMAIN; `namespace` is the emitter's own for a short name.
        short: The name carries no namespace.
        ambiguous: Two labels: a Service and its namespace, or a name outside the cluster. Which one depends on
            whether the namespace exists.
        domain: What follows `.svc.`, if anything.
    """

    kind: HostKind
    service: str = ""
    namespace: str = ""
    short: bool = False
    ambiguous: bool = False
    domain: str = ""


@lru_cache(maxsize=4096)
def read_host(host: str, *, absolute: bool, namespace: str, cluster_domain: str = CLUSTER_DOMAIN) -> Host:
    """The meaning of a host in a pod of `namespace`. `absolute` says that the URL wrote a trailing dot."""
    host = host.lower()
    address = _address(host)
    if address is not None:
        return Host(HostKind.LOOPBACK if address.is_loopback or address.is_unspecified else HostKind.ADDRESS)
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return Host(HostKind.LOOPBACK)
    labels = host.split(".")
    if absolute and len(labels) < 4:
        # A trailing dot switches the search path off.
        return Host(HostKind.EXTERNAL)
    if len(labels) == 1:
        return Host(HostKind.SERVICE, labels[0], namespace, short=True)
    if len(labels) == 2:
        return Host(HostKind.SERVICE, labels[0], labels[1], ambiguous=True)
    if labels[2] == "svc":
        domain = ".".join(labels[3:])
        if not domain or domain == cluster_domain:
            return Host(HostKind.SERVICE, labels[0], labels[1], domain=domain)
        return Host(HostKind.OTHER_DOMAIN, labels[0], labels[1], domain=domain)
    if len(labels) > 3 and labels[3] == "svc" and ".".join(labels[4:]) in {"", cluster_domain}:
        # pod-0.service.namespace.svc: one pod behind a headless Service.
        return Host(HostKind.SERVICE, labels[1], labels[2], domain=".".join(labels[4:]))
    return Host(HostKind.EXTERNAL)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if ":" not in host and not host[:1].isdigit():
        # Finding out by an exception takes ten times as long.
        return None
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
