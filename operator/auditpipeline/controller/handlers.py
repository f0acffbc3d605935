"""The kopf handlers: one `on.event` for each watched kind, in a private registry.

A handler projects the event and hands it over. It does no I/O, never patches and returns nothing: kopf would write
what a handler returns into the object's status, of other people's objects too.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import kopf

from auditpipeline.controller.changes import Change, read_change
from auditpipeline.kube.kinds import WATCHED, ApiKind

_LOGIN_PACE: Final = 2.0
"""Seconds between two logins."""
_REFUSED_WITHIN: Final = 300.0
"""Credentials are good for ten minutes, so who asks within this many seconds was refused."""

logger = logging.getLogger(__name__)


def registry(login: Callable[[], Awaitable[kopf.ConnectionInfo]], deliver: Callable[[Change], None]) -> kopf.OperatorRegistry:
    """Handlers that call `deliver` for each event, and one that logs in.

    Args:
        login: Gives fresh credentials; a private registry has no fall-back of its own.
        deliver: Called in kopf's thread.
    """
    handlers = kopf.OperatorRegistry()
    last = told = -_REFUSED_WITHIN

    async def on_login(**_: Any) -> kopf.ConnectionInfo:
        nonlocal last, told
        since = time.monotonic() - last
        if since < _REFUSED_WITHIN and time.monotonic() - told > _REFUSED_WITHIN:
            told = time.monotonic()
            logger.warning("the API server refuses the operator's credentials; they are tried again and again")
        # Refused credentials are asked for again at once, dozens of times a second.
        await asyncio.sleep(_LOGIN_PACE - since)
        last = time.monotonic()
        return await login()

    kopf.on.login(registry=handlers, id="login")(on_login)
    for kind in WATCHED:
        where = (kind.group, kind.version, kind.plural) if kind.group else (kind.version, kind.plural)
        kopf.on.event(*where, registry=handlers, id=f"watch-{kind.plural}")(_handler(kind, deliver))
    return handlers


def _handler(kind: ApiKind, deliver: Callable[[Change], None]) -> Callable[..., Awaitable[None]]:
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        deliver(read_change(kind, event))

    return on_event
