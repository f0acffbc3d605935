from typing import Any

import pytest

from auditpipeline.wiring.access import Reading, read_access
from auditpipeline.world.bootstrap import bootstrap_roles
from auditpipeline.world.coverage import ClusterCoverage, InputCoverage, InputScope
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject
from auditpipeline.world.projections import project
from auditpipeline.world.world import World
from kube_objects import fill, live_world, obj, workload, world

GATEWAY = Subject("ServiceAccount", "team", "gateway")
ALLOWED, DENIED, UNDECIDED = Reading.ALLOWED, Reading.DENIED, Reading.UNDECIDED
SA = {"kind": "ServiceAccount", "name": "gateway", "namespace": "team"}


def question(
    verb: str = "create",
    *,
    resource: str = "services",
    group: str = "",
    name: str = "store",
    namespace: str = "audit",
    groups: bool = False,
) -> AccessQuestion:
    return AccessQuestion(
        GATEWAY, with_groups=groups, namespace=namespace, group=group, resource=resource, name=name, verb=verb
    )


def rule(verbs: str = "create", *, groups: str = "", resources: str = "services", names: str = "") -> dict[str, Any]:
    return {
        "verbs": verbs.split(),
        "apiGroups": groups.split(",") if groups else [""],
        "resources": resources.split(),
        **({"resourceNames": names.split()} if names else {}),
    }


def role(*rules: dict[str, Any], kind: str = "ClusterRole", namespace: str = "", **more: Any) -> dict[str, Any]:
    return obj(kind, "writer", namespace, rules=list(rules), **more)


def binding(
    subject: dict[str, str] = SA,
    *,
    kind: str = "RoleBinding",
    namespace: str = "audit",
    to: str = "ClusterRole",
    name: str = "writer",
) -> dict[str, Any]:
    return obj(
        kind, "b", "" if kind == "ClusterRoleBinding" else namespace, roleRef={"kind": to, "name": name}, subjects=[subject]
    )


@pytest.mark.parametrize(
    ("rules", "asked", "expected"),
    [
        pytest.param([rule()], question(), ALLOWED, id="plain"),
        pytest.param([rule("get list")], question(), DENIED, id="verb"),
        pytest.param([rule("*")], question(), ALLOWED, id="all verbs"),
        pytest.param([rule(names="store")], question(), ALLOWED, id="resource name, create included"),
        pytest.param([rule(names="other")], question(), DENIED, id="another resource name"),
        pytest.param([rule(names="store")], question(name=""), DENIED, id="a name in the rule needs one in the question"),
        pytest.param([rule(resources="pods")], question(), DENIED, id="resource"),
        pytest.param([rule(resources="*")], question(), ALLOWED, id="all resources"),
        pytest.param([rule(groups="apps")], question(), DENIED, id="group"),
        pytest.param([rule(groups="*")], question(), ALLOWED, id="all groups"),
        pytest.param([rule(groups="apps,")], question(), ALLOWED, id="one of the groups"),
        pytest.param([rule(resources="services/status")], question(), DENIED, id="subresource in the rule only"),
        pytest.param(
            [rule(resources="services")], question(resource="services/status"), DENIED, id="subresource in the question only"
        ),
        pytest.param([rule(resources="services/status")], question(resource="services/status"), ALLOWED, id="subresource"),
        pytest.param([rule(resources="*/status")], question(resource="services/status"), ALLOWED, id="subresource of all"),
        pytest.param([rule(resources="*/status")], question(resource="services/proxy"), DENIED, id="another subresource"),
        pytest.param(
            [rule("get"), rule("create", names="x"), rule("create", names="store")], question(), ALLOWED, id="any rule"
        ),
        pytest.param([], question(), DENIED, id="no rules"),
    ],
)
def test_rules(rules: list[dict[str, Any]], asked: AccessQuestion, expected: Reading) -> None:
    assert read_access(live_world(role(*rules), binding()), asked) is expected


@pytest.mark.parametrize(
    ("objects", "asked", "expected"),
    [
        pytest.param([binding()], question(), ALLOWED, id="RoleBinding to a ClusterRole"),
        pytest.param([binding()], question(namespace="team"), DENIED, id="grants in its own namespace only"),
        pytest.param([binding()], question(namespace=""), DENIED, id="grants nothing cluster-wide"),
        pytest.param([binding(kind="ClusterRoleBinding")], question(), ALLOWED, id="ClusterRoleBinding in a namespace"),
        pytest.param(
            [binding(kind="ClusterRoleBinding")], question(namespace=""), ALLOWED, id="ClusterRoleBinding cluster-wide"
        ),
        pytest.param([binding(to="Role")], question(), DENIED, id="a Role is not the ClusterRole of its name"),
        pytest.param([binding({**SA, "namespace": "audit"})], question(), DENIED, id="account of another namespace"),
        pytest.param(
            [binding({"kind": "ServiceAccount", "name": "gateway"})], question(), DENIED, id="no namespace means the binding's"
        ),
        pytest.param(
            [binding({"kind": "User", "name": "system:serviceaccount:team:gateway"})],
            question(),
            ALLOWED,
            id="User of the full name",
        ),
        pytest.param(
            [binding({"kind": "Group", "name": "system:serviceaccounts"})],
            question(),
            DENIED,
            id="the user alone has no groups",
        ),
        pytest.param(
            [binding({"kind": "Group", "name": "system:serviceaccounts"})], question(groups=True), ALLOWED, id="group"
        ),
        pytest.param(
            [binding({"kind": "Group", "name": "system:serviceaccounts:team"})],
            question(groups=True),
            ALLOWED,
            id="namespace group",
        ),
        pytest.param(
            [binding({"kind": "Group", "name": "system:authenticated"})], question(groups=True), ALLOWED, id="everybody"
        ),
        pytest.param(
            [binding({"kind": "Group", "name": "system:serviceaccounts:audit"})],
            question(groups=True),
            DENIED,
            id="other group",
        ),
    ],
)
def test_bindings(objects: list[dict[str, Any]], asked: AccessQuestion, expected: Reading) -> None:
    assert read_access(live_world(role(rule()), *objects), asked) is expected


def gathering(name: str = "writer", *, label: str = "give", **more: Any) -> dict[str, Any]:
    selectors = [{"matchLabels": {label: "all"}}]
    return obj("ClusterRole", name, "", aggregationRule={"clusterRoleSelectors": selectors}, rules=[], **more)


def labelled(label: str, value: str = "all") -> dict[str, Any]:
    return {"meta": {"labels": {label: value}}}


def manifests(*objects: dict[str, Any]) -> World:
    return fill(World(InputCoverage(InputScope.CLOSED), bootstrap_roles()), objects)


def test_aggregated_role_of_manifests_gathers_by_label() -> None:
    for value, expected in (("all", ALLOWED), ("none", DENIED)):
        part = obj("ClusterRole", "part", "", rules=[rule()], **labelled("give", value))
        assert read_access(manifests(gathering(), part, binding()), question()) is expected


def test_aggregated_role_of_manifests_gathers_what_the_gathered_gather() -> None:
    middle = gathering("middle", label="give-middle", **labelled("give"))
    part = obj("ClusterRole", "part", "", rules=[rule()], **labelled("give-middle"))
    assert read_access(manifests(gathering(), middle, part, binding()), question()) is ALLOWED
    assert read_access(manifests(gathering(), part, binding()), question()) is DENIED


def test_roles_that_gather_each_other_come_to_an_end() -> None:
    one = gathering(label="give-two", **labelled("give-one"))
    two = gathering("two", label="give-one", **labelled("give-two"))
    assert read_access(manifests(one, two, binding()), question()) is DENIED


def test_a_role_may_add_to_those_of_the_api_server() -> None:
    part = obj("ClusterRole", "part", "", rules=[rule("audit")], **labelled("rbac.authorization.k8s.io/aggregate-to-view", "true"))
    for name, expected in (("view", ALLOWED), ("edit", ALLOWED), ("admin", ALLOWED), ("system:auth-delegator", DENIED)):
        assert read_access(manifests(part, binding(name=name)), question("audit")) is expected


def test_a_live_aggregated_role_grants_what_its_controller_has_written() -> None:
    part = obj("ClusterRole", "part", "", rules=[rule()], **labelled("give"))
    assert read_access(live_world(gathering(), part, binding()), question()) is DENIED
    assert read_access(live_world({**gathering(), "rules": [rule()]}, part, binding()), question()) is ALLOWED


def test_absent_role_is_a_denial_only_where_absence_is_known() -> None:
    assert read_access(live_world(binding()), question()) is DENIED
    assert read_access(live_world(binding(), forbidden={"ClusterRole": "no rule"}), question()) is UNDECIDED
    assert read_access(live_world(binding(), forbidden={"Role": "no rule"}), question()) is DENIED
    assert read_access(world(workload({}), binding()), question()) is UNDECIDED
    assert read_access(world(workload({}), binding(), role(rule("get"))), question()) is DENIED


def test_bindings_that_may_not_be_read_leave_it_open_unless_another_allows() -> None:
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        assert read_access(live_world(role(rule()), forbidden={kind: "no rule"}), question()) is UNDECIDED
        assert read_access(live_world(role(rule()), binding(), forbidden={kind: "no rule"}), question()) is ALLOWED


def test_manifests_without_cluster_bindings_still_tell_of_the_namespace() -> None:
    assert read_access(world(workload({}), role(rule("get")), binding()), question()) is DENIED
    assert read_access(world(role(rule("get"))), question(namespace="")) is UNDECIDED
    assert read_access(world(role(rule("get")), scope=InputScope.CLOSED), question(namespace="")) is DENIED


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("cluster-admin", question("anything", resource="anything/at-all", group="any.group"), ALLOWED),
        ("edit", question("create"), ALLOWED),
        ("admin", question("create"), ALLOWED),
        ("view", question("get"), ALLOWED),
        ("view", question("create"), DENIED),
        ("system:auth-delegator", question("create", resource="tokenreviews", group="authentication.k8s.io"), ALLOWED),
        ("system:auth-delegator", question("create", resource="subjectaccessreviews", group="authorization.k8s.io"), ALLOWED),
        ("system:auth-delegator", question("create"), DENIED),
    ],
)
def test_roles_that_every_cluster_has(name: str, asked: AccessQuestion, expected: Reading) -> None:
    bound = project(binding(name=name))
    assert bound is not None
    offline = World(InputCoverage(InputScope.CLOSED), bootstrap_roles())
    offline.put(bound)
    assert read_access(offline, asked) is expected
    live = World(ClusterCoverage({}))
    live.put(bound)
    assert read_access(live, asked) is DENIED


def test_a_role_of_the_input_stands_before_the_built_in_one() -> None:
    there = World(InputCoverage(InputScope.CLOSED), bootstrap_roles())
    for item in (binding(name="edit"), obj("ClusterRole", "edit", "", rules=[])):
        value = project(item)
        assert value is not None
        there.put(value)
    assert read_access(there, question()) is DENIED


def test_a_binding_to_a_role_of_no_kind_raises_nothing() -> None:
    assert read_access(world(workload({}), binding(to="Rôle")), question()) is DENIED


def test_user_and_groups_of_a_question() -> None:
    assert question().user == "system:serviceaccount:team:gateway"
    assert question().groups == ()
    assert question(groups=True).groups == ("system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated")
