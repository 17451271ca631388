"""Money: what is reserved, what is settled, and that the cap holds."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.budget import PER_MESSAGE, Budget, Metered
from ecoassist.errors import BudgetSpent, Interrupted, ProviderError
from ecoassist.events import Notice, Stream, Tick
from ecoassist.purse import LEAST
from ecoassist.testing import MemoryLedger, ScriptedModel
from ecoassist.types import Message, Price, Reply, Spending, Usage

HELLO = [Message("user", "hello")]
BOUND = 5 + PER_MESSAGE
DOLLAR = Price(1e6, 1e6)
"""One dollar a token: easy to reckon with."""


def run(stream: Stream[Reply]) -> Reply:
    while True:
        try:
            next(stream)
        except StopIteration as end:
            reply: Reply = end.value
            return reply


def metered(budget: Budget, *script: str | Reply | Exception, price: Price | None = DOLLAR, **more: Any) -> Metered:
    return Metered(ScriptedModel(*script), budget, price, **more)


# ── one call ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_charged_by_its_usage_with_cached_tokens_apart() -> None:
    budget = Budget(1.0, 0)
    usage = Usage(1_000, 100, cached=800)
    reply = run(metered(budget, Reply("x", usage=usage), price=Price(2.0, 10.0, 0.5)).reply(HELLO))
    usd = (200 * 2.0 + 800 * 0.5 + 100 * 10.0) / 1e6
    assert reply.charge is not None
    assert reply.charge.usd == pytest.approx(usd)
    assert reply.charge == Spending(reply.charge.usd, 1_000, 100, 1, exact=True)
    assert reply.usage == usage
    assert budget.spending == budget.total == reply.charge


def test_cached_tokens_without_a_price_of_their_own_cost_what_others_do() -> None:
    budget = Budget(1.0, 0)
    run(metered(budget, Reply("x", usage=Usage(100, 0, cached=100)), price=Price(2.0, 10.0)).reply(HELLO))
    assert budget.spending.usd == pytest.approx(200 / 1e6)


def test_missing_usage_is_charged_in_full_and_said_to_be_a_bound() -> None:
    budget = Budget(None, 0)
    reply = run(metered(budget, "x").reply(HELLO, 20))
    assert reply.charge == Spending(BOUND + 20.0, BOUND, 20, 1, exact=False)
    assert reply.usage is None


def test_an_interrupted_reply_is_charged_in_full() -> None:
    budget = Budget(None, 0)
    stream = metered(budget, "long reply").reply(HELLO, 20)
    next(stream)
    with pytest.raises(StopIteration) as end:
        stream.throw(Interrupted())
    assert end.value.value.charge == Spending(BOUND + 20.0, BOUND, 20, 1, exact=False)


def test_usage_that_came_before_an_interruption_may_not_be_all() -> None:
    budget = Budget(None, 0)
    run(metered(budget, Reply("x", "interrupted", Usage(1, 1))).reply(HELLO, 20))
    assert budget.spending == Spending(BOUND + 20.0, BOUND, 20, 1, exact=False)


@pytest.mark.parametrize("how", ["close", "interrupt"])
def test_an_abandoned_call_is_charged_in_full(how: str) -> None:
    budget = Budget(None, 0)
    stream = Metered(ScriptedModel("x", catches=False), budget, DOLLAR).reply(HELLO, 20)
    next(stream)
    assert budget.held == (BOUND + 20.0, 0)
    if how == "close":
        stream.close()
    else:
        with pytest.raises(Interrupted):
            stream.throw(Interrupted())
    assert budget.held == (0, 0)
    assert budget.spending == Spending(BOUND + 20.0, BOUND, 20, 1, exact=False)


@pytest.mark.parametrize(("billed", "usd", "calls"), [(False, 0.0, 0), (True, BOUND + 20.0, 1)])
def test_a_failed_call_costs_nothing_unless_it_may_have_been_billed(billed: bool, usd: float, calls: int) -> None:
    budget = Budget(None, 0)
    with pytest.raises(ProviderError):
        run(metered(budget, ProviderError("broken", billed=billed)).reply(HELLO, 20))
    assert (budget.spending.usd, budget.spending.calls, budget.spending.exact) == (usd, calls, not billed)
    assert budget.held == (0, 0)


# ── the cap ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_reply_is_shortened_to_what_can_be_paid() -> None:
    budget = Budget(BOUND + 50.0, 0)
    ours = metered(budget, "x")
    run(ours.reply(HELLO, 1_000))
    assert isinstance(ours.model, ScriptedModel)
    assert ours.model.limits == [50]
    assert budget.spending.usd == BOUND + 50.0


def test_a_reply_that_would_be_too_short_is_refused_and_nothing_is_asked() -> None:
    budget = Budget(BOUND + LEAST - 1.0, 0)
    ours = metered(budget, "x")
    with pytest.raises(BudgetSpent, match=r"could cost \$29\.0000, and \$28\.0000 of \$28\.0000 is left") as caught:
        run(ours.reply(HELLO, 1_000))
    assert "--max-cost 58.00" in caught.value.remedy
    assert isinstance(ours.model, ScriptedModel)
    assert ours.model.seen == []
    assert (budget.spending, budget.held) == (Spending(), (0, 0))


def test_a_caller_who_wants_less_than_the_least_gets_it() -> None:
    run(metered(Budget(BOUND + 3.0, 0), "x").reply(HELLO, 3))


def test_without_a_limit_the_models_own_is_reserved() -> None:
    budget = Budget(None, 0)
    run(metered(budget, "x", max_output=100).reply(HELLO))
    assert budget.spending.completion_tokens == 100


def test_an_unknown_price_is_unknown_and_tokens_stand_in() -> None:
    budget = Budget(0.01, BOUND + 50)
    ours = metered(budget, Reply("x", usage=Usage(10, 5)), "y", price=None)
    assert run(ours.reply(HELLO, 20)).charge == Spending(None, 10, 5, 1)
    run(ours.reply([*HELLO, Message("assistant", "x")], 1_000))
    assert isinstance(ours.model, ScriptedModel)
    assert ours.model.limits == [20, BOUND + 50 - 15 - 10 - 1 - PER_MESSAGE]
    with pytest.raises(BudgetSpent, match="tokens") as caught:
        run(ours.reply(HELLO, 1_000))
    assert "budget.tokens" in caught.value.remedy
    assert budget.spending.usd is None


def test_tokens_with_a_price_do_not_count_against_the_cap_of_those_without() -> None:
    budget = Budget(None, 100)
    run(metered(budget, Reply("x", usage=Usage(5_000, 5_000))).reply(HELLO))
    run(metered(budget, "x", price=None).reply(HELLO, 100 - BOUND))


def test_a_free_model_can_always_be_asked() -> None:
    budget = Budget(0.0, 0)
    reply = run(metered(budget, Reply("x", usage=Usage(10, 5)), price=Price(0, 0)).reply(HELLO))
    assert reply.charge == Spending(0.0, 10, 5, 1)


def test_each_question_has_its_own_cap_and_the_session_adds_them_up() -> None:
    budget = Budget(BOUND + 20.0, 0)
    for _ in range(3):
        budget.open()
        run(metered(budget, "x").reply(HELLO, 20))
        assert budget.spending.usd == BOUND + 20.0
    assert budget.total == Spending(3 * (BOUND + 20.0), 3 * BOUND, 60, 3, exact=False)


def test_a_call_is_settled_with_the_question_it_belongs_to() -> None:
    budget = Budget(100.0, 0)
    stream = metered(budget, "x").reply(HELLO, 20)
    next(stream)
    budget.open()
    stream.close()
    assert budget.spending == Spending()
    assert budget.total.usd == BOUND + 20.0


# ── the bound of a prompt ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_prompt_is_reserved_by_its_bytes_and_messages() -> None:
    budget = Budget(None, 0)
    run(metered(budget, "x", overhead=7).reply([Message("system", "é€"), Message("user", "ab")], 20))
    assert budget.spending.prompt_tokens == 2 + 3 + 2 + 2 * PER_MESSAGE + 7


def test_what_the_endpoint_counted_is_not_estimated_again() -> None:
    budget = Budget(None, 0)
    ours = metered(budget, Reply("x", usage=Usage(3, 1)), "y", "z")
    run(ours.reply(HELLO))
    run(ours.reply([*HELLO, Message("assistant", "four")]))
    assert budget.spending.prompt_tokens == 3 + (3 + 4 + PER_MESSAGE)
    run(ours.reply([Message("user", "other")]))
    assert budget.spending.prompt_tokens == 3 + (3 + 4 + PER_MESSAGE) + BOUND, "another prompt is not a longer one"


# ── more than one question ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_has_a_cap_of_its_own_across_its_questions() -> None:
    budget = Budget(100.0, 0, session_usd=2 * (BOUND + 20.0) + BOUND + LEAST - 1)
    for _ in range(2):
        budget.open()
        run(metered(budget, "x").reply(HELLO, 20))
    budget.open()
    ours = metered(budget, "x")
    with pytest.raises(BudgetSpent, match=r"\$28\.0000 of this session's \$94\.0000 is left") as caught:
        run(ours.reply(HELLO, 20))
    assert "budget.session" in caught.value.remedy
    assert "--max-cost" not in caught.value.remedy, "that is not what stands in the way"
    assert isinstance(ours.model, ScriptedModel)
    assert ours.model.seen == []


def test_the_tightest_cap_shortens_a_reply() -> None:
    ours = metered(Budget(BOUND + 40.0, 0, session_usd=BOUND + 30.0), "x")
    run(ours.reply(HELLO, 1_000))
    assert isinstance(ours.model, ScriptedModel)
    assert ours.model.limits == [30]


def test_what_judging_took_stands_apart_and_in_the_sum() -> None:
    budget = Budget(None, 0)
    run(metered(budget, Reply("x", usage=Usage(5, 5))).reply(HELLO))
    run(metered(budget, Reply("{}", usage=Usage(2, 1)), purpose="judge").reply(HELLO))
    assert budget.judging == Spending(3.0, 2, 1, 1)
    assert budget.spending == Spending(13.0, 7, 6, 2)
    budget.open()
    assert (budget.judging, budget.spending) == (Spending(), Spending())


@pytest.mark.parametrize(
    ("question", "session", "earlier", "spent", "short"),
    [
        (100.0, None, 0, 79, False),
        (100.0, None, 0, 80, True),
        (None, None, 0, 80_000, False),
        (math.inf, math.inf, 0, 80_000, False),
        (None, 100.0, 40, 39, False),
        (None, 100.0, 40, 40, True),
        (100.0, 1_000.0, 900, 10, False),  # there is enough for most of a whole question
        (100.0, 1_000.0, 970, 10, True),
        (0.0, None, 0, 0, False),  # a model that costs nothing
    ],
)
def test_money_is_short_when_a_fifth_of_what_a_question_may_cost_is_left(
    question: float | None, session: float | None, earlier: int, spent: int, short: bool
) -> None:
    budget = Budget(None, 0, session_usd=session)
    if earlier:
        run(metered(budget, Reply("x", usage=Usage(earlier, 0))).reply(HELLO, LEAST))
    budget.question_usd = question
    budget.open()
    assert not budget.short(), "nothing of this question is spent"
    price = Price(spent * 1e6 / BOUND, 0)
    run(metered(budget, Reply("x", usage=Usage(BOUND, 0)), price=price).reply(HELLO, LEAST))
    assert budget.short() is short


def test_tokens_that_stand_in_for_a_price_can_be_short_as_well() -> None:
    budget = Budget(1.0, 100)
    ours = metered(budget, Reply("x", usage=Usage(70, 9)), Reply("x", usage=Usage(1, 0)), price=None)
    run(ours.reply(HELLO, LEAST))
    assert not budget.short()
    run(metered(budget, Reply("x", usage=Usage(1, 0)), price=None).reply([Message("user", "")], LEAST - 5))
    assert budget.short()


def test_an_endpoint_that_took_more_than_it_was_allowed_is_charged_what_it_tells_and_spoken_of() -> None:
    budget = Budget(100.0, 0)
    heard = list(metered(budget, Reply("x", usage=Usage(5, 200))).reply(HELLO, 20))
    assert budget.spending == Spending(205.0, 5, 200, 1)
    assert [event.text for event in heard if isinstance(event, Notice)] == [
        "the endpoint of scripted took more than it was allowed: caps cannot hold there"
    ]
    with pytest.raises(BudgetSpent):
        run(metered(budget, "x").reply(HELLO))


# ── always ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Honest:
    """A model that keeps limits, counts at most a token a byte and the same prompt the same, and ends in every way."""

    ends: list[tuple[str, int]]
    percent: int
    name: str = "honest"
    asked: list[int] = field(default_factory=list)

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        end, percent = self.ends.pop(0)
        assert limit is not None
        self.asked.append(limit)
        size = sum((len(message.text.encode()) + PER_MESSAGE) * self.percent // 100 for message in messages)
        usage = Usage(size, limit * percent // 100, cached=size * percent // 100)
        yield Tick()
        if end == "unbilled":
            raise ProviderError("refused")
        if end == "billed":
            raise ProviderError("broken", billed=True)
        yield Tick()
        if end == "filter":
            return Reply("", "filter", usage)
        return Reply("x", "interrupted" if end == "interrupted" else "stop", None if end == "silent" else usage)


ENDS = st.tuples(
    st.sampled_from(["stop", "silent", "interrupted", "filter", "billed", "unbilled", "abandoned"]), st.integers(0, 100)
)
PRICES = st.builds(Price, st.floats(0, 50), st.floats(0, 100), st.one_of(st.none(), st.floats(0, 60)))


@given(
    ends=st.lists(ENDS, min_size=1, max_size=12),
    price=st.one_of(st.none(), PRICES),
    cap=st.floats(0, 0.05),
    tokens=st.integers(0, 5_000),
    text=st.text(max_size=40),
    grow=st.booleans(),
    percent=st.integers(10, 100),
)
def test_spending_never_passes_the_cap_and_holds_return_to_nothing(
    ends: list[tuple[str, int]],
    price: Price | None,
    cap: float,
    tokens: int,
    text: str,
    grow: bool,
    percent: int,
) -> None:
    budget = Budget(cap, tokens)
    model = Honest(list(ends), percent)
    ours = Metered(model, budget, price, 500)
    messages = [Message("user", text)]
    for end, _ in ends:
        stream = ours.reply(messages)
        try:
            if end == "abandoned":
                next(stream)
                stream.close()
            else:
                run(stream)
        except BudgetSpent:
            break
        except ProviderError:
            pass
        if grow:
            messages = [*messages, Message("assistant", text)]
        assert budget.held == (0, 0) or budget.held == pytest.approx((0, 0), abs=1e-9)
    spent = budget.spending
    if price:
        assert spent.usd is not None
        assert 0 <= spent.usd <= cap + 1e-9
    else:
        assert spent.prompt_tokens + spent.completion_tokens <= tokens
        assert spent.usd is None or spent.calls == 0
    assert all(limit >= LEAST for limit in model.asked)


@given(
    ends=st.lists(ENDS, min_size=1, max_size=12),
    price=PRICES,
    caps=st.tuples(*[st.one_of(st.none(), st.floats(0, 0.05))] * 3),
    percent=st.integers(10, 100),
)
def test_no_cap_is_passed_and_the_ledger_says_what_the_session_says(
    ends: list[tuple[str, int]], price: Price, caps: tuple[float | None, float | None, float | None], percent: int
) -> None:
    question, session, day = caps
    ledger, model = MemoryLedger(), Honest(list(ends), percent)
    budget = Budget(question, 0, session_usd=session, day_usd=day, ledger=ledger)
    ours = Metered(model, budget, price, 500)
    for number, (end, _) in enumerate(ends):
        if number % 4 == 0:
            budget.open()
        stream = ours.reply(HELLO)
        try:
            if end == "abandoned":
                next(stream)
                stream.close()
            else:
                run(stream)
        except (BudgetSpent, ProviderError):
            pass
        spent, held = ledger.day()
        assert held == 0
        assert spent == pytest.approx(budget.total.usd)
        assert spent <= min(math.inf if session is None else session, math.inf if day is None else day) + 1e-6
        assert (budget.spending.usd or 0.0) <= (math.inf if question is None else question) + 1e-6


def test_threads_together_do_not_pass_the_cap() -> None:
    budget = Budget((BOUND + 20.0) * 10, 0)
    refused: list[BudgetSpent] = []

    def ask() -> None:
        for _ in range(5):
            try:
                run(Metered(ScriptedModel("x"), budget, DOLLAR).reply(HELLO, 20))
            except BudgetSpent as error:
                refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spending.usd == (BOUND + 20.0) * 10
    assert (budget.spending.calls, len(refused), budget.held) == (10, 30, (0, 0))
