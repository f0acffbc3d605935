"""Would the API server's RBAC say yes? The static reading of roles and bindings.

Follows the RBAC authorizer of Kubernetes 1.37 (pkg/apis/rbac/v1/evaluation_helpers.go): ClusterRoleBindings grant
everywhere, RoleBindings in their own namespace; a rule covers a request by verb, group, resource (with `*` and
`*/subresource`) and, where it names resources, by name.
"""

from collections.abc import Iterator
from enum import Enum

from auditpipeline.api.reasons import Reason
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import PolicyRule, Role, RoleBinding, Subject
from auditpipeline.world.world import World


class Reading(Enum):
    """What the rules say."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNDECIDED = "undecided"
    """A binding grants a role that this world does not hold, or bindings may be missing from it."""


def read_access(world: World, question: AccessQuestion) -> Reading:
    """The static answer to an access question."""
    undecided = False
    for binding in bindings_for(world, question):
        role = world.role(binding.role)
        if role is None:
            undecided = undecided or world.gap(binding.role.kind, binding.role.namespace) is not None
        elif grants(world, role, question):
            return Reading.ALLOWED
    # What may be missing matters only where nothing allows.
    return Reading.UNDECIDED if undecided or _bindings_may_be_missing(world, question.namespace) else Reading.DENIED


def _bindings_may_be_missing(world: World, namespace: str) -> bool:
    cluster = world.gap("ClusterRoleBinding", "")
    if not namespace:
        return cluster is not None
    # Manifests that hold the namespace's bindings show the store's side; kinds that may not be read hide it.
    return world.gap("RoleBinding", namespace) is not None or (cluster is not None and cluster[0] is Reason.FORBIDDEN)


def bindings_for(world: World, question: AccessQuestion) -> Iterator[RoleBinding]:
    """The bindings that count for the question's subject, those of the cluster first."""
    subjects = [question.subject, *(Subject("Group", "", group) for group in question.groups)]
    namespaces = ["", question.namespace] if question.namespace else [""]
    for namespace in namespaces:
        for subject in subjects:
            yield from world.bindings_of(namespace, subject)


def grants(world: World, role: Role, question: AccessQuestion) -> bool:
    """Whether the role, with those it aggregates, has a rule that covers the question."""
    return any(covers(rule, question) for gathered in world.gathered(role) for rule in gathered.rules)


def covers(rule: PolicyRule, question: AccessQuestion) -> bool:
    """Whether one rule covers the question."""
    return (
        covers_resource(rule, question)
        and (not rule.resource_names or question.name in rule.resource_names)
        and covers_verb(rule, question.verb)
    )


def covers_verb(rule: PolicyRule, verb: str) -> bool:
    """Whether the rule has the verb, or all of them."""
    return "*" in rule.verbs or verb in rule.verbs


def covers_resource(rule: PolicyRule, question: AccessQuestion) -> bool:
    """Whether the rule has the question's group and resource."""
    if "*" not in rule.api_groups and question.group not in rule.api_groups:
        return False
    _, slash, subresource = question.resource.partition("/")
    return "*" in rule.resources or question.resource in rule.resources or bool(slash and f"*/{subresource}" in rule.resources)
