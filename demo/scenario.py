"""What the demo shows, step by step: every cause at once, the mended manifests, the restart that they need, Ready."""

import time
from collections.abc import Callable
from typing import Any, Final

import yaml

from demo.place import IMAGE, ROOT, Place, say

NAMESPACE: Final = "kubernaut-system"
PIPELINE: Final = "gateway"
_EXPECTED: Final = {"ServiceNotFound", "PortNotExposed", "HostPathEnv", "BindingMissing"}
_PATIENCE: Final = 60.0

Status = dict[str, Any]


class DemoError(Exception):
    """The demo did not come to its end; the text says what was waited for."""


def play(place: Place) -> None:
    """Play the scenario from a clean namespace.

    Raises:
        DemoError: The status did not become what it should within a minute.
    """
    started = time.monotonic()
    say("2/5", "installing the CRD and starting the operator")
    for name in ("crds/auditpipelines.yaml",):
        place.client.apply(yaml.safe_load((ROOT / name).read_text()))
    place.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/auditpipelines.auditpipeline.dev")
    _clean_namespace(place)
    place.start_operator()

    say("3/5", f"applying examples/gateway-broken ({place.pods})")
    _apply(place, "examples/gateway-broken")
    status = _wait(place, "all four causes", lambda status: _reasons(status) == _EXPECTED and _settled(status))
    _show(place, "The gateway emits, nothing lands. Every cause at once:", status)

    say("4/5", "applying examples/gateway-fixed")
    _apply(place, "examples/gateway-fixed")
    status = _wait(place, "the mended manifests", lambda status: _reasons(status) <= {"ConfigNotReloaded"} and _settled(status))
    if _reasons(status):
        _show(place, "The ConfigMap is right now; the running pods still use the old one:", status)
        say("5/5", "restarting the gateway")
        place.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/gateway")
    status = _wait(place, "Ready", lambda status: _ready(status) == "True")
    _show(place, "Mended:", status)
    print(f"The demo took {time.monotonic() - started:.0f} s. The cluster and the operator go on; look around with")
    print(f"  export KUBECONFIG={place.kubeconfig}")
    print("  kubectl get auditpipelines -A")
    print("and remove both with `make demo-down`.")


def _apply(place: Place, folder: str) -> None:
    for file in sorted((ROOT / folder).glob("*.yaml")):
        text = file.read_text()
        for manifest in yaml.safe_load_all(text.replace(IMAGE, place.image) if place.image else text):
            place.client.apply(manifest)


def _clean_namespace(place: Place) -> None:
    """A second run starts where the first did."""
    place.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=60s")
    place.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})


def _wait(place: Place, what: str, reached: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + _PATIENCE
    status: Status = {}
    while time.monotonic() < deadline:
        status = place.client.get("auditpipeline.dev/v1alpha1", "AuditPipeline", PIPELINE, NAMESPACE).get("status", {})
        if status and reached(status):
            return status
        time.sleep(0.1)
    reasons = ", ".join(sorted(_reasons(status))) or "none"
    raise DemoError(
        f"the status did not show {what} within {_PATIENCE:.0f} s; Ready is {_ready(status) or 'not set'}, reasons: {reasons}; "
        "see .demo/operator.log"
    )


def _reasons(status: Status) -> set[str]:
    return {finding["reason"] for finding in status.get("findings", []) if finding["severity"] == "Error"}


def _ready(status: Status) -> str:
    return next((item["status"] for item in status.get("conditions", []) if item["type"] == "Ready"), "")


def _settled(status: Status) -> bool:
    """Pods, endpoints and live reviews have had their say: what is folded into a cause is folded."""
    conditions = {item["type"]: item["reason"] for item in status.get("conditions", [])}
    return conditions.get("EndpointsReady") in {"Passed", "BlockedByEnvironmentClean"}


def _show(place: Place, title: str, status: Status) -> None:
    print(f"\n{title}\n")
    print("$ kubectl get auditpipelines")
    print(place.kubectl("-n", NAMESPACE, "get", "auditpipelines"))
    print("$ kubectl get pods")
    print(place.kubectl("-n", NAMESPACE, "get", "pods"))
    for finding in status.get("findings", []):
        where = f"{finding['object']['kind']}/{finding['object']['name']}  {finding.get('field', '')}".rstrip()
        print(f"  ✘ {finding['check']:<18} {finding['reason']}")
        print(f"      {finding['message']}")
        print(f"      at   {where}")
        print(f"      fix  {finding['fix']}")
    print(flush=True)
