"""Counters and a histogram in the Prometheus text format, and the series of the pipelines.

Series of pipelines are made from the cache when asked for, so they vanish with their AuditPipeline; labels are names
and enums only. A page of a hundred lines needs no library.
"""

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import ObjectRef

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_READY: Final = {"True": 1, "False": 0}

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only grows, per combination of labels."""

    def __init__(self, name: str, doc: str) -> None:
        self._name = name
        self._doc = doc
        self._values: defaultdict[Labels, float] = defaultdict(float)

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count."""
        self._values[tuple(labels.items())] += amount

    def value(self, **labels: str) -> float:
        """What was counted under exactly these labels."""
        return self._values.get(tuple(labels.items()), 0)

    def lines(self) -> Iterator[str]:
        """The exposition."""
        yield from family(self._name, "counter", self._doc, self._values.items())


class Histogram:
    """Seconds by size."""

    def __init__(self, name: str, doc: str) -> None:
        self._name = name
        self._doc = doc
        self._counts = [0] * (len(_BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect.bisect_left(_BUCKETS, seconds)] += 1
        self._sum += seconds

    def lines(self) -> Iterator[str]:
        """The exposition."""
        yield from _head(self._name, "histogram", self._doc)
        total = 0
        for bound, count in zip((*map(str, _BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{self._name}_bucket{{le="{bound}"}} {total}'
        yield f"{self._name}_sum {self._sum:.6f}"
        yield f"{self._name}_count {total}"


class Metrics:
    """What the operator counts about itself."""

    def __init__(self) -> None:
        self.reconciles = Counter("auditpipeline_reconcile_total", "Judgements, by what came of them.")
        self.reconcile_seconds = Histogram(
            "auditpipeline_reconcile_duration_seconds", "Time to judge one pipeline, without its write."
        )
        self.writes = Counter("auditpipeline_status_writes_total", "Status writes, by what came of them.")
        self.relists = Counter("auditpipeline_watch_restarts_total", "Lists that followed the first one, by kind.")
        self.restarts = Counter(
            "auditpipeline_framework_restarts_total", "Times the watching framework ended and was started again."
        )
        self.reviews = Counter("auditpipeline_access_reviews_total", "Access reviews, by what came of them.")

    def lines(self) -> Iterator[str]:
        """The exposition."""
        for metric in (self.reconciles, self.reconcile_seconds, self.writes, self.relists, self.restarts, self.reviews):
            yield from metric.lines()


def pipeline_lines(statuses: Iterable[tuple[ObjectRef, Mapping[str, Any]]]) -> Iterator[str]:
    """The series of the pipelines, from their stored statuses."""
    ready: list[tuple[Labels, float]] = []
    conditions: list[tuple[Labels, float]] = []
    findings: list[tuple[Labels, float]] = []
    for ref, status in statuses:
        place: Labels = (("namespace", ref.namespace), ("name", ref.name))
        summary = "Unknown"
        for condition in status.get("conditions", ()):
            conditions.append(((*place, ("type", condition["type"]), ("status", condition["status"])), 1))
            if condition["type"] == ConditionType.READY:
                summary = condition["status"]
        ready.append((place, _READY.get(summary, -1)))
        found: defaultdict[Labels, int] = defaultdict(int)
        for finding in status.get("findings", ()):
            found[(*place, ("check", finding["check"]), ("severity", finding["severity"]))] += 1
        findings.extend(found.items())
    yield from family("auditpipeline_ready", "gauge", "Ready of a pipeline: 1, 0, or -1 for unknown.", ready)
    yield from family("auditpipeline_condition", "gauge", "The status a condition has now.", conditions)
    yield from family("auditpipeline_findings", "gauge", "Findings that the status lists.", findings)


def family(name: str, kind: str, doc: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """One metric with its samples."""
    yield from _head(name, kind, doc)
    for labels, value in samples:
        text = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels)
        yield f"{name}{{{text}}} {value:g}" if text else f"{name} {value:g}"


def _head(name: str, kind: str, doc: str) -> Iterator[str]:
    yield f"# HELP {name} {doc}"
    yield f"# TYPE {name} {kind}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
