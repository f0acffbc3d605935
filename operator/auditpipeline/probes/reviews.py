"""Access reviews for one run: each question asked once, and again where the answer contradicts the roles and bindings.

The operator's `AccessReviewer` follows questions over time; a command asks and ends.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from auditpipeline.probes.access import Ask, Trouble
from auditpipeline.world.evidence import AccessQuestion

MOST_QUESTIONS: Final = 1000
_AT_ONCE: Final = 8
_ALL_SECONDS: Final = 30.0
_CONFIRM_AFTER: Final = 1.0
"""Seconds: the authorizer lags the API server's own writes by milliseconds."""


async def answers(
    ask: Ask,
    questions: Collection[AccessQuestion],
    expected: Callable[[AccessQuestion], bool | None],
    *,
    confirm_after: float = _CONFIRM_AFTER,
) -> dict[AccessQuestion, bool]:
    """What the API server says, as far as it says something within half a minute.

    Args:
        ask: Puts one review to the API server.
        questions: At most `MOST_QUESTIONS` are asked; for the others the static reading stands.
        expected: The static reading of the rules; None where they do not decide.
        confirm_after: Seconds until an unexpected answer is asked again; it counts where both are the same.
    """
    known: dict[AccessQuestion, bool] = {}
    chosen = sorted(questions)[:MOST_QUESTIONS]
    if not chosen:
        return known
    try:
        async with asyncio.timeout(_ALL_SECONDS):
            # One alone: who may not ask it may not ask the others.
            if await ask(chosen[0]) is Trouble.FORBIDDEN:
                return known
            told = await _ask_all(ask, chosen)
            known |= {question: answer for question, answer in told.items() if answer is expected(question)}
            doubted = [question for question in told if question not in known]
            if doubted:
                await asyncio.sleep(confirm_after)
                again = await _ask_all(ask, doubted)
                known |= {question: answer for question, answer in again.items() if answer is told[question]}
    except TimeoutError:
        pass  # what was not confirmed counts as not asked
    return known


async def _ask_all(ask: Ask, questions: Collection[AccessQuestion]) -> dict[AccessQuestion, bool]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(question: AccessQuestion) -> bool | Trouble:
        async with slots:
            return await ask(question)

    told = await asyncio.gather(*map(one, questions))
    return {question: answer for question, answer in zip(questions, told, strict=True) if not isinstance(answer, Trouble)}
