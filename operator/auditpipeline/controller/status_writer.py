"""Writes a whole status by PUT with the resourceVersion that it was judged on, and says what became of it.

PUT rather than server-side apply: apply never removes what another manager wrote and, with force, has no
precondition, so a foreign edit would make a loop. A PUT on an older version is answered 409 and changes nothing.
The writer neither retries nor waits for longer than its token: who asked decides, on the object as it is then.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.spec import API_VERSION, GROUP, KIND, PLURAL, VERSION
from auditpipeline.controller.logs import about
from auditpipeline.kube.client import Answer, NoAnswer
from auditpipeline.probes.token_bucket import TokenBucket

logger = logging.getLogger(__name__)


class Requests(Protocol):
    """The part of `ApiServer` that the writer needs."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109  (see ApiServer)
    ) -> Answer:
        """See `ApiServer.request`."""


@dataclass(frozen=True, slots=True)
class Written:
    """Stored; `body` is the object now."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The object changed meanwhile; `body` is the object now."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such object any more."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Not stored, as far as is known. `after` seconds is what the server asked to wait; `why` is for people."""

    why: str
    after: float | None = None


Outcome = Written | Conflict | Gone | Failed
_RETRY_AFTER_LIMIT: Final = 60.0


class StatusWriter:
    """The one place from which an AuditPipeline's status is written."""

    def __init__(self, api: Requests, bucket: TokenBucket, timeout: float) -> None:
        self._api = api
        self._bucket = bucket
        self._timeout = timeout

    async def write(self, ref: ObjectRef, seen: Mapping[str, Any], status: Mapping[str, Any]) -> Outcome:
        """Replace the status of the object `seen`, unless it changed since."""
        await self._bucket.take()
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{ref.namespace}/{PLURAL}/{ref.name}"
        meta = seen["metadata"]
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": ref.name,
                "namespace": ref.namespace,
                "uid": meta.get("uid", ""),
                "resourceVersion": meta.get("resourceVersion", ""),
            },
            "status": status,
        }
        try:
            answer = await self._api.request("PUT", f"{path}/status", body=body, timeout=self._timeout)
            if answer.status == 409:
                return await self._refetch(path)
        except NoAnswer as error:
            return Failed(str(error))
        if answer.ok:
            return Written(answer.body)
        if answer.status == 404:
            return Gone()
        if answer.status in {400, 422}:
            # Not the cluster's fault but ours, or that of a CRD of another version: worth an error line.
            logger.error("the API server refuses the status: %s", answer.message, extra=about(ref))
        return Failed(_why(answer), _bounded(answer.retry_after))

    async def _refetch(self, path: str) -> Outcome:
        """The object as it is now, after a conflict."""
        answer = await self._api.request("GET", path, timeout=self._timeout)
        if answer.ok:
            return Conflict(answer.body)
        return Gone() if answer.status == 404 else Failed(_why(answer), _bounded(answer.retry_after))


def _why(answer: Answer) -> str:
    if answer.status == 403:
        rule = f'{{apiGroups: ["{GROUP}"], resources: ["{PLURAL}/status"], verbs: ["update"]}}'
        return f"the operator may not update {PLURAL}/status; add the rule {rule} to its ClusterRole"
    return f"HTTP {answer.status} {answer.message}".strip()


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, _RETRY_AFTER_LIMIT)
