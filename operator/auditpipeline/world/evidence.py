"""What probes saw, as frozen values. A check judges evidence; it never fetches it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from auditpipeline.world.objects import Subject


class AccessQuestion(NamedTuple):
    """A SubjectAccessReview.

    Attributes:
        with_groups: Asked with the ServiceAccount's groups, as for a request to the API server. The store's own review
            of an emitter carries the user alone.
        namespace: Where the right is asked for; empty for cluster-scoped resources.
        name: The resource's name; empty for none.
    """

    subject: Subject
    with_groups: bool
    namespace: str
    group: str
    resource: str
    name: str
    verb: str

    @property
    def user(self) -> str:
        """The user name of the ServiceAccount."""
        return f"system:serviceaccount:{self.subject.namespace}:{self.subject.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups the API server would see; none where the question is asked without them."""
        if not self.with_groups:
            return ()
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.subject.namespace}", "system:authenticated")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that probes know. An absent answer is no answer: the static reading stands.

    Attributes:
        access: Live answers of the API server to access questions.
        live: The world is a running cluster, so pods, endpoints and start times mean something.
    """

    access: Mapping[AccessQuestion, bool] = field(default_factory=lambda: MappingProxyType({}))
    live: bool = False


NO_EVIDENCE = Evidence()
