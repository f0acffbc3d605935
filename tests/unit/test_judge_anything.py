"""Whatever stands in an object: it is judged, or named as unusable. Nothing else is ever raised."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditpipeline.api.findings import MAX_MESSAGE
from auditpipeline.verdict import History, judge
from auditpipeline.views.manifests import read_stream
from auditpipeline.world.coverage import InputScope
from auditpipeline.world.evidence import NO_EVIDENCE, Evidence
from scenarios import NOW, Scenario, read, scenarios

ALL = scenarios()
ODD = st.sampled_from(
    [
        "",
        " ",
        "$(A)",
        "$(",
        "http://",
        "http://[",
        "http://a:b@c",
        "/",
        "..",
        "\x00",
        "*",
        "x" * 3000,
        "system:serviceaccount:::",
        "&a [*a]",
        "é",
        "None",
        "svc",
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 70000), st.floats(), ODD, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(ODD, st.text(max_size=4)), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every container and key below a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


def mutate(objects: list[Any], chance: random.Random, value: object) -> None:
    """Replace, remove or double something somewhere."""
    container, key = chance.choice([place for place in places(objects) if place[0] is not objects])
    match chance.randrange(4):
        case 0 if isinstance(container, dict):
            del container[key]
        case 1 if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        case _:
            container[key] = value


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ALL),
    st.randoms(use_true_random=False),
    st.lists(JSON, min_size=1, max_size=3),
    st.sampled_from(InputScope),
    st.booleans(),
)
def test_mutated_objects_are_judged_or_named(
    scenario: Scenario, chance: random.Random, values: list[object], scope: InputScope, live: bool
) -> None:
    objects = copy.deepcopy(scenario.objects)
    for value in values:
        mutate(objects, chance, value)
    manifests = read(objects, scope)
    for problem in manifests.problems:
        assert problem.message.endswith(".")
        assert problem.origin.line >= 0
    for pipeline in manifests.pipelines:
        verdict = judge(manifests.world, pipeline, Evidence(live=True) if live else NO_EVIDENCE, now=NOW)
        assert all(len(condition.message) <= MAX_MESSAGE for condition in verdict.conditions)
        again = judge(
            manifests.world,
            pipeline,
            Evidence(live=True) if live else NO_EVIDENCE,
            now=NOW,
            history=History.of({"status": verdict.status}),
        )
        assert again.status == verdict.status


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_history_of_anything(value: Any) -> None:
    scenario = ALL[0]
    manifests = scenario.manifests()
    for body in (
        {"metadata": value},
        {"status": value},
        {"status": {"conditions": [value], "emitters": [value]}},
        {"metadata": {"managedFields": [value]}},
    ):
        judge(manifests.world, manifests.pipelines[0], NO_EVIDENCE, now=NOW, history=History.of(body))


YAML_LIKE = st.lists(
    st.sampled_from(["apiVersion: v1\n", "kind: ConfigMap\n", "kind: List\n", "metadata: {name: x}\n", "items:\n", "- ", "  ", "---\n", "--- # c\n", "...\n",
                     "{", "}", "[", "]", "*a", "&a ", ": ", "|\n", "\t", "%YAML 1.2\n", "'", '"', "\x07", "\n"]),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), YAML_LIKE, st.binary(max_size=60).map(lambda data: data.decode("utf-8-sig", "replace"))))
def test_any_text_is_read_skipped_or_named(text: str) -> None:
    manifests = read_stream(text)
    assert manifests.files == 1
    for problem in manifests.problems:
        assert 1 <= problem.origin.line <= text.count("\n") + 1


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ALL), st.randoms(use_true_random=False))
def test_cut_files_are_read_skipped_or_named(scenario: Scenario, chance: random.Random) -> None:
    text = yaml.safe_dump_all(scenario.objects)
    at = chance.randrange(len(text))
    manifests = read_stream(
        text[:at] + chance.choice(["", "]", "\x00", "\n- x", ": :", "\t"]) + text[at + chance.randrange(20) :]
    )
    for pipeline in manifests.pipelines:
        judge(manifests.world, pipeline, NO_EVIDENCE, now=NOW)
