"""A memory that helps with nothing costs next to nothing."""

from __future__ import annotations

from ecoassist.memory import Limits
from ecoassist.testing import MemoryStore
from ecoassist.types import Spending
from tests.cards.recall import questions

from .useless import UNRELATED, fill, grown

STORED = [query for query, _ in questions()]
NO_REPLAY = Limits(replay=False)


def test_unrelated_questions_take_at_most_a_twentieth_more_tokens() -> None:
    store = MemoryStore()
    fill(store, STORED)
    found = grown(store)
    assert found.asked == len(UNRELATED) == 40
    assert found.share <= 0.05


def test_what_saved_nothing_in_three_uses_takes_no_token_any_more() -> None:
    store = MemoryStore()
    fill(store, STORED[:5])
    assert grown(store, STORED[:5], NO_REPLAY).shown == 5
    for entry in store.entries():
        for _ in range(3):
            store.credit(entry.id, True, Spending(0.004, 900, 100, 2))
    assert grown(store, STORED[:5], NO_REPLAY).share == 0
