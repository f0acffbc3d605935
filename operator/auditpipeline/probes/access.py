"""Live access reviews: does the API server say what the roles and bindings seem to say?

A question is asked once and asked again when RBAC objects change; in a quiet cluster nothing is asked. From the change
on an old answer counts as none, and the static reading stands until the API server was asked again. Its authorizer
lags its own writes by milliseconds, so an answer that contradicts the static reading is believed only when a second
ask, about a second later, agrees.

    wanted ──► queued ──► asked ──► equal to the static reading ──────────────► believed
                 ▲          │                                                     ▲
                 │          └─► different ──► asked again after a delay ──► same ─┘
                 └── RBAC changed while asked, or the second answer differs
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from auditpipeline.api.findings import ObjectRef
from auditpipeline.probes.token_bucket import TokenBucket
from auditpipeline.world.evidence import AccessQuestion

PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_SETTLE: Final = 0.3
"""Seconds after an RBAC change before questions are asked again, so that a burst of changes costs one round."""
_FAILURE_PAUSE: Final = 5.0
_FORBIDDEN_PAUSE: Final = 300.0
_REFUSALS_BELIEVED: Final = 3
"""Refusals in a row, a failure's pause apart: an API server that has just started refuses everything for a moment."""
_MOST_CONFIRMATIONS: Final = 3

logger = logging.getLogger(__name__)


class Trouble(Enum):
    """Why a review gave no answer."""

    FORBIDDEN = "forbidden"
    FAILED = "failed"


Ask = Callable[[AccessQuestion], Awaitable[bool | Trouble]]


def review(question: AccessQuestion) -> dict[str, Any]:
    """The SubjectAccessReview that asks the question."""
    group_resource, _, subresource = question.resource.partition("/")
    attributes = {
        "namespace": question.namespace,
        "verb": question.verb,
        "group": question.group,
        "resource": group_resource,
        "subresource": subresource,
        "name": question.name,
    }
    spec: dict[str, Any] = {
        "user": question.user,
        "resourceAttributes": {key: value for key, value in attributes.items() if value},
    }
    if question.groups:
        spec["groups"] = list(question.groups)
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def read_review(status: int, body: Mapping[str, Any]) -> bool | Trouble:
    """The answer to a SubjectAccessReview.

    An `evaluationError` beside a no, as for a binding to a role that is missing, is a no: the store hears the same.
    """
    if status == 403:
        return Trouble.FORBIDDEN
    result = body.get("status")
    if not 200 <= status < 300 or not isinstance(result, Mapping):
        return Trouble.FAILED
    return result.get("allowed") is True


class AccessReviewer:
    """Asks the questions of the pipelines that it follows. For one event loop."""

    def __init__(
        self,
        *,
        ask: Ask,
        expected: Callable[[AccessQuestion], bool | None],
        wake: Callable[[Iterable[ObjectRef]], None],
        bucket: TokenBucket,
        concurrency: int,
        confirm_delay: float,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Wire it up.

        Args:
            ask: Puts one review to the API server.
            expected: The static reading of the rules; None where they do not decide.
            wake: Called with the pipelines whose evidence changed.
            bucket: Limits how often is asked.
            concurrency: Reviews in flight.
            confirm_delay: Seconds until an unexpected answer is asked again.
            count: Told what came of each review.
        """
        self._ask = ask
        self._expected = expected
        self._wake = wake
        self._bucket = bucket
        self._concurrency = concurrency
        self._confirm_delay = confirm_delay
        self._count = count
        self._answers: dict[AccessQuestion, bool] = {}
        self._followers: dict[AccessQuestion, set[ObjectRef]] = {}
        self._followed: dict[ObjectRef, frozenset[AccessQuestion]] = {}
        self._waiting: deque[AccessQuestion] = deque()
        self._asked: set[AccessQuestion] = set()  # waiting, in flight or about to be confirmed
        self._ever_answered: set[AccessQuestion] = set()
        self._epochs: dict[str, int] = {}
        self._doubts: dict[AccessQuestion, tuple[bool, int]] = {}
        self._settling: set[AccessQuestion] = set()
        self._work = asyncio.Semaphore(0)
        self._paused_until = 0.0
        self._refusals = 0

    @property
    def answers(self) -> Mapping[AccessQuestion, bool]:
        """Fresh, believed answers; a live view."""
        return MappingProxyType(self._answers)

    def follow(self, pipeline: ObjectRef, questions: frozenset[AccessQuestion]) -> bool:
        """The pipeline's questions now; asks those that nobody asked. Whether one may still get its first answer soon."""
        before = self._followed.get(pipeline, frozenset())
        if before != questions:
            self._followed[pipeline] = questions
            for question in before - questions:
                self._leave(question, pipeline)
            for question in questions - before:
                self._followers.setdefault(question, set()).add(pipeline)
                if question not in self._answers:
                    self._enqueue(question)
        return not self._paused() and not questions <= self._ever_answered

    def unfollow(self, pipeline: ObjectRef) -> None:
        """The pipeline is gone."""
        for question in self._followed.pop(pipeline, frozenset()):
            self._leave(question, pipeline)

    def rbac_changed(self, namespace: str) -> None:
        """A Role or binding of the namespace (empty: of the cluster) changed: its answers are stale from now on.

        A RoleBinding grants in its own namespace only, so answers for other namespaces stay.
        """
        self._epochs[namespace] = self._epochs.get(namespace, 0) + 1
        touched = [question for question in self._followers if namespace in {"", question.namespace}]
        for question in touched:
            self._answers.pop(question, None)
            self._doubts.pop(question, None)
        if touched and not self._settling:
            asyncio.get_running_loop().call_later(_SETTLE, self._enqueue_stale)
        self._settling.update(touched)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._worker())

    # --- asking ---------------------------------------------------------------------------------------------------

    async def _worker(self) -> None:
        while True:
            await self._work.acquire()
            question = self._waiting.popleft()
            if question not in self._followers:
                self._asked.discard(question)
                continue
            if self._paused():
                self._asked.discard(question)
                self._later(self._paused_until - asyncio.get_running_loop().time(), question)
                continue
            await self._bucket.take()
            epoch = self._epoch(question)
            answer = await self._ask(question)
            self._asked.discard(question)
            if question not in self._followers:
                continue
            self._count(answer.value if isinstance(answer, Trouble) else "allowed" if answer else "denied")
            if isinstance(answer, Trouble):
                self._trouble(answer, question)
            elif epoch != self._epoch(question):
                self._later(0.0, question)  # the rules changed while the answer was made
            else:
                self._weigh(question, answer)

    def _weigh(self, question: AccessQuestion, answer: bool) -> None:
        self._refusals = 0
        doubted, times = self._doubts.pop(question, (None, 0))
        # One that keeps changing its mind is left to what it said last.
        if answer in (self._expected(question), doubted) or times >= _MOST_CONFIRMATIONS:
            self._ever_answered.add(question)
            if self._answers.get(question) is not answer:
                self._answers[question] = answer
                self._wake(self._followers[question])
            return
        self._doubts[question] = (answer, times + 1)
        self._later(self._confirm_delay, question)

    def _trouble(self, trouble: Trouble, question: AccessQuestion) -> None:
        pause = _FAILURE_PAUSE
        if trouble is Trouble.FORBIDDEN:
            self._refusals += 1
            if self._refusals == _REFUSALS_BELIEVED:
                logger.warning(
                    "the operator may not create subjectaccessreviews.authorization.k8s.io, so access is judged by roles and "
                    'bindings alone; add the rule {apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], '
                    'verbs: ["create"]} to its ClusterRole'
                )
            if self._refusals >= _REFUSALS_BELIEVED:
                pause = _FORBIDDEN_PAUSE
        # All wait, not this question alone: what ails one ails the next.
        self._paused_until = asyncio.get_running_loop().time() + pause
        self._later(pause, question)

    # --- who is asked ---------------------------------------------------------------------------------------------

    def _enqueue(self, question: AccessQuestion) -> None:
        if question not in self._asked and question in self._followers:
            self._asked.add(question)
            self._waiting.append(question)
            self._work.release()

    def _enqueue_stale(self) -> None:
        settling, self._settling = self._settling, set()
        for question in settling:
            self._enqueue(question)

    def _later(self, delay: float, question: AccessQuestion) -> None:
        asyncio.get_running_loop().call_later(delay, self._enqueue, question)

    def _leave(self, question: AccessQuestion, pipeline: ObjectRef) -> None:
        followers = self._followers.get(question)
        if followers is None:
            return
        followers.discard(pipeline)
        if not followers:
            del self._followers[question]
            self._answers.pop(question, None)
            self._doubts.pop(question, None)
            self._ever_answered.discard(question)

    def _epoch(self, question: AccessQuestion) -> tuple[int, int]:
        return self._epochs.get("", 0), self._epochs.get(question.namespace, 0)

    def _paused(self) -> bool:
        return asyncio.get_running_loop().time() < self._paused_until
