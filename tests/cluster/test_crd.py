"""The CRD, as a real API server reads it: what it accepts, refuses, defaults, prunes and shows."""

import copy
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from auditpipeline.api.spec import API_VERSION, GROUP, KIND, PLURAL, VERSION, parse_spec
from cluster_kit import ApiError, Client, Cluster, Condition, Object, wait_until

pytestmark = pytest.mark.cluster

ROOT: Final = Path(__file__).parents[2]
TABLES: Final = Path(__file__).parent / "crd"
CRD: Final[Object] = yaml.safe_load((ROOT / "crds" / "auditpipelines.yaml").read_text())
CRD_API: Final = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def documents(path: Path) -> list[Object]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


SMALLEST: Final = documents(ROOT / "examples/crs/smallest.yaml")[0]
EVERYTHING: Final = documents(ROOT / "examples/crs/everything.yaml")[0]
SAMPLES: Final = sorted((TABLES / "valid").glob("*.yaml"))
VALID: Final = [SMALLEST, EVERYTHING, *(sample for path in SAMPLES for sample in documents(path))]
INVALID: Final[list[Object]] = yaml.safe_load((TABLES / "invalid.yaml").read_text())
STATUS: Final = documents(TABLES / "status.yaml")[0]
WAIVER: Final = {"check": "EnvironmentClean", "reason": "HostPathVolume", "because": "coverage mount"}
FINDING: Final = {"check": "ServiceResolved", "reason": "ServiceNotFound", "severity": "Error", "message": "It is absent."}
NOON: Final = "2025-08-22T12:00:00Z"


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): null takes a member away. Placeholders such as `{65 emitters}` are filled in."""
    if isinstance(patch, list):
        return [merge(None, item) for item in patch]
    if not isinstance(patch, dict):
        return filled_in(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def filled_in(value: Any) -> Any:
    asked = re.fullmatch(r"\{(\d+) (\w+)\}", value) if isinstance(value, str) else None
    if asked is None:
        return value
    count = int(asked[1])
    return {
        "characters": "x" * count,
        "numbers": [str(index) for index in range(count)],
        "emitters": [{"workloadRef": {"name": f"emitter-{index}"}} for index in range(count)],
        "waivers": [WAIVER] * count,
        "findings": [FINDING] * count,
        "details": {f"detail{index}": "" for index in range(count)},
    }[asked[2]]


def pipeline(namespace: str, name: str = "gateway", **spec: Any) -> Object:
    """The smallest AuditPipeline with more in its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": copy.deepcopy(SMALLEST["spec"]) | spec,
    }


def condition(kind: str, status: str = "True", reason: str = "Passed") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": NOON}


def path_of(namespace: str, name: str = "") -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}".rstrip("/")


@pytest.fixture(autouse=True, scope="module")
def served(cluster: Cluster) -> None:
    """The CRD in force. It stays there after the tests: others, or a cluster's own objects, live on it."""
    cluster.apply(CRD)
    wait_until(lambda: cluster.client.list_page(API_VERSION, KIND), what="the CRD to be served")


# --- the CRD itself


@pytest.fixture
def twin(client: Client) -> Iterator[Object]:
    """The CRD under another group, to be created and deleted without touching a cluster's own."""
    group = f"test-{uuid.uuid4().hex[:10]}.auditpipeline.dev"
    copied = copy.deepcopy(CRD)
    copied["spec"]["group"] = group
    copied["metadata"]["name"] = f"{PLURAL}.{group}"
    yield copied
    client.delete(*CRD_API, copied["metadata"]["name"], missing_ok=True)


def test_the_crd_is_accepted_without_a_warning(client: Client, twin: Object) -> None:
    strict = {"fieldValidation": "Strict"}
    made = client.request("POST", CRDS, json=twin, params=strict)
    # Without a resourceVersion: the server's own controllers write the status of a fresh CRD at the same time.
    patch = {"json": {"spec": made.json()["spec"]}, "headers": {"Content-Type": "application/merge-patch+json"}}
    changed = client.request("PATCH", f"{CRDS}/{twin['metadata']['name']}", params=strict | {"dryRun": "All"}, **patch)
    assert made.headers.get_list("warning") + changed.headers.get_list("warning") == []


def test_the_crd_is_established_and_structural(client: Client, twin: Object) -> None:
    client.create(twin)
    name = twin["metadata"]["name"]
    wait_until(lambda: Condition(*CRD_API, name, None, "Established").check(client))
    status = client.get(*CRD_API, name)["status"]
    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert status["storedVersions"] == [VERSION]


def test_the_server_keeps_every_word_of_the_crd(client: Client, twin: Object) -> None:
    """A misspelt keyword would be dropped, and its rule with it."""
    made = client.create(twin)["spec"]
    made.pop("preserveUnknownFields", None)
    assert made == twin["spec"]


def test_clients_discover_its_names(client: Client) -> None:
    resources = {entry["name"]: entry for entry in client.request("GET", f"/apis/{API_VERSION}").json()["resources"]}
    assert sorted(resources) == [PLURAL, f"{PLURAL}/status"]
    found = resources[PLURAL]
    assert (found["kind"], found["singularName"], found["shortNames"], found["categories"], found["namespaced"]) == (
        KIND,
        "auditpipeline",
        ["apl"],
        ["audit"],
        True,
    )
    versions = client.request("GET", f"/apis/{GROUP}").json()["versions"]
    assert [entry["version"] for entry in versions] == [VERSION]


# --- what it accepts and refuses


@pytest.mark.parametrize("sample", VALID, ids=lambda sample: sample["metadata"]["name"])
def test_a_valid_object_is_accepted(client: Client, namespace: str, sample: Object) -> None:
    manifest = copy.deepcopy(sample)
    manifest["metadata"]["namespace"] = namespace
    answer = client.request("POST", path_of(namespace), json=manifest, params={"fieldValidation": "Strict"})
    assert answer.headers.get_list("warning") == []
    # Defaults mean the same on the server and on disk.
    assert parse_spec(answer.json()["spec"]) == parse_spec(sample["spec"])


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case["case"])
def test_an_invalid_object_is_refused_by_name(client: Client, namespace: str, case: Object) -> None:
    if "status" in case:
        stored = client.create(pipeline(namespace))
        request = ("PUT", path_of(namespace, "gateway") + "/status", stored | {"status": merge(None, case["status"])})
    else:
        spec = merge(SMALLEST["spec"], case.get("spec", {}))
        if "emitter" in case:
            spec["emitters"] = [merge(spec["emitters"][0], case["emitter"])]
        if "waiver" in case:
            spec["waivers"] = [merge(WAIVER, case["waiver"])]
        request = ("POST", path_of(namespace), pipeline(namespace) | {"spec": spec})
    method, path, body = request
    with pytest.raises(ApiError) as refusal:
        client.request(method, path, json=body)
    assert (refusal.value.code, refusal.value.reason) == (422, "Invalid")
    assert f"{case['field']}: " in refusal.value.message
    assert case["says"] in refusal.value.message
    assert case.get("never", "\0") not in refusal.value.message


def texts(schema: Object, value: Any, path: str, inside: Any = None, key: Any = None) -> Iterator[tuple[str, int, Any, Any]]:
    """Path and limit of every text in `value`, with the list or map that holds it and its place there."""
    if isinstance(value, dict):
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name) or schema["additionalProperties"]
            yield from texts(known, inner, f"{path}.{name}", value, name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(schema["items"], inner, f"{path}[{index}]", value, index)
    elif "maxLength" in schema:  # not so where an enum bounds it
        yield path, schema["maxLength"], inside, key


def test_no_text_is_longer_than_its_limit(client: Client, namespace: str) -> None:
    stored = client.create(pipeline(namespace))
    whole = stored | copy.deepcopy({"spec": EVERYTHING["spec"], "status": STATUS})
    schemas = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part, subresource in (("spec", ""), ("status", "status")):
        for path, limit, inside, key in list(texts(schemas[part], whole[part], part)):
            original, inside[key] = inside[key], "x" * (limit + 1)
            with pytest.raises(ApiError) as refusal:
                client.replace(whole, subresource=subresource)
            assert f"{path}: Too long: may not be more than {limit} " in refusal.value.message
            inside[key] = original


def test_every_fault_is_told_at_once(client: Client, namespace: str) -> None:
    faulty = pipeline(namespace, interval="10s", landing={"deadline": "2m"}, waivers=[WAIVER | {"because": " "}])
    with pytest.raises(ApiError) as refusal:
        client.create(faulty)
    for field in ("spec.interval: ", "spec.landing.deadline: ", "spec.waivers[0].because: "):
        assert field in refusal.value.message


def test_the_largest_spec_is_within_the_cost_limits(client: Client, namespace: str) -> None:
    """The API server also bounds what the rules cost when they run."""
    document = {"name": "m" * 253, "key": "k" * 253, "path": ".".join(["p" * 63] * 8)}
    emitters: list[Object] = [
        {
            "name": long_name(index),
            "workloadRef": {"kind": "CronJob", "name": long_name(index)},
            "container": "c" * 63,
            "url": {"value": "http://" + "u" * 2041} if index % 2 else {"configMapKeyRef": document},
            "expect": {
                "eventTypes": [f"{number:0100}" for number in range(64)],
                "eventCategory": "c" * 100,
                "actorId": "a" * 255,
                "namespace": "n" * 63,
                "correlationPrefix": "p" * 255,
                "maxSilence": "60m60m60m60m60m",
            },
        }
        for index in range(64)
    ]
    waiver = {
        "check": "EnvironmentClean",
        "reason": "R" * 64,
        "object": {"kind": "K" * 63, "name": "n" * 253},
        "field": "f" * 512,
        "because": " " * 511 + "b",
        "expires": "2027-01-31",
    }
    stored = client.create(pipeline(namespace, emitters=emitters, waivers=[waiver] * 32))
    assert (stored["spec"]["emitters"], stored["spec"]["waivers"]) == (emitters, [waiver] * 32)


def long_name(index: int) -> str:
    """A DNS name of 253 characters that differs from the next one at its end."""
    return ".".join(["n" * 63, "n" * 63, "n" * 63, f"n{index:060}"])


# --- what it adds and drops


def test_defaults_fill_in_what_was_not_said(client: Client, namespace: str) -> None:
    assert client.create(pipeline(namespace))["spec"] == {
        "contract": "auto",
        "suspend": False,
        "interval": "5m",
        "gracePeriod": "2m",
        "store": {"serviceRef": {"name": "data-storage-service"}},
        "emitters": [{"workloadRef": {"kind": "Deployment", "name": "gateway"}}],
        "landing": {"mode": "Observe", "interval": "1m", "deadline": "30s", "identity": "Prober", "readLogs": True},
    }


def test_defaults_leave_alone_what_was_said(client: Client, namespace: str) -> None:
    stored = client.create(pipeline(namespace, landing={"mode": "Canary", "readLogs": False}))
    said = {"mode": "Canary", "readLogs": False}
    assert stored["spec"]["landing"] == said | {"interval": "1m", "deadline": "30s", "identity": "Prober"}


def test_unknown_fields_are_pruned(client: Client, namespace: str) -> None:
    typing_error = pipeline(namespace, intervall="5m")
    typing_error["spec"]["emitters"][0]["workloadref"] = {}
    answer = client.request("POST", path_of(namespace), json=typing_error, params={"fieldValidation": "Warn"})
    assert [warning.split('"')[1:4] for warning in answer.headers.get_list("warning")] == [
        ["unknown field \\", "spec.emitters[0].workloadref\\", ""],
        ["unknown field \\", "spec.intervall\\", ""],
    ]
    stored = answer.json()
    assert "intervall" not in stored["spec"]
    assert "workloadref" not in stored["spec"]["emitters"][0]

    stored["status"] = {"observedGeneration": 1, "phase": "Broken", "findings": [FINDING | {"secret": "x"}]}
    assert client.replace(stored, subresource="status")["status"] == {"observedGeneration": 1, "findings": [FINDING]}


def test_strict_clients_are_told_of_unknown_fields(client: Client, namespace: str) -> None:
    typing_error = pipeline(namespace, intervall="5m")
    typing_error["spec"]["emitters"][0]["workloadref"] = {}
    with pytest.raises(ApiError) as refusal:
        client.request("POST", path_of(namespace), json=typing_error, params={"fieldValidation": "Strict"})
    assert refusal.value.code == 400
    for field in ("spec.intervall", "spec.emitters[0].workloadref"):
        assert f'unknown field "{field}"' in refusal.value.message


def test_the_emitters_belong_to_one_manager(client: Client, namespace: str) -> None:
    """The list is atomic: two managers cannot each own some of it."""
    client.apply(pipeline(namespace), field_manager="first")
    second = pipeline(namespace, emitters=[{"workloadRef": {"kind": "Deployment", "name": "notification"}}])
    with pytest.raises(ApiError) as refusal:
        client.apply(second, field_manager="second", force=False)
    assert refusal.value.code == 409
    assert 'conflict with "first": .spec.emitters' in refusal.value.message
    taken = client.apply(second, field_manager="second")
    assert taken["spec"]["emitters"] == second["spec"]["emitters"]


# --- status


def test_status_is_written_at_its_subresource_only(client: Client, namespace: str) -> None:
    stored = client.create(pipeline(namespace) | {"status": {"observedGeneration": 7}})
    assert "status" not in stored
    stored["spec"]["suspend"] = True
    written = client.replace(stored | {"status": {"observedGeneration": 1}}, subresource="status")
    assert (written["status"], written["spec"]["suspend"]) == ({"observedGeneration": 1}, False)
    assert written["metadata"]["generation"] == 1
    written["spec"]["suspend"] = True
    changed = client.replace(written | {"status": {}})
    assert (changed["metadata"]["generation"], changed["status"]) == (2, {"observedGeneration": 1})


def test_a_status_written_on_a_stale_object_is_refused(client: Client, namespace: str) -> None:
    stale = client.create(pipeline(namespace))
    client.patch(API_VERSION, KIND, "gateway", namespace, {"spec": {"suspend": True}})
    with pytest.raises(ApiError) as refusal:
        client.replace(stale | {"status": {"observedGeneration": 1}}, subresource="status")
    assert (refusal.value.code, refusal.value.reason) == (409, "Conflict")


def test_replacing_the_status_drops_what_is_not_sent(client: Client, namespace: str) -> None:
    stored = client.create(pipeline(namespace))
    before = client.replace(
        stored | {"status": {"summary": "1 error", "conditions": [condition("Ready"), condition("Other")]}},
        subresource="status",
    )
    after = client.replace(before | {"status": {"conditions": [condition("Ready")]}}, subresource="status")
    assert after["status"] == {"conditions": [condition("Ready")]}


def test_a_status_written_twice_is_one_write(client: Client, namespace: str) -> None:
    first = client.replace(client.create(pipeline(namespace)) | {"status": STATUS}, subresource="status")
    assert first["status"] == STATUS
    second = client.replace(first | {"status": STATUS}, subresource="status")
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_null_in_status_reads_back_as_absent(client: Client, namespace: str) -> None:
    """Hence the writer omits what it does not know: a null never compares equal to what is stored."""
    stored = client.create(pipeline(namespace))
    nulls = {"lastLanded": None, "emitters": [{"name": "gateway", "lastLanded": None}]}
    written = client.replace(stored | {"status": nulls}, subresource="status")
    assert written["status"] == {"emitters": [{"name": "gateway"}]}


def test_two_managers_keep_conditions_side_by_side(client: Client, namespace: str) -> None:
    client.create(pipeline(namespace))
    apply_conditions(client, namespace, "auditpipeline", [condition("Ready"), condition("StoreReady")])
    both = apply_conditions(client, namespace, "rollout-gate", [condition("example.com/Approved")])
    assert types(both) == ["Ready", "StoreReady", "example.com/Approved"]
    fewer = apply_conditions(client, namespace, "auditpipeline", [condition("Ready")])
    assert types(fewer) == ["Ready", "example.com/Approved"]


def test_a_condition_is_taken_over_by_force_only(client: Client, namespace: str) -> None:
    client.create(pipeline(namespace))
    apply_conditions(client, namespace, "auditpipeline", [condition("Ready"), condition("StoreReady")])
    broken = condition("Ready", "False", "ServiceNotFound")
    with pytest.raises(ApiError) as refusal:
        apply_conditions(client, namespace, "other", [broken])
    assert refusal.value.code == 409
    assert '.status.conditions[type="Ready"].status' in refusal.value.message
    taken = apply_conditions(client, namespace, "other", [broken], force=True)
    assert taken["status"]["conditions"] == [broken, condition("StoreReady")]
    with pytest.raises(ApiError) as refusal:
        apply_conditions(client, namespace, "auditpipeline", [condition("Ready")])
    assert refusal.value.code == 409


def apply_conditions(client: Client, namespace: str, manager: str, conditions: list[Object], *, force: bool = False) -> Object:
    manifest = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "gateway", "namespace": namespace},
        "status": {"conditions": conditions},
    }
    return client.apply(manifest, field_manager=manager, force=force, subresource="status")


def types(manifest: Object) -> list[str]:
    return [entry["type"] for entry in manifest["status"]["conditions"]]


def test_the_largest_status_fits_into_etcd(client: Client, namespace: str) -> None:
    """Every list full, every text at its limit: no verdict is too long to be stored."""
    subject = {"kind": "K" * 63, "namespace": "n" * 63, "name": "n" * 253}
    finding: Object = {
        "check": "C" * 64,
        "reason": "R" * 64,
        "severity": "Warning",
        "emitter": "e" * 253,
        "workload": subject,
        "object": subject,
        "field": "f" * 1024,
        "message": "m" * 1024,
        "expected": "e" * 1024,
        "found": "f" * 1024,
        "fix": "x" * 1024,
        "waived": False,
        "details": {f"{index:064}": "d" * 256 for index in range(16)},
    }
    emitter: Object = {
        "name": "n" * 253,
        "workload": "w" * 320,
        "serviceAccount": "s" * 253,
        "url": "u" * 2048,
        "urlSource": "s" * 1024,
        "urlHistory": [{"url": "u" * 1024, "since": NOON}] * 4,
        "service": "s" * 253,
        "errors": 2**31 - 1,
        "warnings": 2**31 - 1,
        "landing": "NotLanding",
        "landingReason": "L" * 64,
        "landed": 2**63 - 1,
        "lastLanded": NOON,
    }
    largest = STATUS | {
        "conditions": [condition(f"{index:0316}", "Unknown", "R" * 1024) | {"message": "m" * 1024} for index in range(32)],
        "summary": "s" * 256,
        "emitters": [emitter] * 64,
        "findings": [finding] * 64,
    }
    assert client.replace(client.create(pipeline(namespace)) | {"status": largest}, subresource="status")["status"] == largest


# --- what kubectl shows


def test_the_columns_of_kubectl_get(client: Client, namespace: str) -> None:
    client.replace(client.create(pipeline(namespace)) | {"status": STATUS}, subresource="status")
    table = table_of(client, namespace)
    assert [(column["name"], column["type"], column["priority"]) for column in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Ready", "string", 0),
        ("Reason", "string", 0),
        ("Emitters", "integer", 0),
        ("Errors", "integer", 0),
        ("Landed", "date", 0),
        ("Age", "date", 0),
        ("Broken-Hop", "string", 1),
        ("Store", "string", 1),
        ("Summary", "string", 1),
    ]
    (row,) = table["rows"]
    landed, age = row["cells"].pop(5), row["cells"].pop(5)
    assert row["cells"] == [
        "gateway",
        "False",
        "ServiceNotFound",
        1,
        1,
        "ServiceResolved",
        "kubernaut-system/data-storage-service",
        "1 error: Service datastorage does not exist",
    ]
    assert re.fullmatch(r"([0-9]+[ydhms])+", landed), "an age, as the server's clock has it"
    assert re.fullmatch(r"[0-9]+s", age)


def test_a_pipeline_that_nobody_judged_yet_has_empty_cells(client: Client, namespace: str) -> None:
    client.create(pipeline(namespace))
    (row,) = table_of(client, namespace)["rows"]
    assert row["cells"][:6] + row["cells"][7:] == ["gateway", None, None, None, None, None, None, None, None]


def table_of(client: Client, namespace: str) -> Object:
    accept = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    found: Object = client.request("GET", path_of(namespace), headers=accept).json()
    return found


def test_pipelines_are_selected_by_fields(client: Client, namespace: str) -> None:
    client.create(pipeline(namespace))
    client.create(pipeline(namespace, "elsewhere", store={"serviceRef": {"name": "datastorage", "namespace": "other"}}))
    client.create(pipeline(namespace, "paused", suspend=True, contract="kubernaut-v1"))
    broken = client.get(API_VERSION, KIND, "gateway", namespace)
    client.replace(broken | {"status": STATUS}, subresource="status")
    for selector, names in (
        ("spec.store.serviceRef.name=datastorage", ["elsewhere"]),
        ("spec.store.serviceRef.namespace=other", ["elsewhere"]),
        ("spec.contract=kubernaut-v1", ["paused"]),
        ("spec.suspend=true", ["paused"]),
        ("status.brokenHop=ServiceResolved", ["gateway"]),
    ):
        found = client.list(API_VERSION, KIND, namespace, field_selector=selector)
        assert [entry["metadata"]["name"] for entry in found] == names, selector
