"""The credentials of the API client, as kopf wants them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import kopf

from auditpipeline.kube.client import ApiServer

_CREDENTIALS_LIVE: Final = timedelta(minutes=10)


async def login(api: ApiServer) -> kopf.ConnectionInfo:
    """The same credentials for kopf. May be called from another event loop.

    They end after ten minutes, which makes each login distinct: kopf gives up for good when a refused
    login is answered with equal credentials.
    """
    asked = asyncio.run_coroutine_threadsafe(api.authorization(), api.loop)
    scheme, _, token = (await asyncio.wrap_future(asked)).rpartition(" ")
    configuration = api.configuration
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=(scheme or "Bearer").capitalize() if token else None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        expiration=datetime.now(UTC) + _CREDENTIALS_LIVE,
    )
