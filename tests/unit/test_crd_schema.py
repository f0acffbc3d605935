"""The CRD as a document: everything is described and bounded, and it says the same as the code."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from auditpipeline.api.conditions import HOPS
from auditpipeline.api.spec import GROUP, KIND, PLURAL, VERSION, InvalidPipeline, PipelineSpec, parse_spec
from auditpipeline.contracts.builtin import AUTO, builtin_contracts

ROOT: Final = Path(__file__).parents[2]
CRD: Final[dict[str, Any]] = yaml.safe_load((ROOT / "crds" / "auditpipelines.yaml").read_text())
VERSIONED: Final = CRD["spec"]["versions"][0]
SCHEMA: Final = VERSIONED["schema"]["openAPIV3Schema"]
INVALID: Final[list[dict[str, Any]]] = yaml.safe_load((ROOT / "tests/cluster/crd/invalid.yaml").read_text())


def walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[0]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}[*]")


FIELDS: Final = {path: field for part in ("spec", "status") for path, field in walk(SCHEMA["properties"][part], part)}


def fields(*types: str) -> list[str]:
    return [path for path, field in FIELDS.items() if field["type"] in types]


def test_it_names_the_api_of_the_code() -> None:
    assert (CRD["spec"]["group"], VERSIONED["name"]) == (GROUP, VERSION)
    assert (CRD["spec"]["names"]["kind"], CRD["spec"]["names"]["plural"]) == (KIND, PLURAL)
    assert len(CRD["spec"]["versions"]) == 1


def test_every_field_is_described_in_sentences() -> None:
    described = {path: field.get("description", "") for path, field in FIELDS.items() if not path.endswith("]")}
    assert [path for path, text in described.items() if not (text[:1].isupper() or text[:1] == '"') or text[-1:] != "."] == []


def test_every_text_is_bounded() -> None:
    assert [path for path in fields("string") if not {"maxLength", "enum"} & FIELDS[path].keys()] == []


def test_every_number_is_bounded() -> None:
    assert [path for path in fields("integer", "number") if not {"format", "minimum"} <= FIELDS[path].keys()] == []
    assert [path for path in fields("integer") if path.startswith("spec") and "maximum" not in FIELDS[path]] == []


def test_every_list_is_bounded_and_says_how_it_merges() -> None:
    assert [path for path in fields("array") if not {"maxItems", "x-kubernetes-list-type"} <= FIELDS[path].keys()] == []


def test_every_object_is_closed_or_a_bounded_map() -> None:
    maps = [path for path in fields("object") if "properties" not in FIELDS[path]]
    assert maps == ["status.findings[0].details"]
    assert all({"maxProperties", "additionalProperties"} <= FIELDS[path].keys() for path in maps)
    open_ended = {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "nullable"}
    assert [path for path, field in FIELDS.items() if open_ended & field.keys()] == []


def test_every_rule_says_what_must_be_and_names_the_field() -> None:
    rules = [rule for field in FIELDS.values() for rule in field.get("x-kubernetes-validations", ())]
    assert rules
    assert [rule["message"] for rule in rules if " must " not in rule["message"] or not rule["message"].startswith("`")] == []


def test_every_field_of_the_spec_has_a_refused_value() -> None:
    refused = {case["field"] for case in INVALID}
    covered = {path for path in FIELDS for field in refused if field == path or field.startswith((f"{path}.", f"{path}["))}
    assert sorted(path for path in FIELDS.keys() - covered if path.startswith("spec")) == []


def test_waivers_know_every_hop() -> None:
    known = FIELDS["spec.waivers[0].check"]["enum"]
    assert [check for check in known if check in set(HOPS)] == list(HOPS)


def test_contracts_are_those_built_in() -> None:
    assert sorted(FIELDS["spec.contract"]["enum"]) == sorted([AUTO, *(contract.name for contract in builtin_contracts())])


def test_defaults_are_those_of_the_code() -> None:
    smallest = yaml.safe_load((ROOT / "examples/crs/smallest.yaml").read_text())["spec"]
    defaults = {
        name: field["default"] for name, field in SCHEMA["properties"]["spec"]["properties"].items() if "default" in field
    }
    assert parse_spec(defaults | smallest) == parse_spec(smallest)
    assert isinstance(parse_spec(smallest), PipelineSpec)


def test_the_example_of_everything_sets_every_field() -> None:
    example = yaml.safe_load((ROOT / "examples/crs/everything.yaml").read_text())
    said = set(said_paths(example["spec"], "spec"))
    one_way = {"spec.store.access.none"}  # excludes the rest of access
    assert sorted(path for path in FIELDS.keys() - said - one_way if path.startswith("spec")) == []


def said_paths(value: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from said_paths(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from said_paths(inner, f"{path}[0]")


@pytest.mark.parametrize("case", [case for case in INVALID if "spec" in case], ids=lambda case: case["case"])
def test_what_the_server_would_refuse_does_not_crash_the_reader(case: dict[str, Any]) -> None:
    smallest = yaml.safe_load((ROOT / "examples/crs/smallest.yaml").read_text())["spec"]
    with suppress(InvalidPipeline):
        parse_spec(smallest | case["spec"])
