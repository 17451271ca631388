"""The day's money: who waits for it, for how long, and that a broken ledger costs no answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from ecoassist.budget import PER_MESSAGE, Budget, Metered
from ecoassist.day import PATIENCE
from ecoassist.errors import BudgetSpent, EnvironmentFault, Interrupted, ProviderError
from ecoassist.events import Event, Notice, Stream, Tick
from ecoassist.models.retry import Retrying
from ecoassist.purse import LEAST
from ecoassist.store.database import Database
from ecoassist.store.migrations import LEDGER
from ecoassist.store.money import Money
from ecoassist.testing import ScriptedModel
from ecoassist.types import Call, Message, Price, Reply, Usage

HELLO = [Message("user", "hello")]
BOUND = 5 + PER_MESSAGE
DOLLAR = Price(1e6, 1e6)
"""One dollar a token: easy to reckon with."""
OTHER = Call("strong", "big", "answer", 10, 80, 90.0, price=DOLLAR)
"""Of another process."""


@dataclass
class Time:
    """A clock that only sleeping moves, and what happens at which second."""

    now: float = 0.0
    plans: dict[float, Callable[[], object]] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for at in [at for at in self.plans if at <= self.now]:
            self.plans.pop(at)()


@dataclass
class Broken:
    """A ledger whose file cannot be used; the first `works` calls can."""

    works: int = 0

    def _use(self) -> None:
        self.works -= 1
        if self.works < 0:
            raise EnvironmentFault("the disk is full", "free some space")

    def day(self) -> tuple[float, float]:
        self._use()
        return 0.0, 0.0

    def reserve(self, worst: Call, cap: float | None) -> int | None:
        self._use()
        return 1

    def settle(self, id: int, call: Call | None) -> None:
        self._use()


@pytest.fixture
def money(tmp_path: Path) -> Iterator[Money]:
    with closing(Database(tmp_path / "ledger.db", LEDGER)) as database:
        yield Money(database)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def budget(money: Money, time: Time) -> Budget:
    """100 dollars a day."""
    return Budget(None, 100, day_usd=100.0, ledger=money, clock=time.clock, sleep=time.sleep)


def metered(budget: Budget, *script: str | Reply | Exception, price: Price | None = DOLLAR) -> Metered:
    return Metered(ScriptedModel(*script), budget, price, tier="cheap")


def limits(ours: Metered) -> list[int | None]:
    assert isinstance(ours.model, ScriptedModel)
    return ours.model.limits


def run(stream: Stream[Reply], each: Callable[[Event], None] = lambda event: None) -> Reply:
    while True:
        try:
            each(next(stream))
        except StopIteration as end:
            reply: Reply = end.value
            return reply


def test_a_call_waits_until_others_settle_what_they_held_and_then_is_made(
    money: Money, budget: Budget, time: Time
) -> None:
    id = money.reserve(OTHER, None)
    assert id is not None
    time.plans[7.0] = lambda: money.settle(id, replace(OTHER, usd=4.0))
    heard: list[tuple[float, Event]] = []
    ours = metered(budget, Reply("x", usage=Usage(5, 5)))
    reply = run(ours.reply(HELLO, 50), lambda event: heard.append((time.now, event)))
    assert 7.0 <= time.now < 8.0
    assert limits(ours) == [50], "it was worth the wait: the reply is not cut short"
    assert [event.text for _, event in heard if isinstance(event, Notice)] == [
        "the day's budget is held by calls of other questions: waiting 30 s at most"
    ]
    ticks = [at for at, event in heard if isinstance(event, Tick)]
    assert max(later - earlier for earlier, later in pairwise(ticks)) <= 0.1
    assert isinstance(heard[1][1], Tick), "before it first waits"
    assert reply.charge is not None
    assert money.day() == (4.0 + 10.0, 0.0)


def test_after_half_a_minute_a_shorter_reply_is_taken_if_that_can_be_paid(
    money: Money, budget: Budget, time: Time
) -> None:
    money.reserve(replace(OTHER, usd=100.0 - BOUND - LEAST - 4), None)
    ours = metered(budget, "x")
    run(ours.reply(HELLO, 50))
    assert time.now == pytest.approx(PATIENCE, abs=0.5)
    assert limits(ours) == [LEAST + 4]
    assert sum(money.day()) == 100.0


def test_after_half_a_minute_without_money_it_ends_with_what_to_do(money: Money, budget: Budget, time: Time) -> None:
    money.reserve(OTHER, None)
    ours = metered(budget, "x")
    with pytest.raises(BudgetSpent, match=r"could cost \$29\.0000, and \$10\.0000 of the day's \$100\.0000") as caught:
        run(ours.reply(HELLO, 50))
    assert time.now == pytest.approx(PATIENCE, abs=0.5)
    assert caught.value.remedy == "ask again when they are done"
    assert limits(ours) == []
    assert (budget.held, money.day()) == ((0, 0), (0.0, 90.0))


def test_a_day_that_is_spent_ends_at_once(money: Money, budget: Budget, time: Time) -> None:
    id = money.reserve(OTHER, None)
    assert id is not None
    money.settle(id, OTHER)
    ours = metered(budget, "x")
    with pytest.raises(BudgetSpent, match="of the day's") as caught:
        run(ours.reply(HELLO, 50))
    assert "budget.day" in caught.value.remedy
    assert (time.now, limits(ours), budget.held) == (0.0, [], (0, 0))


def test_the_reply_is_shortened_to_what_the_day_can_pay(money: Money, budget: Budget) -> None:
    id = money.reserve(OTHER, None)
    assert id is not None
    money.settle(id, replace(OTHER, usd=60.0))
    ours = metered(budget, "x")
    run(ours.reply(HELLO, 50))
    assert limits(ours) == [100 - 60 - BOUND]
    assert money.day() == (100.0, 0.0)
    assert budget.spending.usd == 40.0, "and no more was held and charged here"
    assert budget.held == (0, 0)


@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_whoever_stops_the_wait_has_reserved_nothing(how: str, money: Money, budget: Budget, time: Time) -> None:
    money.reserve(OTHER, None)
    stream = metered(budget, "x").reply(HELLO, 50)
    while not isinstance(next(stream), Tick):
        pass
    if how == "close":
        stream.close()
    else:
        with pytest.raises(Interrupted):
            stream.throw(Interrupted())
    assert (budget.held, budget.spending.calls, money.day()) == ((0, 0), 0, (0.0, 90.0))
    assert time.now < 1.0


def test_what_is_settled_here_is_settled_on_the_ledger_and_every_retry_is_one_call(
    money: Money, budget: Budget, tmp_path: Path
) -> None:
    script = (
        ProviderError("busy", retryable=True),
        ProviderError("broke off", retryable=True, billed=True),
        Reply("x", usage=Usage(5, 2)),
    )
    ours = Retrying(metered(budget, *script), sleep=lambda seconds: None, clock=iter(range(1000)).__next__)
    run(ours.reply(HELLO, 20))
    assert money.day() == (BOUND + 20.0 + 7.0, 0.0)
    assert budget.spending.usd == BOUND + 20.0 + 7.0
    assert budget.spending.calls == 2


def test_a_call_of_unknown_price_is_put_down_but_takes_no_dollars(money: Money, budget: Budget) -> None:
    id = money.reserve(OTHER, None)
    assert id is not None
    money.settle(id, replace(OTHER, usd=100.0))
    assert run(metered(budget, "x", price=None).reply(HELLO, 20)).text == "x"
    assert money.day() == (100.0, 0.0)


def test_without_a_cap_of_the_day_calls_are_put_down_all_the_same(money: Money) -> None:
    budget = Budget(None, 0, ledger=money)
    run(metered(budget, Reply("x", usage=Usage(5, 2))).reply(HELLO, 20))
    assert money.day() == (7.0, 0.0)


def test_a_ledger_that_another_process_has_locked_is_tried_again_with_ticks(
    money: Money, budget: Budget, time: Time, tmp_path: Path
) -> None:
    money.day()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.plans[2.0] = lambda: other.execute("ROLLBACK")
        heard: list[Event] = []
        run(metered(budget, Reply("x", usage=Usage(5, 2))).reply(HELLO, 20), heard.append)
    assert 2.0 <= time.now < 3.0
    assert not [event for event in heard if isinstance(event, Notice)], "it takes only a moment"
    assert len([event for event in heard if isinstance(event, Tick)]) >= 40
    assert money.day() == (7.0, 0.0)


def test_a_ledger_that_stays_locked_is_a_broken_one(money: Money, time: Time, tmp_path: Path) -> None:
    told: list[str] = []
    budget = Budget(None, 0, day_usd=9.0, ledger=money, notice=told.append, clock=time.clock, sleep=time.sleep)
    money.day()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run(metered(budget, "x", price=Price(0.1, 0.1)).reply(HELLO, 20)).text == "x"
        assert time.now == pytest.approx(PATIENCE, abs=0.5)
        run(metered(budget, "x", price=Price(0.1, 0.1)).reply(HELLO, 20))
        assert time.now == pytest.approx(PATIENCE, abs=0.5), "it is not waited for again"
    assert [text for text in told if "locked" in text] == told
    assert len(told) == 1


@pytest.mark.parametrize("works", range(4))
def test_a_broken_ledger_costs_no_answer_and_is_spoken_of_once(works: int) -> None:
    told: list[str] = []
    budget = Budget(60.0, 0, day_usd=100.0, ledger=Broken(works), notice=told.append)
    ours = metered(budget, Reply("x", usage=Usage(5, 2)), "y")
    assert run(ours.reply(HELLO, 20)).text == "x"
    assert not budget.short()
    run(ours.reply([*HELLO, Message("user", "more")], 1_000))
    assert len(told) == 1
    assert "the disk is full; free some space" in told[0]
    assert limits(ours) == [20, 60 - 7 - (5 + 4 + PER_MESSAGE)], "the cap of the question still holds"
    assert budget.spending.usd == 60.0
    with pytest.raises(BudgetSpent):
        run(ours.reply(HELLO, 1_000))
