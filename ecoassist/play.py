"""play(): the only driver of a stream. Sinks consume, a Person answers, a Stop interrupts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from types import FrameType
from typing import Literal

from .clock import Clock
from .errors import Interrupted
from .events import FLEETING, Asked, Event, R, Stream
from .ports import Person, Sink
from .types import Question

Why = Literal["interrupt", "timeout", "terminated"]


class Stop:
    """One stream's wish to end. The first Ctrl-C sets it; a second one, before the stream ended, is KeyboardInterrupt.

    `seconds`: sets itself after that many seconds of `clock`, which play() stops while it asks the person. `why` tells
    who set it, None while nobody did.
    """

    def __init__(self, seconds: float | None = None, clock: Clock | None = None) -> None:
        self.why: Why | None = None
        self._pressed = False
        self.clock = clock or Clock()
        self._deadline = None if seconds is None else self.clock() + seconds

    def request(self, why: Why = "interrupt") -> None:
        self.why = self.why or why

    @property
    def requested(self) -> bool:
        if self._deadline is not None and self.clock() > self._deadline:
            self.request("timeout")
        return self.why is not None

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM request the stop. A SIGINT that was ignored on start, as under nohup, stays ignored."""
        with _handling(signal.SIGINT, self._on_sigint), _handling(signal.SIGTERM, self._on_sigterm):
            yield

    @contextmanager
    def while_typing(self) -> Iterator[None]:
        """Ctrl-C ends the typing at once, and so does SIGTERM."""
        with (
            _handling(signal.SIGINT, signal.default_int_handler),
            _handling(signal.SIGTERM, self._on_sigterm_typing),
        ):
            yield

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        self.request("interrupt")

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if self.why == "terminated":
            raise KeyboardInterrupt
        self.why = "terminated"

    def _on_sigterm_typing(self, number: int, frame: FrameType | None) -> None:
        self.why = "terminated"
        raise KeyboardInterrupt


@contextmanager
def _handling(number: signal.Signals, handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) is signal.SIG_IGN:
        yield
        return
    old = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, old)


def nobody(question: Question) -> str | None:
    """The person who is not there."""
    return None


def play(events: Stream[R], sinks: Sequence[Sink] = (), person: Person = nobody, stop: Stop | None = None) -> R:
    """Drives `events` to its end, hands each event to every sink, and returns the stream's result.

    Raises what the stream raises, and KeyboardInterrupt on the second Ctrl-C.
    """
    stop = stop or Stop()
    step: Callable[[], Event] = partial(next, events)
    thrown = False
    with stop.on_signals(), closing(events):
        while True:
            try:
                event = step()
            except StopIteration as end:
                result: R = end.value
                return result
            except Interrupted as escaped:  # nobody in the stream could close its brackets: leave as if pressed twice
                raise KeyboardInterrupt from escaped
            for sink in sinks:
                sink.handle(event)
            if isinstance(event, Asked):
                step = partial(events.send, _answer(event.question, person, stop))
            elif stop.requested and not thrown and isinstance(event, FLEETING):
                thrown = True
                step = partial(events.throw, Interrupted())
            else:
                step = partial(next, events)


def _answer(question: Question, person: Person, stop: Stop) -> str | None:
    if stop.requested:
        return None
    try:
        with stop.while_typing(), stop.clock.paused():
            return person(question)
    except (KeyboardInterrupt, EOFError):
        return None
