"""THE LOOP: query -> recall -> (tier -> attempt -> turn -> cell)* -> verdict -> store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from . import faults, programs, prompts
from .errors import BudgetSpent, EnvironmentFault, NoSandbox, ProviderError
from .events import (
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
    Stored,
    Stream,
    TierStarted,
    rest,
)
from .faults import POLICY, Guard
from .parsing import parse
from .ports import Judge, Kernel, Model, Store
from .types import (
    Answer,
    Attempt,
    CellResult,
    Code,
    End,
    Example,
    Fault,
    Malformed,
    Outcome,
    Reply,
    Solution,
    Spending,
    Status,
    Task,
    Turn,
    Verdict,
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
    spending: Callable[[], Spending] = Spending
    """What the question has cost so far."""
    portable: Callable[[str], str] = str
    """Makes a program fit to be stored, without this session's placeholders."""
    keep_state: bool = False
    """Whether a tier inherits the kernel as its predecessor left it."""
    clock: Callable[[], float] = time.monotonic

    def run(self, task: Task, run: str = "") -> Stream[Outcome]:
        """Answers `task`.

        Raises EnvironmentFault when something around the question is broken: no sandbox, no answering model.
        """
        began = self.clock()
        yield Started(task.query, run)
        task = replace(task, examples=(yield from self._recall(task)))
        yield Recalled(task.examples)
        attempts: list[Attempt] = []
        verdict = UNJUDGED if (yield from rest(self._wait(), False)) else INTERRUPTED
        for tier in self.tiers if verdict is UNJUDGED else ():
            yield TierStarted(tier.name, tier.model.name)
            if attempts and not self.keep_state:
                self.kernel.restart()
            attempts.append((yield from self._attempt(tier, task)))
            if attempts[-1].end in FINAL:
                verdict = INTERRUPTED if attempts[-1].end == "interrupted" else UNJUDGED
                break
            verdict = yield from rest(self.judge.judge(task, attempts[-1:]), INTERRUPTED)
            yield Judged(verdict)
            if verdict.solved is not False or not verdict.escalate:
                break
            task = replace(task, digest=faults.digest(attempts))
        if attempts and all(attempt.end == "provider" for attempt in attempts):
            raise ProviderError(f"no model answered: {attempts[-1].why}")
        outcome = yield from self._remember(task, _outcome(attempts, verdict, task.examples))
        outcome = replace(outcome, run=run, spending=self.spending(), seconds=self.clock() - began)
        yield Finished(outcome)
        return outcome

    def _wait(self) -> Stream[bool]:
        yield from self.ready()
        return True

    def _attempt(self, tier: Tier, task: Task) -> Stream[Attempt]:
        """Turns of one tier until an answer, a limit, or a failure that repeating will not mend."""
        yield AttemptStarted(tier.name)
        turns: list[Turn] = []
        guard = Guard()
        end: End | None = None
        why = ""
        try:
            while end is None and len(turns) < tier.max_turns:
                turns.append((yield from self._turn(tier, task, turns, guard)))
                end = self._ending(turns, guard)
        except ProviderError as error:
            end, why = "provider", str(error)
            yield Notice(f"{tier.name}: {why}", "warning", drop_live=True)
        except BudgetSpent as error:
            end, why = "budget", str(error)
            yield Notice(f"{why}; {error.remedy}", "warning")
        attempt = Attempt(tier.name, tuple(turns), end or "turn_limit", why, tier.model.name)
        yield AttemptFinished(attempt)
        return attempt

    def _turn(self, tier: Tier, task: Task, turns: Sequence[Turn], guard: Guard) -> Stream[Turn]:
        last = len(turns) == tier.max_turns - 1 > 0
        hint = prompts.LAST_HINT if last else prompts.STUCK_HINT if guard.again else ""
        asked = prompts.messages(task, turns, hint, system=self.system)
        reply = yield from rest(tier.model.reply(asked), Reply("", "interrupted"))
        yield Replied(reply)
        if reply.finish == "interrupted":
            return Turn(reply, fault=Fault("interrupted"))
        if reply.finish == "filter":
            return Turn(reply, fault=Fault("refusal", "the provider's content filter stopped the reply"))
        match parse(reply.text):
            case Answer() | Malformed() if reply.finish == "length":
                return Turn(reply, fault=Fault("format", "the reply was cut off at its length limit"))
            case Code(source):
                if again := _same_as_last_good(source, turns):
                    return Turn(reply, answer=again)
                yield CellStarted(source)
                result = yield from rest(self.kernel.run(source), CellResult("interrupted"))
                yield CellFinished(result)
                return Turn(reply, source, result, fault=faults.of_cell(result))
            case Answer() as answer:
                return Turn(reply, answer=answer)
            case Malformed(why):
                return Turn(reply, fault=Fault("format", why))
            case other:
                assert_never(other)

    def _ending(self, turns: Sequence[Turn], guard: Guard) -> End | None:
        """Whether the last turn ends the attempt, by the policy of its fault."""
        turn = turns[-1]
        if turn.answer:
            return "answered"
        stuck = guard.stuck(turn, programs.normalised(turn.code or turn.reply.text))
        if turn.fault is None:
            return None
        match POLICY[turn.fault.kind]:
            case "repair":
                return "no_progress" if stuck else None
            case "restart":
                if sum(1 for t in turns if t.fault and t.fault.kind == "sandbox") > 1:
                    raise NoSandbox(f"the sandbox died twice: {turn.fault.detail}", "look at it with: ecoassist doctor")
                self.kernel.restart()
                return None
            case "escalate":
                return "refusal"
            case "stop":
                return "interrupted"
            case other:
                assert_never(other)

    def _recall(self, task: Task) -> Stream[tuple[Example, ...]]:
        """Similar solutions. A broken memory costs the person a notice, not the answer."""
        try:
            return self.store.similar(task.in_context)
        except EnvironmentFault as error:
            yield Notice(f"no memory: {error}; {error.remedy}", "warning")
            return ()

    def _remember(self, task: Task, outcome: Outcome) -> Stream[Outcome]:
        """Stores a solved question as a candidate, and credits the demonstrations that were shown."""
        if outcome.verdict.solved is None:
            return outcome
        heard = all(attempt.end != "provider" for attempt in outcome.attempts)
        try:
            for example in outcome.examples if heard else ():
                self.store.credit(example.id, outcome.verdict.solved and len(outcome.attempts) == 1)
            if outcome.status == "solved" and (id := self.keep(task, outcome)) is not None:
                outcome = replace(outcome, stored=id)
                yield Stored(id)
        except EnvironmentFault as error:
            yield Notice(f"not remembered: {error}; {error.remedy}", "warning")
        return outcome

    def keep(self, task: Task, outcome: Outcome) -> int | None:
        """Stores what answered `task` as a candidate. None: no program did. Raises EnvironmentFault."""
        attempt = outcome.attempts[-1] if outcome.attempts else None
        if attempt is None or not attempt.program or not attempt.answer:
            return None
        program = self.portable(programs.assemble(attempt.program))
        names, query = tuple(file.name for file in task.files), task.in_context
        made_by = (attempt.tier, attempt.model, attempt.hosts)
        return self.store.keep(Solution(query, program, attempt.answer, *made_by, names, attempt.apis))


def _same_as_last_good(source: str, turns: Sequence[Turn]) -> Answer | None:
    """A block that repeats the last good cell means: its output is the answer."""
    last = turns[-1] if turns else None
    if last is None or not last.good or programs.normalised(source) != programs.normalised(last.code or ""):
        return None
    text = (last.result.value or last.result.text).strip() if last.result else ""
    return Answer(text) if text else None


def _outcome(attempts: Sequence[Attempt], verdict: Verdict, examples: tuple[Example, ...]) -> Outcome:
    last = attempts[-1] if attempts else None
    status: Status = "solved" if verdict.solved else "unsolved"
    if verdict.solved is None and verdict.reason == INTERRUPTED.reason:
        status = "interrupted"
    elif last and last.end == "budget":
        status = "budget"
    elif verdict.solved is None and last and last.answer:
        status = "unverified"
    return Outcome(status, last.answer if last else None, verdict, tuple(attempts), examples=examples)
