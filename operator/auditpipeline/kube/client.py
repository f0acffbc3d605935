"""The one connection to the API server: credentials from `kubernetes.aio`, requests and answers as plain JSON.

Answers come back as values, whatever their status: a 404 or a 429 is an ordinary event for an operator. Only a request
that got no answer raises.
"""

import asyncio
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

from auditpipeline import __version__

USER_AGENT: Final = f"auditpipeline/{__version__}"
_KUBECONFIG_IN_CLUSTER: Final = "KUBECONFIG"


class NoCredentials(Exception):  # noqa: N818  (reads as a noun where it is raised)
    """There is no usable kubeconfig and no pod identity; the text says what was tried."""


class NoAnswer(Exception):  # noqa: N818  (reads as a noun where it is raised)
    """The request got no complete answer: refused, reset or timed out. It may have been carried out all the same.

    Attributes:
        why: The cause in a few words, without the request.
    """

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(text)
        self.why = why or text


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said.

    Attributes:
        body: The JSON object, empty where the answer holds none.
        retry_after: Seconds that the server asks to wait, if it does.
    """

    status: int
    body: Mapping[str, Any]
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """The request succeeded."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """What the server says about a failure, bounded."""
        return str(self.body.get("message", ""))[:500]


class Context(NamedTuple):
    """What a kubeconfig's context says beside the credentials.

    Attributes:
        name: Empty for a pod's own identity.
        namespace: The one that commands mean where none is named.
    """

    name: str = ""
    namespace: str = "default"


class ApiServer:
    """Requests to the API server with the credentials of a Configuration. Belongs to the event loop that made it."""

    def __init__(self, configuration: Configuration, context: Context) -> None:
        # Environment proxies are for the internet; the API server is reached as its credentials say.
        configuration.client_session_kwargs = {"trust_env": False}
        self.context = context
        self._configuration = configuration
        self._client = ApiClient(configuration)
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, kubeconfig: str = "", context: str = "") -> Self:
        """With an explicit kubeconfig, else the pod's own identity, else the default kubeconfig.

        Raises:
            NoCredentials: None of them can be used.
        """
        configuration = Configuration()
        try:
            if not kubeconfig and not context and _in_cluster():
                load_incluster_config(configuration)  # type: ignore[no-untyped-call]
                return cls(configuration, Context(namespace=_own_namespace()))
            _refuse_absent(kubeconfig)
            loader = await load_kube_config(kubeconfig or None, context or None, configuration)  # type: ignore[no-untyped-call]
            return cls(configuration, _context(loader.current_context))
        except NoCredentials:
            raise
        except (ConfigException, OSError) as error:
            raise NoCredentials(f"no credentials for a cluster: {error}") from error
        except Exception as error:  # noqa: BLE001  (a kubeconfig may hold anything)
            # The text of a parser's error may show a token.
            raise NoCredentials(
                f"no credentials for a cluster: the kubeconfig cannot be read ({type(error).__name__})"
            ) from None

    @property
    def configuration(self) -> Configuration:
        """Where the API server is, and the credentials for it."""
        return self._configuration

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""
        return self._loop

    async def authorization(self) -> str:
        """The value of the header, renewed where the credentials expire; empty where a certificate says who asks."""
        return await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109  (the limit of one request, held by the HTTP client)
    ) -> Answer:
        """Send one request and read its whole answer, within `timeout` seconds.

        Raises:
            NoAnswer: The connection failed or the time is over.
        """
        url = self._configuration.host.rstrip("/") + path
        if query:
            url += "?" + urlencode(query)
        headers = {"Accept": accept, "User-Agent": USER_AGENT, "Content-Type": "application/json"}
        try:
            authorization = await self.authorization()
            if authorization:
                headers["authorization"] = authorization
            response = await self._client.rest_client.request(method, url, headers, body, _request_timeout=timeout)  # type: ignore[no-untyped-call]
            text = await response.read()
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError, ConfigException) as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}", _why(error)) from error
        return Answer(response.status, _object(text), _retry_after(response.headers.get("Retry-After")))


def _in_cluster() -> bool:
    # A person inside a pod who sets KUBECONFIG means that file.
    return (
        SERVICE_HOST_ENV_NAME in os.environ
        and Path(SERVICE_TOKEN_FILENAME).is_file()
        and _KUBECONFIG_IN_CLUSTER not in os.environ
    )


def _refuse_absent(kubeconfig: str) -> None:
    """The library takes files that are not there for empty ones.

    Raises:
        NoCredentials: No file of the path list exists.
    """
    paths = kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION
    if not any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path):
        raise NoCredentials(f"no credentials for a cluster: there is no kubeconfig {paths}")


def _own_namespace() -> str:
    try:
        return Path(SERVICE_TOKEN_FILENAME).with_name("namespace").read_text("utf-8").strip() or "default"
    except OSError:
        return "default"


def _context(current: Mapping[str, Any]) -> Context:
    namespace = current["context"].get("namespace")
    return Context(str(current["name"]), namespace if isinstance(namespace, str) and namespace else "default")


def _why(error: Exception) -> str:
    """The cause in words; of an error that may hold text of the kubeconfig its type alone."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            # asyncio's own text names the address once more.
            number = error.os_error.errno or 0
            return os.strerror(number) if number > 0 else error.os_error.strerror or type(error.os_error).__name__
        case TimeoutError():
            return "the time is over"
        case ConfigException():
            return "the kubeconfig's credentials cannot be used"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return type(error).__name__


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which may also be a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
