"""Manifests laid over a live cluster: the World as it would be once they are applied.

An object of the manifests takes the place of the live one, as far as it says something: what the API server or another
owner keeps (a Namespace's own labels) stays. Nothing is deleted, and what admission would change is not known here.
"""

from dataclasses import replace

from auditpipeline.api.findings import ObjectRef
from auditpipeline.views.cluster import ClusterView
from auditpipeline.views.manifests import Manifests
from auditpipeline.world.objects import KubernetesObject, Namespace
from auditpipeline.world.reads import Key
from auditpipeline.world.world import World


def lay_over(view: ClusterView, manifests: Manifests) -> frozenset[Key]:
    """Put the manifests' objects and AuditPipelines into the view; the look-ups that they answer now.

    A pipeline that makes none of these look-ups, and is not in the manifests, is judged as before.
    """
    touched: set[Key] = set()
    for ref in manifests.origins:
        obj = manifests.world.find(ref)
        if obj is not None:
            # An object that is there already changes nothing, and yet somebody may ask what it means.
            touched |= {ref} | view.world.put(_merged(view.world, obj))
    declared = {pipeline.ref: pipeline for pipeline in manifests.pipelines}
    view.pipelines = [*(known for known in view.pipelines if known.ref not in declared), *declared.values()]
    return frozenset(touched)


def _merged(world: World, obj: KubernetesObject) -> KubernetesObject:
    if isinstance(obj, Namespace):
        live = world.namespaces.get(ObjectRef("Namespace", "", obj.ref.name))
        return obj if live is None else replace(obj, labels={**live.labels, **obj.labels})
    return obj
