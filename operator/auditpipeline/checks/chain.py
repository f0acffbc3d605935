"""The hops in path order. All are judged: one that fails does not hide the next."""

from collections.abc import Iterator
from types import ModuleType
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Outcome
from auditpipeline.checks import (
    access_granted,
    config_resolved,
    endpoints_ready,
    environment_clean,
    identity_bound,
    network_allowed,
    service_resolved,
    settings_fit,
)
from auditpipeline.checks.given import Given, blocked

CHAIN: Final[tuple[ModuleType, ...]] = (
    config_resolved,    # is a URL set where it is read
    service_resolved,   # does it name a Service and a port
    endpoints_ready,    # does the Service lead to pods
    environment_clean,  # does nothing of a host leak in
    identity_bound,     # does each pod have an identity
    access_granted,     # does the store let it in
    network_allowed,    # does the network
    settings_fit,       # and does what is sent fit
)
# Hops that look at the store need its namespace's consent.
_STORE_HOPS: Final = (endpoints_ready, access_granted)


def run(given: Given) -> Iterator[Outcome]:
    """Every finding and unknown of a pipeline, in path order."""
    for hop in CHAIN:
        if not given.store.permitted and hop in _STORE_HOPS:
            # What may not be looked at has not passed.
            yield blocked(hop.HOP, ConditionType.SERVICE_RESOLVED, f"Namespace {given.store.namespace} has not opted in.")
            continue
        for store_check in hop.STORE_CHECKS:
            yield from store_check(given)
        for emitter in given.wiring.emitters:
            for check in hop.CHECKS:
                yield from check(given, emitter)
