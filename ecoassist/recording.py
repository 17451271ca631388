"""Runs on their way into the ledger, event by event, as they happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import EcoassistError, EnvironmentFault
from .events import FLEETING, Checked, Event, Finished, Notice, R, Started, Stream, TierStarted, through
from .ports import Ledger


@dataclass(slots=True)
class Recording:
    """Keeps the streams of one session in `ledger`; None: nowhere.

    A ledger that cannot be used costs the person a notice, and the run its place there, never the answer.
    """

    ledger: Ledger | None = None
    clock: Callable[[], float] = time.monotonic
    began: dict[str, float] = field(default_factory=dict)
    """When each run began that is kept."""

    def question(self, stream: Stream[R]) -> Stream[R]:
        """`stream` of a question, kept from its Started on."""
        return stream if self.ledger is None else _Keeper(self, self.ledger).keep(stream)

    def rerun(self, stream: Stream[R], run: str) -> Stream[R]:
        """`stream` of a re-run, as the end of the run that its solution is from; where that is kept."""
        known = self.ledger is not None and run in self.began
        return _Keeper(self, self.ledger, run).keep(stream) if self.ledger and known else stream

    def judged(self, run: str, tier: str, solved: bool) -> str:
        """Keeps what the person says of the answer of a run. Returns why that was not possible, if so."""
        try:
            if self.ledger and run in self.began:
                self.ledger.judged(run, tier, "person", solved)
        except EnvironmentFault as error:
            return f"your verdict is not kept: {error}; {error.remedy}"
        return ""


class _Keeper:
    """Of one stream."""

    def __init__(self, recording: Recording, ledger: Ledger, run: str = "") -> None:
        self.recording, self.ledger, self.run = recording, ledger, run
        self.tier = ""
        self.early: list[Event] = []
        """Notices that came before the run had a name."""
        self.open = False
        """The run has begun and is not finished."""
        self.broken = False

    def keep(self, stream: Stream[R]) -> Stream[R]:
        try:
            return (yield from through(stream, self._each))
        except EcoassistError as error:
            self._break_off(str(error))
            raise
        except Exception as bug:
            self._break_off(type(bug).__name__)  # what it says may hold a key
            raise
        except BaseException:  # the person, or whoever drives the stream, had enough
            self._break_off("")
            raise

    def _each(self, event: Event) -> Stream[str | None]:
        kept = not self.broken and not isinstance(event, FLEETING)
        if kept and (trouble := self._try(lambda: self._put(event))):
            yield Notice(trouble, "warning")
        return (yield event)

    def _put(self, event: Event) -> None:
        """Before anybody sees the event: what was seen is kept."""
        if isinstance(event, Started):
            self.ledger.begin(event.run, event.query, event.why)
            self.run, self.open = event.run, True
            self.recording.began[self.run] = self.recording.clock()
        if not self.run:
            self.early.append(event)
            return
        while self.early:
            self._add(self.early.pop(0))
        self._add(event)
        if isinstance(event, TierStarted):
            self.tier = event.tier
        elif isinstance(event, Checked):
            self.ledger.judged(self.run, self.tier, event.step, event.verdict.solved)
        elif isinstance(event, Finished):
            self.open = False
            self.ledger.finish(self.run, event.outcome)

    def _add(self, event: Event) -> None:
        self.ledger.add(self.run, self.recording.clock() - self.recording.began[self.run], event)

    def _break_off(self, fault: str) -> None:
        if self.open and not self.broken:
            self.open = False
            self._try(lambda: self.ledger.finish(self.run, None, fault))

    def _try(self, act: Callable[[], None]) -> str:
        """Why it failed; empty where it did not."""
        try:
            act()
        except EnvironmentFault as error:
            self.broken = True
            return f"this run is not kept: {error}; {error.remedy}"
        except (ValueError, RecursionError) as error:  # an answer may hold what JSON cannot
            self.broken = True
            return f"this run is not kept: {type(error).__name__}"
        return ""
