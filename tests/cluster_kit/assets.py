"""Which cluster the tests run on: one that exists, a control plane's binaries, or the kit's own build."""

import os
import platform
import shutil
from enum import StrEnum
from pathlib import Path

from .errors import TierUnavailableError
from .go_build import CONTROL_PLANE_PROGRAMS, NODE_PROGRAMS, ensure_programs
from .node.debian import NODE_PACKAGES, ensure_debian_packages
from .node.images import python_image


class Tier(StrEnum):
    """How much of a cluster runs."""

    CONTROL_PLANE = "control-plane"  # etcd, kube-apiserver, kube-controller-manager; no pod ever runs
    NODE = "node"  # plus scheduler, containerd, kubelet, kube-proxy and DNS: pods run


Binaries = dict[str, Path]  # program name -> path


def existing_kubeconfig() -> Path | None:
    """The kubeconfig of a cluster that stands already, of `AUDITPIPELINE_TEST_KUBECONFIG`."""
    value = os.environ.get("AUDITPIPELINE_TEST_KUBECONFIG")
    return Path(value).expanduser() if value else None


def find_binaries(tier: Tier) -> Binaries:
    """The programs of `tier`: of `KUBEBUILDER_ASSETS` where the control plane is all that is asked, else the kit's own.

    Raises:
        TierUnavailableError: with the reason this machine cannot run the tier.
    """
    check_machine(tier)
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if folder and tier is Tier.CONTROL_PLANE:
        return _kubebuilder_binaries(Path(folder))
    if tier is Tier.NODE:
        ensure_debian_packages(NODE_PACKAGES)
    return ensure_programs(NODE_PROGRAMS if tier is Tier.NODE else CONTROL_PLANE_PROGRAMS)


def prepare(tier: Tier) -> None:
    """Build everything the tier's tests need; minutes on a fresh machine, nothing afterwards."""
    find_binaries(tier)
    if tier is Tier.NODE:
        python_image()


def check_machine(tier: Tier) -> None:
    """Raise TierUnavailableError where `tier` needs what this machine is not."""
    if platform.system() != "Linux":
        raise TierUnavailableError("own clusters need Linux; set AUDITPIPELINE_TEST_KUBECONFIG to use another one")
    if shutil.which("openssl") is None:
        raise TierUnavailableError("the openssl command is missing (it makes the cluster's certificates)")
    if tier is Tier.NODE and os.geteuid() != 0:
        raise TierUnavailableError("the node tier needs root: it makes namespaces, cgroups and mounts")


def _kubebuilder_binaries(folder: Path) -> Binaries:
    found = {name: folder / name for name in CONTROL_PLANE_PROGRAMS if (folder / name).exists()}
    if missing := {"etcd", "kube-apiserver"} - found.keys():
        raise TierUnavailableError(f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(sorted(missing))}")
    if "kubectl" not in found and (kubectl := shutil.which("kubectl")):
        found["kubectl"] = Path(kubectl)
    return found
