"""From findings and unknowns to conditions, Ready, the summary and the status: one place for operator, CLI and guard.

Everything here is a pure function of the world, the pipeline, the evidence, a clock reading and what the last status
said; judging again with the status that came out gives the same status.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from auditpipeline.api.conditions import HOPS, RECONCILING, STALLED, SUSPENDED, ConditionType, Status
from auditpipeline.api.findings import MAX_MESSAGE, Finding, ObjectRef, Unknown
from auditpipeline.api.reasons import Reason, Severity, blocked_by
from auditpipeline.api.spec import Waiver
from auditpipeline.checks.chain import run
from auditpipeline.checks.given import MAX_URLS, Given, SeenUrl, Urls
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.wiring.resolve import Emitter, Wiring, emitter_questions, resolve, store_questions
from auditpipeline.world.evidence import AccessQuestion, Evidence
from auditpipeline.world.objects import Subject
from auditpipeline.world.projections import epoch
from auditpipeline.world.world import World

MAX_FINDINGS: Final = 64
MAX_SUMMARY: Final = 256
_TOLD_IN_FULL: Final = 3




@dataclass(frozen=True, slots=True)
class History:
    """What the object itself remembers; nothing else does.

    Attributes:
        conditions: Status and time of the last transition, by type.
        urls: The URLs of each emitter, by its name.
        spec_changed: When the spec was last written, by the API server's clock.
    """

    generation: int = 0
    conditions: Mapping[str, tuple[str, float]] = attribute(default_factory=dict)
    urls: Mapping[str, Urls] = attribute(default_factory=dict)
    spec_changed: float = 0.0

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "History":
        """Read an AuditPipeline object. Anything that does not fit is as if it had never been written."""
        meta = _mapping(obj.get("metadata"))
        status = _mapping(obj.get("status"))
        written = [
            epoch(entry.get("time"))
            for entry in _mappings(meta.get("managedFields"))
            # Writes of labels and annotations count too, which only makes the grace longer.
            if entry.get("subresource", "") == ""
        ]
        times = [time for time in (*written, epoch(meta.get("creationTimestamp"))) if time is not None]
        generation = meta.get("generation")
        return cls(
            generation=generation if isinstance(generation, int) else 0,
            conditions={
                str(item.get("type")): (str(item.get("status")), since)
                for item in _mappings(status.get("conditions"))
                if (since := epoch(item.get("lastTransitionTime"))) is not None
            },
            urls={
                str(item.get("name")): tuple(
                    SeenUrl(str(entry.get("url") or ""), epoch(entry.get("since"))) for entry in _mappings(item.get("urlHistory"))
                )
                for item in _mappings(status.get("emitters"))
            },
            spec_changed=max(times, default=0.0),
        )


NO_HISTORY: Final = History()


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as metav1.Condition has it; `since` is seconds since the epoch."""

    type: str
    status: Status
    reason: str
    message: str
    since: float


@dataclass(frozen=True)
class Verdict:
    """The judgement of one pipeline.

    Attributes:
        findings: All findings, waived ones included, symptoms folded into their causes; worst first, then in path order.
        due: When it may change by time alone (seconds since the epoch); None for never.
        history, urls: What the object remembers, and the emitters' URLs as it is to remember them.
    """

    pipeline: Pipeline
    wiring: Wiring
    findings: tuple[Finding, ...]
    unknowns: tuple[Unknown, ...]
    conditions: tuple[Condition, ...]
    summary: str
    broken_hop: str
    due: float | None
    history: History
    urls: Mapping[str, Urls]

    @property
    def ready(self) -> Condition:
        """The summary condition."""
        return next(condition for condition in self.conditions if condition.type == ConditionType.READY)

    @cached_property
    def questions(self) -> frozenset[AccessQuestion]:
        """Access reviews that would confirm or refute it."""
        return frozenset(_questions(self.wiring))

    @cached_property
    def status(self) -> dict[str, Any]:
        """The whole `.status` to store. Built when it is asked for: a check of manifests stores none."""
        return _status(self, self.urls, self.history)


def judge(world: World, pipeline: Pipeline, evidence: Evidence, *, now: float, history: History = NO_HISTORY) -> Verdict:
    """Judge a pipeline in a world. Synchronous and pure."""
    wiring = resolve(world, pipeline)
    urls = {emitter.name: _seen(emitter, history.urls.get(emitter.name), now) for emitter in wiring.emitters}
    given = Given(world, wiring, evidence, urls)
    outcomes = () if pipeline.spec.suspend else tuple(run(given))
    today = datetime.fromtimestamp(now, UTC).date()
    findings = [
        finding.as_waived() if any(_waives(waiver, finding, today.isoformat()) for waiver in pipeline.spec.waivers) else finding
        for finding in outcomes
        if isinstance(finding, Finding)
    ]
    findings, explained = _fold(findings)
    unknowns = (*(outcome for outcome in outcomes if isinstance(outcome, Unknown)), *explained)
    ordered = tuple(sorted(findings, key=lambda finding: _WORST_FIRST[finding.severity]))
    hops = [_hop(hop, findings, unknowns, history, now, suspended=pipeline.spec.suspend) for hop in HOPS]
    errors = [finding for finding in findings if finding.is_error]
    summary = _summary(errors, findings, hops)
    ready = _ready(hops, errors, unknowns, summary, history=history, now=now, suspended=pipeline.spec.suspend)
    grace_ends = _grace_ends(hops, errors, history, pipeline.spec.grace_period)
    conditions = (*hops, ready, *_kstatus(ready, errors, history, now, grace_ends, suspended=pipeline.spec.suspend))
    return Verdict(
        pipeline=pipeline,
        wiring=wiring,
        findings=ordered,
        unknowns=unknowns,
        conditions=conditions,
        summary=summary,
        broken_hop=str(errors[0].check) if errors else "",
        due=_due(pipeline.spec.waivers, now, grace_ends if errors else None),
        history=history,
        urls=urls,
    )


def not_yet_checked(history: History, *, now: float) -> dict[str, Any]:
    """The first status, before anything could be judged."""
    reason, message = str(Reason.NOT_YET_CHECKED), Reason.NOT_YET_CHECKED.doc
    conditions = [_condition(kind, Status.UNKNOWN, reason, message, history, now) for kind in (*HOPS, ConditionType.READY)]
    conditions.append(_condition(RECONCILING, Status.TRUE, reason, message, history, now))
    return {"observedGeneration": history.generation, "conditions": [_condition_dict(item, history) for item in conditions]}


def invalid_spec(history: History, problem: str, *, now: float) -> dict[str, Any]:
    """The status of an object whose spec cannot be read; the schema lets none through, an older schema might."""
    message = _cut(f"The spec cannot be read: {problem}.", MAX_MESSAGE)
    reason = str(Reason.INPUT_UNREADABLE)
    conditions = [
        _condition(ConditionType.READY, Status.FALSE, reason, message, history, now),
        _condition(STALLED, Status.TRUE, reason, message, history, now),
    ]
    return {
        "observedGeneration": history.generation,
        "conditions": [_condition_dict(item, history) for item in conditions],
        "summary": _cut(message, MAX_SUMMARY),
    }


# --- causes, symptoms, waivers ------------------------------------------------------------------------------------

_WORST_FIRST: Final = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def _fold(findings: Sequence[Finding]) -> tuple[list[Finding], list[Unknown]]:
    """Symptoms that a reported cause of the same workload explains become unknowns that name the cause."""
    kept: list[Finding] = []
    explained: list[Unknown] = []
    symptoms: dict[int, list[str]] = {}
    for finding in findings:
        cause = next(
            (
                index
                for index, other in enumerate(findings)
                if other.is_error and str(other.reason) in finding.reason.explained_by and other.workload == finding.workload
            ),
            None,
        )
        if cause is None or finding.waived:
            kept.append(finding)
            continue
        symptoms.setdefault(cause, []).append(str(finding.reason))
        explained.append(
            Unknown(finding.check, blocked_by(findings[cause].check), f"{finding.message} {findings[cause].message}", finding.emitter)
        )
    told = {id(findings[index]): names for index, names in symptoms.items()}
    return [
        replace(finding, details={**finding.details, "explains": ", ".join(told[id(finding)])}) if id(finding) in told else finding
        for finding in kept
    ], explained


def _waives(waiver: Waiver, finding: Finding, today: str) -> bool:
    return (
        waiver.check == finding.check
        and waiver.reason == str(finding.reason)
        and waiver.object_kind in {"", finding.object.kind}
        and waiver.object_name in {"", finding.object.name}
        # A path or a whole tail of it: `volumes[x]` for `spec.template.spec.volumes[x]`.
        and (not waiver.field or f".{finding.field}".endswith(f".{waiver.field}"))
        and (waiver.expires is None or today <= waiver.expires.isoformat())
    )


# --- conditions ---------------------------------------------------------------------------------------------------


def _hop(
    hop: ConditionType,
    findings: Iterable[Finding],
    unknowns: Iterable[Unknown],
    history: History,
    now: float,
    *,
    suspended: bool,
) -> Condition:
    if suspended:
        return _condition(hop, Status.UNKNOWN, str(Reason.SUSPENDED), Reason.SUSPENDED.doc, history, now)
    own = [finding for finding in findings if finding.check is hop]
    errors = [finding for finding in own if finding.is_error]
    if errors:
        return _condition(hop, Status.FALSE, str(errors[0].reason), _told(errors), history, now)
    open_questions = [unknown for unknown in unknowns if unknown.check is hop]
    if open_questions:
        # What is awaited holds Ready back, so it speaks for the hop.
        first = next((unknown for unknown in open_questions if unknown.awaited), open_questions[0])
        return _condition(hop, Status.UNKNOWN, str(first.reason), first.message, history, now)
    warnings = [finding for finding in own if finding.severity is Severity.WARNING]
    if warnings:
        return _condition(hop, Status.TRUE, str(warnings[0].reason), _told(warnings), history, now)
    if own:
        return _condition(hop, Status.TRUE, str(Reason.WAIVED), "Waived: " + _told(own), history, now)
    return _condition(hop, Status.TRUE, str(Reason.PASSED), hop.affirmation, history, now)


def _ready(
    hops: Sequence[Condition],
    errors: Sequence[Finding],
    unknowns: Iterable[Unknown],
    summary: str,
    *,
    history: History,
    now: float,
    suspended: bool,
) -> Condition:
    kind = ConditionType.READY
    if suspended:
        return _condition(kind, Status.UNKNOWN, str(Reason.SUSPENDED), Reason.SUSPENDED.doc, history, now)
    if errors:
        return _condition(kind, Status.FALSE, str(errors[0].reason), summary, history, now)
    awaited = next((unknown for unknown in unknowns if unknown.awaited), None)
    if awaited is not None:
        return _condition(kind, Status.UNKNOWN, str(awaited.reason), awaited.message, history, now)
    open_hops = [f"{hop.type} ({hop.reason})" for hop in hops if hop.status is Status.UNKNOWN]
    message = kind.affirmation if not open_hops else f"No fault is known; not judged: {', '.join(open_hops)}."
    return _condition(kind, Status.TRUE, str(Reason.WIRED_NOT_PROVED), message, history, now)


def _kstatus(
    ready: Condition, errors: Sequence[Finding], history: History, now: float, grace_ends: float, *, suspended: bool
) -> list[Condition]:
    """Reconciling while an answer or an absent object may still come; Stalled when a person must act."""
    extra = []
    if suspended:
        extra.append(_condition(SUSPENDED, Status.TRUE, str(Reason.SUSPENDED), Reason.SUSPENDED.doc, history, now))
    if ready.status is Status.UNKNOWN:
        return [*extra, _condition(RECONCILING, Status.TRUE, ready.reason, ready.message, history, now)]
    if ready.status is Status.FALSE:
        settling = all(error.reason.settles for error in errors) and now < grace_ends
        return [*extra, _condition(RECONCILING if settling else STALLED, Status.TRUE, ready.reason, ready.message, history, now)]
    return extra


def _grace_ends(hops: Iterable[Condition], errors: Sequence[Finding], history: History, grace: int) -> float:
    broken = {error.check for error in errors}
    since = [hop.since for hop in hops if hop.type in broken]
    return max([*since, history.spec_changed], default=0.0) + grace


def _due(waivers: Iterable[Waiver], now: float, grace_ends: float | None) -> float | None:
    times = [] if grace_ends is None else [grace_ends]
    for waiver in waivers:
        if waiver.expires is not None and waiver.expires < date.max:
            day_after = waiver.expires + timedelta(days=1)
            times.append(datetime(day_after.year, day_after.month, day_after.day, tzinfo=UTC).timestamp())
    return min((time for time in times if time > now), default=None)


def _condition(kind: str, status: Status, reason: str, message: str, history: History, now: float) -> Condition:  # noqa: PLR0917  (read as a row)
    before = history.conditions.get(kind)
    since = before[1] if before is not None and before[0] == status else float(int(now))
    return Condition(str(kind), status, reason, _cut(message, MAX_MESSAGE), since)


def _told(findings: Sequence[Finding]) -> str:
    told = " ".join(sentence(finding) for finding in findings[:_TOLD_IN_FULL])
    more = len(findings) - _TOLD_IN_FULL
    return told if more <= 0 else f"{told} And {more} more."


def sentence(finding: Finding) -> str:
    """The finding in words: what, where, and how to mend it."""
    where = f"{finding.object} {finding.field}".rstrip()
    return f"{finding.message} At {where}." + (f" Fix: {finding.fix}." if finding.fix else "")


def _summary(errors: Sequence[Finding], findings: Sequence[Finding], hops: Iterable[Condition]) -> str:
    if errors:
        return _cut(f"{_count(len(errors), 'error')}: {errors[0].message}", MAX_SUMMARY)
    warnings = [finding for finding in findings if finding.severity is Severity.WARNING]
    if warnings:
        return _cut(f"{_count(len(warnings), 'warning')}: {warnings[0].message}", MAX_SUMMARY)
    unjudged = [hop.type for hop in hops if hop.status is Status.UNKNOWN]
    return _cut(f"No fault is known; not judged: {', '.join(unjudged)}." if unjudged else ConditionType.READY.affirmation, MAX_SUMMARY)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- evidence that would help -------------------------------------------------------------------------------------


def _questions(wiring: Wiring) -> Iterable[AccessQuestion]:
    store = wiring.store
    if not store.permitted:
        return
    for workload in store.workloads:
        yield from store_questions(store, Subject("ServiceAccount", workload.ref.namespace, workload.pod.service_account))
    for emitter in wiring.emitters:
        for access in store.accesses:
            if access is not None and emitter.account is not None:
                yield from emitter_questions(store, access, emitter.account)


def _seen(emitter: Emitter, before: Urls | None, now: float) -> Urls:
    """The emitter's URLs up to now. One that cannot be read is no change: it may come back as it was."""
    winner = emitter.winner
    # Cut as the status stores it, or a long one would seem to change at every look.
    url = "" if winner is None or winner.endpoint is None else _cut(str(winner.endpoint), MAX_MESSAGE)
    known = before or ()
    if not url or (known and known[-1].url == url):
        return known
    if before is None:
        return (SeenUrl(url, None),)
    written = None if winner is None else winner.written
    return (*known, SeenUrl(url, float(int(now if written is None else written))))[-MAX_URLS:]


# --- the status ---------------------------------------------------------------------------------------------------


def _status(verdict: Verdict, urls: Mapping[str, Urls], history: History) -> dict[str, Any]:
    store = verdict.wiring.store
    status = {
        "observedGeneration": history.generation,
        "conditions": [_condition_dict(condition, history) for condition in verdict.conditions],
        "summary": verdict.summary,
        "brokenHop": verdict.broken_hop,
        "store": f"{store.service_ref.namespace}/{store.service_ref.name}",
        "emittersTotal": len(verdict.wiring.emitters),
        "errors": sum(finding.is_error for finding in verdict.findings),
        "warnings": sum(finding.severity is Severity.WARNING for finding in verdict.findings),
        "emitters": [_emitter_dict(emitter, urls[emitter.name], verdict.findings) for emitter in verdict.wiring.emitters],
        "findings": [finding_dict(finding) for finding in verdict.findings[:MAX_FINDINGS]],
        "findingsTotal": len(verdict.findings),
    }
    return _without_blanks(status)


def _emitter_dict(emitter: Emitter, seen: Urls, findings: Iterable[Finding]) -> dict[str, Any]:
    own = [finding for finding in findings if finding.emitter == emitter.name]
    winner = emitter.winner
    target = next((target for target in emitter.targets if target.source.use == "events"), None)
    service = ""
    if target is not None and target.service is not None:
        service = f"{target.service.ref.namespace}/{target.service.ref.name}:{target.endpoint.port}"
    return _without_blanks(
        {
            "name": emitter.name,
            "workload": str(emitter.ref),
            "serviceAccount": emitter.account.name if emitter.account else "",
            "url": "" if winner is None or winner.endpoint is None else _cut(str(winner.endpoint), MAX_MESSAGE),
            "urlSource": "" if winner is None else _cut(winner.description, MAX_SUMMARY),
            "urlHistory": [_url_dict(entry) for entry in seen] or "",
            "service": service,
            "errors": sum(finding.is_error for finding in own),
            "warnings": sum(finding.severity is Severity.WARNING for finding in own),
        }
    )


def _url_dict(seen: SeenUrl) -> dict[str, Any]:
    return _without_blanks({"url": seen.url, "since": "" if seen.since is None else timestamp(seen.since)})


def finding_dict(finding: Finding) -> dict[str, Any]:
    """The finding as status and reports show it; empty texts left out."""
    return _without_blanks(
        {
            "check": str(finding.check),
            "reason": str(finding.reason),
            "severity": str(finding.severity),
            "emitter": finding.emitter,
            "workload": _ref_dict(finding.workload) if finding.workload else "",
            "object": _ref_dict(finding.object),
            "field": _cut(finding.field, MAX_MESSAGE),
            "message": _cut(finding.message, MAX_MESSAGE),
            "expected": _cut(finding.expected, MAX_MESSAGE),
            "found": _cut(finding.found, MAX_MESSAGE),
            "fix": _cut(finding.fix, MAX_MESSAGE),
            "details": dict(finding.details) or "",
            "waived": finding.waived or "",
        }
    )


def _ref_dict(ref: ObjectRef) -> dict[str, str]:
    return {key: value for key, value in zip(ObjectRef._fields, ref, strict=True) if value}


def _condition_dict(condition: Condition, history: History) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": str(condition.status),
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": timestamp(condition.since),
        "observedGeneration": history.generation,
    }


def timestamp(seconds: float) -> str:
    """RFC 3339 with seconds, as metav1.Time is written."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_blanks(body: dict[str, Any]) -> dict[str, Any]:
    """Absent texts are left out, never written as null or empty: the API server prunes nulls, and then nothing compares equal."""
    return {key: value for key, value in body.items() if value != "" and value is not None}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
