"""Two attempts at one question: what follows from their values."""

from __future__ import annotations

import pytest

from ecoassist.types import Answer, Attempt, Reply, Task, Turn
from ecoassist.verdict.agreement import agree


def tried(answer: Answer | None) -> Attempt:
    return Attempt("weak", (Turn(Reply(""), answer=answer),), "answered" if answer else "turn_limit")


@pytest.mark.parametrize(
    ("first", "second", "solved"),
    [
        (Answer("It is 4.", 4), Answer("4", 4), True),
        (Answer("It is 4.", 4), Answer("5", 5), False),
        (Answer("It is 4.", 4), None, False),
        (None, None, False),
    ],
)
def test_what_two_attempts_say_together(first: Answer | None, second: Answer | None, solved: bool | None) -> None:
    verdict = agree(Task("q"), tried(first), tried(second))
    assert (verdict.solved, verdict.by, verdict.escalate) == (solved, "agreement", True)


def test_the_reason_shows_both_values_briefly() -> None:
    verdict = agree(Task("q"), tried(Answer("", "x" * 500)), tried(Answer("", 5)))
    assert "'xxx" in verdict.reason
    assert "5" in verdict.reason
    assert len(verdict.reason) < 200
