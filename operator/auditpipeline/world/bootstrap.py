"""The ClusterRoles that every API server makes for itself: manifests bind them without holding them.

Generated from the ClusterRoles of a fresh Kubernetes 1.37 API server; rules for URLs instead of resources are left out.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from auditpipeline.api.findings import ObjectRef
from auditpipeline.world.objects import Role
from auditpipeline.world.projections import project


@cache
def bootstrap_roles() -> Mapping[ObjectRef, Role]:
    """The built-in ClusterRoles by reference; an aggregated one already holds the rules of those it gathers."""
    text = (Path(__file__).parent / "data" / "bootstrap_cluster_roles.json").read_text("utf-8")
    roles: dict[ObjectRef, Role] = {}
    for item in json.loads(text):
        role = project(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": item["name"], "labels": item.get("labels")},
                "rules": item["rules"],
                "aggregationRule": {"clusterRoleSelectors": item.get("aggregates")},
            }
        )
        if isinstance(role, Role):
            roles[role.ref] = role
    return MappingProxyType(roles)
