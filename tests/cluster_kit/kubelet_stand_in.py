"""A stand-in for scheduler and kubelet on the control-plane tier: Pods get the status a kubelet would write.

No container runs. What it does, for Pods of the default scheduler:

1. binds a Pod without a node to its one Node `stand-in`, if the Pod's nodeSelector allows (affinity is not read);
2. writes a running Pod's status: addresses, phase, conditions, container states; so EndpointSlices become ready,
   ReplicaSets count their replicas and Deployments become Available;
3. removes a Pod that is being deleted, at once, as a kubelet does when the containers have ended.

A container whose env KUBECONFIG names a path that none of its mounts provides is in CrashLoopBackOff, as a program
that reads it at start would be. The annotation `cluster-kit/pod-state` makes a Pod's containers anything else of
`POD_STATES`. What it does not look at: probes, images, missing ConfigMaps and Secrets, resources, Jobs that end.

Run it as a program: `python -m cluster_kit.kubelet_stand_in KUBECONFIG`; it ends when it is killed.
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

import httpx

from .client import ApiError, Client, Object

NODE: Final = "stand-in"
NODE_ADDRESS: Final = "10.243.0.1"
STATE_ANNOTATION: Final = "cluster-kit/pod-state"
LABELS: Final = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}

_LEASES: Final = "kube-node-lease"
_HEARTBEAT_SECONDS: Final = 10


def _running(now: str) -> Object:
    return {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": now}}}


def _not_ready(now: str) -> Object:
    return _running(now) | {"ready": False}


def _crashing(now: str) -> Object:
    ended = {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    return {
        "ready": False,
        "started": False,
        "restartCount": 3,
        "state": {"waiting": waiting},
        "lastState": {"terminated": ended},
    }


def _pulling(_now: str) -> Object:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    return {"ready": False, "started": False, "restartCount": 0, "state": {"waiting": waiting}}


def _succeeded(now: str) -> Object:
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
    return {"ready": False, "started": False, "restartCount": 0, "state": {"terminated": ended}}


# state -> phase of the Pod, status of each container
POD_STATES: Final[dict[str, tuple[str, Callable[[str], Object]]]] = {
    "Running": ("Running", _running),
    "NotReady": ("Running", _not_ready),
    "CrashLoopBackOff": ("Running", _crashing),
    "ImagePullBackOff": ("Pending", _pulling),
    "Succeeded": ("Succeeded", _succeeded),
}


def pod_status(pod: Object, address: str, now: str) -> Object:
    """The status a kubelet would write for the bound Pod.

    Args:
        pod: the object.
        address: its pod IP.
        now: RFC 3339 time, for everything that starts.
    """
    spec = pod["spec"]
    state = pod["metadata"].get("annotations", {}).get(STATE_ANNOTATION, "Running")
    phase, container_state = POD_STATES[state]
    containers = []
    for container in spec["containers"]:
        status = _crashing(now) if lacks_kubeconfig(container) else container_state(now)
        containers.append(_identity(container) | status)
    ready = all(container["ready"] for container in containers)
    ip = NODE_ADDRESS if spec.get("hostNetwork") else address
    return {
        "phase": phase,
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [
            _condition("PodReadyToStartContainers", True, now),
            _condition("Initialized", True, now),
            _condition("Ready", ready, now, "ContainersNotReady"),
            _condition("ContainersReady", ready, now, "ContainersNotReady"),
            _condition("PodScheduled", True, now),
        ],
        "initContainerStatuses": [_init_status(container, now) for container in spec.get("initContainers", [])],
        "containerStatuses": containers,
    }


def lacks_kubeconfig(container: Object) -> bool:
    """Whether env KUBECONFIG names a file outside of all the container's mounts."""
    values = [entry.get("value") for entry in container.get("env", []) if entry["name"] == "KUBECONFIG"]
    if not values or not values[-1]:
        return False
    path = PurePosixPath(values[-1])
    mounts = [PurePosixPath(mount["mountPath"]) for mount in container.get("volumeMounts", [])]
    return not any(mount == path or mount in path.parents for mount in mounts)


def schedulable(pod: Object) -> bool:
    """Whether the stand-in's Node would be chosen for the unbound Pod."""
    spec = pod["spec"]
    if spec.get("schedulerName", "default-scheduler") != "default-scheduler" or spec.get("schedulingGates"):
        return False
    return all(LABELS.get(key) == value for key, value in spec.get("nodeSelector", {}).items())


class StandIn:
    """Reacts to the Pods of a cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._addresses = (f"10.244.{high}.{low}" for high in range(256) for low in range(1, 255))
        self._seen: set[tuple[str, str]] = set()  # (uid, what was done), for an object is seen before our write is

    def run(self) -> None:
        """Follow the Pods for ever, through restarts of the API server."""
        while True:
            try:
                self._make_node()
                for event in self._client.watch("v1", "Pod", timeout_seconds=300):
                    if event.type in {"ADDED", "MODIFIED"}:
                        self._handle(event.object)
            except (ApiError, httpx.TransportError):
                self._seen.clear()  # a write may be lost: look at every Pod again, a second write does no harm
                time.sleep(0.2)

    def heartbeat(self) -> None:
        """Renew the Node's Lease for ever, or the node lifecycle controller would evict everything."""
        for count in itertools.count():
            try:
                spec = {
                    "holderIdentity": NODE,
                    "leaseDurationSeconds": 4 * _HEARTBEAT_SECONDS,
                    "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                }
                lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
                metadata = {"name": NODE, "namespace": _LEASES}
                self._client.apply(lease | {"metadata": metadata, "spec": spec}, field_manager=NODE)
            except (ApiError, httpx.TransportError):  # the namespace comes a moment after the server does
                time.sleep(0.2)
            else:
                time.sleep(_HEARTBEAT_SECONDS if count else 1)

    def _handle(self, pod: Object) -> None:
        metadata = pod["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        try:
            if "deletionTimestamp" in metadata:
                if self._first(pod, "delete"):
                    self._client.delete("v1", "Pod", name, namespace, grace_seconds=0, missing_ok=True)
            elif not pod["spec"].get("nodeName"):
                if schedulable(pod) and self._first(pod, "bind"):
                    self._bind(name, namespace)
            elif pod["spec"]["nodeName"] == NODE and "podIP" not in pod["status"] and self._first(pod, "run"):
                status = pod_status(pod, next(self._addresses), _now())
                self._client.patch("v1", "Pod", name, namespace, {"status": status}, type="strategic", subresource="status")
        except ApiError as error:
            if error.code not in {404, 409}:  # gone or changed meanwhile: another event follows
                raise

    def _first(self, pod: Object, action: str) -> bool:
        key = (pod["metadata"]["uid"], action)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _bind(self, name: str, namespace: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        self._client.create_subresource("v1", "Pod", name, namespace, subresource="binding", body=binding)

    def _make_node(self) -> None:
        now = _now()
        metadata = {"name": NODE, "labels": LABELS}
        self._client.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata}, field_manager=NODE)
        room = {"cpu": "1000", "memory": "1000Gi", "pods": "100000"}
        status = {
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NODE}],
            "capacity": room,
            "allocatable": room,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "StandIn", "lastHeartbeatTime": now, "lastTransitionTime": now},
            ],
        }
        self._client.patch("v1", "Node", NODE, None, {"status": status}, type="strategic", subresource="status")


def _identity(container: Object) -> Object:
    digest = container["image"].rpartition("@")[2] if "@" in container["image"] else ""
    return {"name": container["name"], "image": container["image"], "imageID": digest}


def _init_status(container: Object, now: str) -> Object:
    sidecar = container.get("restartPolicy") == "Always"
    return _identity(container) | (_running(now) if sidecar else _succeeded(now) | {"ready": True})


def _condition(kind: str, holds: bool, now: str, reason: str = "") -> dict[str, Any]:
    condition = {"type": kind, "status": str(holds), "lastTransitionTime": now}
    return condition if holds or not reason else condition | {"reason": reason}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    kubeconfig = Path(sys.argv[1])
    threading.Thread(target=StandIn(Client(kubeconfig, user_agent=NODE)).heartbeat, daemon=True).start()
    StandIn(Client(kubeconfig, user_agent=NODE)).run()


if __name__ == "__main__":
    main()
