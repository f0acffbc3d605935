"""Kubeconfig files: written for the kit's own users, read for a client of the tests."""

import base64
import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .errors import ClusterError


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What a client needs of a kubeconfig's current context.

    Attributes:
        server: URL of the API server, without a slash at its end.
        tls: verifies the server, and holds the client's certificate where the user has one.
        token: bearer token, empty for none.
    """

    server: str
    tls: ssl.SSLContext = field(repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def read(cls, path: Path) -> "Kubeconfig":
        """The current context of the file at `path`; users of exec plugins are not supported."""
        content = yaml.safe_load(path.read_text())
        context = _named(content, "context", content["current-context"])
        cluster = _named(content, "cluster", context["cluster"])
        user = _named(content, "user", context["user"])
        if "exec" in user or "auth-provider" in user:
            raise ClusterError(f"{path}: the test client reads tokens and client certificates, no login plugins")
        with _pem(cluster, "certificate-authority", path) as authority:
            tls = ssl.create_default_context(cafile=authority)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        with _pem(user, "client-certificate", path) as certificate, _pem(user, "client-key", path) as key:
            if certificate:
                tls.load_cert_chain(certificate, key)
        token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else "")
        return cls(str(cluster["server"]).rstrip("/"), tls, token)


def write_kubeconfig(path: Path, *, server: str, authority: Path, token: str, namespace: str = "default") -> Path:
    """A kubeconfig for one token; the CA stands inside, so the file can be copied into a pod."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        "clusters": [
            {
                "name": "test",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                },
            },
        ],
        "users": [{"name": "test", "user": {"token": token}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _named(content: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in content.get(f"{kind}s") or []:
        if entry["name"] == name:
            return dict(entry[kind])
    raise ClusterError(f"kubeconfig has no {kind} named {name}")


@contextlib.contextmanager
def _pem(values: dict[str, Any], key: str, kubeconfig: Path) -> Iterator[str | None]:
    """The path of a PEM file; inline data is in a file meanwhile, for `ssl` takes client keys from files alone."""
    if data := values.get(f"{key}-data"):
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(base64.b64decode(data))
            file.flush()
            yield file.name
    else:
        value = values.get(key)
        yield str(kubeconfig.parent / value) if value else None
