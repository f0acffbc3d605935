"""The report of a check: the verdicts of all pipelines, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Final, Literal, NamedTuple

from auditpipeline.api.findings import Finding, ObjectRef
from auditpipeline.api.reasons import Severity
from auditpipeline.verdict import Verdict

SCHEMA: Final = "auditpipeline.dev/report/v1"
STDIN: Final = "stdin"
Mode = Literal["manifests", "cluster", "overlay"]
FailOn = Literal["error", "warning", "never"]


class Position(NamedTuple):
    """A line of a file, from 1; no file for live objects."""

    file: str = ""
    line: int = 0

    @property
    def on_disk(self) -> bool:
        """There is a file that an editor or a code review could open."""
        return self.file not in {"", STDIN}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Input that looks like Kubernetes and could not be used."""

    message: str
    position: Position
    object: ObjectRef | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a rendering needs.

    Attributes:
        positions: Where each object's field was read; empty for a live cluster.
    """

    mode: Mode
    verdicts: tuple[Verdict, ...]
    unreadable: tuple[Unreadable, ...] = ()
    positions: Mapping[tuple[ObjectRef, str], Position] = attribute(default_factory=dict)
    objects: int = 0
    files: int = 0

    def position(self, finding: Finding) -> Position:
        """Where the finding's field was read."""
        return self.positions.get((finding.object, finding.field), Position())

    def count(self, severity: Severity) -> int:
        """Findings of that severity; what cannot be read is an error."""
        found = sum(finding.severity is severity for verdict in self.verdicts for finding in verdict.findings)
        return found + (len(self.unreadable) if severity is Severity.ERROR else 0)

    @property
    def unknowns(self) -> int:
        """What could not be judged."""
        return sum(len(verdict.unknowns) for verdict in self.verdicts)

    @property
    def emitters(self) -> int:
        """Emitters that were judged."""
        return sum(len(verdict.wiring.emitters) for verdict in self.verdicts)

    def fails(self, fail_on: FailOn) -> bool:
        """Something was found at or above that level."""
        return any(fails(severity, fail_on) and self.count(severity) for severity in Severity)


def fails(severity: Severity, fail_on: FailOn) -> bool:
    """A finding of that severity makes a run fail."""
    return severity in _FAILING[fail_on]


_FAILING: Final[dict[FailOn, frozenset[Severity]]] = {
    "error": frozenset({Severity.ERROR}),
    "warning": frozenset({Severity.ERROR, Severity.WARNING}),
    "never": frozenset(),
}
