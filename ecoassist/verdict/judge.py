"""The verdict chain: checks, agreement, a model, the person. A Checked event for each; the first that knows decides.

Only a judge's own words are read as its verdict, and only the person's own answer as the person's: what data, code or
the answer itself say about being right is evidence at most (`reading.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ecoassist import prompts
from ecoassist.errors import BudgetSpent, ProviderError
from ecoassist.events import Checked, Notice, Stream, ask, quiet
from ecoassist.ports import Model
from ecoassist.prompts import clip, data
from ecoassist.types import Attempt, Message, Question, Replay, Task, Verdict

from .agreement import agree
from .checks import NOTHING, check
from .evidence import before_answer, evidence, imitates, outputs
from .reading import Judgement, imitations, quoted, read
from .replays import SERVED, check_replay
from .traces import untraced, written

Step = Literal["checks", "agreement", "model", "person"]
STEPS: tuple[Step, ...] = ("checks", "agreement", "model", "person")
"""In order of cost."""
SCHEMA = {
    "type": "object",
    "properties": {
        "evidence": {"type": "string", "description": "the words of the output that it rests on, copied"},
        "reason": {"type": "string"},
        "solved": {"type": "boolean"},
    },
    "required": ["evidence", "reason", "solved"],
    "additionalProperties": False,
}
"""The JSON Schema of a judgement, for endpoints that honour one. What it rests on comes before what it decides."""
LIMIT = 1_500
"""Tokens a judgement may take. It is short, but reasoning models count their thoughts too."""
MORE = 4
"""How many times as much it may take after one that was cut off, maybe in the midst of thoughts."""
CHOICES = ("yes", "no", "escalate")
INTERRUPTED = Verdict(None, "model", "interrupted")


@dataclass(frozen=True, slots=True)
class Chain:
    """Judges by the checks and then by `steps`, passing over those that nobody is there for."""

    model: Model | None = None
    person: bool = False
    """Somebody is there to be asked."""
    steps: Sequence[Step] = STEPS
    limit: int = LIMIT
    recorded: bool = True
    """A gate saw what the cells asked of the network, which is then evidence."""

    def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        if task.replay and not attempts[-1].asked:
            return (yield from self._judge_replay(task, task.replay, attempts))
        checked = check(task, attempts, recorded=self.recorded)
        yield Checked("checks", checked)
        return (yield from self._judge_by_steps(task, attempts, checked))

    def _judge_replay(self, task: Task, replay: Replay, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        """The checks alone decide, but where this use of the program is to be judged: then whoever is there does.

        Could-not-judge leaves it at the checks, as for the uses before it.
        """
        checked = check_replay(replay, attempts[-1])
        yield Checked("checks", checked)
        if checked.solved is not None:
            return checked
        verdict = yield from self._judge_by_steps(task, attempts, checked)
        if verdict.solved is None and verdict != INTERRUPTED:
            return Verdict(True, checked.by, SERVED)
        return verdict

    def _judge_by_steps(self, task: Task, attempts: Sequence[Attempt], checked: Verdict) -> Stream[Verdict]:
        """After the checks, whose verdict holds where no step applies."""
        verdict = checked
        steps = [step for step in self.steps if self._applies(step, attempts)] if checked.solved is None else []
        for step in steps:
            verdict = yield from self._step(step, task, attempts, checked)
            yield Checked(step, verdict)
            doubted = _too_easy(verdict, checked, attempts) and step != steps[-1]
            if verdict == INTERRUPTED or (verdict.solved is not None and not doubted):
                break
        return verdict

    def _applies(self, step: Step, attempts: Sequence[Attempt]) -> bool:
        match step:
            case "agreement":
                return len(attempts) > 1
            case "model":
                return self.model is not None
            case "person":
                return self.person
            case "checks":  # they always come first
                return False

    def _step(self, step: Step, task: Task, attempts: Sequence[Attempt], checked: Verdict) -> Stream[Verdict]:
        """One step; `checked`: what the checks said."""
        match step:
            case "agreement":
                return agree(task, *attempts[-2:])
            case "person":
                return (yield from _person(attempts[-1]))
        assert self.model is not None  # it applies
        remarks = _remarks(task, attempts[-1], checked)
        messages = evidence(task, attempts, recorded=self.recorded, remarks=remarks)
        verdict = yield from _model(self.model, messages, attempts[-1], self.limit)
        own = self.model.name in {attempt.model for attempt in attempts}
        return replace(verdict, judge=self.model.name, own=own) if verdict != INTERRUPTED else verdict


def _too_easy(verdict: Verdict, checked: Verdict, attempts: Sequence[Attempt]) -> bool:
    """Whether attempts agree for a reason that makes agreeing easy.

    That is so where no code fetched what the question seems to need, where the data told both what to answer, and where
    neither ran a program: words that were said twice.
    """
    if verdict.by != "agreement" or verdict.solved is not True:
        return False
    programs = any(attempt.program for attempt in attempts)
    return not programs or checked.reason not in (NOTHING, "") or any(map(imitates, attempts))


def _remarks(task: Task, attempt: Attempt, checked: Verdict) -> list[str]:
    """What the host noticed, for the judge. Words of the answer stand between data marks here too."""
    remarks = [f"{checked.reason}."] if checked.reason not in (NOTHING, "") else []
    if missing := untraced(task, attempt):
        remarks.append(f"of the answer, this stands in no output that is known:\n{data(', '.join(missing))}")
    if stated := written(task, attempt):
        remarks.append(f"of the answer, this is written in the code itself:\n{data(', '.join(stated))}")
    return remarks


def _person(attempt: Attempt) -> Stream[Verdict]:
    text = attempt.answer.text if attempt.answer else ""
    answer = yield from ask(Question("verdict", text, CHOICES))
    match answer:
        case "yes":
            return Verdict(True, "person", "accepted")
        case "no":
            return Verdict(False, "person", "rejected", escalate=False)
        case "escalate":
            return Verdict(False, "person", "rejected, a stronger model was asked for")
        case _:
            return Verdict(None, "person", "no answer")


def _model(model: Model, shown: Sequence[Message], attempt: Attempt, limit: int) -> Stream[Verdict]:
    """One try, and one more where there was no clear verdict in the first."""
    messages = list(shown)
    answer = attempt.answer.text if attempt.answer else ""
    for last in (False, True):
        try:
            reply = yield from quiet(model.reply(messages, limit))
        except (BudgetSpent, ProviderError) as error:
            yield Notice(f"could not judge: {error}", "warning")
            return Verdict(None, "model", f"could not judge: {error}")
        if reply.finish == "interrupted":
            return INTERRUPTED
        judgement = read(reply.text, shown[1].text, answer)
        if judgement and not _told_to(judgement, before_answer(shown)):
            return _verdict(judgement, before_answer(shown))
        if reply.finish == "length":
            limit *= MORE
        if not last and (reply.text.strip() or reply.finish != "length"):
            said = clip(reply.text, 2_000) or "-"
            messages += [Message("assistant", said), Message("user", prompts.JUDGE_RETRY)]
    return Verdict(None, "model", "could not judge: the judge did not reply as asked")


def _told_to(judgement: Judgement, shown: str) -> bool:
    """Whether a yes may only follow what the data says of itself: then it has to quote another output."""
    forged = imitations(shown) if judgement.solved else ()
    shown = outputs(shown) or shown
    for one in forged:
        shown = shown.replace(one, "")
    return bool(forged) and not quoted(judgement.evidence, shown)


def _verdict(judgement: Judgement, shown: str) -> Verdict:
    """What a judge says it rests on is told only where it was shown that."""
    evidence = judgement.evidence[:300] if quoted(judgement.evidence, shown) else ""
    return Verdict(judgement.solved, "model", judgement.reason[:300], evidence=evidence)
