"""Access reviews of one run."""

import pytest

from auditpipeline.probes import reviews
from auditpipeline.probes.access import Trouble
from auditpipeline.probes.reviews import answers
from auditpipeline.world.evidence import AccessQuestion
from auditpipeline.world.objects import Subject


def question(verb: str) -> AccessQuestion:
    subject = Subject("ServiceAccount", "audit", "gateway")
    return AccessQuestion(subject, with_groups=False, namespace="audit", group="", resource="services", name="store", verb=verb)


CREATE, GET = question("create"), question("get")


class Server:
    def __init__(self, *answers: bool | Trouble) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def ask(self, asked: AccessQuestion) -> bool | Trouble:
        self.asked.append(asked.verb)
        return self.answers.pop(0)


async def test_an_expected_answer_is_believed_at_once() -> None:
    server = Server(True, True, False)
    assert await answers(server.ask, [GET, CREATE], lambda asked: asked is CREATE) == {CREATE: True, GET: False}
    assert server.asked == ["create", "create", "get"]  # the first shows that asking is permitted


@pytest.mark.parametrize(("second", "believed"), [(False, {CREATE: False}), (True, {}), (Trouble.FAILED, {})])
async def test_an_unexpected_answer_counts_when_it_is_given_twice(
    second: bool | Trouble, believed: dict[AccessQuestion, bool]
) -> None:
    server = Server(False, False, second)
    assert await answers(server.ask, [CREATE], lambda _: True, confirm_after=0) == believed


async def test_who_may_not_ask_asks_once() -> None:
    server = Server(Trouble.FORBIDDEN)
    assert await answers(server.ask, [CREATE, GET], lambda _: True) == {}
    assert len(server.asked) == 1


async def test_a_failed_review_is_no_answer() -> None:
    assert await answers(Server(True, Trouble.FAILED, True).ask, [CREATE, GET], lambda _: True) == {GET: True}


async def test_no_more_are_asked_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "MOST_QUESTIONS", 1)
    server = Server(True, True)
    assert await answers(server.ask, [CREATE, GET], lambda _: True) == {CREATE: True}


async def test_no_question_is_no_review() -> None:
    assert await answers(Server().ask, [], lambda _: True) == {}
