"""Small Kubernetes objects and the Worlds they make, for tests of the core."""

from collections.abc import Iterable, Mapping
from typing import Any

from auditpipeline.world.coverage import ClusterCoverage, InputCoverage, InputScope
from auditpipeline.world.objects import Workload
from auditpipeline.world.projections import project
from auditpipeline.world.world import NO_ROLES, World

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"
_API = {
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"), "apps/v1"),
    **dict.fromkeys(("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"), RBAC),
}


def obj(kind: str, name: str, namespace: str = "audit", *, meta: Mapping[str, Any] | None = None, **body: Any) -> Object:
    """An object of a kind in namespace `audit`; an empty namespace leaves it out."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **(meta or {})}
    return {"apiVersion": _API.get(kind, "v1"), "kind": kind, "metadata": metadata, **body}


def workload(container: Mapping[str, Any], *, name: str = "gateway", volumes: Iterable[Any] = (), **pod: Any) -> Object:
    """A Deployment of one container."""
    labels = {"app": name}
    spec = {"containers": [{"name": name, **container}], "volumes": list(volumes), **pod}
    return obj(
        "Deployment",
        name,
        spec={"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    )


def config_map(name: str, data: Mapping[str, str] | None = None, **body: Any) -> Object:
    """A ConfigMap."""
    return obj("ConfigMap", name, data=dict(data or {}), **body)


def world(*objects: Mapping[str, Any], scope: InputScope = InputScope.BY_NAMESPACE) -> World:
    """Manifests as a World."""
    return fill(World(InputCoverage(scope), NO_ROLES), objects)


def live_world(*objects: Mapping[str, Any], forbidden: Mapping[str, str] | None = None) -> World:
    """A cluster as a World."""
    return fill(World(ClusterCoverage(forbidden or {})), objects)


def fill(target: World, objects: Iterable[Mapping[str, Any]]) -> World:
    """Put objects into a World."""
    for item in objects:
        value = project(item)
        assert value is not None, item["kind"]
        target.put(value)
    return target


def only_workload(target: World) -> Workload:
    """The one workload of a World."""
    (found,) = list(target.workloads)
    return found
