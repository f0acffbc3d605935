"""Worlds of pods, Namespaces and NetworkPolicies at random, each with a connection to ask about."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from unit.wiring.second_network_evaluator import Connection, Manifest, clusters, isolates

T = TypeVar("T")
SPACES = ("audit", "storage", "team-a")
PORTS = (53, 5432, 8080, 8081, 9090)
NAMES = ("http", "health", "dns")
LABELS = {"app": ("gateway", "store"), "tier": ("front", "back")}
SPACE_LABELS = {"team": ("red", "blue"), "kubernetes.io/metadata.name": SPACES}


class Chooser(Protocol):
    """Where chance comes from: a seeded generator, or hypothesis."""

    def pick(self, options: Sequence[T]) -> T: ...

    def chance(self, percent: int) -> bool: ...


class Seeded:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  (no secrets here)

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent


def world(choose: Chooser) -> tuple[list[Manifest], Connection, bool]:
    """Manifests, the connection, and whether the manifests hold everything."""
    pods = [pod(choose, f"{choose.pick(SPACES[:2])}/pod-{number}") for number in range(3)]
    source = pods[0]
    destination = choose.pick(pods[1:])
    manifests = [*pods]
    for space in SPACES:
        if choose.chance(80):
            labels = {key: choose.pick(values) for key, values in SPACE_LABELS.items() if key == "team" and choose.chance(70)}
            manifests.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}})
    # Policies that stand where they matter, towards the pods that are asked about.
    for number in range(choose.pick([0, 1, 1, 2, 2, 3, 3])):
        end = choose.pick([source, destination])
        manifests.append(policy(choose, f"policy-{number}", end, source if end is destination else destination, destination))
    if choose.chance(7):
        manifests.append(foreign(choose))
    asked = declared(destination)
    protocol, port = choose.pick(asked) if choose.chance(85) else anything(choose)
    return manifests, (key(source), key(destination), protocol, port), not choose.chance(7)


def key(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def pod(choose: Chooser, name: str) -> Manifest:
    namespace, _, own = name.partition("/")
    containers = [{"name": "main", "image": "registry.example.com/main:1", "ports": ports(choose)}]
    init = []
    if choose.chance(30):
        always = {"restartPolicy": "Always"} if choose.chance(50) else {}
        init.append({"name": "first", "image": "registry.example.com/first:1", **always, "ports": ports(choose)})
    labels = {name: choose.pick(values) for name, values in LABELS.items() if choose.chance(65)}
    if choose.chance(5):
        labels["pod-template-hash"] = "abc"
    spec = {"containers": containers, "initContainers": init, **({"hostNetwork": True} if choose.chance(4) else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": own, "namespace": namespace, "labels": labels}, "spec": spec}


def ports(choose: Chooser) -> list[Manifest]:
    listed = []
    for name in NAMES:
        if choose.chance(60):
            protocol = choose.pick(["", "", "TCP", "UDP"])
            number = choose.pick(PORTS)
            listed.append({"name": name, "containerPort": number, **({"protocol": protocol} if protocol else {})})
    return listed


def anything(choose: Chooser) -> tuple[str, int]:
    return choose.pick(("TCP", "UDP", "SCTP", "SCTP")), choose.pick(PORTS)


def declared(manifest: Manifest) -> list[tuple[str, int]]:
    found = [
        (port.get("protocol", "TCP"), port["containerPort"])
        for container in (*manifest["spec"]["containers"], *manifest["spec"]["initContainers"])
        for port in container["ports"]
    ]
    return found or [("TCP", 8080)]


def policy(choose: Chooser, name: str, end: Manifest, other: Manifest, destination: Manifest) -> Manifest:
    spec: Manifest = {}
    if choose.chance(90):
        spec["podSelector"] = selector(choose, end["metadata"]["labels"], LABELS, likely=90)
    types = choose.pick([None, None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"]])
    if types is not None:
        spec["policyTypes"] = types
    for direction, side in (("ingress", "from"), ("egress", "to")):
        if choose.chance(75):
            count = choose.pick([0, 1, 1, 1, 2])
            spec[direction] = [rule(choose, side, other, destination) for _ in range(count)]
    meta = {"name": name, "namespace": end["metadata"]["namespace"]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def rule(choose: Chooser, side: str, other: Manifest, destination: Manifest) -> Manifest:
    body: Manifest = {}
    if choose.chance(75):
        body[side] = [peer(choose, other) for _ in range(choose.pick([0, 1, 1, 1, 2]))]
    if choose.chance(65):
        body["ports"] = [port_of_rule(choose, destination) for _ in range(choose.pick([0, 1, 1, 2]))]
    return body


def peer(choose: Chooser, other: Manifest) -> Manifest:
    kind = choose.pick(["pods", "pods", "namespaces", "namespaces", "both", "both", "block"])
    if kind == "block":
        excepted = {"except": ["10.96.0.0/12"]} if choose.chance(70) else {}
        return {"ipBlock": {"cidr": "10.0.0.0/8", **excepted}}
    body: Manifest = {}
    if kind in {"pods", "both"}:
        body["podSelector"] = selector(choose, other["metadata"]["labels"], LABELS, likely=75)
    if kind in {"namespaces", "both"}:
        carried = {"kubernetes.io/metadata.name": other["metadata"]["namespace"]}
        body["namespaceSelector"] = selector(choose, carried, SPACE_LABELS, likely=75)
    return body


def port_of_rule(choose: Chooser, destination: Manifest) -> Manifest:
    body: Manifest = {}
    protocol, number = choose.pick(declared(destination)) if choose.chance(75) else anything(choose)
    if protocol != "TCP" or choose.chance(50):
        body["protocol"] = protocol
    match choose.pick(["number", "number", "name", "name", "range", "all"]):
        case "number":
            body["port"] = number
        case "name":
            body["port"] = choose.pick(NAMES)
        case "range":
            body["port"] = choose.pick([1, number - 1, number])
            body["endPort"] = max(body["port"], choose.pick([number - 1, number, number + 1, 65535]))
        case _:
            pass
    return body


def selector(choose: Chooser, carried: dict[str, str], vocabulary: Mapping[str, Sequence[str]], *, likely: int) -> Manifest:
    """Mostly one that the carried labels meet."""
    body: Manifest = {}
    for name, values in vocabulary.items():
        if not choose.chance(50):
            continue
        value = carried[name] if name in carried and choose.chance(likely) else choose.pick(values)
        match choose.pick(["label", "label", "In", "NotIn", "Exists", "DoesNotExist"]):
            case "label":
                body.setdefault("matchLabels", {})[name] = value
            case "In":
                body.setdefault("matchExpressions", []).append({"key": name, "operator": "In", "values": [value, "other"]})
            case "NotIn":
                others = [each for each in values if each != value] or ["other"]
                body.setdefault("matchExpressions", []).append({"key": name, "operator": "NotIn", "values": others})
            case operator:
                right = "Exists" if name in carried else "DoesNotExist"
                body.setdefault("matchExpressions", []).append({"key": name, "operator": right if choose.chance(likely) else operator})
    if choose.chance(4):
        body.setdefault("matchLabels", {})["pod-template-hash"] = "abc"
    return body


def foreign(choose: Chooser) -> Manifest:
    api, kind, namespaced = choose.pick(
        [
            ("cilium.io/v2", "CiliumNetworkPolicy", True),
            ("cilium.io/v2", "CiliumClusterwideNetworkPolicy", False),
            ("projectcalico.org/v3", "NetworkPolicy", True),
            ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", False),
        ]
    )
    meta = {"name": "policy-0", **({"namespace": choose.pick(SPACES[:2])} if namespaced else {})}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {}}


# --- which clauses of the API a world is about --------------------------------------------------------------------


def clauses(manifests: list[Manifest], connection: Connection, *, complete: bool) -> set[str]:
    """Clauses that stand in policies which select one of the two pods in the direction that counts there."""
    found = set() if complete else {"input that may lack policies"}
    cluster = next(clusters(manifests, connection, complete=True))
    source, destination = connection[:2]
    if source.partition("/")[0] != destination.partition("/")[0]:
        found.add("two namespaces")
    if any(cluster["pods"][end]["spec"].get("hostNetwork") for end in (source, destination)):
        found.add("host network")
    if any(cluster["facts"].get(("label of namespace", end.partition("/")[0], "team"), 0) != 0 for end in (source, destination)):
        found.add("labels of a Namespace not known")
    if any(m["apiVersion"] not in {"v1", "networking.k8s.io/v1"} for m in manifests):
        found.add("policy of another API")
    for end, kind, side in ((source, "Egress", "to"), (destination, "Ingress", "from")):
        numbers = [number for number in range(len(cluster["policies"])) if isolates(cluster, number, end, kind)]
        found.add({0: "no policy selects the pod", 1: "one policy selects it"}.get(len(numbers), "policies add up"))
        for number in numbers:
            spec = cluster["policies"][number]["spec"]
            if not spec.get("policyTypes"):
                found.add(f"policyTypes left out, isolates for {kind}")
            elif len(spec["policyTypes"]) == 1:
                found.add(f"policyTypes names {kind} only")
            found.add("podSelector of the spec " + ("left out or empty" if not spec.get("podSelector") else "with labels"))
            rules = spec.get(kind.lower())
            found.add("no list of rules" if rules is None else "rules" if rules else "empty list of rules")
            for rule in rules or []:
                found |= clauses_of_rule(rule, side)
    return found


def clauses_of_rule(rule: Manifest, side: str) -> set[str]:
    found = {name if rule.get(name) else f"{name} left out or empty" for name in (side, "ports")}
    for each in rule.get("ports") or []:
        found.add(f"protocol {each['protocol']}" if "protocol" in each else "protocol left out")
        value = each.get("port")
        number = "endPort" if "endPort" in each else "port number"
        found.add("no port" if value is None else "named port" if isinstance(value, str) else number)
    for each in rule.get(side) or []:
        found.add("peer with " + " and ".join(sorted(each)))
        if "ipBlock" in each and "except" in each["ipBlock"]:
            found.add("ipBlock with except")
        for name in ("podSelector", "namespaceSelector"):
            if name in each:
                found |= clauses_of_selector(name, each[name])
    return found


def clauses_of_selector(name: str, body: dict[str, Any]) -> set[str]:
    if not body:
        return {f"empty {name}"}
    found = {f"{name} with {key}" for key in body}
    return found | {f"{name} {item['operator']}" for item in body.get("matchExpressions", [])}
