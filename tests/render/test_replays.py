"""An answer that took no model is told as such, wherever it is told."""

from __future__ import annotations

import io
from dataclasses import replace

from ecoassist.render.console import ConsoleSink, stderr_console
from ecoassist.render.result import result
from ecoassist.render.story import told
from ecoassist.render.why import lines, record
from ecoassist.render.words import summary
from ecoassist.types import Example, Outcome, Replay, Run, Spending
from tests.test_replay import FAILED, FELL, QUESTION, House

RUN = Run("abc123", "2026-01-01T10:00:00Z", QUESTION, "solved", "replay", seconds=1.0)


def outcome(house: House) -> Outcome:
    return replace(house.ask(), seconds=1.0)


def test_the_last_line_names_the_solution_and_no_token() -> None:
    assert summary(outcome(House(FELL))) == ("replayed solution #12, 0 tokens", "1.0 s")


def test_what_judging_a_replay_took_is_told() -> None:
    judged = replace(outcome(House(FELL)), spending=Spending(0.01, 120, 30, 1), judging=Spending(0.01, 120, 30, 1))
    assert summary(judged)[:3] == ("replayed solution #12", "120 + 30 tokens", "$0.01")


def test_a_replay_that_failed_is_told_before_the_tier_that_answered() -> None:
    said = summary(outcome(House(FAILED)))
    assert said[0] == "solved by cheap after replay in 2 turns"
    assert said[-1] == "with solution #12"


def test_a_solution_of_a_team_is_told_as_theirs() -> None:
    theirs = replace(outcome(House(FELL)), replay=Replay(-5, QUESTION, "x"))
    assert summary(theirs)[0] == "replayed solution team #5, 0 tokens"
    shown = replace(outcome(House(FAILED)), examples=(Example(-5, "q", "x", 0.5),))
    assert summary(shown)[-1] == "with solution team #5"


def test_the_object_says_which_solution_answered() -> None:
    body = result(outcome(House(FELL)))
    assert (body["replayed"], body["solution_used"], body["tier"]) == (12, 12, "replay")
    assert result(outcome(House(FAILED)))["replayed"] is None


def test_the_terminal_says_who_answered_and_the_reason_of_the_models_is_not_the_replays() -> None:
    progress, answer = io.StringIO(), io.StringIO()
    house = House(FELL)
    house.ask(why="it solved an earlier question of this conversation")
    sink = ConsoleSink(stderr_console(progress), answer)
    for event in house.recorder.events:
        sink.handle(event)
    assert answer.getvalue() == "3 mm\n"
    assert "replay · solution #12\n" in progress.getvalue()
    assert "similar solution" not in progress.getvalue(), "it is shown to nobody"
    assert "earlier question" not in progress.getvalue()
    assert "replayed solution #12, 0 tokens · " in progress.getvalue()


def test_why_tells_of_a_replay_and_where_the_models_begin() -> None:
    house = House(FAILED)
    house.ask(why="it solved an earlier question of this conversation")
    text = "\n".join(lines(replace(RUN, why="it solved an earlier question"), house.recorder.events, ()))
    assert "begins     at cheap: it solved an earlier question" in text
    assert "1. replay · solution #12" in text
    assert "escalated  replay did not solve it: the stored program failed: KeyError: 'mm'" in text
    assert "then told" not in text
    assert record(RUN, house.recorder.events, ())["replayed"] is None


def test_the_record_of_a_run_names_the_solution_that_answered() -> None:
    house = House(FELL)
    house.ask()
    assert record(RUN, house.recorder.events, ())["replayed"] == 12
    assert told(house.recorder.events).steps[0].stored
