"""Images without a registry: a stand-in for python:slim from Debian packages, and builds of Dockerfiles on it.

Images are docker-archives in the cache, under the hash of what they are made of. Load one into a node with
`Cluster.load_image`, and use it with `imagePullPolicy: Never`.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster_kit.cache import cache_folder, exclusive, overlays_work, say, scratch_folder
from cluster_kit.errors import ClusterError, TierUnavailableError

from .archive import write_docker_archive
from .debian import IMAGE_PACKAGES, ensure_debian_packages

PYTHON_IMAGE: Final = "localhost/python:kit"

_SUITE: Final = "bookworm"
_PACKAGES: Final = ("ca-certificates", "python3", "python3-pip", "python3-venv")
_BUNDLE: Final = "/etc/ssl/certs/ca-certificates.crt"
_NOT_COPIED: Final = (".git", ".venv", "__pycache__", ".*_cache", "*.egg-info", ".hypothesis")
_KEPT_BUILDS: Final = 3

# As the official image has it: `python` and `pip` are there, and pip may install into the system.
_FINISH: Final = f"""
set -e
ln -s /usr/bin/python3 usr/local/bin/python
rm -f usr/lib/python3*/EXTERNALLY-MANAGED
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/doc/* usr/share/man/* usr/share/locale/*
test -x usr/bin/pip -a -f .{_BUNDLE}
"""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the cache.

    Attributes:
        name: with its tag, for a container's `image`.
        archive: a docker-archive.
    """

    name: str
    archive: Path


def python_image() -> Image:
    """The stand-in base: Debian's Python 3.11 with pip and venv, enough to run scripts; made once, in about 75 s.

    Raises:
        TierUnavailableError: debootstrap is missing, or finds no mirror.
    """
    recipe = repr((_SUITE, _PACKAGES, _FINISH)).encode()
    archive = _images_folder() / f"python-{hashlib.sha256(recipe).hexdigest()[:12]}.tar"
    if not archive.exists():
        ensure_debian_packages(IMAGE_PACKAGES)
        with exclusive("images"):
            if not archive.exists():
                _bootstrap(archive)
    return Image(PYTHON_IMAGE, archive)


def build_image(name: str, context: Path, *, include: Iterable[str] = (".",), dockerfile: str = "Dockerfile") -> Image:
    """Build a Dockerfile with `--build-arg BASE=` the stand-in base, unless the cache has the same inputs built.

    Args:
        name: of the image, as `localhost/auditpipeline:test`.
        context: folder of the build context.
        include: the files and folders in it that the build sees; fewer of them make fewer rebuilds.
        dockerfile: path within `context`.

    Raises:
        ClusterError: the build failed; the message has the output's tail.
    """
    base = python_image()
    with tempfile.TemporaryDirectory(prefix="auditpipeline-context-") as scratch:
        staged = Path(scratch) / "context"
        _stage(context, {dockerfile, *include}, staged)
        key = _hash_of(staged, f"{name} {dockerfile} {base.archive.name}")
        archive = _images_folder() / f"{name.rpartition('/')[2].replace(':', '-')}-{key}.tar"
        if not archive.exists():
            with exclusive("images"):
                if not archive.exists():
                    _build(name, staged, dockerfile, base, archive)
        archive.touch()
    return Image(name, archive)


def _bootstrap(archive: Path) -> None:
    say("making the stand-in Python base image (once, about 75 s)")
    with scratch_folder(archive) as scratch:
        root, layer, new = (scratch / name for name in ("root", "layer.tar", "new.tar"))
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", _SUITE, str(root), _mirror()]
        try:
            # In mount and process namespaces of its own: what it mounts and starts is gone with it.
            _run("unshare", "--mount", "--pid", "--fork", "--kill-child", *command)
        except ClusterError as error:
            raise TierUnavailableError(str(error)) from error
        _run("sh", "-c", _FINISH, cwd=root)
        _run("tar", "--create", "--numeric-owner", "--one-file-system", "--exclude=./dev/*", f"--file={layer}", ".", cwd=root)
        config = {"Cmd": ["python3"], "Env": ["PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"]}
        write_docker_archive(new, name=PYTHON_IMAGE, layer=layer, config=config)
        new.rename(archive)


def _mirror() -> str:
    """The Debian mirror this machine uses; empty where it names none, then debootstrap's own default."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages"]
    for line in _run(*listing).splitlines():
        address, _, codename = line.partition(" ")
        if codename and "-" not in codename:  # not the updates' or the security archive
            return address
    return ""


def _build(name: str, context: Path, dockerfile: str, base: Image, archive: Path) -> None:
    ensure_debian_packages(IMAGE_PACKAGES)
    say(f"building the image {name}")
    started = time.monotonic()
    pip_settings = context.with_name("pip.conf")
    pip_settings.write_text(_pip_settings())
    _buildah("pull", "--quiet", f"docker-archive:{base.archive}")
    _buildah(
        "build", "--layers", "--pull-never", f"--tag={name}", f"--build-arg=BASE={base.name}",
        # The build must reach the package index as this machine does: its certificates, its pip settings.
        f"--volume={Path(_BUNDLE).parent}:{Path(_BUNDLE).parent}:ro", f"--volume={pip_settings}:/etc/pip.conf:ro",
        f"--file={context / dockerfile}", str(context),
    )  # fmt: skip
    with scratch_folder(archive) as scratch:
        _buildah("push", "--quiet", name, f"docker-archive:{scratch / 'new.tar'}:{name}")
        (scratch / "new.tar").rename(archive)
    _buildah("rmi", "--prune")
    stem = archive.name.rpartition("-")[0]
    for old in sorted(archive.parent.glob(f"{stem}-*.tar"), key=lambda file: file.stat().st_mtime)[:-_KEPT_BUILDS]:
        old.unlink()
    say(f"built the image {name} in {time.monotonic() - started:.0f} s")


def _buildah(command: str, *arguments: str) -> None:
    storage = cache_folder() / "buildah"
    driver = "overlay" if overlays_work() else "vfs"
    places = [f"--root={storage / 'root'}", f"--runroot={storage / 'run'}", f"--storage-driver={driver}"]
    _run("unshare", "--mount", "buildah", *places, command, *arguments, environment={"BUILDAH_ISOLATION": "chroot"})


def _pip_settings() -> str:
    lines = ["[global]", f"cert = {_BUNDLE}", "disable-pip-version-check = true", "root-user-action = ignore"]
    for setting in ("index-url", "extra-index-url", "trusted-host", "timeout"):
        variable = f"PIP_{setting.upper().replace('-', '_')}"
        if value := os.environ.get(variable):
            lines.append(f"{setting} = {value}")
    return "\n".join(lines) + "\n"


def _stage(context: Path, include: Iterable[str], target: Path) -> None:
    target.mkdir()
    for name in sorted(include):
        source = context / name
        if source.is_dir():
            shutil.copytree(source, target / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def _hash_of(folder: Path, salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            digest.update(f"\0{file.relative_to(folder)}\0{file.stat().st_mode}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _images_folder() -> Path:
    folder = cache_folder() / "images"
    folder.mkdir(exist_ok=True)
    return folder


def _run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise ClusterError(f"{' '.join(command[:8])} failed:\n{tail}")
    return done.stdout
