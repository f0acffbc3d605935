"""A control group of the run's own for its pods.

Two kubelets below one group would each end the other's pods: a kubelet removes pod groups it does not know.
Works on cgroup v1 (a hierarchy per controller) and v2 (one hierarchy).
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_UNIFIED: Final = "cgroup.controllers"


def group_name(run_name: str) -> str:
    """The path of the run's group below each hierarchy's root, as the kubelet's `cgroupRoot` wants it."""
    return f"/auditpipeline-{run_name}"


def groups_of(run_name: str) -> list[Path]:
    """The run's groups there are, one for each hierarchy."""
    groups = (hierarchy / group_name(run_name)[1:] for hierarchy in _hierarchies())
    return [group for group in groups if group.exists()]


def make_groups(run_name: str) -> None:
    """Make the run's group in every hierarchy; the kubelet only checks that it is there."""
    for hierarchy in _hierarchies():
        group = hierarchy / group_name(run_name)[1:]
        group.mkdir(exist_ok=True)
        if (hierarchy / _UNIFIED).exists() and hierarchy == _ROOT:
            for folder in (hierarchy, group):
                _enable_controllers(folder)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 group, and then no process may enter
            if (group / setting).exists() and (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())


def remove_groups(run_name: str, *, timeout: float = 10.0) -> None:
    """Remove the run's group from every hierarchy, ending what still runs there."""
    deadline = time.monotonic() + timeout
    for group in groups_of(run_name):
        while group.exists():
            for folder in (Path(name) for name, _, _ in os.walk(group, topdown=False)):
                _kill_members(folder)
                with contextlib.suppress(OSError):  # a member is still ending
                    folder.rmdir()
            if time.monotonic() > deadline:
                raise TimeoutError(f"control group {group} cannot be removed")
            if group.exists():
                time.sleep(0.05)


def _hierarchies() -> Iterator[Path]:
    if (_ROOT / _UNIFIED).exists():
        yield _ROOT
        return
    if not _ROOT.is_dir():
        return
    for folder in sorted(_ROOT.iterdir()):
        if not folder.is_symlink() and (folder / "cgroup.procs").exists():
            yield folder


def _enable_controllers(folder: Path) -> None:
    for controller in (folder / _UNIFIED).read_text().split():
        with contextlib.suppress(OSError):  # some cannot be passed on; the kubelet says which it misses
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _kill_members(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
