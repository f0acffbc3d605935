"""What a live World says where lists are long, refused, old or missing."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.kube.client import Answer, Context, NoAnswer
from auditpipeline.views import cluster
from auditpipeline.views.cluster import ClusterReader, Unavailable, namespaces_of

DEPLOYMENTS = "/apis/apps/v1/deployments"
POLICY = "/apis/cilium.io/v2/ciliumnetworkpolicies"


def deployment(name: str, namespace: str = "audit") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [{"name": "app"}]}}},
    }


def a_list(*items: Mapping[str, Any], more: str = "") -> Answer:
    return Answer(200, {"items": list(items), "metadata": {"continue": more}})


class Api:
    """Answers by path and continue token; what is not told is an empty list."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.configuration = SimpleNamespace(host="https://api.example.com:6443")
        self.context = Context("staging", "audit")

    async def request(self, method: str, path: str, *, query: Mapping[str, str] | None = None, timeout: float = 0) -> Answer:  # noqa: ASYNC109
        assert method == "GET"
        assert timeout
        token = (query or {}).get("continue", "")
        self.asked.append((path, dict(query or {})))
        answer = self.answers.get(f"{path}#{token}" if token else path, a_list())
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


async def read(api: Api, *namespaces: str) -> ClusterReader:
    reader = ClusterReader(api)  # type: ignore[arg-type]
    await reader.read(namespaces)
    return reader


async def test_a_long_list_is_read_page_by_page() -> None:
    api = Api(**{DEPLOYMENTS: a_list(deployment("a"), more="next"), f"{DEPLOYMENTS}#next": a_list(deployment("b"))})
    view = (await read(api)).view
    assert [workload.ref.name for workload in view.world.workloads] == ["a", "b"]
    assert view.objects == 2
    assert all(int(query["limit"]) == 500 for path, query in api.asked if path != "/apis")


async def test_a_list_that_grew_old_starts_again() -> None:
    first = [a_list(deployment("a"), more="next"), a_list(deployment("b"))]
    view = (await read(Api(**{DEPLOYMENTS: first, f"{DEPLOYMENTS}#next": Answer(410, {})}))).view
    assert [workload.ref.name for workload in view.world.workloads] == ["b"]


async def test_a_busy_api_server_is_asked_again() -> None:
    busy = [Answer(429, {}, retry_after=0.01), a_list(deployment("a"))]
    assert len((await read(Api(**{DEPLOYMENTS: busy}))).view.world.workloads) == 1


async def test_what_is_refused_is_a_gap_that_names_the_rule() -> None:
    view = (
        await read(
            Api(**{DEPLOYMENTS: Answer(403, {}), "/apis/apps/v1/namespaces/audit/deployments": Answer(403, {})}), "audit"
        )
    ).view
    gap = view.world.gap("Deployment", "audit")
    assert gap is not None
    assert gap[0] is Reason.FORBIDDEN
    assert gap[1] == (
        "You may not list deployments.apps in namespace audit, so nothing is known about them; "
        'the missing rule is {apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]}.'
    )
    assert view.world.gap("StatefulSet", "audit") is None
    assert list(view.coverage.refused) == ["Deployment"]


async def test_a_namespace_is_read_where_the_cluster_may_not_be() -> None:
    api = Api(
        **{
            DEPLOYMENTS: Answer(403, {}),
            "/apis/apps/v1/namespaces/audit/deployments": a_list(deployment("a")),
            "/apis/apps/v1/namespaces/store/deployments": a_list(deployment("datastorage", "store")),
        }
    )
    reader = await read(api, "audit")
    assert reader.view.world.gap("Deployment", "audit") is None
    assert reader.view.world.gap("Deployment", "store") is not None
    assert await reader.extend({"audit", "store"})
    assert reader.view.world.gap("Deployment", "store") is None
    assert not await reader.extend({"audit", "store"})
    assert [workload.ref.name for workload in reader.view.world.workloads] == ["a", "datastorage"]


async def test_without_the_crd_there_are_no_pipelines() -> None:
    view = (await read(Api(**{"/apis/auditpipeline.dev/v1alpha1/auditpipelines": Answer(404, {})}))).view
    assert view.pipelines == []
    assert view.coverage.refused == {}


async def test_what_a_controller_made_is_its_owners_business() -> None:
    made = deployment("a-5f7c")
    made["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "a", "controller": True}]
    view = (await read(Api(**{"/apis/apps/v1/replicasets": a_list(made, deployment("alone"))}))).view
    assert [workload.ref.name for workload in view.world.workloads] == ["alone"]


async def test_policies_of_other_apis_are_known_to_be_there() -> None:
    api = Api(
        **{
            "/apis": Answer(200, {"groups": [{"name": "cilium.io", "preferredVersion": {"version": "v2"}}]}),
            "/apis/cilium.io/v2": Answer(
                200,
                {
                    "resources": [
                        {"name": "ciliumnetworkpolicies", "kind": "CiliumNetworkPolicy"},
                        {"name": "ciliumnetworkpolicies/status", "kind": "CiliumNetworkPolicy"},
                        {"name": "ciliumnodes", "kind": "CiliumNode"},
                    ]
                },
            ),
            POLICY: a_list({"metadata": {"name": "deny", "namespace": "audit"}}),
        }
    )
    assert [policy.ref.name for policy in (await read(api)).view.world.foreign_policies("audit")] == ["deny"]
    api.answers[POLICY] = Answer(403, {})
    gap = (await read(api)).view.world.gap("NetworkPolicy", "audit")
    assert gap is not None
    assert "ciliumnetworkpolicies.cilium.io" in gap[1]


async def test_a_pipeline_remembers_by_its_own_status() -> None:
    body = {
        "metadata": {"name": "gateway", "namespace": "audit", "generation": 3},
        "spec": {"store": {"serviceRef": {"name": "store"}}, "emitters": [{"workloadRef": {"name": "gateway"}}]},
        "status": {"emitters": [{"name": "gateway", "urlHistory": [{"url": "http://store:8080", "since": "2026-11-01T00:00:00Z"}]}]},
    }
    broken = {"metadata": {"name": "broken", "namespace": "audit"}, "spec": {}}
    view = (await read(Api(**{"/apis/auditpipeline.dev/v1alpha1/auditpipelines": a_list(body, broken)}))).view
    (pipeline,) = view.pipelines
    assert view.histories[pipeline.ref].urls["gateway"][0].since is not None
    assert [damaged.ref.name for damaged in view.damaged] == ["broken"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(401, {}), "the API server https://api.example.com:6443 refuses the credentials of context staging"),
        (
            NoAnswer("GET /apis: X", "Connection refused"),
            "the API server https://api.example.com:6443 does not answer: Connection refused",
        ),
        (Answer(400, {}), "the API server https://api.example.com:6443 answers the list of deployments.apps with status 400"),
    ],
)
async def test_a_cluster_that_cannot_be_read_is_said_in_one_line(answer: Any, text: str) -> None:
    with pytest.raises(Unavailable) as raised:
        await read(Api(**{DEPLOYMENTS: answer}))
    assert str(raised.value) == text


async def test_an_api_server_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ALL_SECONDS", 0.05)
    endless = Api(**{DEPLOYMENTS: a_list(more="again"), f"{DEPLOYMENTS}#again": Answer(503, {}, retry_after=1)})
    with pytest.raises(Unavailable, match="could not be read within 0 seconds"):
        await read(endless)


def test_look_ups_name_namespaces() -> None:
    keys = [
        ObjectRef("Service", "store", "data-storage-service"),
        ObjectRef("ClusterRole", "", "view"),
        ("pods", "emitters", "app", "gateway"),
        ("workloads", "*"),
        ("service", "data-storage-service"),
        ("resourceName", "data-storage-service"),
    ]
    assert namespaces_of(keys) == {"store", "emitters"}
