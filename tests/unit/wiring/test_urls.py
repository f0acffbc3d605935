import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditpipeline.api.reasons import Reason
from auditpipeline.wiring.urls import MAX_URL, Endpoint, UrlProblem, parse_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://store:8080", Endpoint("http", "store", 8080, "", absolute=False)),
        ("  http://store:8080/\n", Endpoint("http", "store", 8080, "", absolute=False)),
        ("HTTPS://Store.NS.svc", Endpoint("https", "store.ns.svc", 443, "", absolute=False)),
        ("http://store", Endpoint("http", "store", 80, "", absolute=False)),
        ("http://store.ns.svc.cluster.local.:8080", Endpoint("http", "store.ns.svc.cluster.local", 8080, "", absolute=True)),
        ("http://[2001:db8::1]:8080/v1/", Endpoint("http", "2001:db8::1", 8080, "/v1", absolute=False)),
        ("http://user:pass@store:8080/v1?token=x#y", Endpoint("http", "store", 8080, "/v1", absolute=False)),
        ("http://dätä.example", Endpoint("http", "xn--dt-viab.example", 80, "", absolute=False)),
        ("http://under_score:1", Endpoint("http", "under_score", 1, "", absolute=False)),
    ],
)
def test_usable(text: str, expected: Endpoint) -> None:
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("http://" + "x" * MAX_URL, "is longer than 2048 characters"),
        ("http://a b", "holds white space or control characters"),
        ("http://a\x00", "holds white space or control characters"),
        ("store:8080", "has no scheme; the emitter starts with it and fails at its first write"),
        ("//store:8080", "has no scheme; the emitter starts with it and fails at its first write"),
        ("ftp://store", "has a scheme other than http and https"),
        ("http://store:99999", "has a host or port that cannot be read"),
        ("http://store:port", "has a host or port that cannot be read"),
        ("http://[::1", "has a host or port that cannot be read"),
        ("http://:8080", "has no host"),
        ("http://store:0", "has port 0"),
        ("http://-store", "has a host that is no DNS name"),
        ("http://store..ns", "has a host that is no DNS name"),
        ("http://" + "x" * 64, "has a host that is no DNS name"),
    ],
)
def test_unusable(text: str, message: str) -> None:
    assert parse_url(text) == UrlProblem(Reason.URL_INVALID, message)


@pytest.mark.parametrize(
    "host", ["store.${NAMESPACE}.svc", "store.{{ .Release.Namespace }}.svc", "$(STORE)", "<store>", "%STORE%", "$STORE_HOST"]
)
def test_placeholder(host: str) -> None:
    problem = parse_url(f"http://{host}:8080")
    assert isinstance(problem, UrlProblem)
    assert (problem.reason, problem.message) == (Reason.PLACEHOLDER_IN_URL, "holds a placeholder that was never substituted")


@pytest.mark.parametrize(
    "text", ["http://store:8080/v1", "https://store", "http://store:443", "http://[::1]:1", "http://a.b.svc.c.d.:80/x"]
)
def test_printed_url_reads_back(text: str) -> None:
    endpoint = parse_url(text)
    assert isinstance(endpoint, Endpoint)
    assert parse_url(str(endpoint)) == endpoint


def test_another_host_keeps_scheme_and_path() -> None:
    endpoint = parse_url("https://old.:1/v1")
    assert isinstance(endpoint, Endpoint)
    assert endpoint.at("new", 443) == "https://new/v1"


URL_LIKE = st.lists(
    st.sampled_from(
        [
            "http://",
            "https://",
            "store",
            ".",
            ":",
            "8080",
            "/",
            "@",
            "[",
            "]",
            "::1",
            "?",
            "#",
            "%",
            "$",
            "{",
            "\x00",
            "é",
            "٣",
            "\\",
        ]
    ),
    max_size=12,
).map("".join)


@given(st.one_of(st.text(), URL_LIKE, st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))))
def test_never_raises_and_never_shows_more_than_host_port_and_path(text: str) -> None:
    parsed = parse_url(text)
    if isinstance(parsed, Endpoint):
        assert 0 < parsed.port <= 65535
        assert parsed.host == parsed.host.lower()
        assert not set("@?# ") & set(str(parsed).partition("://")[2].partition("/")[0])
        assert parse_url(str(parsed)) == parsed


@given(st.from_regex(r"[a-z0-9]{8,20}", fullmatch=True))
def test_userinfo_query_and_fragment_are_not_shown(secret: str) -> None:
    parsed = parse_url(f"http://{secret}:{secret}@store.example:81/v1?token={secret}#{secret}")
    assert str(parsed) == "http://store.example:81/v1"
    assert secret not in repr(parsed)
