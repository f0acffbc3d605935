"""Where the kit keeps what outlives a test: binaries, images, and the folders of runs.

All of it stands outside the checkout, so `git clean` costs no rebuild and two checkouts share one build.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path


def cache_folder() -> Path:
    """The kit's folder under `$XDG_CACHE_HOME` (default `~/.cache`), made where it is missing."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "auditpipeline"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the machine-wide lock `name`; other processes wait here. The kernel frees it if the holder dies."""
    folder = cache_folder() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds the lock {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """Progress goes to stderr: stdout belongs to answers, such as `kubeconfig`."""
    sys.stderr.write(f"cluster_kit: {message}\n")
    sys.stderr.flush()
