"""Why a run went as it did, from events and calls."""

from __future__ import annotations

import json
from dataclasses import replace

from ecoassist import events as ev
from ecoassist.render import words
from ecoassist.render.result import dumps
from ecoassist.render.runs import rows, shown
from ecoassist.render.story import told
from ecoassist.render.why import lines, record
from ecoassist.types import (
    Access,
    Answer,
    Attempt,
    Call,
    CellError,
    CellResult,
    Example,
    Fault,
    Outcome,
    Price,
    Question,
    Reply,
    Run,
    Saved,
    Turn,
    Verdict,
)

ESC = "\x1b[31mred\x1b[0m \u202eback"
FAILED = CellResult("error", error=CellError("KeyError", "'rain'"), accesses=(Access("api.w", "GET", "/v1", 200),))
FIRST = Turn(
    Reply("x"), "import w\nw['rain']", FAILED, fault=Fault("code", "KeyError: 'rain'"), hint="look at the keys"
)
LAST = Turn(Reply("y"), answer=Answer("It rains.", True))
WEAK = Attempt("weak", (FIRST, LAST), "answered", model="m-weak", way="plan")
STRONG = Attempt("strong", (LAST,), "answered", model="m-strong")
NO = Verdict(False, "model", "no rain in the output", evidence="rain: 0", judge="m-strong")
YES = Verdict(True, "model", "it fits", judge="m-strong", own=True)
RUN = Run("abc123", "2026-01-01T10:00:00Z", "Does it rain?", "solved", "strong", seconds=3.0)
CALL = Call("weak", "m-weak", "answer", 1_000, 100, 0.0012, exact=True, price=Price(1.0, 2.0))
CALLS = (CALL, replace(CALL, tier="strong", purpose="judge", usd=0.004, exact=False))
EVENTS: tuple[ev.Event, ...] = (
    ev.Started("Does it rain?", "abc123"),
    ev.Recalled((Example(3, "Did it rain?", "print()", 0.81),)),
    ev.TierStarted("weak", "m-weak"),
    ev.AttemptStarted("weak", "plan"),
    ev.Replied(FIRST.reply),
    ev.CellStarted(FIRST.code or ""),
    ev.CellFinished(FAILED),
    ev.Replied(LAST.reply),
    ev.AttemptFinished(WEAK),
    ev.Checked("model", NO),
    ev.Judged(NO),
    ev.TierStarted("strong", "m-strong", "weak did not solve it: no rain in the output"),
    ev.AttemptStarted("strong"),
    ev.Replied(LAST.reply),
    ev.AttemptFinished(STRONG),
    ev.Checked("model", YES),
    ev.Judged(YES),
    ev.Asked(Question("host", "api.w", ("yes",))),
    ev.Answered(None),
    ev.Stored(7),
    ev.Finished(Outcome("solved", Answer("It rains.", True), YES, (WEAK, STRONG), stored=7, run="abc123")),
    ev.RerunStarted(7),
    ev.CellStarted("print()"),
    ev.CellFinished(CellResult("ok")),
    ev.RerunFinished(7, False),
)


def text(run: Run = RUN, events: tuple[ev.Event, ...] = EVENTS, calls: tuple[Call, ...] = CALLS) -> str:
    return "\n".join(lines(run, events, calls))


def test_path_reasons_evidence_and_cost_are_told() -> None:
    said = text()
    for part in (
        "solutions  #3 (score 0.81): Did it rain?",
        "1. weak · m-weak",
        "attempt with a plan: 2 turns, answered",
        "turn 1: fault code: KeyError: 'rain'",
        "turn 1: then told: look at the keys",
        "egress: GET api.w/v1 -> 200",
        '✗ model: no rain in the output; it rests on "rain: 0"; judged by m-strong',
        "2. strong · m-strong",
        "escalated  weak did not solve it: no rain in the output",
        "✓ model (the one that answered): it fits; judged by m-strong",
        "asked      host api.w: no answer",
        "stored     as solution #7: its re-run did not confirm it",
        "<= $0.004",
        "sum: <= 2,000 + 200 tokens · <= $0.0052 · of which judging <= $0.004",
    ):
        assert part in said, (part, said)
    assert said.count("no rain in the output") == 2


def test_an_unknown_price_is_unknown_and_makes_the_sum_so() -> None:
    said = text(calls=(CALL, replace(CALL, usd=None, price=None)))
    assert said.count("unknown") == 3
    assert "sum: 2,000 + 200 tokens · cost unknown" in said
    assert json.loads(dumps(record(RUN, EVENTS, (CALL, replace(CALL, usd=None)))))["cost"]["usd"] is None


def test_every_beginning_of_a_run_can_be_told() -> None:
    run = replace(RUN, status="lost", tier="", seconds=0.0)
    for length in range(len(EVENTS)):
        said = text(run, EVENTS[:length])
        assert said.startswith("run abc123")
        assert "its process ended without a word" in said
        shown(run, EVENTS[:length])
        dumps(record(run, EVENTS[:length], CALLS))
    (open_attempt,) = told(EVENTS[:7]).attempts
    assert [(turn.code, turn.result) for turn in open_attempt.turns] == [(FIRST.code, FAILED)]


def test_no_foreign_text_reaches_the_terminal_as_it_is() -> None:
    answer, verdict = Answer(ESC), Verdict(False, ESC, ESC, evidence=ESC, judge=ESC)
    result = CellResult(
        "error",
        error=CellError(ESC, ESC),
        reason=ESC,
        accesses=(Access(ESC, ESC, ESC, 200, api=ESC), Access(ESC, "GET", refused=ESC)),
        files=(Saved(ESC, ESC, ESC, 1),),
    )
    turn = Turn(Reply(ESC), ESC, result, answer, Fault("code", ESC, ESC), ESC)
    attempt = Attempt(ESC, (turn,), "provider", ESC, ESC)
    events = (
        ev.Started(ESC, "r", ESC),
        ev.Recalled((Example(1, ESC, ESC, 1.0),)),
        ev.TierStarted(ESC, ESC, ESC),
        ev.AttemptStarted(ESC),
        ev.AttemptFinished(attempt),
        ev.Checked(ESC, verdict),
        ev.Judged(replace(verdict, reason=f"other {ESC}")),
        ev.TierStarted(ESC, ESC, ESC),
        ev.Asked(Question("host", ESC, (ESC,))),
        ev.Answered(ESC),
        ev.Finished(Outcome("unsolved", answer, verdict, (attempt,))),
    )
    run = Run("abc", RUN.began, ESC, "error", ESC, ESC, ESC)
    call = Call(ESC, ESC, "answer", 1, 1, 1.0)
    said = [*lines(run, events, (call,)), *shown(run, events), *rows((run,)), dumps(record(run, events, (call,)))]
    assert not any(mark in line for line in said for mark in ("\x1b", "\u202e"))
    assert "red back" in "\n".join(said)


def test_a_list_has_one_line_for_each_run_whatever_its_question() -> None:
    found = rows((replace(RUN, query="two\nlines " + "x" * 500), replace(RUN, status="interrupted", seconds=0.0)))
    assert len(found) == 2
    assert all(len(line) < 200 for line in found)
    assert rows(()) == []


def test_the_code_of_each_cell_is_shown_with_what_came_of_it() -> None:
    said = "\n".join(shown(RUN, EVENTS))
    assert "# attempt 1 by weak, turn 1: ✗ KeyError: 'rain'" in said
    assert "\nimport w\nw['rain']" in said
    assert "question:\n  Does it rain?\nanswer:\n  It rains." in said


def test_a_solution_that_was_shown_to_be_repaired_is_told_as_such() -> None:
    shown = Example(3, "Did it rain?", "print()", 0.81, trouble="KeyError: 'rain'")
    assert words.recalled([shown]) == "1 similar solution: #3 (score 0.81, broken: to be repaired)"
