from __future__ import annotations

from dataclasses import replace

import pytest

from ecoassist.entries import Entry, Solution
from ecoassist.memory.merit import lost, lower_bound, standing, worth
from ecoassist.memory.ranking import ranked
from ecoassist.types import Answer

OSLO = "What is the temperature in Oslo?"


def made(id: int, query: str = OSLO, wins: int = 0, losses: int = 0) -> Entry:
    solution = Solution(query, "print(4)", Answer(""), "cheap", usd=0.125, tokens=1000)
    return Entry(id, solution, "verified", "2026-11-21T12:00:00Z", wins=wins, losses=losses)


def order(*entries: Entry, asked: str = OSLO) -> list[int]:
    return [match.id for match in ranked(asked, entries, 0.0)]


# ── rank ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_entries_with_equal_records_the_most_similar_comes_first() -> None:
    near, nearer = made(1, "What is the humidity in Oslo?"), made(2, "What is the temperature in Bergen?")
    assert order(near, nearer) == [2, 1]
    assert order(replace(near, wins=3, losses=1), replace(nearer, wins=3, losses=1)) == [2, 1]


def test_the_very_question_comes_before_one_that_differs_in_a_sign() -> None:
    first, newer = made(1, "What is -40 degrees?"), made(2, "What is 40 degrees?")
    assert order(first, newer, asked="what is -40 degrees") == [1, 2]
    assert order(first, newer, asked="what is 40 degrees") == [2, 1]


def test_wins_alone_do_not_push_a_less_similar_one_ahead() -> None:
    assert order(made(1, "What is the humidity in Oslo?", wins=50), made(2)) == [2, 1]


def test_a_loser_stands_behind_a_less_similar_one() -> None:
    loser, other = made(1, losses=2), made(2, "What is the temperature in Bergen this week?")
    assert order(loser, other) == [2, 1]


def test_a_few_losses_among_many_wins_cost_little() -> None:
    assert order(made(1, "What is the temperature in Bergen this week?"), made(2, wins=20, losses=1)) == [2, 1]


def test_a_broken_one_stands_behind_a_twin_that_works() -> None:
    assert order(replace(made(2), state="broken"), made(1)) == [1, 2]


def test_the_score_is_the_similarity_whatever_the_record() -> None:
    (match,) = ranked(OSLO, [made(1, losses=2)], 0.0)
    assert match.score == 1.0


def test_a_bad_record_does_not_put_an_entry_below_the_gate() -> None:
    assert [match.id for match in ranked(OSLO, [made(1, losses=2)], 0.9)] == [1]


# ── merit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lower_bound_rises_with_wins_and_falls_with_losses() -> None:
    bounds = [lower_bound(wins, 0) for wins in range(10)]
    assert bounds == sorted(bounds)
    falling = [lower_bound(5, losses) for losses in range(10)]
    assert falling == sorted(falling, reverse=True)
    assert all(0 < bound < 1 for bound in bounds + falling)
    assert lower_bound(100, 0) > 0.95


def test_the_bound_is_lower_for_few_trials_of_the_same_rate() -> None:
    assert lower_bound(1, 1) < lower_bound(10, 10) < lower_bound(1000, 1000) < 0.51


@pytest.mark.parametrize("wins", [0, 1, 7, 10_000])
def test_who_never_lost_stands_where_similarity_puts_them(wins: int) -> None:
    assert standing(made(1, wins=wins)) == 1.0


def test_every_loss_costs_standing_and_none_costs_more_than_half() -> None:
    standings = [standing(made(1, wins=2, losses=losses)) for losses in range(50)]
    assert standings == sorted(standings, reverse=True)
    assert len(set(standings)) == len(standings)
    assert standings[-1] > 0.5


@pytest.mark.parametrize(("wins", "losses", "expected"), [(0, 2, False), (0, 3, True), (4, 6, False), (4, 7, True)])
def test_who_lost_three_more_than_they_won_is_lost(wins: int, losses: int, expected: bool) -> None:
    assert lost(made(1, wins=wins, losses=losses)) == expected


@pytest.mark.parametrize(
    ("uses", "usd", "tokens", "expected"),
    [
        (2, 9.0, 9000, True),
        (3, 0.37, 9000, True),
        (3, 0.375, 10, False),
        (3, None, 2999, True),
        (3, None, 3000, False),
    ],
    ids=["too early", "cheaper", "as dear", "fewer tokens", "as many tokens"],
)
def test_a_demonstration_has_to_show_that_it_saves_something(
    uses: int, usd: float | None, tokens: int, expected: bool
) -> None:
    assert worth(replace(made(1), uses=uses, usd=usd, tokens=tokens)) == expected


@pytest.mark.parametrize(
    ("cost", "usd", "tokens", "expected"),
    [
        ((None, 0), None, 9000, True),
        ((None, 0), 0.5, 9000, True),
        ((0.0, 1000), 0.0, 2999, True),
        ((0.0, 1000), 0.0, 3000, False),
        ((0.0, 1000), 0.1, 10, False),
    ],
    ids=["unknown", "unknown, its uses known", "free, fewer tokens", "free, as many tokens", "no longer free"],
)
def test_where_dollars_say_nothing_tokens_do_and_what_is_not_known_is_not_held_against_it(
    cost: tuple[float | None, int], usd: float | None, tokens: int, expected: bool
) -> None:
    entry = made(1)
    entry = replace(entry, solution=replace(entry.solution, usd=cost[0], tokens=cost[1]))
    assert worth(replace(entry, uses=3, usd=usd, tokens=tokens)) == expected
