"""The root causes seen in the field, and docs/failures.md, which tells what shows each of them.

`PYTHONPATH=tests python -m scenarios.field_causes` writes the page; with `--check` it only says whether the page is current.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

DATA: Final = Path(__file__).parent / "field_causes.yaml"
PAGE: Final = Path(__file__).parents[2] / "docs" / "failures.md"
_LETTERS: Final = {
    "A": "Address: the URL does not reach the store",
    "B": "Readiness, order, start-up",
    "C": "The store itself does not work",
    "D": "Authentication and authorisation",
    "E": "Nothing is put in the buffer",
    "F": "Buffer and flush",
    "G": "Rejected: the whole batch is dropped",
    "H": "Landed, but the check does not see it",
    "I": "Host or test environment leaks into pods",
}
_HEAD: Final = """\
# What shows each root cause

Why audit events did not arrive, or seemed not to, in the field: each cause with the scenario of `tests/scenarios` that shows it in
manifests, the hop that tells it in a running cluster, or why nothing is said about it. Made from `tests/scenarios/field_causes.yaml`
by `PYTHONPATH=tests .venv/bin/python -m scenarios.field_causes`; do not edit.
"""


@dataclass(frozen=True)
class Cause:
    """One root cause.

    Attributes:
        seen: By M manifests, O live objects, P probes, L logs, Q queries, N nothing of the cluster; in brackets: only partly.
        reasons: What is said about it; a name that is no reason of the product is that of a class.
        scenarios: Names of the scenarios that show it.
        later: The hop that tells it in a running cluster.
        unseen: Why nothing is said about it.
    """

    id: str
    cause: str
    seen: str
    reasons: tuple[str, ...]
    scenarios: tuple[str, ...] = ()
    later: str = ""
    unseen: str = ""

    @property
    def shown_by(self) -> str:
        """The table's last column."""
        if self.scenarios:
            return ", ".join(f"[`{name}`](../tests/scenarios/{name})" for name in self.scenarios)
        if self.later:
            return f"a later hop (needs a running cluster): {self.later}"
        return f"not visible, because {self.unseen}"


def causes() -> list[Cause]:
    """All of them, in their order."""
    body = yaml.safe_load(DATA.read_text())
    return [
        Cause(name, **{**row, "reasons": tuple(row["reasons"]), "scenarios": tuple(row.get("scenarios", ()))}) for name, row in body.items()
    ]


def page() -> str:
    """The text of docs/failures.md."""
    return "\n".join([_HEAD, *_sections(causes())])


def _sections(rows: list[Cause]) -> Iterator[str]:
    shown = sum(bool(row.scenarios) for row in rows)
    later = sum(bool(row.later) for row in rows)
    yield f"{len(rows)} causes: {shown} shown by manifests, {later} left to a later hop in a running cluster, {len(rows) - shown - later} not visible.\n"
    for letter, title in _LETTERS.items():
        yield f"## {letter}. {title}\n\n| id | cause | reason | shown by |\n|---|---|---|---|"
        for row in rows:
            if row.id.startswith(letter):
                yield f"| {row.id} | {row.cause} | {', '.join(row.reasons)} | {row.shown_by} |"
        yield ""


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is current."""
    if arguments == ["--check"]:
        current = PAGE.exists() and PAGE.read_text() == page()
        if not current:
            sys.stderr.write(f"{PAGE.name} is not what {DATA.name} says: run python -m scenarios.field_causes\n")
        return 0 if current else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
