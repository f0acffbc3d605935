"""Addresses of a run: one /16 of private space each, so that clusters stand side by side on one host.

| part | range | for |
|---|---|---|
| pods | 10.B.0.0/24 | the node's bridge |
| Services | 10.B.128.0/20 | cluster IPs; .1 is `kubernetes`, .10 is DNS |
| link | 10.B.255.0/30 | .1 the host's end of the node's cable, .2 the node |

A run of the control-plane tier has the Service range alone, and nothing routes it.
"""

import ipaddress
import json
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from .errors import ClusterError

_BLOCKS: Final = range(64, 96)


@dataclass(frozen=True, slots=True)
class Subnet:
    """The address plan of block B."""

    block: int

    @classmethod
    def free(cls, taken: Collection[int]) -> "Subnet":
        for block in _BLOCKS:
            if block not in taken:
                return cls(block)
        raise ClusterError(f"all {len(_BLOCKS)} address blocks of the kit are in use; see `status`")

    @property
    def pods(self) -> str:
        return f"10.{self.block}.0.0/24"

    @property
    def services(self) -> str:
        return f"10.{self.block}.128.0/20"

    @property
    def kubernetes_service(self) -> str:
        return f"10.{self.block}.128.1"

    @property
    def dns_service(self) -> str:
        return f"10.{self.block}.128.10"

    @property
    def host(self) -> str:
        return f"10.{self.block}.255.1"

    @property
    def node(self) -> str:
        return f"10.{self.block}.255.2"


def used_blocks() -> set[int]:
    """Blocks that overlap with a network this host routes already."""
    try:
        listing = subprocess.run(["ip", "-json", "-4", "route"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return set()  # no iproute2: then no node tier, and nothing is routed
    routes = [entry["dst"] for entry in json.loads(listing or "[]") if entry["dst"] != "default"]
    networks = [ipaddress.ip_network(route) for route in routes]
    return {block for block in _BLOCKS if any(ipaddress.ip_network(f"10.{block}.0.0/16").overlaps(net) for net in networks)}
