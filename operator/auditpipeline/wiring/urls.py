"""A store URL, taken apart the way an HTTP client would, and what is wrong with one that cannot be used."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from auditpipeline.api.reasons import Reason

MAX_URL: Final = 2048
_PLACEHOLDER: Final = re.compile(r"\$\{[^}]*\}|\{\{.*?\}\}|\$\([A-Za-z_][A-Za-z0-9_.-]*\)|<[A-Za-z][A-Za-z0-9_ -]*>|%[A-Z_]{3,}%|\$[A-Z][A-Z0-9_]{2,}")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A usable URL: lower-case scheme and host, the host without a trailing dot's dot (`absolute` tells), a port."""

    scheme: str
    host: str
    port: int
    path: str
    absolute: bool

    def __str__(self) -> str:
        """The URL without user, password, query and fragment, which may hold secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        dot = "." if self.absolute else ""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{dot}{port}{self.path}"

    def at(self, host: str, port: int) -> str:
        """The same URL for another host and port."""
        return str(Endpoint(self.scheme, host, port, self.path, absolute=False))


@dataclass(frozen=True, slots=True)
class UrlProblem:
    """Why a text is no usable URL. `message` is a clause, and never repeats the text."""

    reason: Reason
    message: str
    expected: str = "an http:// or https:// URL"


@lru_cache(maxsize=4096)
def parse_url(text: str) -> Endpoint | UrlProblem:
    """Take a URL apart. Never raises; white space around it is kept from the client and is cut, as all emitters do."""
    url = text.strip()
    if not url:
        return UrlProblem(Reason.URL_INVALID, "is empty")
    if len(url) > MAX_URL:
        return UrlProblem(Reason.URL_INVALID, f"is longer than {MAX_URL} characters")
    placeholder = _PLACEHOLDER.search(url)
    if placeholder is not None:
        return UrlProblem(
            Reason.PLACEHOLDER_IN_URL, "holds a placeholder that was never substituted", "a URL with every placeholder filled in"
        )
    if _NOT_IN_A_URL.search(url):
        return UrlProblem(Reason.URL_INVALID, "holds white space or control characters")
    scheme, separator, _ = url.partition("://")
    if not separator:
        return UrlProblem(Reason.URL_INVALID, "has no scheme; the emitter starts with it and fails at its first write")
    if scheme.lower() not in _DEFAULT_PORTS:
        return UrlProblem(Reason.URL_INVALID, "has a scheme other than http and https")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return UrlProblem(Reason.URL_INVALID, "has a host or port that cannot be read")
    if not host:
        return UrlProblem(Reason.URL_INVALID, "has no host")
    if port == 0:
        return UrlProblem(Reason.URL_INVALID, "has port 0")
    absolute = host.endswith(".") and not _is_ipv6(host)
    host = host.removesuffix(".") if absolute else host
    if not _is_ipv6(host):
        host = _to_ascii(host)
        if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
            return UrlProblem(Reason.URL_INVALID, "has a host that is no DNS name")
    scheme = scheme.lower()
    return Endpoint(scheme, host, port or _DEFAULT_PORTS[scheme], parts.path.rstrip("/"), absolute)


def _is_ipv6(host: str) -> bool:
    return ":" in host


def _to_ascii(host: str) -> str:
    """Names outside ASCII as DNS knows them; the text as it is where no such form exists."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
