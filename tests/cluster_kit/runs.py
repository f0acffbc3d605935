"""The runs of this machine: a folder and a state file each, so that no run outlives its owner for long.

A run of a test session is owned by that session's process. When the owner is dead (a crash, kill -9), the next
start and `down --all` remove the run: processes, control groups, then the folder. Network and mounts need no
cleaning: a node lives in namespaces that end with its processes.
A demo cluster (`cluster_kit up`) has no owner once it stands; it is dead when no process of it is left.
"""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .assets import Tier
from .cache import cache_folder, exclusive, say
from .cgroups import remove_groups
from .errors import ClusterError
from .processes import free_ports, kill_run, processes_of
from .subnets import Subnet, used_blocks


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told from a later one with the same pid by its start time (clock ticks since boot) and the boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def this_process(cls) -> "Owner":
        return cls(os.getpid(), _start_time(os.getpid()), _boot_id())

    @property
    def alive(self) -> bool:
        try:
            return self.boot == _boot_id() and self.started == _start_time(self.pid)
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Run:
    """One cluster's place on this machine.

    Attributes:
        name: unique here; names the folder and the control group.
        block: which /16 of the kit's address range it has (see subnets.py).
        etcd_port, peer_port, apiserver_port: free TCP ports, the same for the run's whole life.
        owner: the process for which it runs; None for a demo cluster.
    """

    name: str
    tier: Tier
    block: int
    etcd_port: int
    peer_port: int
    apiserver_port: int
    owner: Owner | None = None

    @property
    def folder(self) -> Path:
        return _runs_folder() / self.name

    @property
    def subnet(self) -> Subnet:
        return Subnet(self.block)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.etcd_port, self.peer_port, self.apiserver_port

    @property
    def dead(self) -> bool:
        if self.owner is not None:
            return not self.owner.alive
        return not processes_of(self.folder)

    def disown(self) -> "Run":
        """The same run without an owner: it stays until `down`."""
        run = replace(self, owner=None)
        run._save()
        return run

    def _save(self) -> None:
        scratch = self.folder / "state.json.new"
        scratch.write_text(json.dumps(asdict(self), indent=2))
        scratch.rename(self.folder / "state.json")


def create_run(name: str, tier: Tier) -> Run:
    """A fresh run owned by this process, after what dead runs left is gone.

    Raises:
        ClusterError: a living run has that name.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
        raise ClusterError(f"run name {name!r}: lower case letters, digits and hyphens, at most 32")
    with exclusive("runs"):
        remove_dead_runs()
        others = list(all_runs())
        if any(run.name == name for run in others):
            raise ClusterError(f"a run named {name} stands already; end it with `down --name {name}` or take another name")
        taken = {port for run in others for port in run.ports}
        block = Subnet.free({run.block for run in others} | used_blocks()).block
        etcd, peer, apiserver = free_ports(3, taken=taken)
        run = Run(name, tier, block, etcd, peer, apiserver, Owner.this_process())
        shutil.rmtree(run.folder, ignore_errors=True)  # of a start that died before its state was written
        run.folder.mkdir(parents=True, mode=0o700)  # it holds tokens and keys
        run._save()
        return run


def all_runs() -> Iterator[Run]:
    """Every run with a state file, living or dead, by name."""
    for file in sorted(_runs_folder().glob("*/state.json")):
        with contextlib.suppress(FileNotFoundError):  # removed by its owner just now
            state = json.loads(file.read_text())
            owner = state.pop("owner")
            yield Run(**state | {"tier": Tier(state["tier"])}, owner=Owner(**owner) if owner else None)


def find_run(name: str) -> Run | None:
    return next((run for run in all_runs() if run.name == name), None)


def remove_dead_runs() -> None:
    for run in list(all_runs()):
        if run.dead:
            say(f"removing what the dead run {run.name} left")
            remove_run(run)


def remove_run(run: Run) -> None:
    """End the run's processes and leave nothing of it."""
    kill_run(run.folder)
    remove_groups(run.name)
    for _ in range(50):  # mounts of a namespace that just ended go a moment later
        shutil.rmtree(run.folder, ignore_errors=True)
        if not run.folder.exists():
            return
        time.sleep(0.1)
    shutil.rmtree(run.folder)


def keep_logs(run: Run, *, newest: int = 5) -> Path:
    """Copy the run's logs out of its folder, which is about to go; only the `newest` kept ones stay."""
    folder = cache_folder() / "logs"
    kept = folder / run.name
    (run.folder / "logs").mkdir(exist_ok=True)  # it failed before the first process
    shutil.copytree(run.folder / "logs", kept, dirs_exist_ok=True)
    for old in sorted(folder.iterdir(), key=lambda entry: entry.stat().st_mtime)[:-newest]:
        shutil.rmtree(old, ignore_errors=True)
    return kept


def _runs_folder() -> Path:
    return cache_folder() / "runs"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    if fields[0] in {"Z", "X"}:
        raise ProcessLookupError(pid)  # ended, its parent has not asked yet
    return int(fields[19])
