"""The cluster's DNS: CoreDNS as a program of the node, behind the usual Service kube-system/kube-dns."""

from pathlib import Path
from typing import Final

from cluster_kit.client import Objects
from cluster_kit.subnets import Subnet

_COREFILE: Final = """\
cluster.local:53 in-addr.arpa:53 {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
.:53 {{
    bind {address}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def corefile(subnet: Subnet, kubeconfig: Path) -> str:
    """Names of the cluster resolve; all others are NXDOMAIN, for there is no upstream to ask.

    TTL 1 s: tests create and delete Services and look again.
    """
    return _COREFILE.format(address=subnet.node, kubeconfig=kubeconfig)


def dns_service(subnet: Subnet) -> Objects:
    """The Service at the address every pod's resolv.conf names, and its hand-written endpoint on the node."""
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata | {"labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": subnet.dns_service, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [subnet.node], "conditions": {"ready": True}}],
            "ports": ports,
        },
    ]
