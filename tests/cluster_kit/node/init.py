"""The first process of a node: lays out the node's file system, then adopts and reaps orphans until it is killed.

A program of its own (`python init.py RUN_FOLDER`), run in fresh namespaces; it imports nothing of the kit.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

# A kubelet sets these for the whole machine, unless it reads the values it wants. It reads them here.
_KERNEL_SETTINGS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def lay_out(folder: Path) -> None:
    """Mount the run's folders at the places where programs look; nothing of this is seen outside."""
    mount("--make-rshared", "/")  # a kubelet wants to pass mounts on to its pods; our root has no peer outside
    for name in ("run", "var/lib", "var/log"):
        source = folder / "root" / name
        source.mkdir(parents=True, exist_ok=True)
        mount("--bind", str(source), f"/{name}")
    settings = Path("/run/kernel-settings")
    settings.mkdir()
    for name, value in _KERNEL_SETTINGS.items():
        file = settings / name.replace("/", "-")
        file.write_text(value + "\n")
        if Path("/proc/sys", name).exists():
            mount("--bind", str(file), f"/proc/sys/{name}")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/run/node-ready").touch()


def reap() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(0.1)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
    reap()
