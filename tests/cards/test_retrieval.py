"""Of more than 300 operations, a prompt shows what a question needs: not always, but no less often than before."""

from __future__ import annotations

import pytest

from ecoassist import cards
from ecoassist.cards.tokens import count_tokens
from ecoassist.prompts import question
from ecoassist.types import Task
from tests.cards.recall import everything, questions, unanswered


@pytest.mark.parametrize(("budget", "floor"), [(1_200, 0.95), (600, 0.85)])
def test_what_a_question_needs_is_shown(budget: int, floor: float) -> None:
    asked = questions()
    known = {f"{api.name} {one.path}" for api in everything() for one in api.operations}
    assert {one for _, accepted in asked for one in accepted} <= known | {api.name for api in everything()}
    missed = unanswered(asked, budget)
    assert 1 - len(missed) / len(asked) >= floor, missed


def test_every_section_keeps_to_its_tokens() -> None:
    for query, _ in questions():
        shown, named = cards.choose(query, everything(), 1_200)
        text = question(Task("", apis=shown, other_apis=named, listing="'.apis.txt'")).removesuffix("Question: ")
        assert 300 < count_tokens(text) <= 1_200, query


def test_questions_that_need_no_api_demand_none() -> None:
    for query in (
        "What is the capital city of France?",
        "How do I open a file in Python and list its lines?",
        "Today is 3/5, and it is a pupil's second day in the third period of 2001. What is the date tomorrow?",
        "Sum the numbers from 1 to 100.",
        "Which word is longer, parliament or government?",
        "Write a haiku about the sea.",
    ):
        assert cards.demanded(query, everything()) == (), query
