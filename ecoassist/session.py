"""One conversation: history, the kernel's lifetime, re-runs. `ask` and `chat` are both this."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from . import cards, programs, proving
from .clock import Clock
from .desk import Desk
from .engine import Engine
from .entries import Entry
from .events import (
    AttemptFinished,
    AttemptStarted,
    Checked,
    Event,
    Stream,
    TierStarted,
    through,
)
from .memory.attached import there
from .ports import Kernel
from .recording import Recording
from .redactor import Redactor
from .starting import Standby, StartingKernel
from .steering import Steering
from .types import Api, Attachment, Attempt, Exchange, Outcome, Spending, Task

MAX_NAMES = 40
"""Names of earlier variables that a prompt holds at most."""


class Boxes(Protocol):
    """Where kernels come from; made by wiring."""

    def prepare(self) -> object:
        """Blocks until a kernel can be had: engine there, image built. Raises NoSandbox."""

    def start(self) -> Kernel:
        """A kernel for the conversation."""

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        """A fresh kernel for the re-run of a candidate: it may only read, and only from `hosts`.

        `run`: the one that the candidate is from, where it was in this session: what that was answered is seen again.
        """


@dataclass(slots=True)
class Session:
    engine: Engine
    """Over `kernel`."""
    kernel: StartingKernel
    """The conversation's own; ends with the session."""
    boxes: Boxes
    desk: Desk
    apis: tuple[Api, ...] = ()
    """All that are enabled."""
    card_tokens: int = 1_200
    """What a prompt may take to tell of them."""
    listing: str = ""
    """As in a Task."""
    files: tuple[Attachment, ...] = ()
    now: Callable[[], str] = lambda: ""
    """Date, time and zone in words."""
    total: Callable[[], Spending] = Spending
    """What the conversation has cost so far."""
    judging: Callable[[], Spending] = Spending
    """The part of it that judging took."""
    begin: Callable[[str], None] = lambda run: None
    """Called before each question with the name of its run."""
    begin_attempt: Callable[[], None] = lambda: None
    """Called when an attempt of a question begins."""
    clock: Clock = field(default_factory=Clock)
    """Of the kernel's time limits: whoever plays a question stops it while the person is asked."""
    judged: bool = True
    """Whether anybody judges answers: otherwise none is stored, and no kernel boots for its re-run."""
    network: str = ""
    """The policy of the network in a few words; empty where nothing enforces one."""
    confined: bool = True
    """Whether kernels are in a sandbox. Elsewhere no program of another session is run."""
    redactor: Redactor = field(default_factory=Redactor)
    """Keeps keys out of all that the session tells."""
    steering: Steering | None = None
    """Where on the cascade a question begins; None: at the first tier."""
    recording: Recording = field(default_factory=Recording)
    """Keeps the runs."""
    private: bool = False
    """Nothing is kept of the questions: no run, no solution, no credit. Changed by `go_private` and `go_public`."""
    asked_privately: bool = False
    """A question was, since it went private: the kernel may hold something of it."""
    keeps: bool = True
    """False: nothing is ever kept of a question, as if all were private."""
    run: str = ""
    """Of the last question."""
    history: list[Exchange] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _made: bool = False
    """Cells left files beside the kernel."""
    _last: tuple[Task, Outcome] | None = None
    _public: int = 0
    """How many exchanges of `history` are from before it went private."""
    _own: dict[int | None, str] = field(default_factory=dict)
    """Candidates that this session stored, and the runs that they are from."""
    _candidate: Attempt | None = None
    """The last one with a program, until it is judged."""
    _standby: Standby = field(default_factory=Standby)

    def ask(self, query: str) -> Stream[Outcome]:
        """One question, with the conversation before it in view. Raises EnvironmentFault."""
        stream = self.redactor.events(self._asked(self.redactor.text(query)))
        return (yield from stream if self.private else self.recording.question(stream))

    def _asked(self, query: str) -> Stream[Outcome]:
        task, self.run = self._task(query), uuid.uuid4().hex[:12]
        self.asked_privately, kept = self.asked_privately or self.private, self.keeps and not self.private
        self.begin(self.run)
        tiers, why = self.steering.next() if self.steering else (self.engine.tiers, "")
        stream = through(self.engine.run(task, self.run, tiers, why, private=not kept), self._watch)
        outcome: Outcome | None = None
        try:
            outcome = yield from self.desk.merge(stream, self.kernel.check)
        finally:
            self._standby.settle(outcome.stored if outcome else None)
        self._last = (task, outcome) if kept else None
        self._own[outcome.stored] = outcome.run
        self._note(query, outcome)
        if self.steering:
            self.steering.finished(outcome)
        return outcome

    def rerun(self, entry: Entry) -> Stream[bool | None]:
        """The other stream: a stored program runs once more, alone, in a fresh kernel. None: its entry stays as it is.

        That is so where it was interrupted, or the hosts it asks did not work.
        """
        run = self._own.get(entry.id, "")
        boot = partial(self.boxes.start_readonly, entry.solution.hosts, run)
        kernel, portable = self._standby.take(entry.id), self.engine.setting.portable
        stream = proving.rerun(entry, self.engine.store, boot, kernel, recent=bool(run), portable=portable)
        proof = yield from self.recording.rerun(self.redactor.events(stream), run)
        return proof.green

    def approve(self) -> int | None:
        """The person vouches for the last answer: it becomes a candidate. None: no program, or it is one already."""
        self._judged(True)
        if self._last is None or self._last[1].stored is not None:
            return None
        task, outcome = self._last
        if outcome.replayed:  # it is stored, and has won now
            self.engine.store.credit(outcome.replayed.id, True)
            self._last = None
            return None
        id = self.engine.keep(task, outcome)
        self._last = (task, replace(outcome, stored=id))
        self._own[id] = outcome.run
        return id

    def reject(self) -> bool:
        """The person denies the last answer: what was stored of it, and what it was made from, lose by it."""
        if self._last is None:
            return False
        self._judged(False)
        outcome = self._last[1]
        if outcome.stored is not None:
            self.engine.store.retire(outcome.stored, "the person said that its answer is wrong")
            self._standby.drop(outcome.stored)
        used = [outcome.replayed] if outcome.replayed else outcome.examples
        for one in used:
            self.engine.store.credit(one.id, False)
        self._last = None
        return True

    def _judged(self, solved: bool) -> None:
        """Keeps what the person says of the last answer, beside what the judge said of it."""
        outcome = self._last[1] if self._last else None
        if outcome and outcome.answer and (trouble := self.recording.judged(outcome.run, outcome.tier or "", solved)):
            self.desk.warn(trouble)

    def pending(self) -> tuple[Entry, ...]:
        """Candidates that this session may re-run: it has the files they read, and outside a sandbox they are its.

        One of a pack is tried with the person's keys only when the person says so.
        """
        entries = (entry for entry in self.engine.store.pending() if there(entry.solution, self.files))
        return tuple(e for e in entries if (self.confined and not e.solution.origin) or e.id in self._own)

    def reset(self) -> None:
        """Forgets the conversation and the kernel's variables, and begins where it began on the cascade."""
        if self.steering:
            self.steering.reset()
        self._forget(0)

    def go_private(self) -> None:
        """From now on nothing is kept of a question. The money that it costs is counted all the same."""
        self.private, self._public = True, len(self.history)

    def go_public(self) -> bool:
        """Questions are kept again. Whether private ones were forgotten first, and all variables with them.

        What they left, in the conversation or in the kernel, would come up in later questions, which are kept.
        """
        forgotten = self.asked_privately
        if forgotten:
            self._forget(self._public)
            self.desk.clear()  # what it tells next is kept
        self.private = False
        return forgotten

    def _forget(self, kept: int) -> None:
        """All but the first exchanges."""
        del self.history[kept:]
        self._public = min(self._public, kept)
        self._lost()
        self._last = None
        self.kernel.restart()
        self.asked_privately = False

    def close(self) -> None:
        """Ends every kernel of the session."""
        self._standby.close()
        self.kernel.close()

    def _watch(self, event: Event) -> Stream[str | None]:
        """While an answer is judged, the kernel boots in which its program would have to prove itself.

        Not sooner: a second attempt may follow, whose program it would be.
        """
        match event:
            case TierStarted():
                self._candidate = None
            case AttemptStarted():
                self.begin_attempt()
            case AttemptFinished(attempt) if attempt.answer and attempt.program and attempt.asked:
                self._candidate = attempt
            case Checked(verdict=verdict) if self._candidate and verdict.solved is not False:
                if self.judged and self.keeps and not self.private:
                    self._standby.foresee(partial(self.boxes.start_readonly, self._candidate.hosts, self.run))
                self._candidate = None
        return (yield event)

    def _task(self, query: str) -> Task:
        variables = programs.names(self._cells)[-MAX_NAMES:] if self.engine.keep_state else ()
        task = Task(query, self.now(), tuple(self.history), variables, files=self.files, made=self._made)
        before = [exchange.query for exchange in self.history[-1:]]
        shown, named = cards.choose(" ".join([*before, task.in_context]), self.apis, self.card_tokens)
        enabled = tuple(api.name for api in self.apis)
        return replace(task, apis=shown, other_apis=named, enabled=enabled, listing=self.listing)

    def _note(self, query: str, outcome: Outcome) -> None:
        turns = [turn for attempt in outcome.attempts for turn in attempt.turns]
        said = outcome.answer.text if outcome.answer else turns[-1].reply.text if turns else ""
        self.history.append(Exchange(query, said, outcome.status == "interrupted"))
        for attempt in [attempt for attempt in outcome.attempts if attempt.asked]:  # a replay has its own kernel
            if attempt.fresh:
                self._lost()
            for turn in attempt.turns:
                self._made = self._made or bool(turn.result and turn.result.files)
                if turn.result and turn.result.state_lost:
                    self._lost()
                elif turn.code:
                    self._cells.append(turn.code)

    def _lost(self) -> None:
        """A new kernel holds nothing of the one before."""
        self._cells.clear()
        self._made = False
