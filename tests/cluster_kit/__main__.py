"""Clusters from the command line.

Run `PYTHONPATH=tests python -m cluster_kit up`, then `export KUBECONFIG=$(PYTHONPATH=tests python -m cluster_kit kubeconfig)`.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from .assets import Tier, find_binaries, prepare
from .cache import exclusive, say
from .cluster import start_cluster
from .errors import ClusterError, TierUnavailableError
from .node import images
from .node.containerd import import_image
from .node.namespaces import Namespaces
from .runs import Run, all_runs, find_run, remove_dead_runs, remove_run

_DEFAULT_NAME: Final = "demo"


def up(arguments: argparse.Namespace) -> int:
    """Start a cluster that stays until `down`; says its kubeconfig. One that stands already is left as it is."""
    run = find_run(arguments.name)
    if run is None or run.dead:
        cluster = start_cluster(arguments.name, Tier(arguments.tier), extra_apiserver_flags=tuple(arguments.apiserver_flag))
        if arguments.kubelet_stand_in:
            cluster.start_kubelet_stand_in()
        if cluster.run is None:
            raise ClusterError("the cluster has no run")
        run = cluster.run.disown()
    answer(str(run.kubeconfig))
    return 0


def down(arguments: argparse.Namespace) -> int:
    """End a cluster, or with --all every one that no living process owns, and what dead runs left."""
    with exclusive("runs"):
        remove_dead_runs()
        chosen = [run for run in all_runs() if (run.owner is None if arguments.all else run.name == arguments.name)]
        for run in chosen:
            say(f"ending {run.name}")
            remove_run(run)
    return 0


def status(_: argparse.Namespace) -> int:
    """List the clusters of this machine."""
    for run in all_runs():
        answer(f"{run.name}\t{run.tier}\t{_state(run)}\t{run.kubeconfig}")
    return 0


def kubeconfig(arguments: argparse.Namespace) -> int:
    """Say the path of a cluster's kubeconfig."""
    run = find_run(arguments.name)
    if run is None:
        say(f"no cluster named {arguments.name}; start it with `up --name {arguments.name}`")
        return 1
    answer(str(run.kubeconfig))
    return 0


def build(arguments: argparse.Namespace) -> int:
    """Build what the tier needs (into the cache, where it is missing) and say the programs' paths."""
    prepare(Tier(arguments.tier))
    for path in find_binaries(Tier(arguments.tier)).values():
        answer(str(path))
    return 0


def build_image(arguments: argparse.Namespace) -> int:
    """Build a Dockerfile on the stand-in base, or with --python the base; say the archive's path."""
    if arguments.python:
        image = images.python_image()
    else:
        image = images.build_image(arguments.tag, arguments.context, include=arguments.include or ["."])
    answer(str(image.archive))
    return 0


def load_image(arguments: argparse.Namespace) -> int:
    """Give a cluster's node the image of an archive."""
    run = find_run(arguments.name)
    if run is None:
        raise ClusterError(f"no cluster named {arguments.name}")
    namespaces = Namespaces(run)
    namespaces.attach()
    import_image(namespaces, arguments.archive)
    return 0


def answer(line: str) -> None:
    sys.stdout.write(line + "\n")


def _state(run: Run) -> str:
    if run.dead:
        return "dead (the next start removes it)"
    return "runs" if run.owner is None else f"runs for process {run.owner.pid}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster_kit", description="Kubernetes clusters for tests and demos.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (up, down, status, kubeconfig, build, build_image, load_image):
        sub = commands.add_parser(command.__name__.replace("_", "-"), help=(command.__doc__ or "").partition("\n")[0])
        sub.set_defaults(command=command)
        if command in {up, build}:
            sub.add_argument("--tier", choices=[*Tier], default=Tier.CONTROL_PLANE, help="default: control-plane")
        if command in {up, down, kubeconfig, load_image}:
            sub.add_argument("--name", default=_DEFAULT_NAME, help="clusters of different names stand side by side")
        if command is up:
            sub.add_argument("--apiserver-flag", action="append", default=[], metavar="--FLAG=VALUE", help="repeatable")
            sub.add_argument("--kubelet-stand-in", action="store_true", help="let Pods look running without a node")
        if command is down:
            sub.add_argument("--all", action="store_true", help="every cluster no living test process owns")
        if command is build_image:
            sub.add_argument("--tag", default="localhost/auditpipeline:dev", help="the image's name")
            sub.add_argument("--context", type=Path, default=Path(), help="folder with the Dockerfile")
            sub.add_argument("--include", action="append", metavar="PATH", help="what the build sees of it; repeatable")
            sub.add_argument("--python", action="store_true", help="the stand-in Python base itself")
        if command is load_image:
            sub.add_argument("archive", type=Path)
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return int(arguments.command(arguments))
    except (ClusterError, TierUnavailableError) as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
