"""Hop 3: does the Service select the store's pods, is the target port served, are there ready endpoints?

Offline the pod templates answer; in a live cluster the EndpointSlices do, by the Service's label: `ready` absent means
ready, and a Service may have several slices.
"""

from collections.abc import Iterator
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome, Unknown
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, blocked, nothing_known, store_workload
from auditpipeline.wiring.environment import listed, variables
from auditpipeline.wiring.serving import pod_port, store_container
from auditpipeline.world.objects import Labels, Service, ServicePort, Workload

HOP: Final = ConditionType.ENDPOINTS_READY


def no_service(given: Given) -> Iterator[Outcome]:
    """Without the Service there is nothing to select with."""
    if given.store.service is None:
        yield blocked(HOP, ConditionType.SERVICE_RESOLVED, f"Service {given.store.service_ref.name} is not there to be judged.")
    elif given.store.service.external_name:
        yield Unknown(HOP, Reason.EXTERNAL_NAME_SERVICE, f"Service {given.store.service_ref.name} is an alias and has no endpoints.")


def selector_missing(given: Given) -> Iterator[Outcome]:
    """No selector, and nobody wrote endpoints by hand."""
    service = given.store.service
    if service is None or service.external_name or service.selector is not None or given.world.slices_of(service):
        return
    gap = given.world.gap("EndpointSlice", service.ref.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap)
        return
    yield _finding(
        given,
        service,
        Reason.SELECTOR_MISSING,
        f"Service {service.ref.name} has neither a selector nor an EndpointSlice, so it leads nowhere.",
        "spec.selector",
        expected="a selector that matches the store's pods",
        found="none",
        fix=_selector_fix(given.store.workloads),
    )


def selector_matches_nothing(given: Given) -> Iterator[Outcome]:
    """The selector matches neither a pod nor the template of a workload."""
    service = given.store.service
    if service is None or service.external_name or service.selector is None or _selected(given, service):
        return
    namespace = service.ref.namespace
    if given.evidence.live and given.world.pods_labelled(namespace, service.selector):
        return
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        gap = given.world.gap(kind, namespace)
        if gap is not None:
            yield nothing_known(HOP, gap)
            return
    yield _finding(
        given,
        service,
        Reason.SELECTOR_MATCHES_NOTHING,
        f"The selector {_pairs(service.selector)} of Service {service.ref.name} matches no pod in namespace {namespace}.",
        "spec.selector",
        expected=_expected_labels(given.store.workloads),
        found=_pairs(service.selector),
        fix=_selector_fix(given.store.workloads),
    )


def scaled_to_zero(given: Given) -> Iterator[Outcome]:
    """Every workload behind the Service asks for no pod."""
    service = given.store.service
    selected = [] if service is None else _selected(given, service)
    if selected and all(workload.replicas == 0 for workload in selected):
        workload = selected[0]
        yield Finding(
            Reason.SCALED_TO_ZERO,
            f"{workload.ref}, the store, is scaled to 0 replicas.",
            workload.ref,
            "spec.replicas",
            expected="1 or more",
            found="0",
            fix=f"kubectl -n {workload.ref.namespace} scale {workload.ref.kind.lower()}/{workload.ref.name} --replicas=1",
            workload=workload.ref,
        )


def target_port_not_served(given: Given) -> Iterator[Outcome]:
    """A named target port that no selected pod declares.

    A number needs no declaration: containerPort is informational (API reference of ContainerPort).
    """
    service = given.store.service
    if service is None or service.external_name:
        return
    selected = _selected(given, service)
    for port in service.ports:
        if not isinstance(port.target, str) or not selected:
            continue
        lacking = [workload for workload in selected if port.target not in _port_names(workload, port.protocol)]
        if len(lacking) < len(selected):
            continue
        declared = sorted(_port_names(lacking[0], port.protocol))
        label = port.name or str(port.port)
        yield _finding(
            given,
            service,
            Reason.TARGET_PORT_NOT_SERVED,
            f'Port {port.port} of Service {service.ref.name} leads to the container port named "{port.target}", '
            f"which {lacking[0].ref} does not declare{'; it declares ' + listed(declared) if declared else ''}.",
            f"spec.ports[{label}].targetPort",
            expected=f"one of {listed(declared)}" if declared else "a number, or a port name that the container declares",
            found=port.target,
            fix=f'set targetPort to a declared port, or name the container\'s port "{port.target}"',
        )


def target_number_contradicted(given: Given) -> Iterator[Outcome]:
    """A numeric target port where the pods say that they serve that port under another number.

    Without such a contradiction a number that is not declared may be right all the same, so it is a warning, for the port
    that takes events alone; pods that declare no port say nothing.
    """
    service = given.store.service
    if service is None or service.external_name or service.headless:
        return
    selected = _selected(given, service)
    targets = [target for emitter in given.wiring.emitters for target in emitter.targets]
    used = {target.endpoint.port for target in targets if target.source.use == "events" and target.service is service}
    for port in service.ports:
        declared = [_declared(workload, port.protocol) for workload in selected]
        if not isinstance(port.target, int) or not declared or any(not ports or port.target in ports for ports in declared):
            continue
        meant = next((number for number, name in declared[0].items() if name and name == _api_name(service, port)), None)
        if meant is None and port.port not in used:
            continue
        label = port.name or str(port.port)
        numbers = listed([f"{number} ({name})" if name else str(number) for number, name in declared[0].items()])
        yield _finding(
            given,
            service,
            Reason.TARGET_PORT_NOT_SERVED,
            f"Port {port.port} of Service {service.ref.name} leads to container port {port.target}, "
            f"which {selected[0].ref} does not declare; it declares {numbers}.",
            f"spec.ports[{label}].targetPort",
            expected=str(meant) if meant is not None else f"one of {numbers}",
            found=str(port.target),
            fix=f"set targetPort to {meant}" if meant is not None else f"set targetPort to a declared port, or declare {port.target}",
            latent=meant is None,
        )


def listens_elsewhere(given: Given) -> Iterator[Outcome]:
    """The store's own variable moves its API to a port that the Service does not lead to."""
    service = given.store.service
    names = {contract.port_env for contract in given.wiring.contracts}
    if service is None or service.external_name or service.headless or len(names) != 1:
        return
    for workload in _selected(given, service):
        container = store_container(workload, given.wiring.contracts)
        variable = None if container is None else variables(given.world, workload, container).get(next(iter(names)))
        if variable is None or variable.text is None or not variable.text.isdecimal():
            continue
        reached = [number for port in service.ports if port.protocol == "TCP" and (number := pod_port(workload, port)) is not None]
        if not reached or int(variable.text) in reached:
            continue
        yield _finding(
            given,
            service,
            Reason.TARGET_PORT_NOT_SERVED,
            f"Service {service.ref.name} leads to port {listed([str(number) for number in reached])} of {workload.ref}, "
            f"whose variable {variable.name} makes it listen on {variable.text[:5]}.",
            "spec.ports",
            expected=f"a targetPort {variable.text[:5]}",
            found=listed([str(number) for number in reached]),
            fix=f"set targetPort to {variable.text[:5]}, or remove {variable.name} from {workload.ref}",
        )
        return


def no_ready_endpoints(given: Given) -> Iterator[Outcome]:
    """A live Service whose slices hold no ready address."""
    service = given.store.service
    if not given.evidence.live or service is None or service.external_name:
        return
    slices = given.world.slices_of(service)
    if any(endpoint.ready for found in slices for endpoint in found.endpoints):
        return
    if service.selector is None and not slices:
        return
    if service.selector is not None and not _selected(given, service) and not given.world.pods_labelled(service.ref.namespace, service.selector):
        # Told by selector_matches_nothing.
        return
    gap = given.world.gap("EndpointSlice", service.ref.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap)
        return
    yield _finding(
        given,
        service,
        Reason.NO_READY_ENDPOINTS,
        f"No pod behind Service {service.ref.name} is ready.",
        "status",
        expected="one ready endpoint or more",
        found="none",
        fix=f"see why the store's pods are not ready: kubectl -n {service.ref.namespace} describe pods -l {_pairs(service.selector or {})}",
    )


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    no_service,                  # nothing to judge
    selector_missing,            # nobody says which pods
    selector_matches_nothing,    # it says so, and there are none
    scaled_to_zero,              # there could be some
    target_port_not_served,      # there are some, and none has a port of that name
    target_number_contradicted,  # or of that number
    listens_elsewhere,           # or it listens on another
    no_ready_endpoints,          # all is right, and none is ready
)
CHECKS: Final[tuple[EmitterCheck, ...]] = ()


def _selected(given: Given, service: Service) -> list[Workload]:
    return given.world.workloads_labelled(service.ref.namespace, service.selector or {})


def _port_names(workload: Workload, protocol: str) -> set[str]:
    return {port.name for container in workload.pod.containers if container.runs for port in container.ports if port.name and port.protocol == protocol}


def _declared(workload: Workload, protocol: str) -> dict[int, str]:
    """The declared ports with their names."""
    return {port.number: port.name for container in workload.pod.containers if container.runs for port in container.ports if port.protocol == protocol}


def _api_name(service: Service, port: ServicePort) -> str:
    """The name under which the pods would declare the port: its own; `http` where it is the only one and has none."""
    return port.name or ("http" if len(service.ports) == 1 else "")


def _pairs(labels: Labels) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _expected_labels(workloads: tuple[Workload, ...]) -> str:
    return f"labels of {workloads[0].ref}: {_pairs(workloads[0].pod.labels)}" if workloads else "labels of the store's pods"


def _selector_fix(workloads: tuple[Workload, ...]) -> str:
    if not workloads:
        return "set spec.selector to labels of the store's pods, or deploy the store"
    return f"set spec.selector to {_pairs(workloads[0].pod.labels)}, the labels of {workloads[0].ref}"


def _finding(
    given: Given, service: Service, reason: Reason, message: str, field: str, *, expected: str, found: str, fix: str, latent: bool = False
) -> Finding:
    workload: ObjectRef | None = store_workload(given)
    return Finding(reason, message, service.ref, field, expected, found, fix, workload=workload, latent=latent)
