"""Hop 6: would the store's access review say yes to the emitter's ServiceAccount, and may the store ask for reviews?

A live answer of the API server wins over the static reading of roles and bindings, both ways; the static reading then
explains a no by the nearest thing to a yes.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, ObjectRef, Outcome, Unknown
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, answer, blocked, nothing_known, store_gap
from auditpipeline.contracts.model import Access
from auditpipeline.wiring.access import Reading, bindings_for, covers, covers_resource, covers_verb, grants, read_access
from auditpipeline.wiring.environment import listed, variables
from auditpipeline.wiring.resolve import Emitter, emitter_questions, may_look_into, store_questions
from auditpipeline.wiring.serving import store_container
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Role, RoleBinding, Subject, Workload

HOP: Final = ConditionType.ACCESS_GRANTED


def store_cannot_review(given: Given) -> Iterator[Outcome]:
    """The store's own account lacks the right to review tokens or access; nobody can get in."""
    for workload in given.store.workloads:
        account = Subject("ServiceAccount", workload.ref.namespace, workload.pod.service_account)
        lacking: list[AccessQuestion] = []
        for question in store_questions(given.store, account):
            match answer(given, question):
                case Reading.DENIED:
                    lacking.append(question)
                case Reading.UNDECIDED:
                    yield _undecided(given, question, "")
                    return
                case Reading.ALLOWED:
                    pass
        if lacking:
            yield _cannot_review(workload, account, lacking)
            return


def access_denied(given: Given, emitter: Emitter) -> Iterator[Outcome]:
    """The store's review would say no."""
    account = emitter.account
    if account is None:
        yield blocked(HOP, ConditionType.IDENTITY_BOUND, f"The identity of {emitter.name} is not known without {emitter.ref}.", emitter.name)
        return
    outcomes = [_judge(given, emitter, account, access) for access in given.store.accesses]
    denied = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
    gap = store_gap(given, "RoleBinding", given.store.namespace)
    if denied and gap is not None:
        yield nothing_known(HOP, gap, emitter.name)
    elif len(denied) == len(outcomes):
        yield denied[0]
    elif denied and not given.store.authenticates:
        yield Unknown(
            HOP,
            Reason.CONTRACT_UNDETERMINED,
            f"Nothing shows whether the store of {emitter.name} asks for authentication. Set spec.contract.",
            emitter.name,
        )
    elif denied:
        yield Unknown(
            HOP, Reason.CONTRACT_UNDETERMINED, f"Whether {emitter.name} may write depends on the store's version. Set spec.contract.", emitter.name
        )
    else:
        yield from [outcome for outcome in outcomes if outcome is not None][:1]


def review_namespace_mismatch(given: Given) -> Iterator[Outcome]:
    """The store's variable for its own namespace holds another one, so it asks where nobody is bound."""
    names = {contract.namespace_env for contract in given.wiring.contracts if contract.access is not None}
    if len(names) != 1 or not given.store.authenticates:
        return
    for workload in given.store.workloads:
        container = store_container(workload, given.wiring.contracts)
        variable = None if container is None else variables(given.world, workload, container).get(next(iter(names)))
        # A manifest without a namespace of its own is read as `default`, and goes wherever it is applied.
        if variable is None or not variable.text or workload.ref.namespace in {variable.text, "default"}:
            continue
        # Emitters that are bound there, too, get in all the same.
        asked = [
            question._replace(namespace=variable.text)
            for emitter in given.wiring.emitters
            if emitter.account is not None
            for access in given.store.accesses
            if access is not None
            for question in emitter_questions(given.store, access, emitter.account)
        ]
        if any(read_access(given.world, question) is not Reading.ALLOWED for question in asked):
            yield Finding(
                Reason.REVIEW_NAMESPACE_MISMATCH,
                f"{workload.ref} sets {variable.name} to {variable.text[:63]}, so the store asks its access reviews there; "
                f"it runs, and its emitters are bound, in {workload.ref.namespace}.",
                variable.place.object,
                variable.place.field,
                expected=workload.ref.namespace,
                found=variable.text[:63],
                fix=f"take {variable.name} from fieldRef metadata.namespace",
                workload=workload.ref,
            )


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    store_cannot_review,        # nobody gets in
    review_namespace_mismatch,  # the door is watched elsewhere
)
CHECKS: Final[tuple[EmitterCheck, ...]] = (access_denied,)            # this one does not


def _judge(given: Given, emitter: Emitter, account: Subject, access: Access | None) -> Outcome | None:
    """The outcome under one possible contract; None where access is granted or not asked for."""
    if access is None:
        return None
    questions = emitter_questions(given.store, access, account)
    answers = [(question, answer(given, question)) for question in questions]
    denied = [question for question, answer in answers if answer is Reading.DENIED]
    if denied:
        return _explain(given, emitter, account, access, denied)
    undecided = next((question for question, answer in answers if answer is Reading.UNDECIDED), None)
    return None if undecided is None else _undecided(given, undecided, emitter.name)


def _undecided(given: Given, question: AccessQuestion, emitter: str) -> Unknown:
    for binding in bindings_for(given.world, question):
        gap = given.world.gap(binding.role.kind, binding.role.namespace)
        if given.world.role(binding.role) is None and gap is not None:
            return Unknown(HOP, gap[0], f"{_what(binding.ref)} grants {_what(binding.role)}, whose rules are not known here.", emitter)
    for kind, namespace in (("RoleBinding", question.namespace), ("ClusterRoleBinding", "")):
        gap = given.world.gap(kind, namespace) if namespace or kind == "ClusterRoleBinding" else None
        if gap is not None:
            return Unknown(HOP, gap[0], gap[1], emitter)
    return Unknown(HOP, Reason.NOT_IN_INPUT, "The roles that are bound are not known here.", emitter)


def _explain(given: Given, emitter: Emitter, account: Subject, access: Access, denied: list[AccessQuestion]) -> Finding:
    """The nearest thing to a yes decides the reason: what is bound but falls short, before what is not bound at all."""
    question = denied[0]
    target = f"{access.resource}/{access.resource_name}"
    wants = f"ServiceAccount {account.name} may not {listed([q.verb for q in denied])} {target} in {given.store.namespace}"
    if all(read_access(given.world, q) is Reading.ALLOWED for q in denied):
        return _finding(
            emitter,
            Reason.ACCESS_DENIED,
            f"{wants}: the API server's review says no, though the roles seem to allow it.",
            ObjectRef("ServiceAccount", account.namespace, account.name),
            "",
            expected="allowed",
            found="denied",
            fix="see which authorizer of the cluster denies it: kubectl auth can-i "
            f"{question.verb} {target} -n {given.store.namespace} --as {question.user}",
        )
    bound = list(bindings_for(given.world, question))
    roles = [role for binding in bound if (role := given.world.role(binding.role)) is not None]
    for role in roles:
        short = _falls_short(given, emitter, access, wants, role=role, denied=denied)
        if short is not None:
            return short
    for search in (_in_other_namespace, _group_subject, _subject_mismatch):
        found = search(given, emitter, account, question, wants)
        if found is not None:
            return found
    # Any binding may name a role that is not there; it is the nearest thing only where nothing came nearer.
    for binding in bound:
        if given.world.role(binding.role) is None:
            return _finding(
                emitter,
                Reason.ROLE_NOT_FOUND,
                f"{wants}: {_what(binding.ref)} names {_what(binding.role)}, which does not exist.",
                binding.ref,
                "roleRef.name",
                expected=f"an existing {binding.role.kind}",
                found=binding.role.name,
                fix=f"create {_what(binding.role)}, or delete {_what(binding.ref)} and bind an existing role (roleRef cannot be changed)",
            )
    role_name = _client_role(given, access, question)
    return _finding(
        emitter,
        Reason.BINDING_MISSING,
        f"{wants}: no RoleBinding grants it; the store will answer 403.",
        ObjectRef("ServiceAccount", account.namespace, account.name),
        "",
        expected=f"a RoleBinding in {given.store.namespace} that lets {account.name} {listed(list(access.verbs))} {target}",
        found="none",
        fix=f"kubectl -n {given.store.namespace} create rolebinding {account.name}-data-storage-client "
        f"--clusterrole={role_name} --serviceaccount={account.namespace}:{account.name}",
    )


def _falls_short(given: Given, emitter: Emitter, access: Access, wants: str, *, role: Role, denied: list[AccessQuestion]) -> Finding | None:
    """A bound role that is meant for the store, but lacks a verb or names another object.

    An emitter has roles of its own besides. One that reads Services in general is not meant for the store: widening it
    would be wrong advice.
    """
    question = denied[0]
    rules = [rule for gathered in given.world.gathered(role) for rule in gathered.rules if covers_resource(rule, question)]
    named = [rule for rule in rules if not rule.resource_names or question.name in rule.resource_names]
    if any(rule.resource_names for rule in named) or (named and role.ref.name == access.client_role):
        lacking = [q.verb for q in denied if not any(covers(rule, q) for rule in named)]
        if not lacking:
            return None
        has = sorted(set().union(*(rule.verbs for rule in named)))
        return _finding(
            emitter,
            Reason.VERB_MISSING,
            f"{wants}: {_what(role.ref)} lacks verb {listed(lacking)}; it has {listed(has) or 'none'}.",
            role.ref,
            "rules",
            expected=f"verbs {listed([q.verb for q in denied])}",
            found=f"verbs {listed(has)}",
            fix=f"add verb {listed(lacking)} to the rule for {question.resource} in {_what(role.ref)}",
        )
    # Each verb may have a rule of its own.
    rules = [rule for rule in rules if rule.resource_names and any(covers_verb(rule, q.verb) for q in denied)]
    if all(any(covers_verb(rule, q.verb) for rule in rules) for q in denied):
        names = sorted(set().union(*(rule.resource_names for rule in rules)))
        return _finding(
            emitter,
            Reason.RESOURCE_NAME_MISMATCH,
            f"{wants}: {_what(role.ref)} names {listed(names)}, but the store asks for {question.name}.",
            role.ref,
            "rules",
            expected=f"resourceNames {question.name}",
            found=f"resourceNames {listed(names)}",
            fix=f"set resourceNames to {question.name} in {_what(role.ref)}; the store asks for that name whatever its Service is called",
        )
    return None


def _in_other_namespace(given: Given, emitter: Emitter, account: Subject, question: AccessQuestion, wants: str) -> Finding | None:
    # The emitter's own namespace is the likeliest. Of the others none is named that has not opted in.
    bindings = sorted(given.world.bindings_anywhere(account), key=lambda binding: (binding.ref.namespace != account.namespace, binding.ref))
    for binding in bindings:
        namespace = binding.ref.namespace
        if namespace in {"", question.namespace} or not _would_grant(given, binding, question):
            continue
        if namespace == account.namespace or may_look_into(given.world, given.wiring.pipeline, namespace):
            return _finding(
                emitter,
                Reason.BINDING_IN_OTHER_NAMESPACE,
                f"{wants}: {_what(binding.ref)} grants it in {binding.ref.namespace} only; the store asks in {question.namespace}.",
                binding.ref,
                "metadata.namespace",
                expected=question.namespace,
                found=binding.ref.namespace,
                fix=f"make the RoleBinding in namespace {question.namespace}",
            )
    return None


def _would_grant(given: Given, binding: RoleBinding, question: AccessQuestion) -> bool:
    """Whether the binding would grant it if it stood where the question is asked. Its Role may have gone astray with it, or not."""
    role = given.world.role(binding.role._replace(namespace=question.namespace)) if binding.role.kind == "Role" else None
    return (role is not None and grants(given.world, role, question)) or _binding_grants(given, binding, question)


def _group_subject(given: Given, emitter: Emitter, account: Subject, question: AccessQuestion, wants: str) -> Finding | None:
    for binding in bindings_for(given.world, question._replace(with_groups=True)):
        if _binding_grants(given, binding, question):
            groups = {subject.name for subject in binding.subjects if subject.kind == "Group"}
            group = next((name for name in question._replace(with_groups=True).groups if name in groups), "")
            if not group:
                continue
            return _finding(
                emitter,
                Reason.GROUP_SUBJECT_IGNORED,
                f"{wants}: {_what(binding.ref)} grants it to group {group}, but the store's review carries the user without groups.",
                binding.ref,
                "subjects",
                expected=f"ServiceAccount {account.namespace}/{account.name}",
                found=f"Group {group}",
                fix=f"add ServiceAccount {account.name} of namespace {account.namespace} to the subjects",
            )
    return None


def _subject_mismatch(given: Given, emitter: Emitter, account: Subject, question: AccessQuestion, wants: str) -> Finding | None:
    """A binding that grants the right to an account that nobody is: its name or namespace is nearly the emitter's."""
    namespaces = ("", question.namespace)
    every = [binding for namespace in namespaces for binding in given.world.role_bindings.in_namespace(namespace).values()]
    for binding in sorted(every, key=lambda binding: binding.ref):
        for subject in binding.subjects:
            if not _nearly(given, account, subject) or not _binding_grants(given, binding, question):
                continue
            return _finding(
                emitter,
                Reason.SUBJECT_MISMATCH,
                f"{wants}: {_what(binding.ref)} grants it to ServiceAccount {subject.name} of namespace {subject.namespace}, "
                f"but the pods run as {account.name} of namespace {account.namespace}.",
                binding.ref,
                "subjects",
                expected=f"{account.namespace}/{account.name}",
                found=f"{subject.namespace}/{subject.name}",
                fix=f"set the subject to ServiceAccount {account.name} of namespace {account.namespace}",
            )
    return None


def _nearly(given: Given, account: Subject, subject: Subject) -> bool:
    """The subject was meant for this account: the same name elsewhere, or a name of the same namespace that is nearly its own.

    An account that exists, or that another workload runs as, is that workload's business.
    """
    if subject.kind != "ServiceAccount" or subject == account:
        return False
    if subject.name != account.name and (subject.namespace != account.namespace or not _alike(subject.name, account.name)):
        return False
    if given.world.service_accounts.get(ObjectRef("ServiceAccount", subject.namespace, subject.name)) is not None:
        return False
    workloads = given.world.workloads.in_namespace(subject.namespace).values()
    return all(workload.pod.service_account != subject.name for workload in workloads)


def _alike(one: str, other: str) -> bool:
    """One name by another convention, with a word before or behind it, or misspelt."""
    shorter, longer = sorted((_stem(one), _stem(other)), key=len)
    if shorter == longer or longer.startswith(f"{shorter}-") or longer.endswith(f"-{shorter}"):
        return True
    return bool(get_close_matches(one, [other], n=1, cutoff=0.8))


def _stem(name: str) -> str:
    for suffix in ("-serviceaccount", "-service-account", "-controller", "-sa"):
        name = name.removesuffix(suffix)
    return name


def _binding_grants(given: Given, binding: RoleBinding, question: AccessQuestion) -> bool:
    role = given.world.role(binding.role)
    return role is not None and grants(given.world, role, question)


def _client_role(given: Given, access: Access, question: AccessQuestion) -> str:
    """A ClusterRole that would grant it: one that exists, else the contract's."""
    for role in given.world.roles_naming(access.resource_name):
        if role.ref.kind == "ClusterRole" and grants(given.world, role, question):
            return role.ref.name
    return access.client_role or "<a ClusterRole that grants it>"


def _cannot_review(workload: Workload, account: Subject, lacking: list[AccessQuestion]) -> Finding:
    what = listed([f"{question.resource}.{question.group}" for question in lacking])
    return Finding(
        Reason.STORE_CANNOT_REVIEW,
        f"The store's ServiceAccount {account.name} may not create {what}, so it refuses every emitter.",
        ObjectRef("ServiceAccount", account.namespace, account.name),
        "",
        expected=f"create {what}",
        found="denied",
        fix=f"kubectl create clusterrolebinding {account.name}-auth-delegator --clusterrole=system:auth-delegator "
        f"--serviceaccount={account.namespace}:{account.name}",
        workload=workload.ref,
    )


def _what(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.name}"


def _finding(
    emitter: Emitter, reason: Reason, message: str, obj: ObjectRef, field: str, *, expected: str, found: str, fix: str
) -> Finding:
    return Finding(reason, message, obj, field, expected, found, fix, emitter.name, emitter.ref)
