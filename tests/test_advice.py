"""What is said where trying a question in two ways does not pay."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecoassist.advice import Advisor, Rung, of_prices, of_rate
from ecoassist.errors import EnvironmentFault
from ecoassist.types import Price

WEAK, STRONG = Price(1, 4), Price(20, 80)


def never(tier: str, last: int) -> tuple[int, int]:
    return 0, 0


@pytest.mark.parametrize(
    ("agreed", "pairs", "told"), [(14, 30, True), (15, 30, False), (0, 29, False), (0, 0, False), (30, 30, False)]
)
def test_a_rate_below_a_half_over_thirty_pairs_is_spoken_of(agreed: int, pairs: int, told: bool) -> None:
    text = of_rate("weak", agreed, pairs)
    assert bool(text) is told
    assert not told or f"only {agreed} agreed" in text


@pytest.mark.parametrize(
    ("rungs", "named"),
    [
        ([Rung("a", WEAK, 2), Rung("b", STRONG)], []),
        ([Rung("a", WEAK, 2), Rung("b", Price(4, 16))], []),
        ([Rung("a", WEAK, 2), Rung("b", Price(3.9, 15.6))], ["a"]),
        ([Rung("a", WEAK, 1), Rung("b", WEAK)], []),
        ([Rung("a", WEAK, 2), Rung("b", WEAK, 2), Rung("c", STRONG)], ["a"]),
        ([Rung("a", WEAK, 2), Rung("b", None)], []),
        ([Rung("a", None, 2), Rung("b", WEAK)], []),
        ([Rung("a", Price(0, 0), 2), Rung("b", WEAK)], []),
        ([Rung("a", WEAK, 2)], []),
        ([], []),
    ],
)
def test_below_four_times_the_price_sampling_costs_more_than_it_saves(rungs: Sequence[Rung], named: list[str]) -> None:
    told = of_prices(rungs)
    assert list(told) == named
    assert all("cost more than they save" in text for text in told.values())


def test_each_advice_is_given_once_and_a_rate_that_falls_later_when_it_does() -> None:
    pairs = {"weak": (0, 29)}
    said: list[str] = []
    advisor = Advisor((Rung("weak", WEAK, 2), Rung("strong", WEAK, 2)), lambda tier, last: pairs[tier], said.append)
    advisor.begin()
    assert ["weak cost more" in text for text in said] == [True]
    pairs["weak"] = (9, 30)
    for _ in range(3):
        advisor.begin()
    assert ["only 9 agreed" in text for text in said] == [False, True]
    pairs["weak"] = (8, 30)
    advisor.begin()
    assert len(said) == 2


def test_where_nothing_is_tried_twice_the_ledger_is_not_even_asked() -> None:
    def unasked(tier: str, last: int) -> tuple[int, int]:
        raise AssertionError(tier)

    assert Advisor((Rung("weak", WEAK), Rung("strong", WEAK, 2)), unasked).due() == []


def test_a_ledger_that_cannot_be_read_keeps_nobody_from_asking() -> None:
    def broken(tier: str, last: int) -> tuple[int, int]:
        raise EnvironmentFault("the ledger cannot be read", "look at it")

    assert Advisor((Rung("weak", WEAK, 2), Rung("strong", STRONG)), broken).due() == []
    assert Advisor((Rung("weak", WEAK, 2), Rung("strong", STRONG)), never).due() == []
