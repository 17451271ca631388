"""The events of a run keep their order, whatever models and cells do and wherever the run is cut."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from functools import partial
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoassist.asking import AskingKernel
from ecoassist.budget import Budget, Metered
from ecoassist.desk import Desk
from ecoassist.engine import Engine, Tier
from ecoassist.errors import EnvironmentFault, NoSandbox, ProviderError
from ecoassist.events import ATTEMPT, FLEETING, LETTER, ORDER, Answered, Asked, Event, Finished, Replied
from ecoassist.play import Stop, play
from ecoassist.ports import Judge
from ecoassist.replay import SpareKernel, StoredProgram, read
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel, remembered
from ecoassist.types import Access, CellError, CellResult, Price, Question, Replay, Reply, Spending, Task, Usage
from ecoassist.verdict.judge import Chain

T = TypeVar("T")
USED = Usage(10, 10)
REPLIES: st.SearchStrategy[Reply | Exception] = st.sampled_from(
    [
        Reply("```python\nprint(1)\n```", usage=USED),
        Reply("```python\nprint(2)\n```", usage=USED),
        Reply("It is so.", usage=USED),
        Reply("It is 4.\nANSWER: 4", usage=USED),
        Reply("```python\nprint(", usage=USED),
        Reply("", usage=USED),
        Reply("no", finish="filter", usage=USED),
        Reply("no usage came back"),
        ProviderError("down"),
    ]
)
CELLS: st.SearchStrategy[CellResult | Exception] = st.sampled_from(
    [
        CellResult("ok", "4"),
        CellResult("ok"),
        CellResult("error", error=CellError("KeyError", "'x'")),
        CellResult("timeout"),
        CellResult("oom", state_lost=True),
        CellResult("gone"),
        CellResult("ok", "x", accesses=(Access("h", "GET", refused="not listed"),)),
        CellResult("error", accesses=(Access("h", "GET", refused="-", blocked=True), Access("i", "GET", blocked=True))),
        NoSandbox("no engine", "start it"),
    ]
)
JUDGEMENTS: st.SearchStrategy[Reply | Exception] = st.sampled_from(
    [
        Reply('{"solved": true, "reason": "r"}', usage=USED),
        Reply('{"solved": false, "reason": "r"}', usage=USED),
        Reply("hm", usage=USED),
        ProviderError("down"),
    ]
)


def letters(events: list[Event]) -> str:
    return "".join(LETTER.get(type(event), "") for event in events)


def begins(word: str) -> bool:
    """Whether `word` can be continued to a word of ORDER. The tails close every bracket that can be open."""
    tails = ("", "SRF", "RF", "F", "azJF", "TazF", "rzJF", "zJF", "dzJF", "JF", "kJF", "zF", "dzF", "KF")
    return any(re.fullmatch(ORDER, word + tail) for tail in tails)


class Cut(Exception):
    """The consumer of the events fails."""


class Cutter:
    """At event number `at` either asks for a stop or breaks."""

    def __init__(self, at: int | None, how: str, stop: Stop) -> None:
        self.at, self.how, self.stop, self.seen = at, how, stop, 0

    def handle(self, event: Event) -> None:
        if self.seen == self.at and self.how == "interrupt":
            self.stop.request()
        elif self.seen == self.at:
            raise Cut
        self.seen += 1


def replayed(kernel: ScriptedKernel, replay: Replay) -> Tier:
    return Tier("replay", StoredProgram(replay.id, replay.program), 1, kernel=SpareKernel(kernel), read=read)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_order_holds_over_random_scripts_interrupted_or_closed_anywhere(data: st.DataObject) -> None:
    def draw(strategy: st.SearchStrategy[T]) -> T:
        return data.draw(strategy)

    def script(strategy: st.SearchStrategy[T]) -> list[T]:
        return draw(st.lists(strategy, min_size=18, max_size=18))

    budget = Budget(draw(st.sampled_from([0.0, 0.05, 0.5, 100.0])), 10_000)
    price = draw(st.sampled_from([Price(1_000.0, 1_000.0), None]))
    tiers = [
        Tier(
            name,
            Metered(ScriptedModel(*script(REPLIES), catches=draw(st.booleans())), budget, price, 50),
            turns,
            draw(st.sampled_from([1, 2])),
        )
        for name, turns in zip(
            ("cheap", "mid", "strong"), draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)), strict=False
        )
    ]
    kernel = AskingKernel(ScriptedKernel(*script(CELLS), catches=draw(st.booleans())), lambda host, span: None)
    model = Metered(ScriptedModel(*script(JUDGEMENTS)), budget, price, 10) if draw(st.booleans()) else None
    judges: list[Judge] = [Chain(model), Chain(person=True), FixedJudge(False, True), FixedJudge(None)]
    judge = draw(st.sampled_from(judges))
    found = remembered(1, "q", "print(4)", 0.9)
    found = replace(found, entry=replace(found.entry, wins=draw(st.integers(0, 1)), replays=draw(st.integers(8, 9))))
    store = MemoryStore(*([found] if draw(st.booleans()) else []))
    own = ScriptedKernel(*script(CELLS), catches=draw(st.booleans()))
    spoken = draw(st.sampled_from([None, "yes", "no", "escalate", "once"]))
    stop, recorder = Stop(), Recorder()
    cutter = Cutter(draw(st.none() | st.integers(0, 50)), draw(st.sampled_from(["interrupt", "close"])), stop)

    def person(question: Question) -> str | None:
        return spoken

    spent, replayer = lambda: (budget.spending, Spending()), partial(replayed, own)
    stream = Engine(tiers, kernel, store, judge, spending=spent, replayer=replayer).run(Task("q"))
    budget.open()
    try:
        outcome = play(Desk().merge(stream, lambda: None), [recorder, cutter], person, stop)
    except (EnvironmentFault, Cut):
        assert begins(letters(recorder.events)), letters(recorder.events)
    except KeyboardInterrupt:
        raise AssertionError("an interruption escaped the stream") from None
    else:
        assert re.fullmatch(ORDER, letters(recorder.events)), letters(recorder.events)
        assert recorder.events[-1] == Finished(outcome)
        replies = sum(isinstance(event, Replied) for event in recorder.events)
        assert replies == sum(len(attempt.turns) for attempt in outcome.attempts)
        assert (outcome.stored is not None) <= (outcome.status == "solved")
        assert sum(not attempt.asked for attempt in outcome.attempts) == len(own.ran) <= 1
        assert not (outcome.replayed and outcome.stored)
    pairs = [event for event in recorder.events if isinstance(event, Asked | Answered)]
    cut_short = isinstance(recorder.events[-1], Asked)
    assert [type(event) for event in pairs] == [Asked, Answered] * (len(pairs) // 2) + [Asked] * cut_short
    assert inspect.getgeneratorstate(stream) == inspect.GEN_CLOSED
    assert_no_money_is_left_hanging(budget, price)


def assert_no_money_is_left_hanging(budget: Budget, price: Price | None) -> None:
    if price is None:
        assert budget.spending.prompt_tokens + budget.spending.completion_tokens <= 10_000
    else:
        assert (budget.spending.usd or 0.0) <= 100.0


def test_the_check_can_fail() -> None:
    assert not begins("SRTJ")
    assert not re.fullmatch(ORDER, "SRTazF" + "F")
    assert re.fullmatch(ORDER, "SRTarcdrzkkJTarzkJKF")
    assert re.fullmatch(ATTEMPT, "arcdrz")
    assert all(kind not in LETTER for kind in FLEETING)
