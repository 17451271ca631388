"""Two attempts at one question: what follows from their values."""

from __future__ import annotations

import pytest

from ecoassist.types import Answer, Attempt, Reply, Task, Turn, Verdict
from ecoassist.verdict.agreement import agree

PLACES = "I'd go to the Alpha, which is lovely, or to the Beta, which is close to the station."


def tried(answer: Answer | None) -> Attempt:
    return Attempt("weak", (Turn(Reply(""), answer=answer),), "answered" if answer else "turn_limit")


def agreed(first: Answer | None, second: Answer | None, query: str = "q") -> Verdict:
    verdict = agree(Task(query), tried(first), tried(second))
    assert verdict.by == "agreement"
    assert agree(Task(query), tried(second), tried(first)).solved is verdict.solved
    return verdict


@pytest.mark.parametrize(
    ("first", "second", "solved"),
    [
        (Answer("It is 4.", 4), Answer("Four.", "4.0"), True),
        (Answer("It is 4.", 4), Answer("5", 5), False),
        (Answer("It is 4.", 4), Answer("It is 4."), True),
        (Answer("It is 4.", 4), Answer("After long thought I came to say that it has to be 4 and no less."), True),
        (Answer("It is 4.", 4), Answer("After long thought I came to say that it has to be 5 and no less."), False),
        (Answer("It is 4.", 4), None, False),
        (None, None, False),
        (Answer(PLACES), Answer(PLACES.replace("Alpha", "Gamma")), None),
        (Answer(PLACES, "Alpha"), Answer(PLACES), None),
        (Answer("Not known on 2021-05-14.", none=True), Answer("Not known on 2021-05-14.", none=True), None),
        (Answer("I could not find it."), Answer("I could not find it."), None),
        (Answer("none", "null"), Answer("none", "null"), None),
    ],
)
def test_what_two_attempts_say_together(first: Answer | None, second: Answer | None, solved: bool | None) -> None:
    assert agreed(first, second).solved is solved


def test_a_difference_may_be_escalated() -> None:
    assert agreed(Answer("", 4), Answer("", 5)).escalate


def test_how_dates_are_read_is_taken_from_the_question() -> None:
    query = "What is the date tomorrow in MM/DD/YYYY?"
    assert agreed(Answer("", "03/04/2021"), Answer("", "2021-03-04"), query).solved
    assert agreed(Answer("", "03/04/2021"), Answer("", "2021-03-04")).solved is None


def test_the_reason_shows_both_values_briefly() -> None:
    verdict = agreed(Answer("", ["x\ny"] * 500), Answer("", {"a": 5}))
    assert "xx" not in verdict.reason
    assert '{"a": 5}' in verdict.reason
    assert len(verdict.reason) < 200
    assert agreed(Answer("", "x " * 500), Answer("", 10**5000)).reason
    assert "\n" not in agreed(Answer("", "a\n\nb"), Answer("", 5)).reason
