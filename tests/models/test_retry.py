"""Trying again, with a clock of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from ecoassist.budget import Budget, Metered
from ecoassist.demo.endpoint import Endpoint, Scripted, count_prompt
from ecoassist.errors import BudgetSpent, Interrupted, ProviderError
from ecoassist.events import Event, Notice, Stream, TextDelta, Tick
from ecoassist.models.openai import OpenAIModel
from ecoassist.models.retry import Retrying
from ecoassist.testing import ScriptedModel
from ecoassist.types import Message, Price, Reply

Run: TypeAlias = Callable[[Stream[Any]], tuple[Any, list[Event]]]
HELLO = [Message("user", "hello")]


class Time:
    """Passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def retrying(model: Any, clock: Time, tries: int = 3, chance: float = 0.0) -> Retrying:
    return Retrying(model, tries, clock=lambda: clock.now, sleep=clock.sleep, chance=lambda: chance)


def busy(after: float | None = None) -> ProviderError:
    return ProviderError("busy", retryable=True, retry_after=after)


def test_a_good_reply_passes_through_as_it_is(run: Run) -> None:
    clock = Time()
    reply, events = run(retrying(ScriptedModel("fine"), clock).reply(HELLO, 7))
    assert reply == Reply("fine")
    assert not any(isinstance(event, Notice) for event in events)
    assert clock.now == 0


def test_the_name_and_the_limit_are_the_models(run: Run) -> None:
    model = ScriptedModel("fine", name="small")
    ours = retrying(model, Time())
    run(ours.reply(HELLO, 7))
    assert (ours.name, model.limits) == ("small", [7])


def test_each_further_try_is_announced_and_drops_the_text_so_far(run: Run) -> None:
    clock = Time()
    reply, events = run(retrying(ScriptedModel(busy(), busy(), "fine"), clock).reply(HELLO))
    notices = [event for event in events if isinstance(event, Notice)]
    assert reply == Reply("fine")
    assert [notice.drop_live for notice in notices] == [True, True]
    assert notices[0].text == "busy; trying again in 1 s"
    assert clock.now == pytest.approx(1 + 2)


def test_chance_shortens_the_wait_by_at_most_a_half(run: Run) -> None:
    clock = Time()
    run(retrying(ScriptedModel(busy(), busy(), "fine"), clock, chance=1.0).reply(HELLO))
    assert clock.now == pytest.approx((1 + 2) / 2)


@pytest.mark.parametrize(("asked", "waited"), [(0.0, 0.0), (7.0, 7.0), (3600.0, 60.0)])
def test_the_endpoints_wish_is_honoured_up_to_a_minute(asked: float, waited: float, run: Run) -> None:
    clock = Time()
    run(retrying(ScriptedModel(busy(asked), "fine"), clock).reply(HELLO))
    assert clock.now == pytest.approx(waited)


def test_it_gives_up_after_its_tries_with_the_last_error(run: Run) -> None:
    model = ScriptedModel(busy(), busy(), ProviderError("still busy", retryable=True), "never")
    with pytest.raises(ProviderError, match="still busy"):
        run(retrying(model, Time()).reply(HELLO))
    assert len(model.seen) == 3


@pytest.mark.parametrize("error", [ProviderError("no such model"), BudgetSpent("nothing left")])
def test_what_does_not_pass_is_not_tried_again(error: Exception, run: Run) -> None:
    model, clock = ScriptedModel(error, "never"), Time()
    with pytest.raises(type(error)):
        run(retrying(model, clock).reply(HELLO))
    assert (len(model.seen), clock.now) == (1, 0)


def test_it_ticks_while_it_waits_and_can_be_interrupted() -> None:
    clock = Time()
    model = ScriptedModel(busy(60.0), "never")
    stream = retrying(model, clock).reply(HELLO)
    while not isinstance(next(stream), Notice):
        pass
    for _ in range(10):
        before = clock.now
        assert next(stream) == Tick()
        assert clock.now - before <= 0.1
    with pytest.raises(Interrupted):
        stream.throw(Interrupted())
    assert len(model.seen) == 1


def test_over_a_real_endpoint_each_try_is_paid_for_by_itself(run: Run) -> None:
    clock, budget = Time(), Budget(1.0, 0)
    storm = Scripted("storm", 503), Scripted("word " * 50, cut=2), Scripted("fine")
    with Endpoint({"small": storm}) as endpoint:
        metered = Metered(OpenAIModel("small", endpoint.url, "k"), budget, Price(1.0, 2.0), max_output=100)
        reply, events = run(retrying(metered, clock).reply(HELLO))
    worst = ((5 + 8) * 1.0 + 100 * 2.0) / 1e6
    assert reply.text == "fine"
    assert reply.charge.usd == pytest.approx((count_prompt(HELLO) + 1 * 2.0) / 1e6)
    assert budget.spending.usd == pytest.approx(worst + reply.charge.usd), "the broken stream counts in full"
    assert (budget.spending.calls, budget.spending.exact) == (2, False)
    assert TextDelta("fine") in events
