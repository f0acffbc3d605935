"""Which answers are believed, when they go stale, and that a quiet cluster is asked nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from auditpipeline.api.findings import ObjectRef
from auditpipeline.probes import access
from auditpipeline.probes.access import AccessReviewer, Trouble, read_review, review
from auditpipeline.probes.token_bucket import TokenBucket
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject

P = ObjectRef("AuditPipeline", "ns", "p")
OTHER = ObjectRef("AuditPipeline", "ns", "other")


def question(verb: str = "create", namespace: str = "ns", *, groups: bool = False) -> AccessQuestion:
    return AccessQuestion(Subject("ServiceAccount", "ns", "gateway"), groups, namespace, "", "services", "store", verb)


Q = question()


class Bench:
    """A reviewer of an API server that answers as `says`, with rules that read as `rules`."""

    def __init__(self, says: bool | Trouble = True, rules: bool | None = True) -> None:
        self.says = says
        self.rules = rules
        self.asked: list[AccessQuestion] = []
        self.woken: list[ObjectRef] = []
        self.reviewer = AccessReviewer(
            ask=self._ask,
            expected=lambda _: self.rules,
            wake=self._wake,
            bucket=TokenBucket(10_000, 10_000),
            concurrency=2,
            confirm_delay=0.05,
        )

    async def _ask(self, asked: AccessQuestion) -> bool | Trouble:
        self.asked.append(asked)
        await asyncio.sleep(0)
        return self.says

    def _wake(self, pipelines: Iterable[ObjectRef]) -> None:
        self.woken.extend(pipelines)

    @property
    def answer(self) -> bool | None:
        return self.reviewer.answers.get(Q)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reviewer.run())
        await asyncio.sleep(0)
        yield
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(check: Callable[[], Any]) -> None:
    for _ in range(300):
        if check():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not in time")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_SETTLE", 0.02)
    monkeypatch.setattr(access, "_FORBIDDEN_PAUSE", 0.1)
    monkeypatch.setattr(access, "_FAILURE_PAUSE", 0.02)


async def test_an_answer_that_agrees_with_the_rules_is_believed_at_once_and_then_all_is_quiet() -> None:
    bench = Bench()
    async with bench.running():
        assert bench.reviewer.follow(P, frozenset({Q})), "not yet answered"
        await until(lambda: bench.answer is True)
        await asyncio.sleep(0.1)
    assert bench.asked == [Q]
    assert bench.woken == [P]
    assert not bench.reviewer.follow(P, frozenset({Q}))


async def test_an_answer_that_contradicts_the_rules_needs_a_second_one() -> None:
    bench = Bench(says=False, rules=True)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: len(bench.asked) == 1)
        await asyncio.sleep(0.02)
        assert bench.answer is None, "the authorizer may lag"
        await until(lambda: bench.answer is False)
    assert len(bench.asked) == 2


async def test_a_lagging_authorizer_is_not_believed() -> None:
    bench = Bench(says=False, rules=True)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: len(bench.asked) == 1)
        bench.says = True
        await until(lambda: bench.answer is True)
    assert len(bench.asked) == 2


async def test_rules_that_do_not_decide_want_two_equal_answers() -> None:
    bench = Bench(says=False, rules=None)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: bench.answer is False)
    assert len(bench.asked) == 2


async def test_a_change_of_rbac_makes_an_answer_stale_at_once_and_asks_again() -> None:
    bench = Bench()
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: bench.answer is True)
        bench.says, bench.rules = False, False
        bench.reviewer.rbac_changed("ns")
        bench.reviewer.rbac_changed("ns")
        assert bench.answer is None
        await until(lambda: bench.answer is False)
    assert len(bench.asked) == 2, "a burst of changes is one round"
    assert bench.woken == [P, P]


async def test_a_role_of_another_namespace_does_not_matter_and_a_cluster_role_does() -> None:
    bench = Bench()
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: bench.answer is True)
        bench.reviewer.rbac_changed("elsewhere")
        assert bench.answer is True
        bench.reviewer.rbac_changed("")
        assert bench.answer is None


async def test_an_answer_that_was_overtaken_by_a_change_is_thrown_away() -> None:
    bench = Bench(says=True)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: bench.asked)
        bench.reviewer.rbac_changed("ns")  # the first answer is on its way
        bench.says, bench.rules = False, False
        await until(lambda: bench.answer is not None)
    assert bench.answer is False


async def test_a_question_that_nobody_has_any_more_is_dropped() -> None:
    bench = Bench()
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        bench.reviewer.follow(OTHER, frozenset({Q}))
        await until(lambda: bench.answer is True)
        bench.reviewer.unfollow(P)
        assert bench.answer is True
        bench.reviewer.follow(OTHER, frozenset())
        assert bench.answer is None
        bench.reviewer.rbac_changed("")
        await asyncio.sleep(0.1)
    assert len(bench.asked) == 1


async def test_two_pipelines_share_an_answer() -> None:
    bench = Bench()
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        bench.reviewer.follow(OTHER, frozenset({Q}))
        await until(lambda: bench.answer is True)
    assert len(bench.asked) == 1
    assert set(bench.woken) == {P, OTHER}


async def test_a_missing_permission_is_said_once_and_heals(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(says=Trouble.FORBIDDEN)
    questions = frozenset({Q, question("get")})
    async with bench.running():
        with caplog.at_level(logging.WARNING):
            bench.reviewer.follow(P, questions)
            await until(lambda: len(bench.asked) >= 3)
            await asyncio.sleep(0.01)
            assert not bench.reviewer.follow(P, questions), "no answer is on its way"
            asked = len(bench.asked)
            await asyncio.sleep(0.05)
            assert len(bench.asked) - asked <= 1, "it does not insist"
            await until(lambda: len(bench.asked) > asked + 2)
        assert bench.answer is None
        bench.says = True
        await until(lambda: bench.answer is True and question("get") in bench.reviewer.answers)
    assert caplog.text.count("may not create subjectaccessreviews") == 1


async def test_an_api_server_that_starts_may_refuse_for_a_moment(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(says=Trouble.FORBIDDEN)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: bench.asked)
        bench.says = True
        await until(lambda: bench.answer is True)
    assert caplog.text == ""


async def test_a_failed_review_is_tried_again() -> None:
    bench = Bench(says=Trouble.FAILED)
    async with bench.running():
        bench.reviewer.follow(P, frozenset({Q}))
        await until(lambda: len(bench.asked) >= 3)
        bench.says = True
        await until(lambda: bench.answer is True)


def test_the_stores_review_of_an_emitter_carries_the_user_alone() -> None:
    assert review(Q) == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:ns:gateway",
            "resourceAttributes": {"namespace": "ns", "verb": "create", "resource": "services", "name": "store"},
        },
    }


def test_a_right_to_use_the_api_is_asked_with_the_groups() -> None:
    assert review(question(groups=True))["spec"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:ns",
        "system:authenticated",
    ]


def test_a_subresource_is_named_apart() -> None:
    asked = Q._replace(resource="serviceaccounts/token")
    attributes = review(asked)["spec"]["resourceAttributes"]
    assert (attributes["resource"], attributes["subresource"]) == ("serviceaccounts", "token")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (201, {"status": {"allowed": True}}, True),
        (201, {"status": {"allowed": False}}, False),
        (201, {"status": {}}, False),
        (201, {"status": {"allowed": False, "evaluationError": "clusterrole not found"}}, False),
        (201, {}, Trouble.FAILED),
        (403, {}, Trouble.FORBIDDEN),
        (401, {}, Trouble.FAILED),
        (500, {}, Trouble.FAILED),
        (429, {}, Trouble.FAILED),
    ],
)
def test_what_the_api_server_says(status: int, body: dict[str, Any], answer: bool | Trouble) -> None:
    assert read_review(status, body) is answer
