"""Pipelines of bare manifests: which workloads emit, and which Service is their store.

An emitter is a workload whose manifest wires a store URL under a name that a contract or the field's habit uses, or one
that a contract names in an input that holds a store. Its store is the Service its URL leads to; where that leads
nowhere, the store that the input holds nearby.
"""

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import KIND, EmitterSpec, PipelineSpec, ServiceRef, StoreSpec, WorkloadRef
from auditpipeline.contracts.builtin import AUTO, builtin_contracts
from auditpipeline.contracts.model import Contract
from auditpipeline.wiring.dns import HostKind, read_host
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.wiring.resolve import emitter_sources
from auditpipeline.wiring.sources import UrlSource
from auditpipeline.world.objects import Service, Workload
from auditpipeline.world.world import World

_EMITTING_KINDS: Final = frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"})


def discover(world: World, covered: Container[ObjectRef] = (), *, contract: str = AUTO) -> list[Pipeline]:
    """One pipeline for each emitter namespace and store, without the `covered` workloads, in the input's order."""
    contracts = builtin_contracts()
    stores = _Stores(world, contracts)
    groups: dict[tuple[str, ObjectRef], list[EmitterSpec]] = {}
    for workload in world.workloads:
        if workload.owner is not None or workload.ref in covered or workload.ref.kind not in _EMITTING_KINDS:
            continue
        if stores.is_store(workload):
            continue
        sources = emitter_sources(world, workload, "", contracts)
        if not any(source.use == "events" for source in sources) and not (stores.any and _named(contracts, workload)):
            continue
        store = stores.meant_by(workload, sources)
        groups.setdefault((workload.ref.namespace, store), []).append(
            EmitterSpec(WorkloadRef(workload.ref.kind, workload.ref.name), workload.ref.name)
        )
    return [_pipeline(namespace, store, emitters, contract) for (namespace, store), emitters in groups.items()]


def covered_by(pipelines: Iterable[Pipeline]) -> frozenset[ObjectRef]:
    """The workloads that pipelines name."""
    return frozenset(
        ObjectRef(emitter.workload.kind, pipeline.ref.namespace, emitter.workload.name)
        for pipeline in pipelines
        for emitter in pipeline.spec.emitters
    )


class _Stores:
    """The Services and workloads of an input that a contract would call a store."""

    def __init__(self, world: World, contracts: tuple[Contract, ...]) -> None:
        self._world = world
        self._names = list(dict.fromkeys(name for contract in contracts for name in contract.services))
        self._workloads = {name for contract in contracts for name in contract.workloads}
        self._services = {service.ref: service for service in world.services if self._is_store_service(service)}
        self._by_namespace: dict[str, list[Service]] = {}
        for service in self._services.values():
            self._by_namespace.setdefault(service.ref.namespace, []).append(service)
        self._selected = {
            workload.ref
            for service in self._services.values()
            if service.ref.name in self._names
            for workload in world.workloads_labelled(service.ref.namespace, service.selector or {})
        }

    @property
    def any(self) -> bool:
        """The input holds a store."""
        return bool(self._services)

    def is_store(self, workload: Workload) -> bool:
        """The workload serves a store, by its name or because a store's Service selects it."""
        return workload.ref.name in self._workloads or workload.ref in self._selected

    def meant_by(self, workload: Workload, sources: Iterable[UrlSource]) -> ObjectRef:
        """The Service that an emitter's URL means."""
        endpoint = next((source.endpoint for source in sources if source.use == "events"), None)
        namespace, name = workload.ref.namespace, self._names[0]
        if endpoint is not None:
            host = read_host(endpoint.host, absolute=endpoint.absolute, namespace=namespace)
            if host.kind in {HostKind.SERVICE, HostKind.OTHER_DOMAIN}:
                service = self._world.service(host.namespace, host.service)
                if service is not None and (service.ref in self._services or not self._nearest(host.namespace, namespace)):
                    return service.ref
                namespace, name = host.namespace, host.service
        nearest = self._nearest(namespace, workload.ref.namespace)
        return nearest.ref if nearest is not None else ObjectRef("Service", namespace, name)

    def _nearest(self, *namespaces: str) -> Service | None:
        for namespace in namespaces:
            near = self._by_namespace.get(namespace)
            if near:
                # A contract's own name comes before a Service that merely leads to the same pods.
                return min(near, key=lambda service: self._names.index(service.ref.name) if service.ref.name in self._names else len(self._names))
        return next(iter(self._services.values())) if len(self._services) == 1 else None

    def _is_store_service(self, service: Service) -> bool:
        if service.ref.name in self._names:
            return True
        selected = self._world.workloads_labelled(service.ref.namespace, service.selector or {})
        return any(workload.ref.name in self._workloads for workload in selected)


def _named(contracts: Iterable[Contract], workload: Workload) -> bool:
    return any(contract.rules_for(workload.ref.name) is not None for contract in contracts)


def _pipeline(namespace: str, store: ObjectRef, emitters: list[EmitterSpec], contract: str) -> Pipeline:
    names = Counter(emitter.name for emitter in emitters)
    # Workloads of several kinds may share a name.
    unique = tuple(
        emitter
        if names[emitter.name] == 1
        else replace(emitter, name=f"{emitter.workload.kind.lower()}-{emitter.workload.name}")
        for emitter in emitters
    )
    spec = PipelineSpec(StoreSpec(ServiceRef(store.name, store.namespace)), unique, contract)
    name = store.name if store.namespace == namespace else f"{store.name}.{store.namespace}"
    return Pipeline(ObjectRef(KIND, namespace, name), spec, declared=False)
