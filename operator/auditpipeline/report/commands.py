"""For each hop, the kubectl commands that show the fact it was judged by.

They only read. Where a value could be a secret, the command names the variable's source, not its value.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import ObjectRef
from auditpipeline.verdict import Verdict
from auditpipeline.wiring.resolve import Emitter, Store, emitter_questions, store_questions
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject

Commands = Iterator[str]


def commands(verdict: Verdict, hop: ConditionType) -> tuple[str, ...]:
    """The commands of a hop, each once; none for a hop that no kubectl command shows."""
    show = _BY_HOP.get(hop)
    return () if show is None else tuple(dict.fromkeys(show(verdict)))


def _config(verdict: Verdict) -> Commands:
    for emitter in verdict.wiring.emitters:
        source = emitter.winner
        if source is not None and source.place.object.kind == "ConfigMap":
            key = source.place.field.removeprefix("data[").partition("]")[0].replace(".", "\\.")
            yield _get(source.place.object, "-o", f"jsonpath={{.data.{key}}}")
        elif source is not None and source.via == "env":
            yield _variables(emitter.ref)
        elif source is not None and source.via == "value":
            yield _get(verdict.pipeline.ref, "-o", "yaml")
        else:
            yield _get(emitter.ref, "-o", "yaml")


def _services(verdict: Verdict) -> Commands:
    for emitter in verdict.wiring.emitters:
        for target in emitter.targets:
            if target.host.service:
                yield _get(ObjectRef("Service", target.host.namespace, target.host.service))
    yield _get(verdict.wiring.store.service_ref)


def _endpoints(verdict: Verdict) -> Commands:
    ref = verdict.wiring.store.service_ref
    yield _kubectl(ref.namespace, "get", "endpointslices", "-l", f"kubernetes.io/service-name={ref.name}")


def _environments(verdict: Verdict) -> Commands:
    yield from (_variables(ref) for ref in _workloads(verdict))


def _identities(verdict: Verdict) -> Commands:
    for emitter in verdict.wiring.emitters:
        yield from _account(emitter.account)
    for workload in verdict.wiring.store.workloads:
        yield from _account(Subject("ServiceAccount", workload.ref.namespace, workload.pod.service_account))


def _access(verdict: Verdict) -> Commands:
    store = verdict.wiring.store
    for emitter in verdict.wiring.emitters:
        yield from (_can_i(question) for question in _asked_of(store, emitter))
    for workload in store.workloads:
        account = Subject("ServiceAccount", workload.ref.namespace, workload.pod.service_account)
        yield from (_can_i(question) for question in store_questions(store, account))


def _policies(verdict: Verdict) -> Commands:
    for namespace in dict.fromkeys(ref.namespace for ref in _workloads(verdict)):
        yield _kubectl(namespace, "get", "networkpolicies", "-o", "yaml")


def _settings(verdict: Verdict) -> Commands:
    yield from (_get(emitter.ref, "-o", "yaml") for emitter in verdict.wiring.emitters)


_BY_HOP: Final[dict[str, Callable[[Verdict], Commands]]] = {
    "ConfigResolved": _config,
    "ServiceResolved": _services,
    "EndpointsReady": _endpoints,
    "EnvironmentClean": _environments,
    "IdentityBound": _identities,
    "AccessGranted": _access,
    "NetworkAllowed": _policies,
    "SettingsFit": _settings,
}


def _workloads(verdict: Verdict) -> Iterable[ObjectRef]:
    yield from (emitter.ref for emitter in verdict.wiring.emitters)
    yield from (workload.ref for workload in verdict.wiring.store.workloads)


def _asked_of(store: Store, emitter: Emitter) -> Iterator[AccessQuestion]:
    for access in store.accesses:
        if access is not None and emitter.account is not None:
            yield from emitter_questions(store, access, emitter.account)


def _account(account: Subject | None) -> Commands:
    if account is not None:
        yield _get(ObjectRef("ServiceAccount", account.namespace, account.name))


def _variables(ref: ObjectRef) -> str:
    """Lists plain variables by value, and those from Secrets and ConfigMaps by source."""
    return _kubectl(ref.namespace, "set", "env", f"{ref.kind.lower()}/{ref.name}", "--list")


def _can_i(question: AccessQuestion) -> str:
    what = question.resource + (f".{question.group}" if question.group else "") + (f"/{question.name}" if question.name else "")
    identity = [f"--as=system:serviceaccount:{question.subject.namespace}:{question.subject.name}"]
    if not question.with_groups:
        # Without a group kubectl's request would carry the ServiceAccount's own groups, which the store's review does not.
        identity.append("--as-group=system:authenticated")
    return _kubectl(question.namespace, "auth", "can-i", question.verb, what, *identity)


def _get(ref: ObjectRef, *options: str) -> str:
    return _kubectl(ref.namespace, "get", ref.kind.lower(), ref.name, *options)


def _kubectl(namespace: str, *words: str) -> str:
    return shlex.join(["kubectl", *(("-n", namespace) if namespace else ()), *words])
