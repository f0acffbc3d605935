from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.spec import (
    AccessSpec,
    ConfigMapKeyRef,
    EmitterSpec,
    InvalidPipeline,
    ServiceRef,
    UrlRef,
    WorkloadRef,
    parse_spec,
    seconds,
)

SMALLEST: dict[str, Any] = {"store": {"serviceRef": {"name": "s"}}, "emitters": [{"workloadRef": {"name": "g"}}]}
WAIVER: dict[str, Any] = {"check": "EnvironmentClean", "reason": "HostPathEnv", "because": "known"}


def emitter(**body: Any) -> dict[str, Any]:
    return {**SMALLEST, "emitters": [{"workloadRef": {"name": "g"}, **body}]}


def store(**body: Any) -> dict[str, Any]:
    return {**SMALLEST, "store": {"serviceRef": {"name": "s"}, **body}}


def test_defaults() -> None:
    spec = parse_spec(SMALLEST)
    assert spec.store.service == ServiceRef("s", "")
    assert (spec.store.workload, spec.store.access) == (None, None)
    assert spec.emitters == (EmitterSpec(WorkloadRef("Deployment", "g"), "g"),)
    assert (spec.contract, spec.suspend, spec.interval, spec.grace_period, spec.waivers) == ("auto", False, 300, 120, ())


def test_everything() -> None:
    spec = parse_spec(
        {
            "contract": "kubernaut-v1",
            "suspend": True,
            "interval": "1h30m",
            "gracePeriod": "45s",
            "store": {
                "serviceRef": {"name": "s", "namespace": "n"},
                "workloadRef": {"kind": "StatefulSet", "name": "w"},
                "access": {"resource": "services", "resourceName": "s", "verbs": ["create"]},
            },
            "emitters": [
                {"name": "one", "workloadRef": {"kind": "CronJob", "name": "g"}, "container": "c", "url": {"env": "U"}},
                {"workloadRef": {"name": "h"}, "url": {"configMapKeyRef": {"name": "m", "key": "k", "path": "a.b"}}},
            ],
            "waivers": [{**WAIVER, "object": {"kind": "Deployment", "name": "g"}, "field": "env[A]", "expires": "2027-01-31"}],
        }
    )
    assert (spec.contract, spec.suspend, spec.interval, spec.grace_period) == ("kubernaut-v1", True, 5400, 45)
    assert spec.store.access == AccessSpec(resource="services", resource_name="s", verbs=("create",))
    assert spec.store.workload == WorkloadRef("StatefulSet", "w")
    assert spec.emitters[0] == EmitterSpec(WorkloadRef("CronJob", "g"), "one", "c", UrlRef(env="U"))
    assert spec.emitters[1].url == UrlRef(config_map=ConfigMapKeyRef("m", "k", "a.b"))
    assert spec.waivers[0].expires == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "spec must be set"),
        ([], "spec must be an object"),
        ({}, "spec.emitters must name at least one emitter"),
        ({**SMALLEST, "emitters": {}}, "spec.emitters must be a list"),
        ({**SMALLEST, "emitters": [None]}, "spec.emitters[0] must be set"),
        ({**SMALLEST, "emitters": [{}]}, "spec.emitters[0].workloadRef must be set"),
        ({**SMALLEST, "emitters": [{"workloadRef": {}}]}, "spec.emitters[0].workloadRef.name must be set"),
        (
            emitter(workloadRef={"name": "g", "kind": "Rollout"}),
            "spec.emitters[0].workloadRef.kind must be one of Deployment, StatefulSet, DaemonSet, CronJob",
        ),
        ({**SMALLEST, "emitters": SMALLEST["emitters"] * 2}, 'spec.emitters must have unique names, "g" stands twice'),
        (emitter(name=1), "spec.emitters[0].name must be a string"),
        (emitter(url={}), "spec.emitters[0].url must set exactly one of configMapKeyRef, env, arg, value"),
        (
            emitter(url={"env": "A", "arg": "b"}),
            "spec.emitters[0].url must set exactly one of configMapKeyRef, env, arg, value",
        ),
        (emitter(url={"env": ""}), "spec.emitters[0].url.env must be set"),
        (emitter(url={"value": None}), "spec.emitters[0].url.value must be set"),
        (emitter(url={"configMapKeyRef": {"name": "m"}}), "spec.emitters[0].url.configMapKeyRef.key must be set"),
        ({"emitters": SMALLEST["emitters"]}, "spec.store must be set"),
        ({**SMALLEST, "store": {}}, "spec.store.serviceRef must be set"),
        (store(serviceRef={"name": ""}), "spec.store.serviceRef.name must be set"),
        (store(access={"verbs": "get"}), "spec.store.access.verbs must be a list"),
        (store(access={"verbs": [1]}), "spec.store.access.verbs must be a list of strings"),
        (
            {**SMALLEST, "contract": "kubernaut-v0"},
            "spec.contract must be one of auto, kubernaut-v1, kubernaut-2026-01, kubernaut-2026-01-noauth",
        ),
        ({**SMALLEST, "interval": "5"}, 'spec.interval must be a duration such as 30s or 5m, found "5"'),
        ({**SMALLEST, "interval": 5}, "spec.interval must be a string"),
        ({**SMALLEST, "gracePeriod": "5m x"}, 'spec.gracePeriod must be a duration such as 30s or 5m, found "5m x"'),
        (
            {**SMALLEST, "gracePeriod": "9" * 5000 + "h"},
            f'spec.gracePeriod must be a duration such as 30s or 5m, found "{"9" * 40}"',
        ),
        ({**SMALLEST, "waivers": [{**WAIVER, "because": ""}]}, "spec.waivers[0].because must be set"),
        ({**SMALLEST, "waivers": [{**WAIVER, "expires": "soon"}]}, "spec.waivers[0].expires must be a day such as 2027-01-31"),
        ({**SMALLEST, "waivers": [{**WAIVER, "expires": 5}]}, "spec.waivers[0].expires must be a day such as 2027-01-31"),
        ({**SMALLEST, "waivers": [{**WAIVER, "object": []}]}, "spec.waivers[0].object must be an object"),
    ],
)
def test_wrong_field_is_named(spec: object, message: str) -> None:
    with pytest.raises(InvalidPipeline) as error:
        parse_spec(spec)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("0s", 0), ("1m1m", 120), ("99999h", 359996400)]
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text, "x") == expected


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "5m ", "1.5h", "5ms", "٣s"])
def test_no_duration(text: str) -> None:
    with pytest.raises(InvalidPipeline):
        seconds(text, "x")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
)
FIELDS = ["contract", "suspend", "interval", "gracePeriod", "store", "emitters", "waivers"]


@given(JSON, st.sampled_from(FIELDS))
def test_any_spec_is_read_or_refused(value: object, field: str) -> None:
    for spec in (value, {**SMALLEST, field: value}, {**SMALLEST, field: [value]}, emitter(url=value), store(access=value)):
        try:
            parse_spec(spec)
        except InvalidPipeline as error:
            assert str(error).startswith("spec")  # noqa: PT017  (a refusal is one of two good outcomes)
