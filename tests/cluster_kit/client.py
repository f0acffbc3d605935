"""A plain client for tests: objects are dicts, resources are named by apiVersion and kind.

Synchronous, one connection pool, no cache of objects. Anything but success raises `ApiError`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import httpx

from .kubeconfig import Kubeconfig

Object = dict[str, Any]
Objects = list[Object]  # a name, for `Client.list` hides the type

_PATCH_TYPES: Final = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(Exception):
    """The API server refused.

    Attributes:
        code: HTTP status.
        reason: of the Status object, such as `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`.
        message: of the Status object, or the response's text.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.code = response.status_code
        try:
            status = response.json()
        except ValueError:
            status = {}
        self.reason: str = status.get("reason", "") if isinstance(status, dict) else ""
        self.message: str = (status.get("message", "") if isinstance(status, dict) else "") or response.text
        super().__init__(f"{response.request.method} {response.request.url.path}: {self.code} {self.message}")


@dataclass(frozen=True, slots=True)
class Resource:
    """How the API server names a kind."""

    plural: str
    namespaced: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A watch event; `type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


class Client:
    """Talks to the API server of a kubeconfig's current context.

    Args:
        kubeconfig: path of the file.
        user_agent: told to the server; it stands in the audit log.
        impersonate: user name to act as, with its groups in `groups`.
        token: instead of the kubeconfig's user.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        user_agent: str = "auditpipeline-tests",
        impersonate: str = "",
        groups: tuple[str, ...] = (),
        token: str = "",
        timeout: float = 30.0,
    ) -> None:
        config = Kubeconfig.read(kubeconfig)
        headers = [("User-Agent", user_agent)]
        if bearer := token or config.token:
            headers.append(("Authorization", f"Bearer {bearer}"))
        if impersonate:
            headers.append(("Impersonate-User", impersonate))
        headers.extend(("Impersonate-Group", group) for group in groups)
        self.kubeconfig = kubeconfig
        self._resources: dict[tuple[str, str], Resource] = {}
        self._http = httpx.Client(base_url=config.server, headers=headers, verify=config.tls, timeout=timeout, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None, *, subresource: str = "") -> Object:
        return self._object("GET", self._path(api_version, kind, namespace, name, subresource))

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Like `get`, but None where there is no such object."""
        try:
            return self.get(api_version, kind, name, namespace)
        except ApiError as error:
            if error.code == httpx.codes.NOT_FOUND:
                return None
            raise

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Objects:
        """The objects of one namespace, or of all with None; each with its apiVersion and kind."""
        found = self.list_page(api_version, kind, namespace, label_selector=label_selector, field_selector=field_selector)
        return [{"apiVersion": api_version, "kind": kind} | item for item in found["items"]]

    def list_page(self, api_version: str, kind: str, namespace: str | None = None, **selectors: str) -> Object:
        """The List object itself, whose `metadata.resourceVersion` starts a watch."""
        names = {"label_selector": "labelSelector", "field_selector": "fieldSelector"}
        query = {names[key]: value for key, value in selectors.items() if value}
        return self._object("GET", self._path(api_version, kind, namespace), params=query)

    def create(self, manifest: Object, *, namespace: str | None = None) -> Object:
        path = self._path(manifest["apiVersion"], manifest["kind"], _namespace_of(manifest, namespace))
        return self._object("POST", path, json=manifest)

    def create_subresource(
        self, api_version: str, kind: str, name: str, namespace: str, *, subresource: str, body: Object
    ) -> Object:
        """POST to a subresource such as `binding` of a Pod or `token` of a ServiceAccount."""
        return self._object("POST", self._path(api_version, kind, namespace, name, subresource), json=body)

    def replace(self, manifest: Object, *, subresource: str = "") -> Object:
        """PUT; with a resourceVersion in the object a stale one is refused (409 Conflict)."""
        return self._object("PUT", self._path_of(manifest, None, subresource), json=manifest)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        body: Object | Objects,
        *,
        type: Literal["merge", "json", "strategic"] = "merge",  # noqa: A002
        subresource: str = "",
    ) -> Object:
        path = self._path(api_version, kind, namespace, name, subresource)
        return self._object("PATCH", path, content=json.dumps(body), headers={"Content-Type": _PATCH_TYPES[type]})

    def apply(
        self,
        manifest: Object,
        *,
        namespace: str | None = None,
        field_manager: str = "auditpipeline-tests",
        force: bool = True,
        subresource: str = "",
    ) -> Object:
        """Server-side apply: creates the object or sets the fields the manifest names."""
        return self._object(
            "PATCH",
            self._path_of(manifest, namespace, subresource),
            params={"fieldManager": field_manager, "force": str(force).lower()},
            content=json.dumps(manifest),
            headers={"Content-Type": _PATCH_TYPES["apply"]},
        )

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        missing_ok: bool = False,
    ) -> None:
        body: Object = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        try:
            self._object("DELETE", self._path(api_version, kind, namespace, name), json=body)
        except ApiError as error:
            if not (missing_ok and error.code == httpx.codes.NOT_FOUND):
                raise

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        timeout_seconds: int = 60,
    ) -> Iterator[Event]:
        """Events until the server ends the watch after `timeout_seconds`; without a version, ADDED for all there are.

        Raises:
            ApiError: at once, or with code 410 where the version is too old.
        """
        query = {"watch": "true", "timeoutSeconds": str(timeout_seconds), "resourceVersion": resource_version}
        path = self._path(api_version, kind, namespace)
        with self._http.stream("GET", path, params=query, timeout=timeout_seconds + 10) as response:
            if response.is_error:
                response.read()
                raise ApiError(response)
            for line in response.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(httpx.Response(event["object"]["code"], json=event["object"], request=response.request))
                yield Event(event["type"], event["object"])

    def logs(self, pod: str, namespace: str, *, container: str = "", previous: bool = False) -> str:
        """What the pod's container wrote so far."""
        query = {"previous": str(previous).lower()} | ({"container": container} if container else {})
        return self.request("GET", self._path("v1", "Pod", namespace, pod, "log"), params=query).text

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any other request, below the server's URL; `options` are those of `httpx.Client.request`."""
        response = self._http.request(method, path, **options)
        if response.is_error:
            raise ApiError(response)
        return response

    def _object(self, method: str, path: str, **options: Any) -> Object:
        content: Object = self.request(method, path, **options).json()
        return content

    def _path_of(self, manifest: Object, namespace: str | None, subresource: str) -> str:
        name = manifest["metadata"]["name"]
        return self._path(manifest["apiVersion"], manifest["kind"], _namespace_of(manifest, namespace), name, subresource)

    def _path(self, api_version: str, kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
        resource = self._resource(api_version, kind)
        parts = [_api_root(api_version)]
        if resource.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        elif resource.namespaced and name:
            raise ValueError(f"{kind} {name} needs a namespace")
        return "/".join(part for part in (*parts, resource.plural, name, subresource) if part)

    def _resource(self, api_version: str, kind: str) -> Resource:
        """Ask the server how it names the kind; asked again where it is missing, for CRDs come and go."""
        if (api_version, kind) not in self._resources:
            for item in self._object("GET", _api_root(api_version))["resources"]:
                if "/" not in item["name"]:
                    self._resources[api_version, item["kind"]] = Resource(item["name"], item["namespaced"])
        try:
            return self._resources[api_version, kind]
        except KeyError:
            raise LookupError(f"the API server has no kind {kind} in {api_version}") from None


def _api_root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _namespace_of(manifest: Object, namespace: str | None) -> str | None:
    return manifest["metadata"].get("namespace") or namespace
