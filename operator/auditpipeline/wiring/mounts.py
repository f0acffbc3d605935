"""Which files a container sees, as far as manifests tell."""

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import join, normpath

from auditpipeline.world.objects import Container, Mount, PodSpec, Volume
from auditpipeline.world.world import World


@dataclass(frozen=True, slots=True)
class MountedFile:
    """A ConfigMap key as a file of the container. A `sub_path` mount never changes in a running pod."""

    path: str
    config_map: str
    key: str
    optional: bool
    mount: Mount


def covers(mount: Mount, path: str) -> bool:
    """Whether a path lies at or below a mount."""
    base = normpath(mount.path)
    wanted = normpath(path)
    return wanted == base or wanted.startswith(base.rstrip("/") + "/")


def mounted_files(world: World, namespace: str, pod: PodSpec, container: Container) -> Iterator[MountedFile]:
    """The files that ConfigMap volumes provide to a container."""
    volumes = {volume.name: volume for volume in pod.volumes}
    for mount in container.mounts:
        volume = volumes.get(mount.volume)
        if volume is not None:
            yield from _files(world, namespace, volume, mount)


def _files(world: World, namespace: str, volume: Volume, mount: Mount) -> Iterator[MountedFile]:
    for file in volume.files:
        config_map = world.config_map(namespace, file.config_map)
        if file.key:
            names = [(file.key, file.path)]
        elif config_map is not None:
            names = [(key, key) for key in config_map.data]
        else:
            names = []
        for key, name in names:
            if not mount.sub_path:
                yield MountedFile(normpath(join(mount.path, name)), file.config_map, key, file.optional, mount)
            elif normpath(mount.sub_path) == normpath(name):
                yield MountedFile(normpath(mount.path), file.config_map, key, file.optional, mount)
            elif name.startswith(normpath(mount.sub_path) + "/"):
                inner = name.removeprefix(normpath(mount.sub_path) + "/")
                yield MountedFile(normpath(join(mount.path, inner)), file.config_map, key, file.optional, mount)
