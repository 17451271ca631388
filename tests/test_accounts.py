"""What was saved: an estimate that is no flattery, and a measurement that says when it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecoassist.accounts import FEWEST, Group, RunCost, Used, _of_rates, estimated, measured, total, totals
from ecoassist.events import CHOSEN, HOLD_OUT
from ecoassist.types import Price, RunStatus, Usage

STRONG = Price(10.0, 20.0, 1.0)
RUN = RunCost("solved", "cheap", "", 0.001, True, Usage(1_000, 100), STRONG)
USED = Used("2026-01-01", "cheap", "m", "answer", 3, 100, 10, 0.5, 0, True)


def runs(number: int, usd: float, why: str = "", solved: int | None = None) -> list[RunCost]:
    """So many runs, whose costs lie around `usd`; the first `solved` of them are solved."""
    good = number if solved is None else solved
    status: list[RunStatus] = ["solved" if at < good else "unsolved" for at in range(number)]
    return [replace(RUN, usd=usd * (0.5 + at % 3 / 2), why=why, status=one) for at, one in enumerate(status)]


def test_the_estimate_takes_the_tokens_of_the_last_attempt_at_the_strong_price() -> None:
    found = estimated([RUN, replace(RUN, tokens=Usage(1_000, 100, 500))])
    assert found.strong == pytest.approx(0.010 + 0.002 + 0.0055 + 0.002)
    assert found.usd == pytest.approx(0.002)
    assert found.saved == pytest.approx(0.0175)
    assert (found.runs, found.left_out, found.exact) == (2, 0, True)


@pytest.mark.parametrize("lacking", [{"usd": None}, {"tokens": None}, {"strong": None}], ids=str)
def test_what_is_unknown_is_left_out_and_counted_and_never_zero(lacking: dict[str, None]) -> None:
    found = estimated([RUN, replace(RUN, **lacking)])  # type: ignore[arg-type]
    assert (found.runs, found.left_out) == (1, 1)
    assert found.strong == pytest.approx(0.012)


def test_a_run_that_escalated_can_lose_money() -> None:
    assert estimated([replace(RUN, usd=0.02)]).saved < 0


def test_runs_that_broke_off_or_were_held_out_save_nothing() -> None:
    broken: list[RunStatus] = ["error", "interrupted", "lost"]
    found = estimated([replace(RUN, why=HOLD_OUT), *(replace(RUN, status=status) for status in broken)])
    assert (found.runs, found.left_out) == (0, 0)


def test_an_upper_bound_makes_the_estimate_one() -> None:
    assert not estimated([RUN, replace(RUN, exact=False)]).exact


def test_nothing_is_measured_without_questions_held_out() -> None:
    assert measured(runs(100, 0.1)) is None


@pytest.mark.parametrize(("alone", "others"), [(FEWEST - 1, 500), (500, FEWEST - 1)])
def test_too_few_questions_tell_nothing(alone: int, others: int) -> None:
    found = measured([*runs(alone, 0.2, HOLD_OUT), *runs(others, 0.1)])
    assert found is not None
    assert (found.alone.runs, found.others.runs) == (alone, others)
    assert (found.saved, found.lost) == (None, None)


def test_the_difference_is_measured_with_its_interval() -> None:
    found = measured([*runs(60, 0.2, HOLD_OUT, 57), *runs(600, 0.1, solved=540)])
    assert found is not None
    assert found.saved is not None
    assert found.lost is not None
    assert found.saved.middle == pytest.approx(0.1)
    assert 0.05 < found.saved.low < 0.1 < found.saved.high < 0.15
    assert found.lost.middle == pytest.approx(0.05)
    assert found.lost.low < 0.05 < found.lost.high


def test_tiers_that_the_person_chose_and_runs_that_broke_off_are_not_compared() -> None:
    odd = [*runs(40, 9.0, CHOSEN), *(replace(RUN, status="error", usd=9.0) for _ in range(40))]
    found = measured([*runs(40, 0.2, HOLD_OUT), *runs(40, 0.1), *odd])
    assert found is not None
    assert (found.others.runs, round(found.others.mean, 2)) == (40, 0.1)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_the_interval_of_two_shares_is_newcombes(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """Figures of his table II, method 10."""
    found = _of_rates(Group(one[1], one[0], 0, 0), Group(other[1], other[0], 0, 0))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_sums_keep_what_is_unknown_and_what_is_a_bound() -> None:
    judge = replace(USED, purpose="judge", tier="strong", calls=1, usd=0.1, unknown=1)
    late = replace(USED, day="2026-01-02", exact=False)
    found = total("all", [USED, judge, late])
    assert (found.calls, found.prompt, found.completion) == (7, 300, 30)
    assert found.usd == pytest.approx(1.1)
    assert (found.unknown, found.exact, found.judged, found.judging, found.judging_unknown) == (1, False, 1, 0.1, 1)
    assert [one.name for one in totals([USED, judge, late], lambda one: one.day)] == ["2026-01-01", "2026-01-02"]
