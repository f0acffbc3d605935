"""A pipeline as it is judged: declared by an AuditPipeline, or discovered in bare manifests."""

from dataclasses import dataclass

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline with its place. `ref.kind` is AuditPipeline also where nobody declared it."""

    ref: ObjectRef
    spec: PipelineSpec
    declared: bool = True
