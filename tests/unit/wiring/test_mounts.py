from typing import Any

import pytest

from auditpipeline.wiring.mounts import covers, mounted_files
from auditpipeline.world.objects import Mount
from kube_objects import config_map, only_workload, workload, world

CONFIG = config_map("config", {"a.yaml": "", "b.yaml": ""})


def files(mount: dict[str, str], volume: dict[str, Any]) -> dict[str, str]:
    there = world(workload({"volumeMounts": [{"name": "v", **mount}]}, volumes=[{"name": "v", **volume}]), CONFIG)
    found = only_workload(there)
    return {
        file.path: f"{file.config_map}/{file.key}" for file in mounted_files(there, "audit", found.pod, found.pod.containers[0])
    }


ALL: dict[str, Any] = {"configMap": {"name": "config"}}
ITEMS: dict[str, Any] = {"configMap": {"name": "config", "items": [{"key": "a.yaml", "path": "deep/main.yaml"}]}}
PROJECTED: dict[str, Any] = {
    "projected": {"sources": [ALL, {"secret": {"name": "s"}}, {"serviceAccountToken": {"path": "token"}}]}
}


@pytest.mark.parametrize(
    ("mount", "volume", "expected"),
    [
        pytest.param(
            {"mountPath": "/etc/x"}, ALL, {"/etc/x/a.yaml": "config/a.yaml", "/etc/x/b.yaml": "config/b.yaml"}, id="whole"
        ),
        pytest.param({"mountPath": "/etc/x/"}, ITEMS, {"/etc/x/deep/main.yaml": "config/a.yaml"}, id="items"),
        pytest.param({"mountPath": "/etc/x.yaml", "subPath": "a.yaml"}, ALL, {"/etc/x.yaml": "config/a.yaml"}, id="subPath"),
        pytest.param(
            {"mountPath": "/etc/x.yaml", "subPath": "./a.yaml"}, ALL, {"/etc/x.yaml": "config/a.yaml"}, id="subPath with a dot"
        ),
        pytest.param(
            {"mountPath": "/etc/x", "subPath": "deep"}, ITEMS, {"/etc/x/main.yaml": "config/a.yaml"}, id="subPath of a folder"
        ),
        pytest.param({"mountPath": "/etc/x", "subPath": "gone"}, ALL, {}, id="subPath of nothing"),
        pytest.param(
            {"mountPath": "/x"}, PROJECTED, {"/x/a.yaml": "config/a.yaml", "/x/b.yaml": "config/b.yaml"}, id="projected"
        ),
        pytest.param({"mountPath": "/x"}, {"configMap": {"name": "gone"}}, {}, id="ConfigMap that is not there"),
        pytest.param({"mountPath": "/x"}, {"emptyDir": {}}, {}, id="something else"),
        pytest.param({"name": "other", "mountPath": "/x"}, ALL, {}, id="volume that is not there"),
    ],
)
def test_files(mount: dict[str, str], volume: dict[str, Any], expected: dict[str, str]) -> None:
    assert files(mount, volume) == expected


@pytest.mark.parametrize(
    ("mount", "path", "expected"),
    [
        ("/etc/x", "/etc/x", True),
        ("/etc/x/", "/etc/x/y", True),
        ("/etc/x", "/etc//x/./y", True),
        ("/etc/x", "/etc/xy", False),
        ("/etc/x", "/etc/x/../y", False),
        ("/etc/x", "/etc", False),
        ("/", "/anything", True),
    ],
)
def test_covers(mount: str, path: str, *, expected: bool) -> None:
    assert covers(Mount("v", mount, ""), path) is expected


def test_what_a_volume_cannot_tell() -> None:
    there = world(
        workload(
            {},
            volumes=[
                {"name": "c", **ALL},
                {"name": "p", **PROJECTED},
                {"name": "h", "hostPath": {"path": "/x"}},
                {"name": "e"},
            ],
        )
    )
    volumes = {volume.name: (volume.opaque, volume.token, volume.host_path) for volume in only_workload(there).pod.volumes}
    assert volumes == {"c": (False, False, ""), "p": (True, True, ""), "h": (True, False, "/x"), "e": (True, False, "")}
