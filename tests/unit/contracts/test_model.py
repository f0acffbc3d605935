from typing import Any

import pytest
import yaml

from auditpipeline.api.spec import CONTRACTS
from auditpipeline.contracts.builtin import AUTO, NAMES, builtin_contracts, contract
from auditpipeline.contracts.model import Access, InvalidContract, Review, parse_contract

MINIMAL: dict[str, Any] = {"name": "n", "title": "t"}
ACCESS = {"resource": "services", "resourceName": "s", "verbs": ["get"]}


def test_the_spec_admits_the_contracts_that_ship() -> None:
    assert (AUTO, *NAMES) == CONTRACTS
    assert [found.name for found in builtin_contracts()] == list(NAMES)
    with pytest.raises(KeyError):
        contract("kubernaut-v0")


def test_minimal() -> None:
    found = parse_contract(yaml.safe_dump(MINIMAL))
    assert (found.services, found.workloads, found.access, found.reviews, found.emitters) == ((), (), None, (), ())


def test_full() -> None:
    body = {
        **MINIMAL,
        "store": {"services": ["s"], "workloads": ["w"]},
        "access": {**ACCESS, "clientRole": "c"},
        "reviews": [{"group": "g", "resource": "r", "verb": "v"}],
        "emitters": [{"names": ["a", "b"], "keys": ["k"], "healthKeys": ["h"], "env": ["E"], "args": ["--x"]}],
    }
    found = parse_contract(yaml.safe_dump(body))
    assert found.access == Access("services", "s", ("get",), "c")
    assert found.reviews == (Review("g", "r", "v"),)
    rules = found.rules_for("b")
    assert rules is not None
    assert (rules.keys, rules.health_keys, rules.env, rules.args) == (("k",), ("h",), ("E",), ("--x",))
    assert found.rules_for("c") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "contract.name must be a string"),
        ({"title": None}, "contract.title must be a string"),
        ({"extra": 1, "another": 2}, "contract has unknown fields: another, extra"),
        ({"store": {"service": []}}, "store has unknown fields: service"),
        ({"store": {"services": "s"}}, "store.services must be a list of strings"),
        ({"store": {"services": [1]}}, "store.services must be a list of strings"),
        ({"store": {"services": [""]}}, "store.services must be a list of strings"),
        ({"access": {**ACCESS, "verb": "get"}}, "access has unknown fields: verb"),
        ({"access": {**ACCESS, "resource": 1}}, "access.resource must be a string"),
        ({"access": {**ACCESS, "clientRole": 1}}, "access.clientRole must be a string"),
        ({"reviews": [{"group": "g"}]}, "reviews.resource must be a string"),
        ({"emitters": [{"name": "x"}]}, "emitters has unknown fields: name"),
        ({"store": 1}, "store must be a mapping"),
        ({"access": []}, "access must be a mapping"),
        ({"reviews": {"a": 1}}, "reviews must be a list of mappings"),
        ({"emitters": ["x"]}, "emitters must be a list of mappings"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidContract) as error:
        parse_contract(yaml.safe_dump({**MINIMAL, **change}))
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", "- 1", "text"])
def test_no_mapping(text: str) -> None:
    with pytest.raises(InvalidContract, match=r"^a contract must be a YAML mapping$"):
        parse_contract(text)


def test_no_yaml() -> None:
    with pytest.raises(InvalidContract, match=r"^a contract must be YAML$"):
        parse_contract("a: [")


def test_client_role_may_be_left_out() -> None:
    assert parse_contract(yaml.safe_dump({**MINIMAL, "access": ACCESS})).access == Access("services", "s", ("get",), "")


@pytest.mark.parametrize("found", builtin_contracts(), ids=lambda found: found.name)
def test_shipped_contracts_name_each_emitter_once_and_ask_for_reviews_where_they_authenticate(found: Any) -> None:
    names = [name for rules in found.emitters for name in rules.names]
    assert len(names) == len(set(names))
    assert bool(found.reviews) is (found.access is not None)
