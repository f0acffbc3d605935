"""A pipeline resolved in a World: its store, its emitters, the URL each one uses and the Service that URL means."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.api.spec import EmitterSpec, StoreSpec
from auditpipeline.contracts.builtin import builtin_contracts
from auditpipeline.contracts.model import Access, Contract, Review
from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.wiring.dns import Host, HostKind, read_host
from auditpipeline.wiring.era import possible_contracts
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.wiring.sources import Names, UrlSource, declared_sources, default_source, discovered_sources
from auditpipeline.wiring.urls import Endpoint
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import PodSpec, Service, Subject, Workload
from auditpipeline.world.world import World

ADMIT_LABEL: Final = "allow-from.auditpipeline.dev/"


@dataclass(frozen=True, slots=True)
class Store:
    """The store that a pipeline means.

    Attributes:
        service_ref: The Service that the pipeline names.
        service: That Service, if it exists.
        workloads: What serves it: named by the pipeline, selected by the Service, or known by the contract.
        permitted: The store's namespace admits references from the pipeline's.
        held: The world holds something of the store: its Service, its workload, or a Service that a contract names.
        accesses: What its access review may ask for, one for each possible contract; None asks for nothing.
        reviews: Rights its own ServiceAccount needs, where every possible contract needs them.
    """

    service_ref: ObjectRef
    service: Service | None
    workloads: tuple[Workload, ...]
    permitted: bool
    held: bool
    accesses: tuple[Access | None, ...]
    reviews: tuple[Review, ...]

    @property
    def namespace(self) -> str:
        """Where the store runs and asks its reviews."""
        return self.service_ref.namespace

    @property
    def authenticates(self) -> bool:
        """Every possible contract asks for a token."""
        return all(access is not None for access in self.accesses)


@dataclass(frozen=True, slots=True)
class Target:
    """Where one URL leads: its meaning in the emitter's namespace, and the Service if there is one."""

    source: UrlSource
    endpoint: Endpoint
    host: Host
    service: Service | None
    permitted: bool
    """The Services of the host's namespace may be looked at and named."""


@dataclass(frozen=True, slots=True)
class Emitter:
    """An emitter with everything its manifests say about the URL."""

    spec: EmitterSpec
    ref: ObjectRef
    workload: Workload | None
    sources: tuple[UrlSource, ...]
    targets: tuple[Target, ...]

    @property
    def name(self) -> str:
        """Effective name."""
        return self.spec.name

    @property
    def winner(self) -> UrlSource | None:
        """The source of the event URL that the emitter uses."""
        return next((source for source in self.sources if source.use == "events" and not source.unread_instead_of), None)

    @property
    def account(self) -> Subject | None:
        """The identity of its pods."""
        if self.workload is None:
            return None
        return Subject("ServiceAccount", self.ref.namespace, self.workload.pod.service_account)


@dataclass(frozen=True, slots=True)
class Wiring:
    """The resolved pipeline."""

    pipeline: Pipeline
    store: Store
    emitters: tuple[Emitter, ...]
    contracts: tuple[Contract, ...]


def resolve(world: World, pipeline: Pipeline) -> Wiring:
    """Resolve a pipeline; pure, never raises on strange objects."""
    contracts = possible_contracts(world, pipeline.spec.contract, _discoverable(world, pipeline))
    store = _store(world, pipeline, contracts)
    emitters = tuple(_emitter(world, pipeline, spec, store, contracts) for spec in pipeline.spec.emitters)
    return Wiring(pipeline, store, emitters, contracts)


def store_questions(store: Store, account: Subject) -> tuple[AccessQuestion, ...]:
    """The rights that the store's own ServiceAccount needs, as ordinary API requests (with groups)."""
    return tuple(
        AccessQuestion(account, with_groups=True, namespace="", group=review.group, resource=review.resource, name="", verb=review.verb)
        for review in store.reviews
    )


def emitter_questions(store: Store, access: Access, account: Subject) -> tuple[AccessQuestion, ...]:
    """What the store's review asks about an emitter: the user alone, in the store's namespace."""
    return tuple(
        AccessQuestion(
            account,
            with_groups=False,
            namespace=store.namespace,
            group="",
            resource=access.resource,
            name=access.resource_name,
            verb=verb,
        )
        for verb in access.verbs
    )


def may_look_into(world: World, pipeline: Pipeline, namespace: str) -> bool:
    """Whether objects of a namespace may be named to the pipeline: only a declared one asks an operator to look there."""
    return not pipeline.declared or _permitted(world, pipeline.ref.namespace, namespace)


def _discoverable(world: World, pipeline: Pipeline) -> Iterator[tuple[Workload, str]]:
    """Emitters whose URL is found by the contracts' names; one that the pipeline points to says nothing about them."""
    for spec in pipeline.spec.emitters:
        workload = world.workloads.get(_emitter_ref(pipeline, spec))
        if spec.url is None and workload is not None:
            yield workload, spec.container


def _emitter_ref(pipeline: Pipeline, spec: EmitterSpec) -> ObjectRef:
    return ObjectRef(spec.workload.kind, pipeline.ref.namespace, spec.workload.name)


def _store(world: World, pipeline: Pipeline, contracts: tuple[Contract, ...]) -> Store:
    spec = pipeline.spec.store
    namespace = spec.service.namespace or pipeline.ref.namespace
    ref = ObjectRef("Service", namespace, spec.service.name)
    # Only a declared pipeline asks an operator to look into another namespace.
    if pipeline.declared and not _permitted(world, pipeline.ref.namespace, namespace):
        return Store(ref, None, (), permitted=False, held=False, accesses=(None,), reviews=())
    service = world.services.get(ref)
    workloads = _store_workloads(world, spec, namespace, service, contracts)
    held = service is not None or bool(workloads) or any(world.service(namespace, name) for contract in contracts for name in contract.services)
    possible = _authenticating(world, namespace, workloads, contracts)
    accesses = tuple(dict.fromkeys(_access(spec, contract) for contract in possible))
    needed = [set(contract.reviews) for contract in possible]
    reviews = tuple(review for review in possible[0].reviews if all(review in other for other in needed))
    return Store(ref, service, workloads, permitted=True, held=held, accesses=accesses, reviews=reviews if accesses != (None,) else ())


def _permitted(world: World, pipeline_namespace: str, store_namespace: str) -> bool:
    if pipeline_namespace == store_namespace:
        return True
    namespace = world.namespaces.get(ObjectRef("Namespace", "", store_namespace))
    if namespace is None:
        gap = world.gap("Namespace", "")
        # Manifests seldom hold Namespaces; a live namespace that cannot be read has not opted in.
        return gap is not None and gap[0] is Reason.NOT_IN_INPUT
    return any(namespace.labels.get(ADMIT_LABEL + admitted) == "true" for admitted in (pipeline_namespace, "all"))


def _store_workloads(
    world: World, spec: StoreSpec, namespace: str, service: Service | None, contracts: tuple[Contract, ...]
) -> tuple[Workload, ...]:
    if spec.workload is not None:
        named = world.workloads.get(ObjectRef(spec.workload.kind, namespace, spec.workload.name))
        return (named,) if named is not None else ()
    if service is not None and service.selector:
        selected = world.workloads_labelled(namespace, service.selector)
        if selected:
            return tuple(selected)
    for name in dict.fromkeys(name for contract in contracts for name in contract.workloads):
        for kind in ("Deployment", "StatefulSet"):
            known = world.workloads.get(ObjectRef(kind, namespace, name))
            if known is not None:
                return (known,)
    return ()


def _authenticating(
    world: World, namespace: str, workloads: Iterable[Workload], contracts: tuple[Contract, ...]
) -> tuple[Contract, ...]:
    """The contracts that remain once the input shows that access is granted to somebody: those without it are out."""
    if len({contract.access is None for contract in contracts}) == 1:
        return contracts
    with_access = tuple(contract for contract in contracts if contract.access is not None)
    names = {contract.access.resource_name for contract in with_access if contract.access is not None}
    if any(role.ref.namespace in {"", namespace} for name in names for role in world.roles_naming(name)):
        return with_access
    for workload in workloads:
        account = Subject("ServiceAccount", workload.ref.namespace, workload.pod.service_account)
        for review in with_access[0].reviews:
            question = AccessQuestion(account, with_groups=True, namespace="", group=review.group, resource=review.resource, name="", verb=review.verb)
            if read_access(world, question) is Reading.ALLOWED:
                return with_access
    return contracts


def _access(spec: StoreSpec, contract: Contract) -> Access | None:
    if spec.access is None:
        return contract.access
    if spec.access.none:
        return None
    base = contract.access or Access("services", spec.service.name, ("create", "get"))
    return Access(
        spec.access.resource or base.resource,
        spec.access.resource_name or base.resource_name,
        spec.access.verbs or base.verbs,
        base.client_role,
    )


def _emitter(world: World, pipeline: Pipeline, spec: EmitterSpec, store: Store, contracts: tuple[Contract, ...]) -> Emitter:
    ref = _emitter_ref(pipeline, spec)
    workload = world.workloads.get(ref)
    sources: Sequence[UrlSource] = ()
    if workload is not None or spec.url is not None:
        sources = _sources(world, pipeline, spec, workload or _absent(ref), contracts)
    targets = [
        Target(source, source.endpoint, host, service, open_to_us)
        for source in used_sources(sources)
        if source.endpoint is not None
        for host in (_host(source.endpoint, workload, ref.namespace),)
        for open_to_us in (_may_look(world, host, ref.namespace, store),)
        for service in (_service(world, host) if open_to_us else None,)
    ]
    return Emitter(spec, ref, workload, tuple(sources), tuple(targets))


def _host(endpoint: Endpoint, workload: Workload | None, namespace: str) -> Host:
    if workload is not None and endpoint.host.lower() in workload.pod.host_aliases:
        # /etc/hosts is asked before any name server.
        return Host(HostKind.ALIAS)
    host = read_host(endpoint.host, absolute=endpoint.absolute, namespace=namespace)
    if workload is not None and workload.pod.asks_the_node and (host.short or host.ambiguous):
        # The node's search path is not the cluster's: the name is whatever the machine's network takes it for.
        return Host(HostKind.EXTERNAL)
    return host


def _sources(
    world: World, pipeline: Pipeline, spec: EmitterSpec, workload: Workload, contracts: tuple[Contract, ...]
) -> Sequence[UrlSource]:
    if spec.url is not None:
        return declared_sources(world, pipeline.ref.namespace, workload, spec)
    return emitter_sources(world, workload, spec.container, contracts)


def emitter_sources(world: World, workload: Workload, container: str, contracts: tuple[Contract, ...]) -> Sequence[UrlSource]:
    """Where a workload's URL is set, by the contracts that know it, else as its own manifest wires it.

    A key in a file that no contract lets this workload read is kept, marked as unread. A variable or an argument is not:
    whoever wires it by hand knows a program that reads it.
    """
    known = Names.of(contracts, workload.ref.name)
    found = discovered_sources(world, workload, container, known) if known is not None else ()
    if found:
        return found
    generic = discovered_sources(world, workload, container, Names.generic(builtin_contracts()))
    # A workload that the possible contracts do not know reads what its own manifest wires, whatever another era says.
    if known is None or not known.keys:
        return generic
    if any(source.via != "file" for source in generic):
        return [source for source in generic if source.via != "file"]
    default = {rule.default for contract in contracts if (rule := contract.rules_for(workload.ref.name)) is not None}
    unread = [replace(source, unread_instead_of=known.keys) for source in generic]
    if len(default) == 1 and (url := default.pop()):
        return [default_source(workload, url), *unread]
    return unread


def used_sources(sources: Sequence[UrlSource]) -> list[UrlSource]:
    """The sources that count: the winner of each use, and of each further container that is given a URL of its own.

    A file that a further container merely sees does not count: reloaders mount what others read.
    """
    if len(sources) < 2:
        return [source for source in sources if not source.unread_instead_of]
    winners: dict[tuple[str, str], UrlSource] = {}
    for source in sources:
        if source.unread_instead_of:
            continue
        if all(use != source.use for use, _ in winners) or source.via in {"arg", "env"}:
            winners.setdefault((source.use, source.container), source)
    places = {source.place: source for source in reversed(winners.values())}
    return [source for source in winners.values() if places[source.place] is source]


def _may_look(world: World, host: Host, namespace: str, store: Store) -> bool:
    """Services of a namespace that does not admit the pipeline's are neither looked at nor named."""
    if host.namespace == store.namespace:
        return store.permitted
    return _permitted(world, namespace, host.namespace)


def _service(world: World, host: Host) -> Service | None:
    return world.service(host.namespace, host.service) if host.kind in {HostKind.SERVICE, HostKind.OTHER_DOMAIN} else None


def _absent(ref: ObjectRef) -> Workload:
    """Stands in for a workload that is not there, so that a declared URL is still judged."""
    return Workload(ref, None, (), PodSpec({}, "default", None, (), (), host_network=False), "spec.template.spec")
