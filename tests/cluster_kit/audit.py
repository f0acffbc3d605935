"""The API server's audit log, read by tests to count what a program wrote.

    before = cluster.audit.mark()
    ...
    writes = cluster.audit.entries(since=before, user="system:serviceaccount:audit:operator")
    assert [entry.verb for entry in writes] == ["patch"]

Logged are writes (create, update, patch, delete, deletecollection) of every resource at level Metadata, once each,
when the response is complete. Refused writes are logged too; `code` tells them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

POLICY: Final[dict[str, Any]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request. Strings are empty where the request has none, as `namespace` of a cluster-scoped object.

    Attributes:
        user: who was authenticated.
        impersonated: as whom it acted, if it impersonated.
        code: HTTP status of the response.
        name: empty for a create with generateName, and for deletecollection.
    """

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user: str
    impersonated: str
    user_agent: str
    stage: str
    code: int
    uri: str


class AuditLog:
    """Reads the log file at `path`, which only ever grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        """The log's present end, for `since`."""
        return self.path.stat().st_size if self.path.exists() else 0

    def entries(self, *, since: int = 0, **fields: object) -> list[AuditEntry]:
        """Entries after the mark `since` of which every given field has the given value, oldest first."""
        return [entry for entry in self._read(since) if all(getattr(entry, name) == value for name, value in fields.items())]

    def _read(self, since: int) -> Iterator[AuditEntry]:
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):  # else the server is still writing it
                    yield _entry(json.loads(line))


def _entry(event: dict[str, Any]) -> AuditEntry:
    target = event.get("objectRef") or {}
    return AuditEntry(
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        user=event.get("user", {}).get("username", ""),
        impersonated=event.get("impersonatedUser", {}).get("username", ""),
        user_agent=event.get("userAgent", ""),
        stage=event["stage"],
        code=event.get("responseStatus", {}).get("code", 0),
        uri=event.get("requestURI", ""),
    )
