"""A World from one live LIST of each kind.

All namespaces are listed, whatever is judged: a store may stand elsewhere, and whether a Service of the wanted name
exists in another namespace is part of the answer. Where the whole cluster may not be listed, the namespaces that
matter are, one by one; what may not be read at all is a gap with the missing rule in its text, never empty.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.api.reasons import Reason
from auditpipeline.api.spec import KIND, InvalidPipeline, parse_spec
from auditpipeline.kube.client import Answer, ApiServer, NoAnswer
from auditpipeline.kube.kinds import OBJECTS, ONE_OFF, PIPELINES, ApiKind
from auditpipeline.verdict import History
from auditpipeline.wiring.pipeline import Pipeline
from auditpipeline.world.fields import MalformedObject
from auditpipeline.world.objects import FOREIGN_POLICIES, KubernetesObject, Workload
from auditpipeline.world.projections import CLUSTER_SCOPED, object_ref, project
from auditpipeline.world.reads import Key
from auditpipeline.world.world import World

_PAGE: Final = 500
"""Objects of one answer: a few MB, so that neither side holds a whole large list as text."""
_REQUEST_SECONDS: Final = 20.0
_ALL_SECONDS: Final = 120.0
_AT_ONCE: Final = 6
_TRIES: Final = 4
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE: Final = 5.0
_MOST_NAMESPACES: Final = 50
"""Read one by one at most, where the whole cluster may not be listed."""


class Unavailable(Exception):  # noqa: N818  (reads as an adjective where it is raised)
    """The cluster could not be read at all; the text says why, in one line."""


class LiveCoverage:
    """Coverage of a live cluster: all is known but what was refused."""

    by_namespace = False

    def __init__(self) -> None:
        self._refused: dict[str, str] = {}
        self._read: set[tuple[str, str]] = set()

    def refuse(self, kind: str, why: str) -> None:
        """The kind may not be listed over all namespaces."""
        self._refused.setdefault(kind, why)

    def found(self, kind: str, namespace: str) -> None:
        """The kind was listed in this namespace all the same."""
        self._read.add((kind, namespace))

    @property
    def refused(self) -> Mapping[str, str]:
        """Kinds that are not known over all namespaces, with the missing rule."""
        return self._refused

    def gap(self, world: World, kind: str, namespace: str) -> tuple[Reason, str] | None:  # noqa: ARG002  (the protocol's signature)
        """See `Coverage`."""
        why = self._refused.get(kind)
        if why is None or (kind, namespace) in self._read:
            return None
        where = f" in namespace {namespace}" if namespace else ""
        return Reason.FORBIDDEN, why.replace(_WHERE, where)


_WHERE: Final = "{where}"


@dataclass(frozen=True, slots=True)
class Damaged:
    """A live object that cannot be used."""

    ref: ObjectRef
    message: str


@dataclass(slots=True)
class ClusterView:
    """What was read of a cluster.

    Attributes:
        histories: What each AuditPipeline's own status remembers.
        objects: How many there are, those included that no check looks at.
    """

    coverage: LiveCoverage
    world: World
    pipelines: list[Pipeline] = field(default_factory=list)
    histories: dict[ObjectRef, History] = field(default_factory=dict)
    damaged: list[Damaged] = field(default_factory=list)
    objects: int = 0


@dataclass(slots=True)
class _Listed:
    """The objects of one kind, projected as they come, so that a page's text can go."""

    kind: ApiKind
    refused: bool = False
    values: list[KubernetesObject] = field(default_factory=list)
    pipelines: list[tuple[Pipeline, History]] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    objects: int = 0


class ClusterReader:
    """Reads the kinds of a live World."""

    def __init__(self, api: ApiServer) -> None:
        coverage = LiveCoverage()
        self.view = ClusterView(coverage, World(coverage))
        self._api = api
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._namespaces: set[str] = set()
        self._refused: tuple[ApiKind, ...] = ()

    async def read(self, namespaces: Iterable[str]) -> None:
        """Read the cluster; where that is refused, these namespaces and what they refer to.

        Raises:
            Unavailable: The API server does not answer, or refuses the credentials.
        """
        async with self._bounded():
            kinds = (PIPELINES, *OBJECTS, *ONE_OFF, *await self._foreign_kinds())
            listed = await asyncio.gather(*(self._list(kind, "") for kind in kinds))
        # In the order of the kinds, not of the answers: the order shows in what is discovered.
        for result in listed:
            if result.refused:
                self.view.coverage.refuse(_judged_as(result.kind), _missing_rule(result.kind))
            self._take(result)
        self._refused = tuple(result.kind for result in listed if result.refused and result.kind.kind not in CLUSTER_SCOPED)
        await self.extend(namespaces)

    @property
    def partial(self) -> bool:
        """Something may not be listed over all namespaces, so that single ones are read."""
        return bool(self._refused)

    async def extend(self, namespaces: Iterable[str]) -> bool:
        """Read more namespaces of the kinds that may not be listed as a whole. Whether there was anything to read.

        Raises:
            Unavailable: The API server does not answer.
        """
        room = _MOST_NAMESPACES - len(self._namespaces)
        new = [name for name in dict.fromkeys(namespaces) if name and name not in self._namespaces][:room]
        if not self._refused or not new:
            return False
        self._namespaces.update(new)
        async with self._bounded():
            wanted = [(kind, name) for kind in self._refused for name in new]
            listed = await asyncio.gather(*(self._list(kind, name) for kind, name in wanted))
        for (kind, name), result in zip(wanted, listed, strict=True):
            if not result.refused:
                self.view.coverage.found(_judged_as(kind), name)
                self._take(result)
        return True

    # --- one list -------------------------------------------------------------------------------------------------

    async def _list(self, kind: ApiKind, namespace: str) -> _Listed:
        """All pages; a list that grew old on the way starts again."""
        for _ in range(_TRIES):
            listed = _Listed(kind)
            query = {"limit": str(_PAGE)}
            if kind.field_selector:
                query["fieldSelector"] = kind.field_selector
            while True:
                answer = await self._get(kind.path_in(namespace), query)
                if answer.status == 403:
                    listed.refused = True
                    return listed
                if answer.status == 404:
                    return listed  # the API server does not have the kind: no CRD is no AuditPipeline
                if answer.status == 410:
                    break
                if not answer.ok:
                    raise Unavailable(f"{self._server} answers the list of {kind.resource} with status {answer.status}")
                _project(answer.body.get("items"), listed)
                token = _mapping(answer.body.get("metadata")).get("continue")
                if not token:
                    return listed
                query["continue"] = str(token)
        raise Unavailable(f"{self._server} forgot the list of {kind.resource} while it was read, {_TRIES} times")

    async def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        for left in reversed(range(_TRIES)):
            async with self._slots:
                try:
                    answer = await self._api.request("GET", path, query=query, timeout=_REQUEST_SECONDS)
                except NoAnswer as error:
                    raise Unavailable(f"{self._server} does not answer: {error.why}") from error
            if answer.status == 401:
                raise Unavailable(f"{self._server} refuses the credentials{self._of_context}")
            if answer.status not in _BUSY or not left:
                break
            await asyncio.sleep(min(answer.retry_after or 1.0, _LONGEST_PAUSE))
        return answer

    async def _foreign_kinds(self) -> list[ApiKind]:
        """The policies of other APIs that this cluster has. They are known to be there, not read."""
        groups = _mappings((await self._get("/apis", {})).body.get("groups"))
        versions = {group.get("name"): _mapping(group.get("preferredVersion")).get("version") for group in groups}
        found = []
        for group in dict.fromkeys(policy.group for policy in FOREIGN_POLICIES):
            version = versions.get(group)
            if not isinstance(version, str):
                continue
            resources = _mappings((await self._get(f"/apis/{group}/{version}", {})).body.get("resources"))
            known = {policy.kind for policy in FOREIGN_POLICIES if policy.group == group}
            found += [
                ApiKind(str(resource["kind"]), group, version, str(resource["name"]))
                for resource in resources
                if resource.get("kind") in known and "/" not in str(resource.get("name"))
            ]
        return found

    def _take(self, listed: _Listed) -> None:
        for value in listed.values:
            self.view.world.put(value)
        for pipeline, history in listed.pipelines:
            self.view.pipelines.append(pipeline)
            self.view.histories[pipeline.ref] = history
        self.view.damaged += listed.damaged
        self.view.objects += listed.objects

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_ALL_SECONDS):
                yield
        except TimeoutError:
            raise Unavailable(f"{self._server} could not be read within {_ALL_SECONDS:.0f} seconds") from None

    @property
    def _server(self) -> str:
        return f"the API server {self._api.configuration.host}"

    @property
    def _of_context(self) -> str:
        return f" of context {self._api.context.name}" if self._api.context.name else ""


def namespaces_of(keys: Iterable[Key]) -> set[str]:
    """The namespaces that recorded look-ups asked about."""
    names = set()
    for key in keys:
        if isinstance(key, ObjectRef):
            names.add(key.namespace)
        elif isinstance(key, tuple) and len(key) > 1 and key[0] not in {"service", "resourceName"}:
            # Those two look in all namespaces at once.
            names.add(str(key[1]))
    return names - {"", "*"}


def _project(items: Any, listed: _Listed) -> None:
    for item in _mappings(items):
        listed.objects += 1
        # The members of a list carry no kind of their own.
        obj = {**item, "apiVersion": listed.kind.api_version, "kind": listed.kind.kind}
        ref: ObjectRef | None = None
        try:
            ref = object_ref(obj)
            if ref.kind == KIND:
                listed.pipelines.append((Pipeline(ref, parse_spec(obj.get("spec"))), History.of(obj)))
            elif (value := project(obj)) is not None and not _made_by_controller(listed.kind, value):
                listed.values.append(value)
        except (MalformedObject, InvalidPipeline) as error:
            if ref is not None:
                listed.damaged.append(Damaged(ref, f"{ref} of namespace {ref.namespace} cannot be used: {error}."))


def _made_by_controller(kind: ApiKind, value: KubernetesObject) -> bool:
    return kind in ONE_OFF and isinstance(value, Workload) and value.owner is not None


def _judged_as(kind: ApiKind) -> str:
    """The kind whose absence proves nothing where this one may not be read."""
    foreign = any((kind.group, kind.kind) == (policy.group, policy.kind) for policy in FOREIGN_POLICIES)
    return "NetworkPolicy" if foreign else kind.kind


def _missing_rule(kind: ApiKind) -> str:
    return f"You may not list {kind.resource}{_WHERE}, so nothing is known about them; the missing rule is {kind.rule('list')}."


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
