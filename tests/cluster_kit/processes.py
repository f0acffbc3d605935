"""Start and end the programs of a run, and find them again after their starter died.

Every process of a run carries `AUDITPIPELINE_RUN=<folder of the run>` in its environment. Children inherit it, so
a run's processes are known by reading /proc: no pid file can be stale, and no pid of a stranger can be meant.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .errors import ClusterError

RUN_VARIABLE: Final = "AUDITPIPELINE_RUN"
# Below the range from which Linux picks client ports, so a stopped server finds its port free again.
_PORTS: Final = range(20_000, 30_000)


class Process:
    """A program of a run, in a session of its own so that Ctrl-C in a terminal does not reach it.

    Attributes:
        name: names the log file, `<run folder>/logs/<name>.log`.
        command: argv; may be changed while the program is stopped.
    """

    def __init__(self, run_folder: Path, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.command = command
        self._environment = environment or {}
        self._run_folder = run_folder
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._run_folder / "logs" / f"{self.name}.log"

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise ClusterError(f"{self.name} is not started")
        return self._popen.pid

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped since; it may have died."""
        return self._popen is not None

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | self._environment | {RUN_VARIABLE: str(self._run_folder)},
            )

    def stop(self, *, grace_seconds: float = 0.0) -> None:
        """End the program: SIGTERM and a wait of `grace_seconds`, then SIGKILL; with 0 at once."""
        if self._popen is None:
            return
        if grace_seconds:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(grace_seconds)
        self._popen.kill()
        self._popen.wait()
        self._popen = None

    def check_running(self) -> None:
        """Raise ClusterError with the log's tail when the program has ended."""
        if not self.running:
            raise ClusterError(f"{self.name} ended; the last lines of {self.log}:\n{self.log_tail()}")

    def log_tail(self, lines: int = 20) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def processes_of(run_folder: Path) -> list[int]:
    """Pids of all living processes of the run; on another user's processes this says nothing."""
    mark = f"{RUN_VARIABLE}={run_folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if mark in (entry / "environ").read_bytes().split(b"\0"):  # empty for a zombie
                found.append(int(entry.name))
    return found


def kill_run(run_folder: Path, *, timeout: float = 20.0) -> None:
    """SIGKILL every process of the run until none is left.

    The data is thrown away with the run, so nobody needs to say goodbye. The kernel ends what lives in a killed
    process namespace: shims and containers go with the node's first process.
    """
    deadline = time.monotonic() + timeout
    while pids := processes_of(run_folder):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes of {run_folder} survive SIGKILL: {pids}")
        time.sleep(0.05)


def free_ports(count: int, *, taken: Iterable[int] = ()) -> list[int]:
    """TCP ports on which nobody listens now, without those in `taken`."""
    avoid = set(taken)
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(_PORTS)  # noqa: S311
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            if port not in avoid:
                avoid.add(port)
                ports.append(port)
    return ports
