"""What a Service's port leads to: the pods' port behind it, and the scheme that is spoken there, where manifests tell."""

from collections.abc import Iterator

from auditpipeline.contracts.model import Contract
from auditpipeline.wiring.documents import look_up, read_document
from auditpipeline.wiring.mounts import covers, mounted_files
from auditpipeline.world.objects import Container, Service, ServicePort, Workload
from auditpipeline.world.world import World
from auditpipeline.world.yaml_text import UnreadableText


def port_of(service: Service, number: int) -> ServicePort | None:
    """The Service's port that a URL's port means; a headless Service translates none."""
    for port in service.ports:
        if port.protocol == "TCP" and number == (port.target if service.headless and isinstance(port.target, int) else port.port):
            return port
    return None


def pod_port(workload: Workload, port: ServicePort) -> int | None:
    """The number of the pods' port behind a Service port; None for a name that no container declares."""
    if isinstance(port.target, int):
        return port.target
    for container in workload.pod.containers:
        if container.runs:
            for declared in container.ports:
                if declared.name == port.target and declared.protocol == port.protocol:
                    return declared.number
    return None


def store_container(workload: Workload, contracts: tuple[Contract, ...]) -> Container | None:
    """The container that is the store: the only one, else the one that bears the store's name; None where neither tells."""
    main = [container for container in workload.pod.containers if container.role == "container"]
    if len(main) == 1:
        return main[0]
    names = {name for contract in contracts for name in contract.workloads} | {workload.ref.name}
    named = [container for container in main if container.name in names]
    return named[0] if len(named) == 1 else None


def spoken_scheme(world: World, workload: Workload, port: ServicePort, contracts: tuple[Contract, ...]) -> tuple[str, str] | None:
    """`http` or `https` with what shows it; None where nothing does.

    A probe of the same port is the strongest: the kubelet speaks that scheme to it all the time.
    """
    number = pod_port(workload, port)
    if number is None:
        return None
    probes = {
        (probe.scheme.lower(), container.name)
        for container in workload.pod.containers
        if container.runs
        for probe in container.probes
        if _number(container, probe.port) == number
    }
    schemes = {scheme for scheme, _ in probes}
    if len(schemes) == 1:
        scheme, name = min(probes)
        return scheme, f"the probes of {workload.ref} container {name}"
    if schemes:
        return None
    if port.app_protocol in {"http", "https"}:
        return port.app_protocol, "the Service's appProtocol"
    return _by_configuration(world, workload, contracts)


def _by_configuration(world: World, workload: Workload, contracts: tuple[Contract, ...]) -> tuple[str, str] | None:
    """The store's own configuration, where every possible contract reads it the same way."""
    keys = {contract.tls_key for contract in contracts}
    if len(keys) != 1:
        return None
    key = keys.pop()
    if not key:
        return "http", "a store of this version, which knows no TLS"
    for folder, container in _folders(world, workload, key):
        if any(covers(mount, folder) for mount in container.mounts):
            return "https", f"{key} in the configuration of {workload.ref}"
    return None


def _folders(world: World, workload: Workload, key: str) -> Iterator[tuple[str, Container]]:
    for container in workload.pod.containers:
        if not container.runs:
            continue
        for file in mounted_files(world, workload.ref.namespace, workload.pod, container):
            config_map = world.config_map(workload.ref.namespace, file.config_map)
            text = None if config_map is None else config_map.data.get(file.key)
            if text is None:
                continue
            try:
                folder = look_up(read_document(text), key)
            except UnreadableText:
                continue
            if isinstance(folder, str) and folder.startswith("/"):
                yield folder, container


def _number(container: Container, port: int | str) -> int | None:
    if isinstance(port, int):
        return port
    return next((declared.number for declared in container.ports if declared.name == port), None)
