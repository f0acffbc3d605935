"""Where the kit keeps what outlives a test: binaries, images, and the folders of runs.

All of it stands outside the checkout, so `git clean` costs no rebuild and two checkouts share one build.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
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


@contextlib.contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """A folder next to `target`, to build it in and rename it from; hold a lock, for what dead builds left goes."""
    for left in target.parent.glob("building-*"):
        shutil.rmtree(left, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=target.parent) as folder:
        yield Path(folder)


def overlays_work() -> bool:
    """Whether the cache's file system can carry overlay mounts; it cannot where it is one, as in most containers."""
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", cache_folder()], capture_output=True, text=True, check=True
    ).stdout
    return kind.strip() != "overlayfs"


def say(message: str) -> None:
    """Progress goes to stderr: stdout belongs to answers, such as `kubeconfig`."""
    sys.stderr.write(f"cluster_kit: {message}\n")
    sys.stderr.flush()
