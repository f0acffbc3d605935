"""Hop 4: does nothing of a developer's or CI host leak into the pods of emitters and store?

A path is a leak only if it is the kind of path that exists on a person's machine or a CI runner, and no mount of the
same container provides it. Homes of container users (`/home/app`) are not: images have them.
"""

import re
from collections.abc import Iterator
from typing import Final

from auditpipeline.api.conditions import ConditionType
from auditpipeline.api.findings import Finding, Outcome
from auditpipeline.api.reasons import Reason
from auditpipeline.checks.given import EmitterCheck, Given, StoreCheck, all_workloads, blocked
from auditpipeline.wiring.environment import Place, Variable, command_line, container_place, variables
from auditpipeline.wiring.mounts import covers
from auditpipeline.wiring.resolve import Emitter
from auditpipeline.world.objects import Container, Workload

HOP: Final = ConditionType.ENVIRONMENT_CLEAN

# Users that images are built with: their homes are in the image.
_IMAGE_USERS: Final = r"(?!(?:app|appuser|nonroot|nobody|node|java|python|user|www-data|default|jovyan)/)"
_MACHINE_HOME: Final = re.compile(
    rf"""(?x)
    ^(?: /Users/[^/]+ (?:/|$)                                        # macOS; /users/… is a route of a REST API
       | (?i:(?:[a-z]:[\\/]|\\\\|/[a-z]/|/mnt/[a-z]/)Users[\\/])      # Windows, Git Bash, WSL
       | /home/runner/work(?:/|$)                                    # GitHub runner
       | (?:/private)?/var/folders/                                  # macOS temporary folder
       | (?:/home/{_IMAGE_USERS}[^/]+|/root|~)/\.(?:kube|minikube)(?:/|$)
       | (?:/home/{_IMAGE_USERS}[^/]+|~)/\.(?:docker|aws|azure|ssh|config/gcloud)(?:/|$)
       | (?:/home/{_IMAGE_USERS}[^/]+|~)/(?:go/src|projects|repos|Documents|Desktop|Downloads|IdeaProjects|PycharmProjects)(?:/|$)
     )"""
)
# What a kubeconfig would be on a person's machine, a node or a runner; images and pods do not hold one there.
_KUBECONFIG_HOME: Final = re.compile(r"^(?:/home/[^/]+|/root|~|/tmp|/workspace|/builds|/github|/runner|/var/lib/jenkins|/etc/kubernetes|/etc/rancher)(?:/|$)")
# /home/kubernetes is GKE's own directory on a node.
_HOST_DIRECTORY: Final = re.compile(
    r"^(?:(?:/host_mnt)?/Users/[^/]+|/home/(?!kubernetes(?:/|$))[^/]+|/root|(?i:(?:/mnt/)?[a-z]:?[\\/]Users)|/run/desktop/mnt/host)(?:/|\\|$)"
)
_USER: Final = re.compile(r"(?i)((?:^|[:\\/])(?:Users|home)[\\/])[^\\/:]+")
_NO_PATH: Final = re.compile(r"[\s?#&=,;|'\"@]")
_KUBECONFIG: Final = "KUBECONFIG"


def host_path_env(given: Given) -> Iterator[Outcome]:
    """A variable holds a path of somebody's machine that nothing mounts."""
    for emitter, workload in all_workloads(given):
        for container in workload.pod.containers:
            for variable in variables(given.world, workload, container).values():
                leak = _leak(container, variable.name, variable.text)
                if leak:
                    yield _env_finding(emitter, workload, container, variable, leak)


def host_path_arg(given: Given) -> Iterator[Outcome]:
    """A word of the command line holds such a path."""
    for emitter, workload in all_workloads(given):
        for container in workload.pod.containers:
            environment = variables(given.world, workload, container)
            for word in command_line(container, environment):
                flag, equals, value = word.text.partition("=")
                name = _KUBECONFIG if flag.lstrip("-").lower() == "kubeconfig" and equals else ""
                leak = _leak(container, name, value if equals and flag.startswith("-") else word.text)
                # What comes from a variable is told at the variable.
                if leak and word.written_there:
                    place = container_place(workload, container, word.field)
                    yield _finding(
                        Reason.HOST_PATH_ARG,
                        f"{workload.ref} container {container.name} is given a path of a developer's machine, {_anonymous(leak)}; nothing mounts it.",
                        place,
                        emitter,
                        workload,
                        found=_anonymous(leak),
                        fix="remove the argument, or mount what it needs",
                    )


def host_path_volume(given: Given) -> Iterator[Outcome]:
    """A hostPath volume mounts a developer's directory; it exists on one machine only."""
    for emitter, workload in all_workloads(given):
        for volume in workload.pod.volumes:
            if volume.host_path and _HOST_DIRECTORY.match(volume.host_path):
                yield _finding(
                    Reason.HOST_PATH_VOLUME,
                    f"{workload.ref} mounts a directory of a developer's machine, {_anonymous(volume.host_path)}, as volume {volume.name}.",
                    Place(workload.ref, f"{workload.template_path}.volumes[{volume.name}]"),
                    emitter,
                    workload,
                    found=_anonymous(volume.host_path),
                    fix="use a ConfigMap, an emptyDir or a PersistentVolumeClaim",
                )


def api_server_overridden(given: Given) -> Iterator[Outcome]:
    """The variables that tell where the API server is are set by hand."""
    for emitter, workload in all_workloads(given):
        for container in workload.pod.containers:
            for entry in container.env:
                if entry.name in {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}:
                    yield _finding(
                        Reason.API_SERVER_OVERRIDDEN,
                        f"{workload.ref} container {container.name} sets {entry.name} by hand, so calls to the API server may go elsewhere.",
                        container_place(workload, container, f"env[{entry.name}]"),
                        emitter,
                        workload,
                        found="set",
                        fix="remove the variable; Kubernetes sets it",
                    )


def workload_unknown(given: Given, emitter: Emitter) -> Iterator[Outcome]:  # noqa: ARG001  (one signature for all checks)
    """A workload that is not there has no environment to judge, which is no pass."""
    if emitter.workload is None:
        yield blocked(HOP, ConditionType.IDENTITY_BOUND, f"{emitter.ref} is not there to be judged.", emitter.name)


STORE_CHECKS: Final[tuple[StoreCheck, ...]] = (
    host_path_env,          # a variable
    host_path_arg,          # an argument
    host_path_volume,       # a volume
    api_server_overridden,  # another API server
)
CHECKS: Final[tuple[EmitterCheck, ...]] = (workload_unknown,)  # there is none to look into


def _leak(container: Container, name: str, text: str | None) -> str:
    """The first leaked path in a value, or nothing."""
    if not text or len(text) > 4096:
        return ""
    for path in _paths(text):
        machine = _MACHINE_HOME.match(path) or (name == _KUBECONFIG and _KUBECONFIG_HOME.match(path))
        if machine and not any(covers(mount, path) for mount in container.mounts):
            return path
    return ""


def _paths(text: str) -> list[str]:
    """The paths of a value: itself, `file://` cut, or the members of a list."""
    text = text.strip().removeprefix("file://")
    if re.match(r"^[A-Za-z]:[\\/]", text):
        return text.split(";")
    return text.split(":")


def _anonymous(path: str) -> str:
    """The path with the user's name cut out, up to where it could be something else than a path."""
    return _USER.sub(r"\1…", _NO_PATH.split(path, maxsplit=1)[0])[:256]


def _env_finding(emitter: str, workload: Workload, container: Container, variable: Variable, leak: str) -> Finding:
    account = workload.pod.service_account
    fix = "remove the variable"
    if variable.name == _KUBECONFIG:
        fix += f"; the ServiceAccount {account} gives in-cluster access"
    return _finding(
        Reason.HOST_PATH_ENV,
        f"{workload.ref} container {container.name} sets {variable.name} to a path of a developer's machine, {_anonymous(leak)}; nothing mounts it.",
        variable.place,
        emitter,
        workload,
        found=_anonymous(leak),
        fix=fix,
    )


def _finding(reason: Reason, message: str, place: Place, emitter: str, workload: Workload, *, found: str, fix: str) -> Finding:
    return Finding(
        reason,
        message,
        place.object,
        place.field,
        expected="nothing of the host" if reason is not Reason.API_SERVER_OVERRIDDEN else "the value that Kubernetes sets",
        found=found,
        fix=fix,
        emitter=emitter,
        workload=workload.ref,
    )
