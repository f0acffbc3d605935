from typing import Any

import pytest

from auditpipeline.api.reasons import Reason
from auditpipeline.wiring.environment import Variable, command_line, expand, listed, variables
from auditpipeline.world.coverage import InputScope
from kube_objects import config_map, only_workload, workload, world

ENV = config_map("env", {"URL": "http://from-config", "HOST": "store", "HOLDS": "$(HOST)"})


def environment(container: dict[str, Any], *objects: dict[str, Any]) -> dict[str, Variable]:
    there = world(workload(container), *objects)
    found = only_workload(there)
    return variables(there, found, found.pod.containers[0])


def texts(container: dict[str, Any], *objects: dict[str, Any]) -> dict[str, str | None]:
    return {name: variable.text for name, variable in environment(container, *objects).items()}


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param(
            {"env": env(A="1", B="$(A)2", C="$(D)", D="3")},
            {"A": "1", "B": "12", "C": "$(D)", "D": "3"},
            id="only what stands before",
        ),
        pytest.param(
            {"env": env(A="1", B="$$(A)", C="$$$(A)", D="$A $")},
            {"A": "1", "B": "$(A)", "C": "$1", "D": "$A $"},
            id="dollars escape",
        ),
        pytest.param({"env": env(A="$(A)")}, {"A": "$(A)"}, id="itself"),
        pytest.param({"env": env(A="1") + env(A="$(A)2")}, {"A": "12"}, id="later wins, and sees the earlier"),
        pytest.param({"env": [{"name": "A"}]}, {"A": ""}, id="no value is empty"),
        pytest.param(
            {"env": [{"name": "A", "value": 8080}, {"name": "B", "value": True}]},
            {"A": "8080", "B": "true"},
            id="unquoted scalars",
        ),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "env"}}], "env": env(URL="http://own", X="$(HOST)")},
            {"URL": "http://own", "HOST": "store", "HOLDS": "$(HOST)", "X": "store"},
            id="env over envFrom, whose values are not expanded",
        ),
        pytest.param(
            {"envFrom": [{"prefix": "P_", "configMapRef": {"name": "env"}}]},
            {"P_URL": "http://from-config", "P_HOST": "store", "P_HOLDS": "$(HOST)"},
            id="prefix",
        ),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "env"}}, {"configMapRef": {"name": "later"}}, {"secretRef": {"name": "s"}}]},
            {"URL": "http://later", "HOST": "store", "HOLDS": "$(HOST)"},
            id="a later envFrom wins",
        ),
        pytest.param(
            {
                "env": [
                    {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                    {"name": "U", "value": "http://s.$(N).svc"},
                ]
            },
            {"N": "audit", "U": "http://s.audit.svc"},
            id="the namespace is known",
        ),
        pytest.param(
            {
                "env": [
                    {"name": "H", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                    {"name": "U", "value": "http://$(H)"},
                ]
            },
            {"H": None, "U": None},
            id="what only the pod knows is unknown, with all that refers to it",
        ),
        pytest.param(
            {"env": env(U="http://$(STORE_SERVICE_HOST):$(STORE_SERVICE_PORT_HTTP)")}, {"U": None}, id="service links"
        ),
        pytest.param({"env": env(U="http://$(STORE_HOST)")}, {"U": "http://$(STORE_HOST)"}, id="no service link"),
    ],
)
def test_values(container: dict[str, Any], expected: dict[str, str | None]) -> None:
    assert texts(container, ENV, config_map("later", {"URL": "http://later"})) == expected


@pytest.mark.parametrize(
    ("ref", "reason", "message"),
    [
        (
            {"name": "env", "key": "absent"},
            Reason.CONFIG_MAP_KEY_NOT_FOUND,
            'ConfigMap env has no key "absent"; it has HOLDS, HOST, URL.',
        ),
        ({"name": "gone", "key": "URL"}, Reason.CONFIG_MAP_NOT_FOUND, 'ConfigMap "gone" does not exist in namespace audit.'),
        (
            {"name": "bin", "key": "raw"},
            Reason.CONFIG_UNPARSABLE,
            'Key "raw" of ConfigMap bin stands in binaryData, so no URL can be read from it.',
        ),
    ],
)
def test_reference_that_leads_nowhere(ref: dict[str, Any], reason: Reason, message: str) -> None:
    binary = config_map("bin", binaryData={"raw": "AA=="})
    variable = environment({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": ref}}]}, ENV, binary)["A"]
    assert variable.text is None
    assert variable.missing is not None
    assert (variable.missing.reason, variable.missing.message) == (reason, message)
    optional = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {**ref, "optional": True}}}]}
    assert "A" not in environment(optional, ENV, binary)


def test_secret_is_a_gap_also_for_what_refers_to_it() -> None:
    found = environment(
        {
            "env": [
                {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "U", "value": "http://$(S)"},
            ]
        }
    )
    assert [variable.missing.reason for variable in found.values() if variable.missing] == [Reason.SOURCE_IS_SECRET] * 2
    assert found["U"].missing is not None
    assert found["U"].missing.message == "Deployment/gateway container gateway takes S from a Secret; Secrets are never read."


def test_absence_in_partial_input_is_a_gap() -> None:
    there = world(
        workload({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}}]}),
        scope=InputScope.PARTIAL,
    )
    found = only_workload(there)
    missing = variables(there, found, found.pod.containers[0])["A"].missing
    assert missing is not None
    assert missing.reason is Reason.NOT_IN_INPUT


def test_command_line_sees_the_whole_environment() -> None:
    there = world(workload({"command": ["run", "$(B)"], "args": ["--x=$(A)", "$(GONE)", "$$(A)", "$(S)"], "env": [
        *env(A="1", B="$(C)", C="3"), {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}))  # fmt: skip
    container = only_workload(there).pod.containers[0]
    words = command_line(container, variables(there, only_workload(there), container))
    assert [(word.text, word.field, word.awaits, word.written_there) for word in words] == [
        ("run", "command[0]", "", True),
        ("$(C)", "command[1]", "", False),
        ("--x=1", "args[0]", "", False),
        ("$(GONE)", "args[1]", "", False),
        ("$(A)", "args[2]", "", False),
        ("$(S)", "args[3]", "S", False),
    ]


def test_place_is_where_the_value_stands() -> None:
    found = environment(
        {
            "envFrom": [{"configMapRef": {"name": "env"}}],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "URL"}}},
            ],
        },
        ENV,
    )
    assert {name: f"{variable.place.object} {variable.place.field}" for name, variable in found.items() if name != "HOLDS"} == {
        "URL": "ConfigMap/env data[URL]",
        "HOST": "ConfigMap/env data[HOST]",
        "A": "Deployment/gateway spec.template.spec.containers[gateway].env[A].value",
        "B": "ConfigMap/env data[URL]",
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("", ""), ("$", "$"), ("$(", "$("), ("$()", "$()"), ("$($(A))", "$($(A))"), ("$(A", "$(A")]
)
def test_odd_references_stay(text: str, expected: str) -> None:
    assert expand(text, {}) == expected


def test_long_lists_are_cut() -> None:
    assert listed([str(number) for number in range(10)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert listed(["x" * 100]) == "x" * 64
