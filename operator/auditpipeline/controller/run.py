"""The entry point of `auditpipeline operator`: settings in, exit code out."""

import asyncio
import logging
import signal
from typing import Final

from auditpipeline import __version__
from auditpipeline.controller import logs
from auditpipeline.controller.settings import Settings
from auditpipeline.controller.shell import Shell
from auditpipeline.kube.client import ApiServer, NoCredentials

_STOPPED: Final = 0
_CANNOT_START: Final = 2

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run the operator until SIGTERM or SIGINT.

    Returns:
        0 after an orderly stop; 2 where it could not start, with the reason as one log line.
    """
    logs.configure(settings.log_format, settings.log_level)
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logger.info("auditpipeline %s", __version__)
    try:
        api = await ApiServer.connect(settings.kubeconfig, settings.context)
    except NoCredentials as error:
        logger.error("%s", error)  # noqa: TRY400  (an expected fault; its text says all)
        return _CANNOT_START
    try:
        await Shell(api, settings).run(stop)
    except OSError as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400  (the same)
        return _CANNOT_START
    finally:
        await api.close()
    return _STOPPED
