"""The fast parser and PyYAML hold against each other: whatever the fast path returns, PyYAML would have returned."""

import datetime as dt
import math
from pathlib import Path
from unittest import mock

import pytest
import yaml
import yaml_rs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditpipeline.world import yaml_reference
from auditpipeline.world.yaml_text import _ORDINARY, _YAML_1_1, UnreadableText, load

ROOT = Path(__file__).parents[3]

# What the two specifications read differently, and what is hostile.
TRICKY = [
    "a: yes", "a: On", "- off", "{a: NO}", "[yes, no]", "yes: 1", "a: y", "a: 0777", "a: 0o777", "a: 0b11", "a: 0x1F", "a: 08",
    "a: 012", "a: 1_000", "a: 1:30", "a: 190:20:30", "- 8080:80", "a: 1e3", "a: 1.5e3", "a: 1.5e+3", "a: .5", "a: +.5", "a: 1.",
    "a: +1", "a: -1", "a: .inf", "a: -.INF", "a: .nan", "a: ~", "a: null", "a: Null", "a:", "a: TRUE", "a: tRue", "a: 2026-01-01",
    "a: 2026-01-01T00:00:00Z", "a: 2026-1-1 1:2:3", "<<: {a: 1}", "a: !!binary aGk=", "a: !!str 3", "a: !custom 3", "a: ! 3",
    '"a": 1\n"a": 2', "a: &x [1]\nb: *x", "a: *x", "&x a: *x", "? [1]\n: 2", "[a]: b", "{[a]: b}", "a: =", "a:\n\t- b", "\ta: 1",
    "%YAML 1.1\n---\na: yes", "a: 'it''s'", 'a: "\\x41\\u00e9\\n"', "a: |\n  t\n   x\n", "a: >-\n  f\n  g\n\n  h\n", "a: |2\n    x\n",
    "a: 12345678901234567890", "a: 1234567890123456", "a: -0", "a: 0.0", "a: 1.0.0", "a: 10.0.0.1", "a: v1", "a: '1'", "a: b: c",
    "a: b #c", "a: b#c", "#only", "", "   ", "---\na: 1", "a: 1\n...\n", "- - - a", "-", "- ", "a: [1,\n2]", "a: {b: c, d}", "a: @x",
    "a: `x`", "a: 'x", "a: \x00", "a: \x85b", "a: \u2028b", "\ufeffa: 1", "a: \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "a: &a [*a]", "a: &a {b: *a}", "a: &a\n  b: *a\n", "a: &a\n- *a\n", "- a: &a\n    b: 1\n  c: *a\n", "- a: &a\n  - *a\n", "a: &a\n  b: 1\nc:\n  d: *a\n",
    "a: &a\n\n  # c\n  b: {c: *a}\n", "a: &a\n  b: 1\nc: *a\nd: &a\n  e: *a\n", "a: 1\n---\nb: 2", "---\na: 1", "!!int", "!!float", "!!timestamp x",
    "1: a", "1.5: a", "true: a", "null: a", "a: '' ", 'a: ""', "a: - b", "a: ?", "a: ? b", "?a: b", "a: -b", "a: :b", "a: <", "a: <<",
    "a: ...", "a: ---", "a: --- b", "a: 1 2", "a: 1__0", "a: _1", "a: 0_", "a: 0.", "a: -.", "a: .", "a: 00", "a: +0", "a: 1,2", "a: 1-2",
    "- a\n-b", "a: b\n c\n d", "a: b\n c: d", '"a"   : 1', "a : 1", "a: {x: 1,}", "a: [,]", "a: {? b : c}", "*a : 1", "a: 0001",
]


def slow(text: str) -> object:
    """What the product reads with PyYAML alone."""
    with mock.patch.object(yaml_rs, "loads", side_effect=yaml_rs.YAMLDecodeError("off", "", 0)):
        return load(text)


def outcome(read: object, text: str) -> object:
    try:
        return canonical(read(text))  # type: ignore[operator]
    except UnreadableText as error:
        return type(error), str(error)


def canonical(value: object) -> object:
    """Equal only for the same types: YAML tells 1 from true and from 1.0."""
    match value:
        case dict():
            return ("map", sorted(((canonical(key), canonical(item)) for key, item in value.items()), key=repr))
        case list():
            return ("list", [canonical(item) for item in value])
        case float() if math.isnan(value):
            return ("float", "nan")
        case dt.date():
            return (type(value).__name__, value.isoformat())
        case _:
            return (type(value).__name__, value)


@pytest.mark.parametrize("text", TRICKY)
def test_they_agree_on_what_the_specifications_read_differently(text: str) -> None:
    assert outcome(load, text) == outcome(slow, text)


@pytest.mark.parametrize("file", sorted([*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("crds/*.yaml"), *ROOT.glob("tests/scenarios/**/*.yaml")]), ids=str)
def test_they_agree_on_manifests(file: Path) -> None:
    for text in file.read_text().split("\n---\n"):
        assert outcome(load, text) == outcome(slow, text)


scalars = st.one_of(
    st.sampled_from([text.removeprefix("a: ") for text in TRICKY]),
    st.text(max_size=12),
    st.from_regex(r"[-+]?[0-9_.:eE]{1,8}", fullmatch=True),
    st.integers().map(str),
    st.floats().map(str),
)
values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(scalars, inner, max_size=3)), max_leaves=8)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


def flow(value: object) -> str:
    match value:
        case list():
            return "[" + ", ".join(flow(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def block(value: object, indent: int = 0) -> str:
    pad = "  " * indent
    match value:
        case list() if value:
            return "".join(f"\n{pad}- {block(item, indent + 1)}" for item in value)
        case dict() if value:
            return "".join(f"\n{pad}{key}: {block(item, indent + 1)}" for key, item in value.items())
        case list() | dict():
            return flow(value)
        case _:
            return str(value)


@settings(max_examples=1500, deadline=None)
@given(values, st.booleans())
@example({"a": "1\n b"}, True)
@example([{"b\n c\n d": "0"}], True)
@example(["0:"], True)
@example(["- a: &a\n  - *a\n", "- a: &a\n  - *a\n"], False)
def test_they_agree_on_generated_documents(value: object, as_flow: bool) -> None:
    text = flow(value) if as_flow else block(value)
    assert outcome(load, text) == outcome(slow, text)


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_they_agree_on_what_pyyaml_writes(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert outcome(load, text) == outcome(slow, text)


LINES = st.one_of(
    st.sampled_from([line for text in TRICKY for line in text.split("\n")]),
    st.tuples(
        st.sampled_from(["", "  ", "- ", "  - - "]),
        st.sampled_from(["", "a: ", "no: ", "On:", "a.b/c: ", "no", "key:"]),
        st.sampled_from(["", "a", "off", "offer", "no:", "no:a", "/a", "1", "01", "12345678901234567890", "1e3", "*x", "&x", '"no"', "a b", "'x:y'"]),
    ).map("".join),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(LINES, max_size=5).map("\n".join))
def test_lines_that_are_left_out_hold_nothing_that_is_searched_for(text: str) -> None:
    assert (_YAML_1_1.search(_ORDINARY.sub("", text)) is None) == (_YAML_1_1.search(text) is None)


def test_ordinary_manifests_take_the_fast_path() -> None:
    text = (ROOT / "examples/gateway-fixed/gateway.yaml").read_text().split("\n---\n")[-1]
    with mock.patch.object(yaml_reference, "load", side_effect=AssertionError("PyYAML was asked")):
        assert isinstance(load(text), dict)
