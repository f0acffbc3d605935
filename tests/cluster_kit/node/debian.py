"""Debian packages of the node tier: installed where they are missing, if this is a Debian and we are root."""

import os
import shutil
import subprocess
import sys
from typing import Final

from cluster_kit.cache import exclusive, say
from cluster_kit.errors import TierUnavailableError

# a program (or a file) that tells whether the package is there -> the package
NODE_PACKAGES: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "hostname": "hostname",
}
IMAGE_PACKAGES: Final = {"buildah": "buildah", "debootstrap": "debootstrap"}


def ensure_debian_packages(packages: dict[str, str]) -> None:
    """Install what is missing of `packages` (program or file -> package); about 15 s for all.

    Raises:
        TierUnavailableError: something is missing, and it cannot be installed here.
    """
    if not _missing(packages):
        return
    with exclusive("debian"):
        names = _missing(packages)
        if not names:
            return
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise TierUnavailableError(f"missing: {', '.join(names)}; install them, or run as root on Debian")
        say(f"installing Debian packages: {' '.join(names)}")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *names]):
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if done.returncode:
                tail = "\n".join(done.stdout.splitlines()[-10:])
                raise TierUnavailableError(f"{' '.join(command[:2])} failed:\n{tail}")
        sys.stderr.flush()


def _missing(packages: dict[str, str]) -> list[str]:
    return [package for program, package in packages.items() if shutil.which(program) is None]
