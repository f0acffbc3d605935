"""Hop 5: does each pod run as a named ServiceAccount that exists, with its token mounted?"""

from collections.abc import Iterator
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, all_workloads, answer, did_you_mean, nothing_known
from auditpipeline.wiring.access import Reading
from auditpipeline.wiring.resolve import Emitter, emitter_questions
from auditpipeline.world.objects import Workload

HOP: Final = ConditionType.IDENTITY_BOUND
_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
_TOKEN_DIRECTORY: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  (a path)


def workload_not_found(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The workload that the pipeline names is not there."""
    if emitter.workload is not None:
        return
    gap = given.world.gap(emitter.ref.kind, emitter.ref.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap, emitter.name)
        return
    other_kinds = [kind for kind in _KINDS if given.world.workloads.get(ObjectRef(kind, emitter.ref.namespace, emitter.ref.name))]
    names = [ref.name for ref in given.world.workloads.in_namespace(emitter.ref.namespace) if ref.kind == emitter.ref.kind]
    meant = did_you_mean(emitter.ref.name, names)
    hint, fix = ".", f"create {emitter.ref}"
    if other_kinds:
        hint = f"; a {other_kinds[0]} of that name does."
        fix = f"set spec.emitters[{emitter.name}].workloadRef.kind to {other_kinds[0]}"
    elif meant:
        hint = f'; did you mean "{meant}"?'
        fix = f"set spec.emitters[{emitter.name}].workloadRef.name to {meant}"
    yield Finding(
        Reason.WORKLOAD_NOT_FOUND,
        f'{emitter.ref.kind} "{emitter.ref.name}" does not exist in namespace {emitter.ref.namespace}{hint}',
        given.wiring.pipeline.ref,
        f"spec.emitters[{emitter.name}].workloadRef",
        expected=str(emitter.ref),
        found="no such workload",
        fix=fix,
        emitter=emitter.name,
        workload=emitter.ref,
    )


def store_workload_not_found(given: Given) -> Iterator[Outcome]:
    """The store's workload that the pipeline names is not there."""
    named = given.wiring.pipeline.spec.store.workload
    if named is None or given.store.workloads or not given.store.permitted:
        return
    gap = given.world.gap(named.kind, given.store.namespace)
    if gap is not None:
        yield nothing_known(HOP, gap)
        return
    yield Finding(
        Reason.WORKLOAD_NOT_FOUND,
        f'{named.kind} "{named.name}", the store, does not exist in namespace {given.store.namespace}.',
        given.wiring.pipeline.ref,
        "spec.store.workloadRef",
        expected=f"{named.kind}/{named.name}",
        found="no such workload",
        fix=f"create {named.kind}/{named.name}, or leave spec.store.workloadRef out: the Service's selector tells",
        workload=ObjectRef(named.kind, given.store.namespace, named.name),
    )


def service_account_not_found(given: Given) -> Iterator[Outcome]:
    """The pods' ServiceAccount does not exist: the API server refuses every pod."""
    for emitter, workload in all_workloads(given):
        name = workload.pod.service_account
        account = ObjectRef("ServiceAccount", workload.ref.namespace, name)
        # The controller manager makes `default` in every namespace.
        if name == "default" or given.world.service_accounts.get(account) is not None:
            continue
        gap = given.world.gap("ServiceAccount", account.namespace)
        if gap is not None:
            yield nothing_known(HOP, gap, emitter)
            continue
        nearby = [ref.name for ref in given.world.service_accounts.in_namespace(account.namespace) if ref.name != "default"]
        meant = did_you_mean(name, nearby)
        hint = f'; did you mean "{meant}"?' if meant else "; no pod can be created."
        yield Finding(
            Reason.SERVICE_ACCOUNT_NOT_FOUND,
            f'ServiceAccount "{name}" of {workload.ref} does not exist in namespace {account.namespace}{hint}',
            workload.ref,
            f"{workload.template_path}.serviceAccountName",
            expected=f"ServiceAccount {name}",
            found="no such ServiceAccount",
            fix=f"kubectl -n {account.namespace} create serviceaccount {name}",
            emitter=emitter,
            workload=workload.ref,
        )


def default_service_account(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The pods run as `default`, and that account has no store access: the usual reason is a forgotten name."""
    workload = emitter.workload
    account = emitter.account
    if workload is None or account is None or account.name != "default" or not given.store.authenticates:
        return
    for access in given.store.accesses:
        if access is None or all(answer(given, question) is not Reading.DENIED for question in emitter_questions(given.store, access, account)):
            return
    yield Finding(
        Reason.DEFAULT_SERVICE_ACCOUNT,
        f"{workload.ref} runs as ServiceAccount default, which has no store access.",
        workload.ref,
        f"{workload.template_path}.serviceAccountName",
        expected="a ServiceAccount of its own",
        found="default",
        fix=f"create ServiceAccount {workload.ref.name}, set serviceAccountName and bind it to the store's client role",
        emitter=emitter.name,
        workload=workload.ref,
    )


def token_not_mounted(given: Given) -> Iterator[Outcome]:
    """Automounting is switched off and no volume projects a token."""
    if not given.store.authenticates:
        return
    for emitter, workload in all_workloads(given):
        account = given.world.service_accounts.get(ObjectRef("ServiceAccount", workload.ref.namespace, workload.pod.service_account))
        by_account = account.automount if account is not None else None
        # The pod's own word wins over its ServiceAccount's.
        automount = workload.pod.automount if workload.pod.automount is not None else by_account
        if automount is not False or _projects_token(workload):
            continue
        by_pod = workload.pod.automount is False
        yield Finding(
            Reason.TOKEN_NOT_MOUNTED,
            f"{workload.ref} mounts no ServiceAccount token, so it cannot authenticate.",
            workload.ref if by_pod or account is None else account.ref,
            f"{workload.template_path}.automountServiceAccountToken" if by_pod else "automountServiceAccountToken",
            expected="true, or a projected token",
            found="false",
            fix=f"remove automountServiceAccountToken: false, or mount a projected token at {_TOKEN_DIRECTORY}",
            emitter=emitter,
            workload=workload.ref,
        )


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    store_workload_not_found,   # the store is not there
    service_account_not_found,  # an identity is not there
    token_not_mounted,          # it is there, and cannot be shown
)
CHECKS: Final[tuple[EmitterCheck, ...]] = (
    workload_not_found,       # the emitter is not there
    default_service_account,  # it has no identity of its own
)


def _projects_token(workload: Workload) -> bool:
    tokens = {volume.name for volume in workload.pod.volumes if volume.token}
    return any(mount.volume in tokens for container in workload.pod.containers for mount in container.mounts)
