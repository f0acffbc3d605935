from typing import Any

import pytest

from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.projections import label_selector
from auditpipeline.world.selectors import contains, matches

LABELS = {"app": "store", "tier": "back", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "store"}}, True),
        ({"matchLabels": {"app": "store", "tier": "front"}}, False),
        ({"matchLabels": {"absent": "x"}}, False),
        ({"matchLabels": {"empty": ""}}, True),
        ({"matchLabels": {"absent": ""}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "store"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "In", "values": ["x"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["store"]}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["store"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "absent", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Unheard"}]}, False),
        (
            {"matchLabels": {"app": "store"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}]},
            False,
        ),
    ],
)
def test_label_selector(selector: dict[str, Any], *, expected: bool) -> None:
    assert matches(label_selector(selector, "spec.selector"), LABELS) is expected


def test_malformed_selector_names_its_field() -> None:
    with pytest.raises(MalformedObject, match=r"^spec\.selector\.matchExpressions must be a list of objects$"):
        label_selector({"matchExpressions": [1]}, "spec.selector")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [({}, True), ({"app": "store"}, True), ({"app": "x"}, False), ({"absent": "store"}, False), ({"absent": ""}, False)],
)
def test_equality_selector(wanted: dict[str, str], *, expected: bool) -> None:
    assert contains(LABELS, wanted) is expected
