"""Situations as data: `<hop>/<cause>/` holds what differs from `base.yaml`, and what must be said about it.

`input.yaml` is laid over the base: an object of the same kind, namespace and name takes its place. `expect.yaml` has
    about      the situation, one sentence
    without    objects of the base to leave out, as Kind/namespace/name (cluster-scoped: Kind/name)
    alone      true: the input as it is, as a project would hand it over, without any of the base
    scope      closed or partial; left out: by namespace
    pipelines  how many there are; left out: one or more
    ready      True, False or Unknown, that of all its pipelines; left out: True without errors, else False
    findings   all of them, each with check, reason, severity and object, emitter and field where there are any, and
               message, expected, found and fix where they are to be compared
    unknowns   all of them, each with check and reason, emitter where there is one, message where it is to be compared
Where there is no AuditPipeline, the emitters are discovered, as `auditpipeline check` does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from auditpipeline.verdict import Verdict, judge
from auditpipeline.views.manifests import Manifests, read_stream
from auditpipeline.wiring.discovery import discover
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE

FOLDER = Path(__file__).parent
NOW = 1_790_000_000.0
"""Seconds since the epoch, in September 2026."""
_SCOPES = {"closed": InputScope.CLOSED, "partial": InputScope.PARTIAL, None: InputScope.BY_NAMESPACE}
_ALWAYS = ("check", "reason", "severity", "emitter", "object", "field")
_WHERE_GIVEN = ("message", "expected", "found", "fix")


def base_objects() -> list[dict[str, Any]]:
    """The objects of a pipeline in order."""
    return list(yaml.safe_load_all((FOLDER / "base.yaml").read_text()))


def name_of(obj: Mapping[str, Any]) -> str:
    """Kind/namespace/name."""
    meta = obj["metadata"]
    return "/".join(filter(None, (obj["kind"], meta.get("namespace"), meta["name"])))


def read(objects: list[dict[str, Any]], scope: InputScope = InputScope.BY_NAMESPACE) -> Manifests:
    """Objects as the product reads them from files."""
    return read_stream(yaml.safe_dump_all(objects), "objects", scope=scope)


@dataclass(frozen=True)
class Scenario:
    """One folder."""

    folder: Path

    @property
    def name(self) -> str:
        return "/".join(self.folder.parts[-2:])

    @cached_property
    def expect(self) -> dict[str, Any]:
        value: dict[str, Any] = yaml.safe_load((self.folder / "expect.yaml").read_text())
        assert set(value) <= {"about", "without", "alone", "scope", "pipelines", "ready", "findings", "unknowns"}, f"{self.name}: unknown words"
        return value

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """Base and input, merged."""
        merged = {} if self.expect.get("alone") else {name_of(obj): obj for obj in base_objects()}
        for left_out in self.expect.get("without", ()):
            del merged[left_out]
        file = self.folder / "input.yaml"
        if file.exists():
            merged |= {name_of(obj): obj for obj in yaml.safe_load_all(file.read_text()) if obj is not None}
        return list(merged.values())

    def manifests(self) -> Manifests:
        manifests = read(self.objects, _SCOPES[self.expect.get("scope")])
        assert manifests.problems == []
        return manifests

    def verdicts(self) -> list[Verdict]:
        manifests = self.manifests()
        pipelines = manifests.pipelines or discover(manifests.world)
        return [judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW) for pipeline in pipelines]

    def expected(self) -> dict[str, Any]:
        """What `told` must give."""
        findings = self.expect.get("findings", [])
        broken = any(finding["severity"] == "Error" for finding in findings)
        return {
            "ready": "" if self.expect.get("pipelines") == 0 else str(self.expect.get("ready", not broken)),
            "findings": [{**dict.fromkeys(_ALWAYS, ""), **finding} for finding in findings],
            "unknowns": [{"emitter": "", **unknown} for unknown in self.expect.get("unknowns", [])],
        }

    def told(self) -> dict[str, Any]:
        """What the product says, as far as the expectation speaks of it."""
        verdicts = self.verdicts()
        assert len(verdicts) == self.expect.get("pipelines", len(verdicts) or 1), f"{self.name}: {len(verdicts)} pipelines"
        expected = self.expected()
        return {
            "ready": "/".join(sorted({str(verdict.ready.status) for verdict in verdicts})),
            "findings": _as_far(expected["findings"], [told for verdict in verdicts for told in findings_of(verdict)]),
            "unknowns": _as_far(
                expected["unknowns"],
                [
                    {name: str(getattr(unknown, name)) for name in ("check", "reason", "emitter", "message")}
                    for verdict in verdicts
                    for unknown in verdict.unknowns
                ],
            ),
        }


def findings_of(verdict: Verdict) -> Iterator[dict[str, str]]:
    """The findings with all that an expectation may compare."""
    for finding in verdict.findings:
        told = {name: str(getattr(finding, name)) for name in (*_ALWAYS, *_WHERE_GIVEN)}
        yield {**told, "object": finding.object.qualified}


def _as_far(expected: list[dict[str, Any]], told: list[dict[str, str]]) -> list[dict[str, str]]:
    """The told items, texts left out that the expected item in the same place does not give."""
    result = []
    for index, item in enumerate(told):
        given = expected[index] if index < len(expected) else item
        result.append({key: value for key, value in item.items() if key in _ALWAYS or key in given})
    return result


def scenarios(pattern: str = "*/*") -> list[Scenario]:
    """The scenarios whose folder matches, in name order."""
    return [Scenario(file.parent) for file in sorted(FOLDER.glob(f"{pattern}/expect.yaml"))]
