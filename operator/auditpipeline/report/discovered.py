"""AuditPipeline manifests of discovered pipelines, as `kubectl apply -f -` takes them."""

import sys
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import API_VERSION, KIND, WORKLOAD_KINDS, EmitterSpec
from auditpipeline.contracts.builtin import AUTO
from auditpipeline.wiring.pipeline import Pipeline

MOST_EMITTERS: Final = 64
"""Of one AuditPipeline, as its schema says."""


def render(pipelines: Iterable[Pipeline], taken: Container[ObjectRef] = ()) -> str:
    """The manifests as one YAML text, by namespace and name; empty where nothing can be written.

    Args:
        pipelines: What was discovered.
        taken: AuditPipelines that are there already: their names are not used again.
    """
    import yaml  # noqa: PLC0415  (for a run that writes it)

    documents = list(_documents(pipelines, taken))
    return yaml.safe_dump_all(documents, sort_keys=False, width=sys.maxsize) if documents else ""


def unnameable(pipelines: Iterable[Pipeline]) -> list[ObjectRef]:
    """Emitters of a kind that no AuditPipeline can name: their pods come and go."""
    return sorted(
        ObjectRef(emitter.workload.kind, pipeline.ref.namespace, emitter.workload.name)
        for pipeline in pipelines
        for emitter in pipeline.spec.emitters
        if emitter.workload.kind not in WORKLOAD_KINDS
    )


def _documents(pipelines: Iterable[Pipeline], taken: Container[ObjectRef]) -> Iterator[dict[str, Any]]:
    used: set[ObjectRef] = set()
    for pipeline in sorted(pipelines, key=lambda pipeline: pipeline.ref):
        emitters = sorted(
            (emitter for emitter in pipeline.spec.emitters if emitter.workload.kind in WORKLOAD_KINDS),
            key=lambda emitter: (emitter.name, emitter.workload),
        )
        for start in range(0, len(emitters), MOST_EMITTERS):
            ref = _free(pipeline.ref, taken, used)
            used.add(ref)
            yield _document(pipeline, ref, emitters[start : start + MOST_EMITTERS])


def _free(ref: ObjectRef, taken: Container[ObjectRef], used: Container[ObjectRef]) -> ObjectRef:
    candidate, number = ref, 1
    while candidate in taken or candidate in used:
        number += 1
        candidate = ref._replace(name=f"{ref.name}-{number}")
    return candidate


def _document(pipeline: Pipeline, ref: ObjectRef, emitters: Iterable[EmitterSpec]) -> dict[str, Any]:
    store = pipeline.spec.store.service
    service = {"name": store.name}
    if store.namespace not in {"", ref.namespace}:
        service["namespace"] = store.namespace
    spec: dict[str, Any] = {} if pipeline.spec.contract == AUTO else {"contract": pipeline.spec.contract}
    spec |= {"store": {"serviceRef": service}, "emitters": [_emitter(emitter) for emitter in emitters]}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": spec,
    }


def _emitter(emitter: EmitterSpec) -> dict[str, Any]:
    named = {} if emitter.name == emitter.workload.name else {"name": emitter.name}
    return {**named, "workloadRef": {"kind": emitter.workload.kind, "name": emitter.workload.name}}
