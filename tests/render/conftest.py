"""Recorded event lists, and a screen that stands for a terminal."""

from __future__ import annotations

import dataclasses
import io
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rich.console import Console

from ecoassist.events import (
    AttemptFinished,
    AttemptStarted,
    CellFinished,
    CellStarted,
    Checked,
    Event,
    Finished,
    Judged,
    Notice,
    Output,
    Recalled,
    Replied,
    Started,
    Stored,
    TextDelta,
    Tick,
    TierStarted,
)
from ecoassist.render.console import ConsoleSink, StderrConsole
from ecoassist.types import (
    Access,
    Answer,
    Attempt,
    CellError,
    CellResult,
    Example,
    Outcome,
    Reply,
    Spending,
    Turn,
    Verdict,
)

CODE = """\
import os
import requests

key = os.environ["WEATHERAPI_KEY"]
url = "https://api.weatherapi.com/v1/forecast.json"
reply = requests.get(url, params={"q": "Oslo", "days": 2, "key": key}, timeout=20)
reply.raise_for_status()
days = reply.json()["forecast"]["forecastday"]
for day in days:
    print(day["date"], day["day"]["avgtemp_c"], day["day"]["condition"]["text"])
tomorrow = days[1]["day"]
round(tomorrow["avgtemp_c"])"""
SHORT = 'print("hello")'
ANSWER = Answer("Tomorrow in Oslo: 3 °C on average, light rain.", 3)


class Screen(io.StringIO):
    """Text that says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Advances by what it is told to, 0.1 s at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


class Shown:
    """A sink, and what it wrote to both streams."""

    def __init__(self, tty: bool, width: int, colour: bool, verbose: bool, header: str, network: str) -> None:
        self.err: io.StringIO = Screen() if tty else io.StringIO()
        self.out: io.StringIO = Screen() if tty else io.StringIO()
        self.console: Console = StderrConsole(
            file=self.err,
            width=width,
            force_terminal=tty,
            color_system="standard" if colour else None,
            markup=False,
            highlight=False,
            emoji=False,
            _environ={"TERM": "xterm"},
        )
        self.sink = ConsoleSink(self.console, self.out, verbose=verbose, header=header, network=network, clock=Clock())

    def play(self, events: Sequence[Event]) -> Shown:
        for event in events:
            self.sink.handle(event)
        return self

    @property
    def progress(self) -> str:
        return self.err.getvalue()

    @property
    def answer(self) -> str:
        return self.out.getvalue()


Show = Callable[..., Shown]


@pytest.fixture
def show() -> Show:
    def show(
        events: Sequence[Event],
        *,
        tty: bool = False,
        width: int = 80,
        colour: bool = False,
        verbose: bool = False,
        header: str = "",
        network: str = "",
    ) -> Shown:
        return Shown(tty, width, colour, verbose, header, network).play(events)

    return show


@pytest.fixture
def solved() -> list[Event]:
    """Solved by the cheap tier in two turns, with one remembered solution."""
    action = Reply(f"Asking the forecast.\n```python\n{CODE}\n```")
    result = CellResult(
        "ok",
        "2026-03-01 4.2 Sunny\n2026-03-02 3.1 Light rain\n",
        "3",
        seconds=0.84,
        accesses=(Access("api.weatherapi.com", "GET", "/v1/forecast.json", 200, size=5120, seconds=0.4),),
    )
    turns = (Turn(action, CODE, result), Turn(Reply(ANSWER.text), answer=ANSWER))
    attempt = Attempt("cheap", turns, "answered", model="gpt-5-mini")
    verdict = Verdict(True, "model", "the value is in the output")
    examples = (Example(12, "weather in Bergen tomorrow", "print(1)", 0.7134),)
    spending = Spending(0.0004, 1532, 210, 3)
    return [
        Started("What is the weather in Oslo tomorrow?", "r1"),
        Tick(),
        Recalled(examples),
        TierStarted("cheap", "gpt-5-mini"),
        AttemptStarted("cheap"),
        TextDelta("Asking the "),
        TextDelta("forecast."),
        Replied(action),
        CellStarted(CODE),
        Tick(),
        Output("2026-03-01 4.2 Sunny\n"),
        CellFinished(result),
        Tick(),
        Replied(Reply(ANSWER.text)),
        AttemptFinished(attempt),
        Checked("checks", Verdict(None, "checks", "nothing speaks against it")),
        Checked("model", verdict),
        Judged(verdict),
        Stored(13),
        Finished(Outcome("solved", ANSWER, verdict, (attempt,), spending, 3.21, examples, 13, "r1")),
    ]


@pytest.fixture
def escalated() -> list[Event]:
    """The cheap tier is blocked and then wrong; the strong one answers, and nobody can judge it."""
    blocked = Access("evil.example", "GET", "/", refused="not on the allow-list")
    failed = CellResult(
        "error",
        "\n".join(f"row {n}" for n in range(14)) + "\n",
        error=CellError("KeyError", "'forecast'", "Traceback (most recent call last):\n  ...\nKeyError: 'forecast'"),
        seconds=1.26,
        accesses=(blocked, blocked, Access("api.weatherapi.com", "GET", "/", 403)),
    )
    good = CellResult("ok", "3.1\n", seconds=61.0)
    wrong = Answer("It will be sunny.")
    cheap = Attempt("cheap", (Turn(Reply("x"), SHORT, failed), Turn(Reply("y"), answer=wrong)), "answered")
    strong = Attempt("strong", (Turn(Reply("x"), SHORT, good), Turn(Reply("y"), answer=ANSWER)), "answered")
    no = Verdict(False, "checks", "the last cell ended with error")
    unsure = Verdict(None, "model", "could not judge: the endpoint failed")
    return [
        Started("What is the weather in Oslo tomorrow?"),
        Recalled(()),
        TierStarted("cheap", "gpt-5-mini"),
        AttemptStarted("cheap"),
        Notice("cheap: 429 Too Many Requests, trying again in 2 s", "warning", drop_live=True),
        Replied(Reply("x")),
        CellStarted(SHORT),
        CellFinished(failed),
        Replied(Reply("y")),
        AttemptFinished(cheap),
        Judged(no),
        TierStarted("strong", "gpt-5"),
        AttemptStarted("strong"),
        Replied(Reply("x")),
        CellStarted(SHORT),
        CellFinished(good),
        Replied(Reply("y")),
        AttemptFinished(strong),
        Judged(unsure),
        Finished(Outcome("unverified", ANSWER, unsure, (cheap, strong), Spending(0.0314, 9800, 1204, 5, False), 131.4)),
    ]


HOSTILE = "a\x1b[31mb\x1b]0;t\x07c\x9b2Jd\x07e\u202ef\u200bg\ud800h\r\ni\rj[bold]k[/bold][/]:smile:\x7f"


def _fill(kind: Any) -> Any:
    """A value of type `kind` with HOSTILE in every text, and every optional part there."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: _fill(hint) for name, hint in hints.items()})
    origin, arms = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return (_fill(arms[0]),)
    if origin is typing.Literal:
        return arms[0]
    if origin in (types.UnionType, typing.Union):
        return _fill(next((arm for arm in arms if dataclasses.is_dataclass(arm)), str if str in arms else arms[0]))
    return {str: HOSTILE, int: 7, float: 1.5, bool: True, bytes: b""}[kind]


@pytest.fixture
def hostile() -> Callable[[type], Any]:
    """Builds an event of a given type out of hostile text."""
    return _fill


@pytest.fixture
def every_event() -> list[type]:
    return list(typing.get_args(Event))
