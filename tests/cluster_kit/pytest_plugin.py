"""The kit's fixtures and markers; their signatures are documented in the package."""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NoReturn, TypeVar

import pytest

from .assets import Tier, existing_kubeconfig, prepare
from .client import Client, Object, Objects
from .cluster import Cluster, documents, start_cluster, use_existing_cluster
from .errors import TierUnavailableError
from .node import images
from .waiting import Condition, wait_until

T = TypeVar("T")
Apply = Callable[..., Objects]
WaitFor = Callable[..., Any]

_MARKERS: Final = {"cluster": Tier.CONTROL_PLANE, "node": Tier.NODE}
_UNAVAILABLE: Final = pytest.StashKey[dict[Tier, str]]()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they take."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "node_cluster" in names:
            item.add_marker("node")
        elif ({"active_cluster", "cluster"} & set(names)) and item.get_closest_marker("node") is None:
            item.add_marker("cluster")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the chosen tests need now: a fixture would build within the first test's time limit."""
    unavailable: dict[Tier, str] = {}
    session.config.stash[_UNAVAILABLE] = unavailable
    if session.config.option.collectonly or existing_kubeconfig():
        return
    wanted = {tier for marker, tier in _MARKERS.items() if any(item.get_closest_marker(marker) for item in session.items)}
    if not wanted:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # minutes of building need their progress shown
        for tier in sorted(wanted):  # control-plane before node
            try:
                prepare(tier)
            except TierUnavailableError as error:
                unavailable[tier] = str(error)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of a tier this machine cannot run, or fail them where no skip is allowed."""
    for marker, tier in _MARKERS.items():
        reason = item.config.stash.get(_UNAVAILABLE, {}).get(tier)
        if item.get_closest_marker(marker) and reason:
            _refuse(tier, reason)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    yield from _running_cluster(request, Tier.CONTROL_PLANE)


@pytest.fixture(scope="session")
def own_cluster(cluster: Cluster) -> Cluster:
    if cluster.run is None:
        pytest.skip("needs a cluster of the kit's own (audit log, kubelet stand-in, stopping the API server)")
    return cluster


@pytest.fixture(scope="session")
def node_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    yield from _running_cluster(request, Tier.NODE)


@pytest.fixture(scope="session")
def python_image(node_cluster: Cluster) -> str:
    if node_cluster.node is None:
        return os.environ.get("AUDITPIPELINE_TEST_PYTHON_IMAGE", "python:3.13-slim")
    return node_cluster.load_image(images.python_image())


@pytest.fixture
def active_cluster(request: pytest.FixtureRequest) -> Cluster:
    on_node = request.node.get_closest_marker("node") is not None
    found: Cluster = request.getfixturevalue("node_cluster" if on_node else "cluster")
    return found


@pytest.fixture
def client(active_cluster: Cluster) -> Client:
    return active_cluster.client


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    client.delete("v1", "Namespace", name, missing_ok=True)


@pytest.fixture
def apply(request: pytest.FixtureRequest, active_cluster: Cluster) -> Apply:
    def apply_manifests(manifests: str | Object | Iterable[Object], namespace: str | None = None) -> Objects:
        if namespace is None:
            namespace = request.getfixturevalue("namespace")
        return active_cluster.apply(documents(manifests), namespace)

    return apply_manifests


@pytest.fixture
def wait_for(client: Client) -> WaitFor:
    def wait(check: Callable[[], T] | Condition, timeout: float = 30.0, interval: float = 0.1, what: str = "") -> Any:
        if isinstance(check, Condition):
            condition = check
            what = what or f"{condition.kind} {condition.name} to be {condition.type}={condition.status}"
            return wait_until(lambda: condition.check(client), timeout=timeout, interval=interval, what=what)
        return wait_until(check, timeout=timeout, interval=interval, what=what)

    return wait


def _running_cluster(request: pytest.FixtureRequest, tier: Tier) -> Iterator[Cluster]:
    running = use_existing_cluster()
    if running is None:
        try:
            running = start_cluster(f"test-{os.getpid()}-{'node' if tier is Tier.NODE else 'cp'}", tier)
        except TierUnavailableError as error:
            _refuse(tier, str(error))
        running.start_kubelet_stand_in()
    yield running
    kept = running.stop(keep=request.session.testsfailed > 0)
    if kept:
        request.config.get_terminal_writer().line(f"\nlogs of the {tier} cluster: {kept}")


def _refuse(tier: Tier, reason: str) -> NoReturn:
    message = f"this machine cannot run the {tier} tier: {reason}"
    if os.environ.get("AUDITPIPELINE_REQUIRE_TIERS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
