"""Each clause of the NetworkPolicy API's documentation, as it reads there, and what it lets through.

A case is policies and the connections that it is about: `source -> destination PROTOCOL port: answer`. `egress` and
`ingress` may follow the answer where only one side is meant.
"""

from typing import NamedTuple

import pytest
import yaml

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.wiring.network import Answer, PodEnd, Ruling, egress, ingress
from auditpipeline.world.coverage import ClusterCoverage, InputCoverage, InputScope
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.projections import project
from auditpipeline.world.world import Coverage, World

# Two namespaces whose labels are known and one, team-a, whose labels are not.
PODS = """
apiVersion: v1
kind: Namespace
metadata: {name: audit, labels: {team: red}}
---
apiVersion: v1
kind: Namespace
metadata: {name: storage, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: gateway, namespace: audit, labels: {app: gateway, tier: front}}
spec: {containers: [{name: gateway}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: audit, labels: {app: other}}
spec: {containers: [{name: other, ports: [{name: http, containerPort: 8000}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: store, namespace: storage, labels: {app: store, tier: back}}
spec:
  containers:
  - {name: store, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}
  initContainers:
  - {name: proxy, restartPolicy: Always, ports: [{name: proxy, containerPort: 8443}]}
  - {name: setup, ports: [{name: setup, containerPort: 7000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: team-a, labels: {app: gateway}}
spec: {containers: [{name: far}]}
---
apiVersion: v1
kind: Pod
metadata: {name: node, namespace: audit, labels: {app: gateway}}
spec: {hostNetwork: true, containers: [{name: node, ports: [{containerPort: 9100}]}]}
"""


class Case(NamedTuple):
    clause: str
    policies: str
    connections: str


def store(spec: str, name: str = "store") -> str:
    """A policy for the store's pod."""
    return policy(spec, "storage", name, app="store")


def gateway(spec: str, name: str = "gateway") -> str:
    """A policy for the gateway's pod."""
    return policy(spec, "audit", name, app="gateway")


def policy(spec: str, namespace: str, name: str, *, app: str = "") -> str:
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}}
    selects = {"podSelector": {"matchLabels": {"app": app}}} if app else {}
    return yaml.safe_dump({**body, "spec": {**selects, **yaml.safe_load(spec)}})


def both(*policies: str) -> str:
    return "---\n".join(policies)


CASES = [
    # --- isolation
    Case(
        "By default, a pod is non-isolated for egress and for ingress; all connections are allowed",
        "",
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    Case(
        "a pod is isolated if there is any NetworkPolicy that both selects the pod and has the direction in its policyTypes",
        both(store("policyTypes: [Egress]"), gateway("policyTypes: [Ingress]")),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        storage/store -> audit/gateway TCP 8080: denied
        audit/other -> storage/store TCP 8080: allowed
        """,
    ),
    Case(
        "for a connection from a source pod to a destination pod, both the egress policy and the ingress policy need to allow it",
        both(gateway("{policyTypes: [Egress], egress: [{}]}"), store("ingress: []")),
        """
        audit/gateway -> storage/store TCP 8080: allowed egress
        audit/gateway -> storage/store TCP 8080: denied ingress
        """,
    ),
    Case(
        "network policies do not conflict; they are additive, and the order of evaluation does not affect the policy result",
        both(
            store("ingress: []", "a"),
            store("ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 8080}]}]", "b"),
            store("ingress: [{ports: [{port: 9090}]}]", "c"),
        ),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 9090: allowed
        audit/gateway -> storage/store TCP 9091: denied
        """,
    ),
    # --- spec.podSelector
    Case(
        "podSelector: an empty selector matches all pods in the policy's namespace",
        policy("podSelector: {}", "storage", "all"),
        """
        audit/gateway -> storage/store TCP 8080: denied
        storage/store -> audit/gateway TCP 8080: allowed
        audit/other -> audit/gateway TCP 8080: allowed
        """,
    ),
    Case(
        "podSelector: if it is not specified, it defaults to an empty selector",
        policy("ingress: []", "storage", "all"),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
    Case(
        "podSelector selects pods of the policy's own namespace only",
        policy("podSelector: {matchLabels: {app: store}}", "audit", "elsewhere"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    Case(
        "matchExpressions: In, NotIn, Exists and DoesNotExist, all of which must be satisfied",
        policy(
            """
            podSelector:
              matchExpressions:
              - {key: app, operator: In, values: [store, gateway]}
              - {key: tier, operator: NotIn, values: [front]}
              - {key: tier, operator: Exists}
              - {key: canary, operator: DoesNotExist}
            """,
            "storage",
            "expressions",
        ),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
    Case(
        "matchExpressions: NotIn is met by pods without the key",
        store("ingress: [{from: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}}]}]"),
        """
        audit/other -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 8080: denied
        """,
    ),
    # --- spec.policyTypes
    Case(
        "policyTypes: if not specified, all policies are assumed to affect ingress, whether or not they contain an ingress section",
        both(store("{}"), gateway("egress: [{ports: [{port: 1}]}]")),
        """
        audit/gateway -> storage/store TCP 8080: denied ingress
        audit/other -> audit/gateway TCP 8080: denied ingress
        """,
    ),
    Case(
        "policyTypes: if not specified, policies that contain an egress section are assumed to affect egress",
        gateway("egress: [{ports: [{port: 1}]}]"),
        "audit/gateway -> storage/store TCP 8080: denied egress",
    ),
    Case(
        "policyTypes: an egress section without rules does not make a policy affect egress (SetDefaults_NetworkPolicy)",
        gateway("egress: []"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    Case(
        "policyTypes: an empty list defaults as one that is not specified",
        gateway("{policyTypes: [], egress: [{ports: [{port: 1}]}]}"),
        """
        audit/gateway -> storage/store TCP 8080: denied
        audit/other -> audit/gateway TCP 8080: denied
        """,
    ),
    Case(
        'policyTypes: to write an egress-only policy, you must explicitly specify policyTypes [ "Egress" ]',
        gateway("{policyTypes: [Egress], egress: [{ports: [{port: 8080}]}]}"),
        """
        audit/other -> audit/gateway TCP 9999: allowed
        audit/gateway -> storage/store TCP 9999: denied
        """,
    ),
    Case(
        "policyTypes: rules of a direction that is not listed do not count",
        gateway("{policyTypes: [Ingress], egress: [{ports: [{port: 1}]}], ingress: [{}]}"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    # --- rules
    Case(
        "ingress: if this field is empty then this NetworkPolicy does not allow any traffic",
        both(store("ingress: []"), gateway("policyTypes: [Ingress]")),
        """
        audit/gateway -> storage/store TCP 8080: denied
        audit/other -> audit/gateway TCP 1: denied
        """,
    ),
    Case(
        "egress: if this field is empty then this NetworkPolicy limits all outgoing traffic",
        gateway("policyTypes: [Egress]"),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
    Case(
        "an empty rule allows everything",
        both(store("ingress: [{}]"), gateway("{policyTypes: [Egress], egress: [{}]}")),
        "audit/gateway -> storage/store SCTP 1: allowed",
    ),
    Case(
        "a rule that was left blank is an empty rule",
        store("ingress: [null]"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    Case(
        "the traffic must match both ports and from",
        store("ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: gateway}}}], ports: [{port: 8080}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 9090: denied
        audit/other -> storage/store TCP 8080: denied
        """,
    ),
    Case(
        "the traffic must match both ports and to",
        gateway("{policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: 8000}]}, {ports: [{port: 8080}]}]}"),
        """
        audit/gateway -> audit/other TCP 8000: allowed
        audit/gateway -> storage/store TCP 8000: denied
        audit/gateway -> storage/store TCP 8080: allowed
        """,
    ),
    Case(
        "from: if this field is empty or missing, this rule matches all sources",
        both(store("ingress: [{from: [], ports: [{port: 8080}]}]"), policy("ingress: [{ports: [{port: 8080}]}]", "audit", "missing")),
        """
        team-a/far -> storage/store TCP 8080: allowed
        team-a/far -> audit/gateway TCP 8080: allowed
        team-a/far -> storage/store TCP 9090: denied
        """,
    ),
    Case(
        "to: if this field is empty or missing, this rule matches all destinations",
        gateway("{policyTypes: [Egress], egress: [{to: [], ports: [{port: 8080}]}, {ports: [{port: 9090}]}]}"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> team-a/far TCP 9090: allowed
        """,
    ),
    Case(
        "from: if present and contains at least one item, this rule allows traffic only if it matches at least one item",
        store("ingress: [{from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {team: red}}}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        storage/store -> storage/store TCP 8080: allowed
        """,
    ),
    # --- ports
    Case(
        "ports: if this field is empty or missing, this rule matches all ports",
        both(store("ingress: [{ports: []}]"), gateway("{policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}")),
        """
        audit/gateway -> storage/store TCP 1: allowed
        audit/gateway -> storage/store UDP 65535: allowed
        """,
    ),
    Case(
        "ports: each item in this list is combined using a logical OR",
        store("ingress: [{ports: [{port: 8080}, {port: 9090}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 9090: allowed
        audit/gateway -> storage/store TCP 9091: denied
        """,
    ),
    Case(
        "protocol: if not specified, this field defaults to TCP",
        store("ingress: [{ports: [{port: 53}]}]"),
        """
        audit/gateway -> storage/store TCP 53: allowed
        audit/gateway -> storage/store UDP 53: denied
        """,
    ),
    Case(
        "protocol: TCP, UDP, or SCTP which traffic must match",
        store("ingress: [{ports: [{port: 53, protocol: UDP}, {port: 54, protocol: SCTP}]}]"),
        """
        audit/gateway -> storage/store UDP 53: allowed
        audit/gateway -> storage/store TCP 53: denied
        audit/gateway -> storage/store SCTP 54: allowed
        audit/gateway -> storage/store UDP 54: denied
        """,
    ),
    Case(
        "port: if this field is not provided, this matches all port names and numbers of the protocol",
        store("ingress: [{ports: [{protocol: UDP}]}]"),
        """
        audit/gateway -> storage/store UDP 12345: allowed
        audit/gateway -> storage/store TCP 12345: denied
        """,
    ),
    Case(
        "port: this can be a named port on a pod, which is resolved on the destination pod",
        both(store("ingress: [{ports: [{port: http}]}]"), gateway("{policyTypes: [Egress], egress: [{ports: [{port: http}]}]}")),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> audit/other TCP 8000: allowed egress
        audit/gateway -> storage/store TCP 8000: denied
        audit/gateway -> audit/other TCP 8080: denied egress
        """,
    ),
    Case(
        "port: a named port matches with its protocol only",
        store("ingress: [{ports: [{port: dns}]}]"),
        """
        audit/gateway -> storage/store TCP 53: denied
        audit/gateway -> storage/store UDP 53: denied
        """,
    ),
    Case(
        "port: a named UDP port",
        store("ingress: [{ports: [{port: dns, protocol: UDP}]}]"),
        """
        audit/gateway -> storage/store UDP 53: allowed
        audit/gateway -> storage/store TCP 53: denied
        """,
    ),
    Case(
        "port: a name that no container of the pod declares matches nothing",
        store("ingress: [{ports: [{port: api}]}]"),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
    Case(
        "port: names of sidecars count, those of init containers that end do not",
        store("ingress: [{ports: [{port: proxy}, {port: setup}]}]"),
        """
        audit/gateway -> storage/store TCP 8443: allowed
        audit/gateway -> storage/store TCP 7000: denied
        """,
    ),
    Case(
        "port: a number needs no declaration on the pod",
        store("ingress: [{ports: [{port: 4711}]}]"),
        "audit/gateway -> storage/store TCP 4711: allowed",
    ),
    Case(
        "endPort: the range of ports from port to endPort, inclusive, should be allowed by the policy",
        store("ingress: [{ports: [{port: 8000, endPort: 8080}]}]"),
        """
        audit/gateway -> storage/store TCP 7999: denied
        audit/gateway -> storage/store TCP 8000: allowed
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 8081: denied
        audit/gateway -> storage/store UDP 8001: denied
        """,
    ),
    Case(
        "endPort: must be equal or greater than port",
        store("ingress: [{ports: [{port: 8080, endPort: 8080}]}]"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    # --- peers
    Case(
        "podSelector of a peer: selects the pods in the policy's own namespace",
        store("ingress: [{from: [{podSelector: {matchLabels: {app: gateway}}}]}]"),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
    Case(
        "podSelector of a peer: if present but empty, it selects all pods",
        policy("ingress: [{from: [{podSelector: {}}]}]", "audit", "own"),
        """
        audit/other -> audit/gateway TCP 1: allowed
        storage/store -> audit/gateway TCP 1: denied
        """,
    ),
    Case(
        "namespaceSelector: selects all pods in the namespaces selected by namespaceSelector",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/other -> storage/store TCP 8080: allowed
        storage/store -> storage/store TCP 8080: denied
        """,
    ),
    Case(
        "namespaceSelector: if present but empty, it selects all namespaces",
        store("ingress: [{from: [{namespaceSelector: {}}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        team-a/far -> storage/store TCP 8080: allowed
        """,
    ),
    Case(
        "namespaceSelector and podSelector in one item: the pods matching podSelector in the namespaces matching namespaceSelector",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: gateway}}}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/other -> storage/store TCP 8080: denied
        """,
    ),
    Case(
        "namespaceSelector and podSelector in two items: pods of the own namespace with the label, or any pod of those namespaces",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}, {podSelector: {matchLabels: {app: gateway}}}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/other -> storage/store TCP 8080: allowed
        """,
    ),
    Case(
        "the control plane sets an immutable label kubernetes.io/metadata.name on all namespaces, the value is the namespace name",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-a}}}]}]"),
        """
        team-a/far -> storage/store TCP 8080: allowed
        audit/gateway -> storage/store TCP 8080: denied
        """,
    ),
    Case(
        "targeting multiple namespaces by label: matchExpressions over the names",
        gateway(
            """
            policyTypes: [Egress]
            egress: [{to: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [storage, x]}]}}]}]
            """
        ),
        """
        audit/gateway -> storage/store TCP 8080: allowed
        audit/gateway -> team-a/far TCP 8080: denied
        """,
    ),
    # --- what policies do not settle
    Case(
        "labels of a namespace that is not there may match",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {team: green}}}]}]"),
        """
        team-a/far -> storage/store TCP 8080: unknown
        audit/gateway -> storage/store TCP 8080: denied
        """,
    ),
    Case(
        "labels of a namespace that is not there do not matter where the pod's labels or the port already say no",
        store("ingress: [{from: [{namespaceSelector: {matchLabels: {team: green}}, podSelector: {matchLabels: {app: x}}}]}]"),
        "team-a/far -> storage/store TCP 8080: denied",
    ),
    Case(
        "ipBlock: these should be cluster-external IPs, since pod IPs are ephemeral and unpredictable",
        store("ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 8080}]}]"),
        """
        audit/gateway -> storage/store TCP 8080: unknown
        audit/gateway -> storage/store TCP 8081: denied
        """,
    ),
    Case(
        "ipBlock beside another peer: either is enough",
        store("ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}, {namespaceSelector: {matchLabels: {team: red}}}]}]"),
        "audit/gateway -> storage/store TCP 8080: allowed",
    ),
    Case(
        "hostNetwork pods: NetworkPolicy behaviour is undefined, and traffic from them is that of their node",
        both(
            policy("{policyTypes: [Ingress, Egress], egress: [{to: [{podSelector: {matchLabels: {app: gateway}}}]}]}", "audit", "all"),
            store("ingress: [{from: [{namespaceSelector: {}}]}]"),
        ),
        """
        audit/node -> storage/store TCP 8080: unknown egress
        audit/node -> storage/store TCP 8080: unknown ingress
        audit/gateway -> audit/node TCP 9100: unknown egress
        audit/gateway -> audit/node TCP 9100: unknown ingress
        """,
    ),
    Case(
        "hostNetwork pods: what is open to everybody is open to them",
        store("ingress: [{ports: [{port: 8080}]}]"),
        """
        audit/node -> storage/store TCP 8080: allowed
        audit/node -> storage/store TCP 8081: unknown
        """,
    ),
    Case(
        "labels that only running pods carry may match",
        both(
            policy("podSelector: {matchLabels: {pod-template-hash: abc}}", "storage", "hash"),
            gateway("ingress: [{from: [{podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: other-0}}}]}]"),
        ),
        """
        audit/gateway -> storage/store TCP 8080: unknown
        audit/other -> audit/gateway TCP 8080: unknown
        """,
    ),
    Case(
        "a policy of another API may admit what these refuse",
        both(
            store("ingress: []"),
            "{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: cluster}}\n",
        ),
        "audit/gateway -> storage/store TCP 8080: unknown",
    ),
    Case(
        "a policy of another API in another namespace has no say",
        both(
            store("ingress: []"),
            "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: gateway, namespace: audit}}\n",
            "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: store, namespace: audit}}\n",
        ),
        "audit/gateway -> storage/store TCP 8080: denied",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.clause)
def test_clause(case: Case) -> None:
    held = world_of(f"{PODS}---\n{case.policies}" if case.policies else PODS)
    wanted = [line.strip() for line in case.connections.strip().splitlines()]
    assert [answered(held, line) for line in wanted] == wanted


def world_of(text: str, coverage: Coverage | None = None) -> World:
    held = World(coverage or InputCoverage(InputScope.CLOSED))
    for manifest in yaml.safe_load_all(text):
        projected = project(manifest)
        assert projected is not None
        held.put(projected)
    return held


def pods(held: World, name: str) -> PodEnd:
    namespace, _, pod = name.partition("/")
    workload = held.workloads.get(ObjectRef("Pod", namespace, pod))
    assert workload is not None
    return PodEnd.of(workload)


def rulings(held: World, question: str) -> dict[str, Ruling]:
    source, _, destination, protocol, port = question.split()
    ends = pods(held, source), pods(held, destination)
    return {
        "egress": egress(held, ends[0], ends[1], int(port), protocol),
        "ingress": ingress(held, ends[0], ends[1], int(port), protocol),
    }


def answered(held: World, line: str) -> str:
    """The line with the answer that the evaluator gives."""
    question, _, wanted = line.partition(": ")
    side = wanted.partition(" ")[2]
    found = rulings(held, question)
    answers = {found[side].answer} if side else {ruling.answer for ruling in found.values()}
    worst = next(answer for answer in (Answer.DENIED, Answer.UNKNOWN, Answer.ALLOWED) if answer in answers)
    return f"{question}: {worst.value} {side}".rstrip()


def test_a_refusal_names_every_policy_that_selects_the_pod() -> None:
    held = world_of(f"{PODS}---\n{both(store('ingress: []', 'b'), policy('ingress: []', 'storage', 'a'), gateway('ingress: []'))}")
    ruling = rulings(held, "audit/gateway -> storage/store TCP 8080")["ingress"]
    assert [str(each.ref) for each in ruling.policies] == ["NetworkPolicy/a", "NetworkPolicy/b"]


def test_policies_that_may_not_be_read_leave_everything_open() -> None:
    held = world_of(PODS, ClusterCoverage({"NetworkPolicy": "the operator may not list networkpolicies"}))
    ruling = rulings(held, "audit/gateway -> storage/store TCP 8080")["egress"]
    assert (ruling.answer, ruling.gap) == (Answer.UNKNOWN, (Reason.FORBIDDEN, "the operator may not list networkpolicies"))


def test_policies_that_the_input_may_lack_can_add_what_a_known_one_refuses_but_take_nothing_away() -> None:
    held = world_of(f"{PODS}---\n{store('ingress: [{ports: [{port: 8080}]}]')}", InputCoverage(InputScope.PARTIAL))
    assert rulings(held, "audit/gateway -> storage/store TCP 8080")["ingress"].answer is Answer.ALLOWED
    assert rulings(held, "audit/gateway -> storage/store TCP 8081")["ingress"].answer is Answer.UNKNOWN


def test_a_policy_that_may_select_the_pod_and_admits_says_nothing_of_policies_that_the_input_may_lack() -> None:
    hashed = "{podSelector: {matchLabels: {pod-template-hash: abc}}, ingress: [{}]}"
    question = "audit/gateway -> storage/store TCP 8080"
    closed, partial = (world_of(f"{PODS}---\n{policy(hashed, 'storage', 'a')}", InputCoverage(scope)) for scope in (InputScope.CLOSED, InputScope.PARTIAL))
    assert rulings(closed, question)["ingress"].answer is Answer.ALLOWED
    assert rulings(partial, question)["ingress"].answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("ingress: [{from: [{}]}]", "spec.ingress[0].from must hold either ipBlock, or podSelector or namespaceSelector or both"),
        (
            "ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]",
            "spec.ingress[0].from must hold either ipBlock, or podSelector or namespaceSelector or both",
        ),
        ("egress: [{ports: [{port: 80, endPort: 79}]}]", "spec.egress[0].ports.endPort must be a port's number or above, beside a number"),
        ("egress: [{ports: [{port: http, endPort: 79}]}]", "spec.egress[0].ports.endPort must be a port's number or above, beside a number"),
        ("egress: [{ports: [{endPort: 79}]}]", "spec.egress[0].ports.endPort must be a port's number or above, beside a number"),
        ("egress: [{ports: [{port: '80'}]}]", "spec.egress[0].ports.port must be a number, or a port name with a letter in it"),
        ("egress: [{ports: [{port: [80]}]}]", "spec.egress[0].ports.port must be a number or a name"),
        ("egress: [{ports: [{protocol: HTTP}]}]", "spec.egress[0].ports.protocol must be TCP, UDP or SCTP"),
        ("policyTypes: [Both]", "spec.policyTypes must be Ingress, Egress, or both"),
        ("ingress: {}", "spec.ingress must be a list of objects"),
    ],
)
def test_what_the_api_server_refuses_is_refused(spec: str, problem: str) -> None:
    with pytest.raises(MalformedObject) as refused:
        project(yaml.safe_load(policy(spec, "audit", "wrong")))
    assert str(refused.value) == problem
