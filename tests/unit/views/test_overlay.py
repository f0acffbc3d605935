"""Manifests over a live World."""

from auditpipeline.api.findings import ObjectRef
from auditpipeline.views.cluster import ClusterView, LiveCoverage
from auditpipeline.views.manifests import read_stream
from auditpipeline.views.overlay import lay_over
from auditpipeline.world.objects import ConfigMap, Namespace
from auditpipeline.world.world import World

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: gateway-config, namespace: audit}
data: {config.yaml: "datastorage: {url: http://new:8080}"}
"""
PIPELINE = """
apiVersion: auditpipeline.dev/v1alpha1
kind: AuditPipeline
metadata: {name: gateway, namespace: audit}
spec:
  store: {serviceRef: {name: %s}}
  emitters: [{workloadRef: {name: gateway}}]
"""
REF = ObjectRef("ConfigMap", "audit", "gateway-config")


def view() -> ClusterView:
    coverage = LiveCoverage()
    return ClusterView(coverage, World(coverage))


def test_an_object_of_the_manifests_takes_the_place_of_the_live_one() -> None:
    live = view()
    live.world.put(ConfigMap(REF, {"config.yaml": "old"}, frozenset(), None))
    touched = lay_over(live, read_stream(CONFIG))
    assert REF in touched
    found = live.world.config_map("audit", "gateway-config")
    assert found is not None
    assert "new" in found.data["config.yaml"]


def test_an_object_that_is_there_already_is_touched_too() -> None:
    live = view()
    lay_over(live, read_stream(CONFIG))
    assert REF in lay_over(live, read_stream(CONFIG))


def test_a_namespace_keeps_the_labels_of_others() -> None:
    live = view()
    ref = ObjectRef("Namespace", "", "audit")
    live.world.put(Namespace(ref, {"kubernetes.io/metadata.name": "audit", "team": "a"}))
    lay_over(live, read_stream("apiVersion: v1\nkind: Namespace\nmetadata: {name: audit, labels: {stage: test}}"))
    found = live.world.namespaces.get(ref)
    assert found is not None
    assert found.labels == {"kubernetes.io/metadata.name": "audit", "team": "a", "stage": "test"}


def test_a_pipeline_of_the_manifests_is_judged_instead_of_the_live_one() -> None:
    live = view()
    lay_over(live, read_stream(PIPELINE % "old"))
    lay_over(live, read_stream(PIPELINE % "new"))
    assert [pipeline.spec.store.service.name for pipeline in live.pipelines] == ["new"]
