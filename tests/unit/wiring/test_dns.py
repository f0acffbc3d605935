import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.wiring.dns import Host, HostKind, read_host

SERVICE = HostKind.SERVICE


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("store", Host(SERVICE, "store", "team", short=True)),
        ("store.audit", Host(SERVICE, "store", "audit", ambiguous=True)),
        ("store.audit.svc", Host(SERVICE, "store", "audit")),
        ("store.audit.svc.cluster.local", Host(SERVICE, "store", "audit", domain="cluster.local")),
        ("STORE.Audit.SVC", Host(SERVICE, "store", "audit")),
        ("pod-0.store.audit.svc", Host(SERVICE, "store", "audit")),
        ("pod-0.store.audit.svc.cluster.local", Host(SERVICE, "store", "audit", domain="cluster.local")),
        ("store.audit.svc.corp.example", Host(HostKind.OTHER_DOMAIN, "store", "audit", domain="corp.example")),
        ("store.audit.svc.cluster", Host(HostKind.OTHER_DOMAIN, "store", "audit", domain="cluster")),
        ("audit.example.com", Host(HostKind.EXTERNAL)),
        ("a.b.c.d.example.com", Host(HostKind.EXTERNAL)),
        ("localhost", Host(HostKind.LOOPBACK)),
        ("app.localhost", Host(HostKind.LOOPBACK)),
        ("127.0.0.1", Host(HostKind.LOOPBACK)),
        ("127.9.9.9", Host(HostKind.LOOPBACK)),
        ("0.0.0.0", Host(HostKind.LOOPBACK)),  # noqa: S104  (read, not bound)
        ("::1", Host(HostKind.LOOPBACK)),
        ("host.docker.internal", Host(HostKind.LOOPBACK)),
        ("host.containers.internal", Host(HostKind.LOOPBACK)),
        ("10.96.0.1", Host(HostKind.ADDRESS)),
        ("fe80::1%eth0", Host(HostKind.ADDRESS)),
    ],
)
def test_meaning_in_a_pod_of_namespace_team(host: str, expected: Host) -> None:
    assert read_host(host, absolute=False, namespace="team") == expected


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("store", HostKind.EXTERNAL),
        ("store.audit", HostKind.EXTERNAL),
        ("store.audit.svc", HostKind.EXTERNAL),
        ("store.audit.svc.cluster.local", SERVICE),
    ],
)
def test_a_trailing_dot_switches_the_search_path_off(host: str, kind: HostKind) -> None:
    assert read_host(host, absolute=True, namespace="team").kind is kind


def test_another_cluster_domain() -> None:
    host = read_host("store.audit.svc.corp.example", absolute=False, namespace="team", cluster_domain="corp.example")
    assert host == Host(SERVICE, "store", "audit", domain="corp.example")


@given(st.text(), st.booleans())
def test_never_raises(host: str, absolute: bool) -> None:
    assert isinstance(read_host(host, absolute=absolute, namespace="team"), Host)
