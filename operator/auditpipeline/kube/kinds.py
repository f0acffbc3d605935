"""The kinds that a live World is made of, and how the API server names them."""

from dataclasses import dataclass
from typing import Final

from auditpipeline.api.spec import GROUP, KIND, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class ApiKind:
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
    def api_version(self) -> str:
        """As objects of the kind carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """Path of the list of all objects in all namespaces."""
        return self.path_in("")

    def path_in(self, namespace: str) -> str:
        """Path of the list of the objects in a namespace; empty for all namespaces."""
        within = f"namespaces/{namespace}/" if namespace else ""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}/{within}{self.plural}"

    @property
    def resource(self) -> str:
        """The resource as `kubectl auth can-i` names it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def rule(self, *verbs: str) -> str:
        """The rule of a Role that permits these verbs, as YAML on one line."""
        named = ", ".join(f'"{verb}"' for verb in verbs)
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.plural}"], verbs: [{named}]}}'


_RBAC: Final = "rbac.authorization.k8s.io"

PIPELINES: Final = ApiKind(KIND, GROUP, VERSION, PLURAL)

OBJECTS: Final = (
    # Every namespace has this one, and no emitter reads its store URL from it.
    ApiKind("ConfigMap", "", "v1", "configmaps", "metadata.name!=kube-root-ca.crt"),
    ApiKind("Deployment", "apps", "v1", "deployments"),
    ApiKind("StatefulSet", "apps", "v1", "statefulsets"),
    ApiKind("DaemonSet", "apps", "v1", "daemonsets"),
    ApiKind("CronJob", "batch", "v1", "cronjobs"),
    ApiKind("Pod", "", "v1", "pods"),
    ApiKind("Service", "", "v1", "services"),
    ApiKind("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices"),
    ApiKind("ServiceAccount", "", "v1", "serviceaccounts"),
    ApiKind("Role", _RBAC, "v1", "roles"),
    ApiKind("RoleBinding", _RBAC, "v1", "rolebindings"),
    ApiKind("ClusterRole", _RBAC, "v1", "clusterroles"),
    ApiKind("ClusterRoleBinding", _RBAC, "v1", "clusterrolebindings"),
    ApiKind("Namespace", "", "v1", "namespaces"),
    ApiKind("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies"),
)

# What may emit without a controller of a kind above. Most of these are made by one, and then they are its business.
ONE_OFF: Final = (
    ApiKind("ReplicaSet", "apps", "v1", "replicasets"),
    ApiKind("Job", "batch", "v1", "jobs"),
)

WATCHED: Final = (PIPELINES, *OBJECTS)
"""What the operator watches; OBJECTS alone is what it judges on."""
RBAC_KINDS: Final = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
