"""The one vocabulary of a run, and its grammar.

Durable events keep ORDER. Fleeting ones, Notice and Asked-Answered pairs come between any two of them. An interruption
closes every open bracket and ends with Finished; an exception or close() leaves a prefix.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from .errors import Interrupted
from .types import Attempt, CellResult, Example, Outcome, Question, Reply, Verdict, Way

HOLD_OUT = "hold-out"
"""In Started: the question is answered by the strongest tier alone, at random, so that savings can be measured."""
CHOSEN = "you chose it"
"""In Started: the person named the tier that begins."""

# ── durable ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Started:
    """First, once."""

    query: str
    run: str = ""
    why: str = ""
    """Why the question does not begin at the first tier, if so; HOLD_OUT: to compare."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """Once, after Started: the solutions that will be shown to the models."""

    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class TierStarted:
    """Opens a tier. From the second on, the question was escalated."""

    tier: str
    model: str = ""
    why: str = ""
    """Why it came to that; empty for the first."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    tier: str
    way: Way = "direct"


@dataclass(frozen=True, slots=True)
class Replied:
    """A model's reply is complete, or was cut by an interruption."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class CellStarted:
    """After the Replied that held the code, or in a re-run."""

    code: str


@dataclass(frozen=True, slots=True)
class CellFinished:
    result: CellResult


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Checked:
    """One step of the verdict chain."""

    step: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """Closes a tier. Lacking only where interruption or the budget ended it."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Stored:
    """A candidate was stored. It is not served before its re-run was green."""

    id: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Last, once."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RerunStarted:
    """Opens the other stream: a candidate runs again in a fresh kernel."""

    id: int


@dataclass(frozen=True, slots=True)
class RerunFinished:
    """Closes it. `green` None: interrupted, the candidate stays pending."""

    id: int
    green: bool | None


# ── between any two ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Asked:
    """Whoever drives the stream answers by send(). None: nobody answered, and that means no."""

    question: Question


@dataclass(frozen=True, slots=True)
class Answered:
    """Right after each Asked."""

    answer: str | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person may want to know: a retry, an image being built, a kernel restarted."""

    text: str
    level: Literal["info", "warning"] = "info"
    drop_live: bool = False
    """The text streamed so far will be sent again: live displays drop it."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply that is being written."""

    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of what the running cell prints."""

    text: str
    stream: Literal["stdout", "stderr"] = "stdout"


@dataclass(frozen=True, slots=True)
class Tick:
    """A port waits: once before it first waits, then at least every 100 ms."""


Fleeting: TypeAlias = TextDelta | Output | Tick
Durable: TypeAlias = (
    Started
    | Recalled
    | TierStarted
    | AttemptStarted
    | Replied
    | CellStarted
    | CellFinished
    | AttemptFinished
    | Checked
    | Judged
    | Stored
    | Finished
    | RerunStarted
    | RerunFinished
)
Event: TypeAlias = Durable | Asked | Answered | Notice | Fleeting
R = TypeVar("R")
Stream: TypeAlias = Generator[Event, str | None, R]
"""What every streaming port returns: yields events, may be sent an answer, returns its result."""

FLEETING: tuple[type, ...] = typing.get_args(Fleeting)

LETTER: dict[type, str] = {
    Started: "S",
    Recalled: "R",
    TierStarted: "T",
    AttemptStarted: "a",
    Replied: "r",
    CellStarted: "c",
    CellFinished: "d",
    AttemptFinished: "z",
    Checked: "k",
    Judged: "J",
    Stored: "K",
    Finished: "F",
    RerunStarted: "V",
    RerunFinished: "W",
}
ATTEMPT = "(a(r(cd)?)*z)"
ORDER = rf"SR(T{ATTEMPT}+k*J)*(T{ATTEMPT}+)?K?F"
"""The durable events of a question, one letter each."""
RERUN = "V(cd)*W"
"""The durable events of a re-run."""


# ── combinators ─────────────────────────────────────────────────────────────────────────────────────────────────────


def ask(question: Question) -> Stream[str | None]:
    """Puts a question to whoever drives the stream. None: nobody answered."""
    answer = yield Asked(question)
    yield Answered(answer)
    return answer


def through(inner: Stream[R], each: Callable[[Event], Stream[str | None]]) -> Stream[R]:
    """`inner`, with `each(event)` in place of every event; what `each` returns is sent to `inner`.

    The only hand-written forwarding: `yield from` cannot change events, and a plain loop drops send, throw and close.
    """
    step: Callable[[], Event] = partial(next, inner)
    with closing(inner):
        while True:
            try:
                event = step()
            except StopIteration as end:
                result: R = end.value
                return result
            try:
                step = partial(inner.send, (yield from each(event)))
            except Interrupted as stop:
                step = partial(inner.throw, stop)


def rest(inner: Stream[R], instead: R) -> Stream[R]:
    """`inner`, or `instead` where it let Interrupted through. Ports that catch it keep their partial result."""
    try:
        return (yield from inner)
    except Interrupted:
        return instead


def quiet(inner: Stream[R]) -> Stream[R]:
    """`inner` without its text: a judge's own words are not the answer."""

    def each(event: Event) -> Stream[str | None]:
        return (yield Tick() if isinstance(event, TextDelta) else event)

    return through(inner, each)


# ── as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def encode(event: Event) -> str:
    """One line of JSON: the event's name and its fields."""
    return json.dumps({"event": type(event).__name__, **dataclasses.asdict(event)}, ensure_ascii=False)


def decode(line: str) -> Event:
    """The event that `encode` wrote.

    Raises ValueError for anything else.
    """
    body = json.loads(line)
    name = body.pop("event", None) if isinstance(body, dict) else None
    kind = {cls.__name__: cls for cls in typing.get_args(Event)}.get(name)
    if kind is None:
        raise ValueError(f"not an event: {line[:80]}")
    event: Event = _build(kind, body)
    return event


def _build(kind: Any, body: Any) -> Any:
    """A value of type `kind` from plain JSON: dataclasses, tuples of them and unions with None."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(body, dict):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: _build(hints[name], value) for name, value in body.items()})
    if origin is tuple and isinstance(body, list):
        return tuple(_build(typing.get_args(kind)[0], item) for item in body)
    if origin in (types.UnionType, typing.Union) and isinstance(body, dict):
        return _build(next(arm for arm in typing.get_args(kind) if dataclasses.is_dataclass(arm)), body)
    return body
