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
    names = Names.of(contracts, workload.ref.name)
    if names is None:
        return set()
    found = {source.name for source in discovered_sources(world, workload, container, names) if source.use == "events"}
    knowing = [(candidate, rules) for candidate in contracts if (rules := candidate.rules_for(workload.ref.name)) is not None]
    does_not = {candidate for candidate, rules in knowing if found.isdisjoint((*rules.keys, *rules.env, *rules.args))}
    return does_not if len(does_not) < len(knowing) else set()
