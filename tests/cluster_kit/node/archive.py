"""Write a container image without an engine: a docker-archive of one layer."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any


def write_docker_archive(path: Path, *, name: str, layer: Path, config: dict[str, Any]) -> None:
    """Write the image `name` to `path`.

    Args:
        path: the archive, for `ctr images import` and `buildah pull docker-archive:`.
        name: with its tag, as `localhost/pause:1`.
        layer: an uncompressed tar of the root file system.
        config: the image's `config`, such as `{"Entrypoint": ["/pause"]}`.
    """
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    image = {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cluster_kit"}],
    }
    image_json = json.dumps(image).encode()
    config_name = f"{hashlib.sha256(image_json).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "manifest.json", json.dumps(manifest).encode())
        _add(archive, config_name, image_json)
        archive.add(layer, arcname=f"{digest}.tar")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
