"""Lists of a kind as metadata: keys and versions, without the objects themselves."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from auditpipeline.api.findings import ObjectRef
from auditpipeline.controller.versions import version_of
from auditpipeline.kube.client import Answer, NoAnswer
from auditpipeline.kube.kinds import ApiKind

_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE: Final = 500
_LIST_TIMEOUT: Final = 60.0

logger = logging.getLogger(__name__)


class Requests(Protocol):
    """The part of `ApiServer` that is needed here."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109  (see ApiServer)
    ) -> Answer:
        """See `ApiServer.request`."""


class Refusal(Enum):
    """Why a list gave nothing."""

    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    """The API server does not know the kind: its CRD is not installed."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind at one version."""

    version: int
    objects: Mapping[ObjectRef, int]


async def glance(api: Requests, kind: ApiKind) -> Listing | Refusal:
    """The key and version of one object of a kind, if there is any."""
    return await _list(api, kind, page=1, whole=False)


async def list_metadata(api: Requests, kind: ApiKind) -> Listing | Refusal:
    """The keys and versions of all objects of a kind, page by page."""
    return await _list(api, kind, page=_PAGE, whole=True)


async def _list(api: Requests, kind: ApiKind, *, page: int, whole: bool) -> Listing | Refusal:
    query = {"limit": str(page)}
    if kind.field_selector:
        query["fieldSelector"] = kind.field_selector
    objects: dict[ObjectRef, int] = {}
    while True:
        try:
            answer = await api.request("GET", kind.path, query=query, accept=_METADATA, timeout=_LIST_TIMEOUT)
        except NoAnswer as error:
            logger.info("cannot list %s: %s", kind.resource, error)
            return Refusal.FAILED
        if answer.status in {401, 403}:
            return Refusal.FORBIDDEN if answer.status == 403 else Refusal.FAILED
        if answer.status == 404:
            return Refusal.ABSENT
        if not answer.ok:
            # 410 among them: the pages took so long that their version is gone.
            logger.info("cannot list %s: HTTP %d", kind.resource, answer.status)
            return Refusal.FAILED
        for item in answer.body.get("items") or ():
            meta = item["metadata"]
            objects[ObjectRef(kind.kind, meta.get("namespace", ""), meta["name"])] = version_of(meta)
        meta = answer.body.get("metadata", {})
        query["continue"] = meta.get("continue", "")
        if not query["continue"] or not whole:
            return Listing(version_of(meta), objects)
