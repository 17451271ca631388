"""Within an attempt each request begins with all of the one before: what is repeated is what providers cache."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise

import pytest

from ecoassist.desk import Desk
from ecoassist.engine import Engine, Tier
from ecoassist.play import play
from ecoassist.prompts import LAST_HINT, SHORT_HINT, STUCK_HINT
from ecoassist.session import Session
from ecoassist.starting import StartingKernel
from ecoassist.testing import FixedJudge, MemoryStore, ScriptedKernel, ScriptedModel
from ecoassist.types import (
    Access,
    Api,
    CellError,
    CellResult,
    Example,
    Message,
    Operation,
    Outcome,
    Reply,
    Saved,
    Task,
)

DONE = "It is 4.\nANSWER: 4"
OK = CellResult("ok", "4\n", "4")
BROKEN = CellResult("error", "", "", CellError("KeyError", "'main'", "KeyError: 'main'"))
MISSING = CellResult("error", "", "", CellError("ModuleNotFoundError", "No module named 'x'", "no module"))
REFUSED = CellResult("ok", "none", accesses=(Access("bad.example", "GET", "/", refused="not listed"),))
OPENED = CellResult("ok", "none", opened=("bad.example",), denied=("worse.example",), unasked="nobody is there")
FLOODED = CellResult(
    "ok", "x" * 50_000, omitted=50_000, whole="out.txt", files=(Saved("a.png", "/tmp/a.png", "image/png", 10),)
)
STOPPED = CellResult("timeout", "", reason="after 60 s", survived=("a", "b"))
KILLED = CellResult("killed", reason="out of memory", state_lost=True)
EMPTY = CellResult("ok")


def code(source: str) -> str:
    return f"```python\n{source}\n```"


def extends(seen: Sequence[tuple[Message, ...]]) -> bool:
    """Whether each request repeats the one before and adds a reply and what came of it."""
    return all(
        after[: len(before)] == before and [one.role for one in after[len(before) :]] == ["assistant", "user"]
        for before, after in pairwise(seen)
    )


def attempts(seen: Sequence[tuple[Message, ...]]) -> list[list[tuple[Message, ...]]]:
    """Requests by attempt: one that is not longer than the one before begins another."""
    found: list[list[tuple[Message, ...]]] = []
    for sent in seen:
        if found and len(sent) > len(found[-1][-1]):
            found[-1].append(sent)
        else:
            found.append([sent])
    return found


def engine(*tiers: Tier, kernel: Sequence[CellResult] = (), solved: Sequence[bool] = (True,)) -> Engine:
    return Engine(tiers, ScriptedKernel(*kernel), MemoryStore(), FixedJudge(*solved))


CELLS = [OK, BROKEN, MISSING, REFUSED, OPENED, FLOODED, STOPPED, KILLED, EMPTY]


def test_whatever_comes_of_a_cell_the_next_request_only_adds_to_the_one_before() -> None:
    model = ScriptedModel(*(code(f"x = f({number})") for number in range(len(CELLS))), DONE)
    play(engine(Tier("t", model, max_turns=20), kernel=CELLS).run(Task("q", now="today")))
    assert len(model.seen) == len(CELLS) + 1
    assert extends(model.seen)


def test_replies_that_are_not_understood_or_cut_off_stay_as_they_were() -> None:
    call, cut = '{"name": "search", "arguments": {}}', Reply("It is", "length")
    model = ScriptedModel("```python\nprint(", "", cut, call, code("x = f()"), DONE)
    play(engine(Tier("t", model, max_turns=20), kernel=[OK]).run(Task("q")))
    assert len(model.seen) == 6
    assert extends(model.seen)


def test_hints_stay_where_they_were_given() -> None:
    model = ScriptedModel(code("x = f()"), code("x = f()"), code("y = f()"), DONE)
    it = engine(Tier("t", model, max_turns=4), kernel=[BROKEN, BROKEN, OK])
    play(it.run(Task("q")))
    assert STUCK_HINT in model.seen[2][-1].text
    assert STUCK_HINT in model.seen[3][-3].text
    assert LAST_HINT in model.seen[3][-1].text
    assert extends(model.seen)


def test_the_hint_that_money_is_short_stays_when_it_comes_and_when_it_goes() -> None:
    asked = count()
    model = ScriptedModel(code("a = f()"), code("b = f()"), code("c = f()"), DONE)
    it = engine(Tier("t", model, max_turns=9), kernel=[OK, OK, OK])
    it.short = lambda: next(asked) == 1
    play(it.run(Task("q")))
    assert [SHORT_HINT in sent[-1].text for sent in model.seen] == [False, False, True, False]
    assert extends(model.seen)


def test_a_sandbox_that_is_restarted_changes_nothing_of_what_was_said() -> None:
    model = ScriptedModel(code("a = f()"), code("b = f()"), DONE)
    it = engine(Tier("t", model, max_turns=9), kernel=[CellResult("gone", reason="the container is gone"), OK])
    play(it.run(Task("q")))
    assert len(model.seen) == 3
    assert extends(model.seen)


def test_after_an_escalation_the_stronger_tier_extends_its_own_first_request() -> None:
    weak = ScriptedModel(code("a = f()"), "It is 5.\nANSWER: 5")
    strong = ScriptedModel(code("b = f()"), code("c = f()"), DONE)
    it = engine(Tier("weak", weak), Tier("strong", strong), kernel=[BROKEN, BROKEN, OK], solved=(False, True))
    play(it.run(Task("q", now="today")))
    assert "Facts from an earlier try" in strong.seen[0][-1].text
    assert extends(weak.seen)
    assert extends(strong.seen)
    assert weak.seen[0][0] == strong.seen[0][0]


def test_of_two_ways_each_extends_its_own_first_request() -> None:
    weak = ScriptedModel(DONE, code("a = f()"), code("b = f()"), DONE)
    it = engine(Tier("weak", weak, samples=2), Tier("strong", ScriptedModel()), kernel=[BROKEN, OK])
    play(it.run(Task("What is 2 + 2?", now="today", examples=(Example(1, "What is 1 + 1?", "print(2)", 1.0),))))
    ways = attempts(weak.seen)
    assert [len(one) for one in ways] == [1, 3]
    assert all(map(extends, ways))


class OneKernel:
    """Boxes that hold one scripted kernel."""

    def __init__(self, kernel: ScriptedKernel) -> None:
        self.kernel = kernel

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def start(self) -> ScriptedKernel:
        return self.kernel

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> ScriptedKernel:
        return ScriptedKernel()


WEATHER = Api("weather", "api.w", "", "rain and sun", operations=(Operation("GET", "/rain", "rain"),))
PLACES = Api("places", "api.p", "", "cities and streets", operations=(Operation("GET", "/find", "a city"),))


@pytest.mark.parametrize("minutes", [1, 3])
def test_in_a_chat_each_question_extends_its_own_first_request_while_the_clock_goes_on(minutes: int) -> None:
    model = ScriptedModel(*[code("a = f()"), code("b = f()"), DONE] * 9)
    now = count(step=minutes)
    kernel = StartingKernel(OneKernel(ScriptedKernel(*[BROKEN, OK] * 9)).start)
    it = engine(Tier("t", model))
    it.kernel, it.keep_state = kernel, True
    boxes = OneKernel(ScriptedKernel())
    session = Session(it, kernel, boxes, Desk(), (WEATHER, PLACES), card_tokens=60, now=lambda: f"12:{next(now):02}")
    for number in range(9):
        outcome: Outcome = play(session.ask(f"Will it rain in city {number}?" if number % 2 else "Where is a street?"))
        assert outcome.status == "solved"
    session.close()
    questions = [model.seen[at : at + 3] for at in range(0, len(model.seen), 3)]
    assert len(questions) == 9
    assert all(map(extends, questions))
    assert len({sent[0] for sent in model.seen}) == 1, "the system message is the same throughout"
    first = [asked[0] for asked in questions]
    assert all(after[: len(before) - 1] == before[:-1] for before, after in pairwise(first[:6])), "so is what was said"
