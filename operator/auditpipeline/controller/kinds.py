"""The kinds that the operator watches, and how the API server names them."""

from dataclasses import dataclass
from typing import Final

from auditpipeline.api.spec import GROUP, KIND, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class WatchedKind:
    """A kind of the API.

    Attributes:
        field_selector: Applied by the API server to the list and the watch alike; empty for all objects.
    """

    kind: str
    group: str
    version: str
    plural: str
    field_selector: str = ""

    @property
    def path(self) -> str:
        """Path of the list of all objects in all namespaces."""
        return f"/apis/{self.group}/{self.version}/{self.plural}" if self.group else f"/api/{self.version}/{self.plural}"

    @property
    def resource(self) -> str:
        """The resource as `kubectl auth can-i` names it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def missing_rule(self) -> str:
        """What to tell who must grant the permission."""
        rule = f'{{apiGroups: ["{self.group}"], resources: ["{self.plural}"], verbs: ["get", "list", "watch"]}}'
        return f"the operator may not list {self.resource}; add the rule {rule} to its ClusterRole"


_RBAC: Final = "rbac.authorization.k8s.io"

PIPELINES: Final = WatchedKind(KIND, GROUP, VERSION, PLURAL)

OBJECTS: Final = (
    # Every namespace has this one, and no emitter reads its store URL from it.
    WatchedKind("ConfigMap", "", "v1", "configmaps", "metadata.name!=kube-root-ca.crt"),
    WatchedKind("Deployment", "apps", "v1", "deployments"),
    WatchedKind("StatefulSet", "apps", "v1", "statefulsets"),
    WatchedKind("DaemonSet", "apps", "v1", "daemonsets"),
    WatchedKind("CronJob", "batch", "v1", "cronjobs"),
    WatchedKind("Pod", "", "v1", "pods"),
    WatchedKind("Service", "", "v1", "services"),
    WatchedKind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
    WatchedKind("ServiceAccount", "", "v1", "serviceaccounts"),
    WatchedKind("Role", _RBAC, "v1", "roles"),
    WatchedKind("RoleBinding", _RBAC, "v1", "rolebindings"),
    WatchedKind("ClusterRole", _RBAC, "v1", "clusterroles"),
    WatchedKind("ClusterRoleBinding", _RBAC, "v1", "clusterrolebindings"),
    WatchedKind("Namespace", "", "v1", "namespaces"),
    WatchedKind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
)

WATCHED: Final = (PIPELINES, *OBJECTS)
RBAC_KINDS: Final = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
