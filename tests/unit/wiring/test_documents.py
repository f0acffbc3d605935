import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.wiring.documents import MAX_BYTES, leaves, look_up, read_document
from auditpipeline.world.yaml_text import UnreadableText, load

DOCUMENT = {"a": {"b": 1, "c.d": 2, "e": {"f.g": {"h": 3}}, "none": None}, "a.b": 4, "x.y": {"z": 5}, "list": [1]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 4),
        ("a.c.d", 2),
        ("a.e.f.g.h", 3),
        ("x.y.z", 5),
        ("a", DOCUMENT["a"]),
        ("list", [1]),
        ("a.none", None),
        ("a.x", None),
        ("a.b.c", None),
        ("", None),
        (".", None),
        ("a..b", None),
    ],
)
def test_look_up(path: str, value: object) -> None:
    assert look_up(DOCUMENT, path) == value


def test_leaves() -> None:
    assert dict(leaves({"a": {"b": 1, "c": {"d": "x"}}, "e": [1, 2], "f": None})) == {"a.b": 1, "a.c.d": "x", "f": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no valid YAML: line 2, column 1"),
        ("a:\n b: 1\n  c: 2", "is no valid YAML: line 3, column 4"),
        ("- 1", "is no YAML mapping"),
        ("text", "is no YAML mapping"),
        ("a: 1\n---\nb: 2", "is no valid YAML: line 2, column 1"),
        ("x" * (MAX_BYTES + 1), "is larger than 1024 KiB"),
        ("a: " + "[" * 101 + "]" * 101, "is nested deeper than 100 levels"),
        ("- " * 101 + "1", "is nested deeper than 100 levels"),
        ("? " * 101 + "1", "is nested deeper than 100 levels"),
        ("a: &a [*a]", "holds an alias of nothing, or of what it stands in"),
        ("a: &a {b: *a}", "holds an alias of nothing, or of what it stands in"),
        ('a: &a {"b":*a}', "holds an alias of nothing, or of what it stands in"),
        ("a: &x [1,*y]", "holds an alias of nothing, or of what it stands in"),
        ("when: 2026-13-45", "is no valid YAML"),
        ("{[]: 1}", "is no valid YAML: line 1, column 2"),
        ("a: \x00", "is no valid YAML"),
    ],
)
def test_unreadable(text: str, message: str) -> None:
    with pytest.raises(UnreadableText) as error:
        read_document(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "null"])
def test_nothing_is_an_empty_document(text: str) -> None:
    assert read_document(text) == {}


def test_json_is_yaml() -> None:
    assert read_document('{"a": {"b": "http://x"}}') == {"a": {"b": "http://x"}}


def test_aliases_that_stay_small_are_read() -> None:
    text = "base: &base {url: http://x}\nother: {<<: *base, port: 1}\nlist: [*base,*base]"
    assert read_document(text)["other"] == {"url": "http://x", "port": 1}


def test_a_short_text_cannot_become_a_huge_value() -> None:
    levels = [f"l{i}: &l{i} [{','.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(UnreadableText, match="aliases that would become as many"):
        load("\n".join(["l0: &l0 {a: 1}", *levels]))


def test_aliases_cannot_exceed_the_depth() -> None:
    levels = [f"l{i}: &l{i} {{a: {{b: {{c: *l{i - 1}}}}}}}" for i in range(1, 40)]
    with pytest.raises(UnreadableText, match="nested deeper than 100 levels"):
        load("\n".join(["l0: &l0 {a: 1}", *levels]))


YAML_LIKE = st.lists(
    st.sampled_from(
        [
            "a",
            ": ",
            "\n",
            "  ",
            "- ",
            "? ",
            "[",
            "]",
            "{",
            "}",
            "&x ",
            "*x",
            "<<: ",
            "!!int ",
            "|\n",
            "'",
            '"',
            "1e9",
            "0x1",
            "~",
            "---\n",
            "#",
        ]
    ),
    max_size=30,
).map("".join)


@given(st.one_of(st.text(), YAML_LIKE))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read_document(text)
    except UnreadableText as error:
        assert str(error)  # noqa: PT017  (a refusal is one of two good outcomes)
        return
    # What was accepted can be walked.
    assert all(isinstance(path, str) for path, _ in leaves(document))
    look_up(document, "a.a.a")
