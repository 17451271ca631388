"""The vocabulary: every member survives the way to JSON and back, and the combinators lose nothing."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecoassist import events as ev
from ecoassist.errors import Interrupted
from ecoassist.types import (
    Access,
    Answer,
    Attempt,
    CellError,
    CellResult,
    Example,
    Fault,
    Outcome,
    Question,
    Reply,
    Saved,
    Spending,
    Table,
    Turn,
    Usage,
    Verdict,
)

RESULT = CellResult(
    "error",
    "out",
    "",
    CellError("KeyError", "'x'", "tb"),
    accesses=(Access("h", "GET", "/p", 200),),
    cause="exception",
    whole="/tmp/output-1.txt",
    survived=("a", "df"),
    files=(Saved("ecoassist-files/1a/figure-1.png", "figure-1.png", "image/png", 12),),
    tables=(Table(("", "city"), (("0", "Oslo"), ("1", "Rome")), 2), Table((), ((),), 9)),
)
REPLY = Reply("hi", "length", Usage(1, 2, 3), Spending(None, 1, 2, 1, False), "m")
ATTEMPT = Attempt(
    "cheap",
    (Turn(REPLY, "code", RESULT, None, Fault("code", "d")), Turn(REPLY, answer=Answer("a", [1, {"k": None}]))),
    "answered",
)
EXAMPLE = Example(1, "q", "p", 0.5)
VERDICT = Verdict(None, "model", "r", False)
EVENTS: list[ev.Event] = [
    ev.Started("q", "run"),
    ev.Recalled((EXAMPLE,)),
    ev.TierStarted("cheap", "m"),
    ev.AttemptStarted("cheap"),
    ev.Replied(REPLY),
    ev.CellStarted("code"),
    ev.CellFinished(RESULT),
    ev.AttemptFinished(ATTEMPT),
    ev.Checked("checks", VERDICT),
    ev.Judged(VERDICT),
    ev.Stored(3),
    ev.Finished(Outcome("solved", Answer("a", 1.5), VERDICT, (ATTEMPT,), Spending(0.1), 2.0, (EXAMPLE,), 3, "run")),
    ev.RerunStarted(3),
    ev.RerunFinished(3, None),
    ev.Asked(Question("verdict", "right?", ("yes", "no"))),
    ev.Answered(None),
    ev.Notice("n", "warning", True),
    ev.TextDelta("t"),
    ev.Output("o", "stderr"),
    ev.Tick(),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_json(event: ev.Event) -> None:
    line = ev.encode(event)
    assert "\n" not in line
    assert ev.decode(line) == event


@given(st.from_type(CellResult))
def test_any_result_of_a_cell_survives_json(result: CellResult) -> None:
    times = [result.seconds, *(access.seconds for access in result.accesses)]
    assume(not any(map(math.isnan, times)))  # which equals nothing, not even itself
    assert ev.decode(ev.encode(ev.CellFinished(result))) == ev.CellFinished(result)


def test_every_member_of_the_vocabulary_is_tried() -> None:
    assert {type(event) for event in EVENTS} == set(typing.get_args(ev.Event))


def test_a_foreign_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not an event"):
        ev.decode('{"event": "Nonsense"}')


def counting() -> ev.Stream[int]:
    """Counts what it is sent; an interruption ends it."""
    sent = 0
    try:
        for _ in range(3):
            sent += (yield ev.TextDelta("x")) is not None
    except Interrupted:
        return -1
    return sent


def drive(stream: ev.Stream[int], step: Callable[[ev.Stream[int]], object]) -> int:
    try:
        next(stream)
        while True:
            step(stream)
    except StopIteration as end:
        result: int = end.value
        return result


def test_through_passes_what_is_sent_and_thrown() -> None:
    def same(event: ev.Event) -> ev.Stream[str | None]:
        return (yield event)

    assert drive(ev.through(counting(), same), lambda stream: stream.send("y")) == 3
    assert drive(ev.through(counting(), same), lambda stream: stream.throw(Interrupted())) == -1


def test_through_closes_what_is_inside() -> None:
    closed = []

    def inner() -> ev.Stream[int]:
        try:
            yield ev.Tick()
        finally:
            closed.append(True)
        return 0

    def same(event: ev.Event) -> ev.Stream[str | None]:
        return (yield event)

    outer = ev.through(inner(), same)
    next(outer)
    outer.close()
    assert closed == [True]


def test_quiet_hides_words_but_not_the_passing_of_time() -> None:
    assert set(map(type, ev.quiet(counting()))) == {ev.Tick}


def test_rest_gives_the_substitute_where_a_port_let_the_interruption_through() -> None:
    def careless() -> ev.Stream[int]:
        yield ev.Tick()
        return 1

    assert drive(ev.rest(careless(), 7), lambda stream: stream.throw(Interrupted())) == 7
