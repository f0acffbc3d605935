"""What an absent object means: a fact, something the input does not hold, or something that may not be read."""

from collections.abc import Mapping
from enum import Enum

from auditpipeline.api.reasons import Reason
from auditpipeline.world.world import KINDS, World


class InputScope(Enum):
    """How much a set of manifests claims to hold."""

    BY_NAMESPACE = "by namespace"
    """A kind is complete in a namespace where the input holds a workload or another object of that kind."""
    CLOSED = "closed"
    """The input holds everything: each absence is a fault."""
    PARTIAL = "partial"
    """The input may lack anything: no absence is a fault."""


class InputCoverage:
    """Coverage of manifests."""

    def __init__(self, scope: InputScope = InputScope.BY_NAMESPACE) -> None:
        self.scope = scope
        self.by_namespace = scope is InputScope.BY_NAMESPACE

    def gap(self, world: World, kind: str, namespace: str) -> tuple[Reason, str] | None:
        """See `Coverage`."""
        # Manifests seldom hold Namespaces, and one that is absent refuses nobody.
        if kind != "Namespace" and (
            self.scope is InputScope.CLOSED or (self.scope is InputScope.BY_NAMESPACE and _held(world, kind, namespace))
        ):
            return None
        where = f"namespace {namespace}" if namespace else "cluster scope"
        return Reason.NOT_IN_INPUT, f"The manifests hold no {kind} of {where}, so its absence proves nothing."


def _held(world: World, kind: str, namespace: str) -> bool:
    if kind not in KINDS:
        # A binding may name a role of a kind that nobody knows.
        return True
    if namespace and world.workloads.in_namespace(namespace):
        return True
    return any(ref.kind == kind for ref in world.table(kind).in_namespace(namespace))


class ClusterCoverage:
    """Coverage of a live cluster: all is known but the kinds that may not be read.

    `forbidden` (kind to why) is read at each question, so a view may fill it as it learns.
    """

    def __init__(self, forbidden: Mapping[str, str]) -> None:
        self.forbidden = forbidden
        self.by_namespace = False

    def gap(self, world: World, kind: str, namespace: str) -> tuple[Reason, str] | None:  # noqa: ARG002  (the protocol's signature)
        """See `Coverage`."""
        why = self.forbidden.get(kind)
        return None if why is None else (Reason.FORBIDDEN, why)
