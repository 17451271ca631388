"""THE LOOP: query -> recall -> (tier -> attempt -> turn -> cell)* -> verdict -> store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import assert_never

from . import faults, memory, outputs, partial, prompts, sampling, values
from .errors import BudgetSpent, NoSandbox, ProviderError
from .events import (
    CHOSEN,
    HOLD_OUT,
    AttemptFinished,
    AttemptStarted,
    CellFinished,
    CellStarted,
    Finished,
    Judged,
    Notice,
    Recalled,
    Replied,
    Started,
    Stream,
    TierStarted,
    rest,
)
from .faults import Guard
from .memory import Limits, Meanings, Setting
from .parsing import parse
from .ports import Judge, Kernel, Model, Store
from .types import (
    Answer,
    Attempt,
    CellResult,
    Code,
    End,
    Fault,
    Malformed,
    Outcome,
    Replay,
    Reply,
    Spending,
    Status,
    Task,
    Turn,
    Verdict,
    Way,
)

FINAL: frozenset[End] = frozenset({"interrupted", "budget"})
"""How an attempt ends that no stronger model could continue."""
UNJUDGED = Verdict(None, "nobody")
INTERRUPTED = Verdict(None, "nobody", "interrupted")


@dataclass(frozen=True, slots=True)
class Tier:
    name: str
    model: Model
    max_turns: int = 6
    samples: int = 1
    """2: two attempts, made in different ways, must agree."""
    kernel: Kernel | None = None
    """Its own, closed after it; None: the engine's. Its model is then a stored program, whose one cell is its one turn,
    and what that prints is the answer."""
    read: Callable[[str], Code | Answer | Malformed] = parse
    """What a reply says."""


def _at_once() -> Stream[None]:
    yield from ()


@dataclass(slots=True)
class Engine:
    """Answers one question after another, over collaborators that are already built."""

    tiers: Sequence[Tier]
    """In order of cost."""
    kernel: Kernel
    store: Store
    judge: Judge
    system: str = field(default_factory=prompts.system_text)
    """The system message of every model call."""
    ready: Callable[[], Stream[None]] = _at_once
    """Waits until paid calls make sense; raises what stands against them."""
    spending: Callable[[], tuple[Spending, Spending]] = lambda: (Spending(), Spending())
    """What the question has cost so far, and the part of it that judging took."""
    short: Callable[[], bool] = lambda: False
    """Whether most of the money is spent."""
    limits: Limits = field(default_factory=Limits)
    """What is taken from the store."""
    meanings: Meanings | None = None
    """Asks an embedder what questions mean; None: solutions are found by words alone."""
    replayer: Callable[[Replay], Tier] | None = None
    """Makes the tier of a stored program, which comes before all others; None: none is run."""
    setting: Setting = field(default_factory=Setting)
    """Where programs run, for what is stored of them."""
    keep_state: bool = False
    """Whether a tier inherits the kernel as its predecessor left it."""
    handoff: bool = True
    """Whether a stronger tier is told the facts that its predecessors met."""
    clock: Callable[[], float] = time.monotonic
    _deaths: int = field(default=0, init=False)
    """Of the sandbox, while one question was answered."""

    def run(
        self, task: Task, run: str = "", tiers: Sequence[Tier] | None = None, why: str = "", *, private: bool = False
    ) -> Stream[Outcome]:
        """Answers `task`, by `tiers` (None: all); `why` it does not begin at the first; `private`: nothing is stored.

        Raises EnvironmentFault when something around the question is broken: no sandbox, no answering model.
        """
        began, self._deaths, stopped = self.clock(), 0, False
        yield Started(task.query, run, why)
        if why != HOLD_OUT:
            limits = self.limits if self.replayer and why != CHOSEN else replace(self.limits, replay=False)
            recalled = yield from rest(memory.recall(self.store, task, limits, self.meanings), None)
            task, stopped = recalled or task, recalled is None
        yield Recalled(task.examples)
        attempts: list[Attempt] = []
        asked: list[Attempt] = []  # those of models
        verdict = UNJUDGED if not stopped and (yield from rest(self._wait(), False)) else INTERRUPTED
        tiers = self._order(task, self.tiers if tiers is None else tiers) if verdict is UNJUDGED else ()
        for tier in tiers:
            yield TierStarted(tier.name, tier.model.name, "" if tier.kernel else why)
            with closing(tier.kernel) if tier.kernel else nullcontext():
                tried = yield from self._attempts(tier, task, bool(asked), tier is tiers[-1])
            attempts += tried
            asked += () if tier.kernel else tried
            if tried[-1].end in FINAL:
                verdict = INTERRUPTED if tried[-1].end == "interrupted" else UNJUDGED
                break
            verdict = yield from rest(self.judge.judge(task, tried), INTERRUPTED)
            verdict = verdict if tier.kernel else faults.held(verdict, tried, task)
            yield Judged(verdict)
            if verdict.solved is not False or not verdict.escalate:
                break
            why = f"{tier.name} did not solve it: {verdict.reason}"
            task = memory.to_mend(task, tried)
            task = faults.handed(task, asked, facts=self.handoff, state=self.keep_state)
        if asked and all(attempt.end == "provider" for attempt in asked):
            raise ProviderError(f"no model answered: {asked[-1].why}")
        spent, judging = self.spending()
        outcome = replace(_outcome(attempts, verdict, task), run=run, spending=spent, judging=judging)
        if not private:
            outcome = yield from memory.remember(self.store, task, outcome, self.setting)
        outcome = replace(outcome, seconds=self.clock() - began)
        yield Finished(outcome)
        return outcome

    def _order(self, task: Task, tiers: Sequence[Tier]) -> Sequence[Tier]:
        """`tiers`, after the stored program that fits."""
        return [self.replayer(task.replay), *tiers] if task.replay and self.replayer else tiers

    def _wait(self) -> Stream[bool]:
        yield from self.ready()
        return True

    def _attempts(self, tier: Tier, task: Task, later: bool, last: bool) -> Stream[list[Attempt]]:
        """One attempt, or two ways that have to agree: the second in a kernel of its own, without a third to decide.

        Never on the last tier, which nobody is asked after, nor where a new kernel would lose variables or files of the
        person's.
        The second is left out where the first has no value that it could agree with, and at the end of the money.
        """
        alone = tier.samples < 2 or last or (self.keep_state and (bool(task.variables) or task.made))
        tried: list[Attempt] = []
        own: Way = "replay" if tier.kernel else task.way
        for way in (own,) if alone else sampling.ways(task):
            fresh = bool(tried) or (later and not self.keep_state and not tier.kernel)
            if fresh:
                self.kernel.restart()
            tried.append((yield from self._attempt(tier, sampling.towards(task, way), fresh)))
            if alone or self.short() or values.value_of(tried[-1].answer) is None:
                break
        return tried

    def _attempt(self, tier: Tier, task: Task, fresh: bool) -> Stream[Attempt]:
        """Turns of one tier until an answer, a limit, or a failure that repeating will not mend."""
        yield AttemptStarted(tier.name, task.way)
        turns: list[Turn] = []
        guard = Guard()
        end: End | None = None
        why = ""
        try:
            while end is None and faults.taken(turns) < tier.max_turns:
                turns.append((yield from self._turn(tier, task, turns)))
                end = self._ending(tier, turns, guard)
                turns[-1] = replace(turns[-1], hint=self._hint(tier, turns, guard))
        except ProviderError as error:
            end, why = "provider", str(error)
            yield Notice(f"{tier.name}: {why}", "warning", drop_live=True)
        except BudgetSpent as error:
            end, why = "budget", str(error)
            yield Notice(f"{why}; {error.remedy}", "warning")
        attempt = Attempt(tier.name, tuple(turns), end or "turn_limit", why, tier.model.name, task.way, fresh)
        yield AttemptFinished(attempt)
        return attempt

    def _hint(self, tier: Tier, turns: Sequence[Turn], guard: Guard) -> str:
        """What to do differently next. It stays with the turn, so that the next prompt begins as this one ends."""
        if tier.kernel:
            return ""
        if self.short():
            return prompts.SHORT_HINT
        if faults.taken(turns) == tier.max_turns - 1:
            return prompts.LAST_HINT
        return prompts.STUCK_HINT if guard.again else ""

    def _turn(self, tier: Tier, task: Task, turns: Sequence[Turn]) -> Stream[Turn]:
        asked = () if tier.kernel else prompts.messages(task, turns, system=self.system)
        reply = yield from rest(tier.model.reply(asked), Reply("", "interrupted"))
        yield Replied(reply)
        if fault := faults.of_reply(reply):
            return Turn(reply, fault=fault)
        match tier.read(reply.text):
            case Answer() | Malformed() if reply.finish == "length":
                return Turn(reply, fault=Fault("format", "the reply was cut off at its length limit"))
            case Code(source):
                if again := outputs.repeated(source, turns):
                    return Turn(reply, answer=again)
                yield CellStarted(source)
                result = yield from rest((tier.kernel or self.kernel).run(source), CellResult("interrupted"))
                yield CellFinished(result)
                said = outputs.told(result) if tier.kernel else None
                return Turn(reply, source, result, said, faults.of_cell(result))
            case Answer() as answer:
                return Turn(reply, answer=answer)
            case Malformed(why):
                return Turn(reply, fault=Fault("format", why))
            case other:
                assert_never(other)

    def _ending(self, tier: Tier, turns: Sequence[Turn], guard: Guard) -> End | None:
        """Whether the last turn ends the attempt. A dead sandbox is replaced, once for a question."""
        ending = faults.ending(turns, guard)
        if tier.kernel:  # a stored program has one try
            return ending if ending in ("answered", "interrupted") else "turn_limit"
        if ending != "restart":
            return ending
        self._deaths += 1
        if self._deaths > 1:
            why = turns[-1].fault.detail if turns[-1].fault else ""
            raise NoSandbox(f"the sandbox died twice: {why}", "look at it with: ecoassist doctor")
        self.kernel.restart()
        return None

    def keep(self, task: Task, outcome: Outcome) -> int | None:
        """Stores what answered `task` as a candidate. None: no program did. Raises EnvironmentFault."""
        return memory.keep(self.store, task, outcome, self.setting)


def _outcome(attempts: Sequence[Attempt], verdict: Verdict, task: Task) -> Outcome:
    last = attempts[-1] if attempts else None
    status: Status = "solved" if verdict.solved else "unsolved"
    if verdict.solved is None and verdict.reason == INTERRUPTED.reason:
        status = "interrupted"
    elif last and last.end == "budget":
        status = "budget"
    elif verdict.solved is None and last and last.answer:
        status = "unverified"
    answer = partial.best(attempts) if status == "budget" else last.answer if last else None
    return Outcome(status, answer, verdict, tuple(attempts), examples=task.examples, replay=task.replay)
