"""Where objects without a namespace are taken to belong."""

import pytest

from auditpipeline.views.manifests import read_stream

ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: gateway%s}\n"
BINDING = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: %s}\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: client}\n"
    "subjects: [{kind: ServiceAccount, name: %s, namespace: %s}]\n"
)
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: store%s}\nspec: {ports: [{port: 8080}]}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {url: 'http://%s:8080/x'}\n"


@pytest.mark.parametrize(
    ("documents", "home"),
    [
        pytest.param([ACCOUNT % ""], "default", id="nothing tells"),
        pytest.param([ACCOUNT % "", BINDING % ("b", "gateway", "audit")], "audit", id="the subject of a binding"),
        pytest.param([BINDING % ("b, namespace: store", "gateway", "audit"), ACCOUNT % ""], "audit", id="of a binding that is elsewhere"),
        pytest.param([ACCOUNT % "", BINDING % ("b", "other", "audit")], "default", id="the subject is not one of them"),
        pytest.param(
            [ACCOUNT % "", ACCOUNT % ", namespace: audit", BINDING % ("b", "gateway", "audit")], "default", id="the subject is another of that name"
        ),
        pytest.param([ACCOUNT % "", BINDING % ("a", "gateway", "x"), BINDING % ("b", "gateway", "y")], "default", id="two of them disagree"),
        pytest.param([SERVICE % "", CONFIG % "store.audit.svc.cluster.local"], "audit", id="the URL of one of the Services"),
        pytest.param([SERVICE % "", CONFIG % "store.audit"], "audit", id="a shorter one"),
        pytest.param([SERVICE % "", CONFIG % "store"], "default", id="a name without a namespace"),
        pytest.param([SERVICE % "", CONFIG % "store.example.com"], "default", id="a host outside"),
        pytest.param([SERVICE % "", SERVICE % ", namespace: audit", CONFIG % "store.audit.svc"], "default", id="a Service that is there"),
        pytest.param([SERVICE % "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: &a {b: *a}\n"], "default", id="an alias of itself"),
    ],
)
def test_home_of_what_writes_no_namespace(documents: list[str], home: str) -> None:
    manifests = read_stream("---\n".join(documents))
    assert manifests.homeless == []
    kind, name = ("Service", "store") if "kind: Service\n" in documents[0] else ("ServiceAccount", "gateway")
    told = {ref.namespace for ref in manifests.origins if (ref.kind, ref.name) == (kind, name)}
    assert home in told
    assert told <= {home, "audit"}
