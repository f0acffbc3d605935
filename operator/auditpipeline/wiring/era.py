"""Which contracts the input leaves possible.

`auto` starts from all of them and drops one only where the input speaks against it and for another: an emitter that it
names sets its URL under names that another contract reads and this one does not. What differs between those that remain
cannot be judged.
"""

from collections.abc import Iterable

from auditpipeline.contracts.builtin import AUTO, builtin_contracts, contract
from auditpipeline.contracts.model import Contract
from auditpipeline.wiring.sources import Names, discovered_sources
from auditpipeline.world.objects import Workload
from auditpipeline.world.world import World


def possible_contracts(world: World, name: str, emitters: Iterable[tuple[Workload, str]]) -> tuple[Contract, ...]:
    """The named contract, or for `auto` those that every emitter (workload and container name) leaves possible.

    Where no contract reads what all emitters set (a mixed roll-out), all remain.
    """
    if name != AUTO:
        return (contract(name),)
    everything = builtin_contracts()
    remaining = set(everything)
    for workload, container in emitters:
        remaining -= _ruled_out(world, everything, workload, container)
    return tuple(candidate for candidate in everything if candidate in remaining) or everything


def _ruled_out(world: World, contracts: tuple[Contract, ...], workload: Workload, container: str) -> set[Contract]:
    reads: set[Contract] = set()
    does_not: set[Contract] = set()
    for candidate in contracts:
        names = Names.of((candidate,), workload.ref.name)
        if names is None:
            continue
        found = any(source.use == "events" for source in discovered_sources(world, workload, container, names))
        (reads if found else does_not).add(candidate)
    return does_not if reads else set()
