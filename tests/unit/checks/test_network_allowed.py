"""What the hop says to add is enough, and what it says for machines is right."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding
from auditpipeline.verdict import judge
from auditpipeline.world.evidence import NO_EVIDENCE
from scenarios import NOW, Scenario, base_objects, read, scenarios
from unit.wiring.network_worlds import Seeded, policy
from unit.wiring.second_network_evaluator import verdict as second_verdict

CLOSED = [scenario for scenario in scenarios("network_allowed/*") if any(item["check"] == "NetworkAllowed" for item in scenario.expect.get("findings", ()))]


def findings_in(objects: list[dict[str, Any]]) -> list[Finding]:
    manifests = read(objects)
    verdicts = [judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW) for pipeline in manifests.pipelines]
    return [finding for verdict in verdicts for finding in verdict.findings if finding.check is ConditionType.NETWORK_ALLOWED]


@pytest.mark.parametrize("scenario", CLOSED, ids=lambda scenario: scenario.name)
def test_the_rule_to_add_opens_the_way(scenario: Scenario) -> None:
    objects = deepcopy(scenario.objects)
    for finding in findings_in(objects):
        policy = next(obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (finding.object.kind, finding.object.name))
        direction = finding.field.removeprefix("spec.")
        policy["spec"].setdefault(direction, []).append(yaml.safe_load(finding.expected))
    assert findings_in(objects) == []


@pytest.mark.parametrize("scenario", CLOSED, ids=lambda scenario: scenario.name)
def test_the_fix_holds_the_rule(scenario: Scenario) -> None:
    assert [finding.fix for finding in findings_in(scenario.objects) if finding.expected not in finding.fix] == []


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("egress-service-port", {"port": "8443", "protocol": "TCP", "direction": "egress", "policy": "audit/gateway"}),
        ("ingress-namespace-label", {"port": "8080", "protocol": "TCP", "direction": "ingress", "policy": "storage/callers"}),
        ("both-ports", {"port": "8080", "ports": "8080, 8081", "protocol": "TCP", "direction": "ingress", "policy": "audit/datastorage"}),
        (
            "default-deny-half-opened",
            {
                "port": "8080",
                "protocol": "TCP",
                "direction": "egress",
                "policy": "audit/gateway-dns",
                "policies": "audit/default-deny, audit/gateway-dns",
            },
        ),
        ("dns", {"port": "53", "protocol": "UDP", "direction": "egress", "policy": "audit/gateway"}),
        ("store-api-server", {"port": "6443", "protocol": "TCP", "direction": "egress", "policy": "audit/datastorage"}),
    ],
)
def test_details(name: str, details: dict[str, str]) -> None:
    (scenario,) = scenarios(f"network_allowed/{name}")
    assert [dict(finding.details) for finding in findings_in(scenario.objects)] == [details]


def test_the_hop_says_what_the_second_evaluator_says() -> None:
    """The base pipeline under policies at random: from URL to pods, the same answer as for the pods alone."""
    base = base_objects()
    pods = [pod_of(obj) for obj in base if obj["kind"] == "Deployment"]
    wrong = []
    for seed in range(400):
        choose = Seeded(seed)
        ends = choose.pick([pods, pods[::-1]])
        policies = [policy(choose, f"policy-{number}", ends[0], ends[1], pods[1]) for number in range(choose.pick([1, 2, 3]))]
        for each in policies:
            each["metadata"]["namespace"] = "audit"
        verdict = second_verdict([*pods, *policies], ("audit/gateway", "audit/datastorage", "TCP", 8080))
        reasons = {str(finding.reason) for finding in findings_in([*base, *policies])}
        if (verdict == "denied") != bool(reasons & {"EgressDenied", "IngressDenied"}):
            wrong.append((seed, verdict, reasons))
    assert wrong == []


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """The one pod of a Deployment, named after it."""
    template = deepcopy(deployment["spec"]["template"])
    meta = {**deployment["metadata"], "labels": template["metadata"]["labels"]}
    for container in template["spec"]["containers"]:
        container.setdefault("ports", [])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"initContainers": [], **template["spec"]}}
