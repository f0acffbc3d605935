"""The node's namespaces and the cable between it and the host."""

import subprocess
import sys
from pathlib import Path

from cluster_kit.errors import ClusterError
from cluster_kit.processes import Process, processes_of
from cluster_kit.runs import Run
from cluster_kit.waiting import wait_until


def cable_name(run: Run) -> str:
    """The host's end of the cable; at most 15 characters."""
    return f"apnode{run.subnet.block}"


class Namespaces:
    """The namespaces of `run`'s node, alive as long as their first process."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._cable = cable_name(run)
        program = str(Path(__file__).with_name("init.py"))
        unshare = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
        self.init = Process(run.folder, "node-init", [*unshare, sys.executable, program, str(run.folder)])
        self._pid_file = run.folder / "node.pid"
        self._first_pid = 0

    def start(self) -> None:
        """Make the namespaces and plug the cable in: afterwards the host has its address and routes."""
        self.init.start()
        ready = self._run.folder / "root" / "run" / "node-ready"
        wait_until(lambda: self._check_init() and ready.exists(), timeout=10, interval=0.02, what="the node's namespaces")
        children = Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text().split()
        self._first_pid = int(children[0])
        self._pid_file.write_text(children[0])
        self._plug_in()

    def attach(self) -> None:
        """Find the namespaces that another process started for this run."""
        pid = int(self._pid_file.read_text()) if self._pid_file.exists() else 0
        if pid not in processes_of(self._run.folder):
            raise ClusterError(f"the run {self._run.name} has no node")
        self._first_pid = pid

    def command(self, *command: str) -> list[str]:
        """argv that runs `command` in the node."""
        if not self._first_pid:
            raise ClusterError("the node's namespaces are not there yet")
        return ["nsenter", f"--target={self._first_pid}", "--mount", "--net", "--pid", "--ipc", "--uts", "--wd=/", *command]

    def run(self, *command: str) -> str:
        """Run `command` in the node to its end; its stdout."""
        return _run(*self.command(*command))

    def process(self, name: str, *command: str) -> Process:
        """A program that will run in the node. Killing it from outside ends only its entry: see `Namespaces.stop`."""
        return Process(self._run.folder, name, self.command(*command))

    def stop(self) -> None:
        """End everything in the node."""
        self.init.stop()

    def _check_init(self) -> bool:
        self.init.check_running()
        return True

    def _plug_in(self) -> None:
        subnet, cable = self._run.subnet, self._cable
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._first_pid))
        _run("ip", "address", "add", f"{subnet.host}/30", "dev", cable)
        _run("ip", "link", "set", cable, "up")
        self.run("hostname", "node")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{subnet.node}/30", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", subnet.host)
        for destination in (subnet.pods, subnet.services):
            _run("ip", "route", "add", destination, "via", subnet.node)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
