"""A second reading of NetworkPolicy, by brute force, to hold the product's against.

It shares no code and no way of working with `auditpipeline.wiring.network`: raw manifests, no projections; sets of
admitted connections, no predicates; and what is not known is tried in every way it could be, no three-valued logic.
Written from the text of k8s.io/api/networking/v1 types.go and of the concept page "Network Policies".
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

Manifest = dict[str, Any]
Connection = tuple[str, str, str, int]
"""Source pod, destination pod (both `namespace/name`), protocol, port of the destination pod."""

NAME = "kubernetes.io/metadata.name"
LATER = ("pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "batch.kubernetes.io/job-name")
FOREIGN = ("cilium.io/v2", "projectcalico.org/v3", "policy.networking.k8s.io/v1alpha1")


def verdict(manifests: list[Manifest], connection: Connection, *, complete: bool = True) -> str:
    """`allowed` or `denied` where that is so in every cluster that these manifests could become, else `unknown`."""
    answers = {connection in connections(cluster, connection) for cluster in clusters(manifests, connection, complete=complete)}
    return "unknown" if len(answers) == 2 else ("allowed" if answers == {True} else "denied")


# --- every cluster that the manifests could become ----------------------------------------------------------------


def clusters(manifests: list[Manifest], connection: Connection, *, complete: bool) -> Iterator[dict[str, Any]]:
    """Each one is a dict of plain facts: pods, namespace labels, policies, and how its network plugin behaves."""
    policies = [m for m in manifests if m["kind"] == "NetworkPolicy" and m["apiVersion"] == "networking.k8s.io/v1"]
    pods = {f"{m['metadata']['namespace']}/{m['metadata']['name']}": m for m in manifests if m["kind"] == "Pod"}
    ends = dict.fromkeys(connection[:2])
    spaces = dict.fromkeys(end.partition("/")[0] for end in ends)
    namespaces = [m["metadata"] for m in manifests if m["kind"] == "Namespace"]
    known = {meta["name"]: {**meta.get("labels", {}), NAME: meta["name"]} for meta in namespaces}

    questions: dict[Any, list[Any]] = {}
    for space in spaces:
        if space not in known:
            for key, values in spoken_of(policies, "namespaceSelector").items():
                if key != NAME:
                    questions["label of namespace", space, key] = [None, "something else", *values]
    for end in ends:
        carried = pods[end]["metadata"].get("labels", {})
        for key, values in spoken_of(policies, "podSelector").items():
            if key in LATER and key not in carried:
                questions["label of pod", end, key] = [None, "something else", *values]
        if pods[end]["spec"].get("hostNetwork"):
            questions["policies bind", end] = [True, False]
            questions["labels count", end] = [True, False]
            questions["same node", end] = [True, False]
    for number, policy in enumerate(policies):
        if any("ipBlock" in peer for _, rule in rules(policy) for peer in rule.get("from") or rule.get("to") or []):
            questions["addresses cover", number] = [True, False]
    for space in spaces:
        if any(m["apiVersion"] in FOREIGN and m["metadata"].get("namespace", space) == space for m in manifests):
            questions["foreign policy admits", space] = [False, True]
        if not complete:
            questions["hidden policies", space] = [[], [hidden(space, [])], [hidden(space, [{}])]]

    for choice in product(*questions.values()):
        facts = dict(zip(questions, choice, strict=True))
        labels = {end: dict(pods[end]["metadata"].get("labels", {})) for end in ends}
        in_space = {space: dict(known.get(space, {NAME: space})) for space in spaces}
        for question, answer in facts.items():
            if question[0] == "label of namespace" and answer is not None:
                in_space[question[1]][question[2]] = answer
            if question[0] == "label of pod" and answer is not None:
                labels[question[1]][question[2]] = answer
        more = [policy for question, extra in facts.items() if question[0] == "hidden policies" for policy in extra]
        yield {"pods": pods, "labels": labels, "spaces": in_space, "policies": [*policies, *more], "facts": facts}


def hidden(space: str, open_rules: list[Manifest]) -> Manifest:
    """A policy that the manifests do not hold: one that closes all, or one that opens all."""
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": open_rules, "egress": open_rules}
    return {"metadata": {"namespace": space, "name": "hidden"}, "spec": spec}


def spoken_of(policies: list[Manifest], selector: str) -> dict[str, list[str]]:
    """Label keys that any selector of that name speaks of, each with the values it speaks of."""
    found: dict[str, list[str]] = {}
    for policy in policies:
        bodies = [policy["spec"].get(selector)] if selector == "podSelector" else []
        bodies += [peer.get(selector) for _, rule in rules(policy) for peer in rule.get("from") or rule.get("to") or []]
        for body in bodies:
            for key, value in ((body or {}).get("matchLabels") or {}).items():
                found.setdefault(key, []).append(value)
            for item in (body or {}).get("matchExpressions") or []:
                found.setdefault(item["key"], []).extend(item.get("values") or [])
    return {key: list(dict.fromkeys(values)) for key, values in found.items()}


def rules(policy: Manifest) -> Iterator[tuple[str, Manifest]]:
    """All rules with their direction, whether they count or not."""
    for direction in ("ingress", "egress"):
        for rule in policy["spec"].get(direction) or []:
            yield direction, rule or {}


# --- one cluster, all of whose facts are known --------------------------------------------------------------------


def connections(cluster: dict[str, Any], asked: Connection) -> set[Connection]:
    """Which of the connections between the two pods, on any port that is asked for, this cluster lets through."""
    source, destination, protocol, port = asked
    wanted = {(source, destination, protocol, port)}
    return wanted & let_out(cluster, source, wanted) & let_in(cluster, destination, wanted)


def let_out(cluster: dict[str, Any], pod: str, wanted: set[Connection]) -> set[Connection]:
    isolating = [n for n in range(len(cluster["policies"])) if isolates(cluster, n, pod, "Egress")]
    if not isolating:
        return wanted
    # A pod on the host network is its node to most plugins, and what policies say of nodes is not laid down.
    admitted = {c for c in wanted if cluster["facts"].get(("same node", c[1]))}
    for number in isolating:
        for direction, rule in rules(cluster["policies"][number]):
            if direction == "egress":
                named = peers(cluster, number, rule.get("to"), wanted, 1)
                admitted |= {c for c in wanted if c[1] in named and goes_to(cluster, rule, c)}
    return wanted if admits_otherwise(cluster, pod) else admitted


def let_in(cluster: dict[str, Any], pod: str, wanted: set[Connection]) -> set[Connection]:
    isolating = [n for n in range(len(cluster["policies"])) if isolates(cluster, n, pod, "Ingress")]
    if not isolating:
        return wanted
    # Traffic from the pod's own node is always let in, and a pod on the host network is its node.
    admitted = {c for c in wanted if cluster["facts"].get(("same node", c[0]))}
    for number in isolating:
        for direction, rule in rules(cluster["policies"][number]):
            if direction == "ingress":
                named = peers(cluster, number, rule.get("from"), wanted, 0)
                admitted |= {c for c in wanted if c[0] in named and goes_to(cluster, rule, c)}
    return wanted if admits_otherwise(cluster, pod) else admitted


def admits_otherwise(cluster: dict[str, Any], pod: str) -> bool:
    return bool(cluster["facts"].get(("foreign policy admits", pod.partition("/")[0])))


def isolates(cluster: dict[str, Any], number: int, pod: str, kind: str) -> bool:
    policy = cluster["policies"][number]
    spec = policy["spec"]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return (
        kind in types
        and policy["metadata"]["namespace"] == pod.partition("/")[0]
        and cluster["facts"].get(("policies bind", pod), True)
        and carries(cluster["labels"][pod], spec.get("podSelector") or {})
    )


def peers(cluster: dict[str, Any], number: int, listed: list[Manifest] | None, wanted: set[Connection], side: int) -> set[str]:
    """The pods, of those at that side of the connections, that a list of peers names."""
    everybody = {str(c[side]) for c in wanted}
    if not listed:
        return everybody
    named: set[str] = set()
    for peer in listed:
        if peer.get("ipBlock"):
            named |= everybody if cluster["facts"]["addresses cover", number] else set()
            continue
        space = cluster["policies"][number]["metadata"]["namespace"]
        for pod in everybody:
            own = pod.partition("/")[0]
            spaces = peer.get("namespaceSelector")
            right_space = own == space if spaces is None else carries(cluster["spaces"][own], spaces)
            right_pod = peer.get("podSelector") is None or carries(cluster["labels"][pod], peer["podSelector"])
            if right_space and right_pod and cluster["facts"].get(("labels count", pod), True):
                named.add(pod)
    return named


def goes_to(cluster: dict[str, Any], rule: Manifest, connection: Connection) -> bool:
    _, destination, protocol, number = connection
    numbers: set[tuple[str, int]] = set()
    for port in rule.get("ports") or [{"protocol": protocol}]:
        kind = port.get("protocol") or "TCP"
        value = port.get("port")
        if value is None:
            numbers |= {(kind, number)}
        elif isinstance(value, str):
            numbers |= {(kind, n) for name, k, n in declared(cluster["pods"][destination]) if (name, k) == (value, kind)}
        else:
            numbers |= {(kind, n) for n in range(value, (port.get("endPort") or value) + 1)}
    return (protocol, number) in numbers


def declared(pod: Manifest) -> Iterator[tuple[str, str, int]]:
    """Ports of the containers that keep running."""
    running = list(pod["spec"].get("containers") or [])
    running += [c for c in pod["spec"].get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    for container in running:
        for port in container.get("ports") or []:
            yield port.get("name", ""), port.get("protocol") or "TCP", port["containerPort"]


def carries(labels: dict[str, str], selector: Manifest) -> bool:
    tests: dict[str, Callable[[str | None, list[str]], bool]] = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _: value is not None,
        "DoesNotExist": lambda value, _: value is None,
    }
    wanted = [(key, "In", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    wanted += [(item["key"], item["operator"], item.get("values") or []) for item in selector.get("matchExpressions") or []]
    return all(tests[operator](labels.get(key), values) for key, operator, values in wanted)
