"""Real Kubernetes clusters for tests, on one Linux machine, without an image registry or a container engine.

Two tiers: `control-plane` (etcd, kube-apiserver, kube-controller-manager; no pod runs; any user) and `node` (plus
scheduler, containerd, kubelet, kube-proxy and DNS; pods run; root). Which cluster is used, in this order:
`AUDITPIPELINE_TEST_KUBECONFIG` (one that exists), `KUBEBUILDER_ASSETS` (a folder with etcd and kube-apiserver, for
the control-plane tier), else the kit's own build of Kubernetes from Go modules, kept in
`${XDG_CACHE_HOME:-~/.cache}/auditpipeline`.

Fixtures (tests/conftest.py loads them for every test)
------------------------------------------------------
cluster -> Cluster            session; control-plane tier, with the kubelet stand-in. Marker `cluster`.
own_cluster -> Cluster        session; `cluster`, but skips on a cluster that stood before: for tests that need the audit
                              log, the kubelet stand-in or to stop the API server.
node_cluster -> Cluster       session; node tier. Marker `node`.
python_image -> str           session; name of an image with python3 on the node, for scripts from ConfigMaps. A cluster
                              that stood before takes the one of `AUDITPIPELINE_TEST_PYTHON_IMAGE`.
active_cluster -> Cluster     `node_cluster` in tests marked `node`, else `cluster`; the fixtures below use it.
client -> Client              an administrator's client of the active cluster.
namespace -> str              a fresh namespace, deleted (not awaited) after the test.
apply(manifests, namespace=None) -> list[dict]
                              server-side apply of YAML text, a dict or several; into the test's own namespace
                              where neither the manifest nor the call names one.
wait_for(check, timeout=30, interval=0.1, what="") -> answer
                              until the callable returns something true, or the `Condition` holds (then the object is
                              returned). AssertionError and ApiError mean "not yet".

    def test_a_deployment_becomes_available(cluster, namespace, apply, wait_for):
        apply(DEPLOYMENT)
        wait_for(Condition("apps/v1", "Deployment", "emitter", namespace, "Available"))

A test that takes one of these fixtures gets the marker of its tier by itself. On a machine that cannot run a tier its
tests skip with the reason; with `AUDITPIPELINE_REQUIRE_TIERS=1` they fail instead.

What a Cluster offers
---------------------
client, kubeconfig, tier, has_controllers
audit                         AuditLog: `mark()`, `entries(since=mark, user=..., verb=..., resource=...)` (writes only)
apply, kubectl(*args)         kubectl returns stdout
service_account_kubeconfig(path, name, namespace)
                              to run a program as a ServiceAccount
stop_apiserver, start_apiserver
                              a fault, on the same port; restore it within the test
load_image(image) -> name     the node tier; `node.images.build_image(name, context, include=[...])` builds a Dockerfile
node                          the node tier; `node.namespaces.run("iptables-save")` runs a command there

`start_cluster(name, tier, extra_apiserver_flags=())` gives a test a cluster of its own; end it with `stop()`.

Command line: `PYTHONPATH=tests python -m cluster_kit --help`.
"""

from .assets import Tier
from .audit import AuditEntry, AuditLog
from .client import ApiError, Client, Event, Object
from .cluster import Cluster, start_cluster
from .errors import ClusterError, TierUnavailableError
from .waiting import Condition, wait_until

__all__ = [
    "ApiError",
    "AuditEntry",
    "AuditLog",
    "Client",
    "Cluster",
    "ClusterError",
    "Condition",
    "Event",
    "Object",
    "Tier",
    "TierUnavailableError",
    "start_cluster",
    "wait_until",
]
