"""What a check says: a finding about a fault, or an unknown about what cannot be judged."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Final, NamedTuple

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.reasons import Reason, Severity

MAX_MESSAGE: Final = 1024


class ObjectRef(NamedTuple):
    """A Kubernetes object by kind, namespace (empty for cluster-scoped ones) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def qualified(self) -> str:
        """`Kind/namespace/name`, without the namespace for cluster-scoped objects."""
        return "/".join(filter(None, self))


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the object and field where it stands, what was expected and found, and how to mend it.

    Attributes:
        emitter: Effective name of the emitter, empty for a fault of the store itself.
        workload: The workload whose events are lost; the store's own for a store fault.
        object: Where the fault stands.
        field: Path in `object`, list items by name: `data[config.yaml].datastorage.url`, `spec.ports[http].port`.
        details: Further facts by name, for machines.
        latent: Nothing fails for certain, so it is a warning although its reason is an error elsewhere.
    """

    reason: Reason
    message: str
    object: ObjectRef
    field: str = ""
    expected: str = ""
    found: str = ""
    fix: str = ""
    emitter: str = ""
    workload: ObjectRef | None = None
    details: Mapping[str, str] = attribute(default_factory=dict)
    waived: bool = False
    latent: bool = False

    @property
    def check(self) -> ConditionType:
        """The hop that this finding belongs to."""
        if self.reason.check is None:
            raise TypeError(f"{self.reason} belongs to no single hop")
        return self.reason.check

    @property
    def severity(self) -> Severity:
        """Info once waived."""
        if self.waived:
            return Severity.INFO
        return Severity.WARNING if self.latent else self.reason.severity

    @property
    def is_error(self) -> bool:
        """An error that nobody waived."""
        return self.severity is Severity.ERROR

    def as_waived(self) -> "Finding":
        """The same finding, waived."""
        return replace(self, waived=True)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A hop that cannot be judged, for one emitter or the store (`emitter` empty)."""

    check: ConditionType
    reason: Reason | str
    """A declared reason, or `BlockedBy<Condition>`."""
    message: str
    emitter: str = ""

    @property
    def awaited(self) -> bool:
        """An answer is on its way, so Ready is held back."""
        return isinstance(self.reason, Reason) and self.reason.awaited


Outcome = Finding | Unknown
