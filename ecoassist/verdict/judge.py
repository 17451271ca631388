"""The verdict chain: checks, then the person or a model. Each step is a Checked event; the first that knows decides."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from ecoassist import prompts
from ecoassist.errors import BudgetSpent, ProviderError
from ecoassist.events import Checked, Notice, Stream, ask, quiet
from ecoassist.ports import Model
from ecoassist.types import Attempt, Message, Question, Task, Verdict

from .checks import NOTHING, check


class Judgement(BaseModel):
    """What a judging model must reply."""

    model_config = ConfigDict(strict=True, extra="ignore")

    solved: bool
    reason: str = ""


SCHEMA = {
    "type": "object",
    "properties": {"solved": {"type": "boolean"}, "reason": {"type": "string"}},
    "required": ["solved", "reason"],
    "additionalProperties": False,
}
"""The JSON Schema of a Judgement, for endpoints that honour one."""
LIMIT = 1_500
"""Tokens a judgement may take. It is short, but reasoning models count their thoughts too."""
CHOICES = ("yes", "no", "escalate")


@dataclass(frozen=True, slots=True)
class Chain:
    """Judges by `model`, by the person, or by checks alone where neither is given."""

    model: Model | None = None
    person: bool = False
    """Ask the person in place of a model."""
    limit: int = LIMIT
    recorded: bool = True
    """A gate saw what the cells asked of the network, which is then evidence."""

    def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        attempt = attempts[-1]
        verdict = check(task, attempt, recorded=self.recorded)
        yield Checked("checks", verdict)
        if verdict.solved is None and self.person:
            verdict = yield from _person(attempt)
            yield Checked("person", verdict)
        elif verdict.solved is None and self.model:
            remark = "" if verdict.reason == NOTHING else verdict.reason
            messages = prompts.evidence(task, attempt, recorded=self.recorded, remark=remark)
            verdict = yield from _model(self.model, messages, self.limit)
            yield Checked("model", verdict)
        return verdict


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


def _model(model: Model, evidence: Sequence[Message], limit: int) -> Stream[Verdict]:
    """One try, and one more where the first was not the JSON asked for."""
    messages = list(evidence)
    for last in (False, True):
        try:
            reply = yield from quiet(model.reply(messages, limit))
        except (BudgetSpent, ProviderError) as error:
            yield Notice(f"could not judge: {error}", "warning")
            return Verdict(None, "model", f"could not judge: {error}")
        if reply.finish == "interrupted":
            return Verdict(None, "model", "interrupted")
        if judgement := parse(reply.text):
            return Verdict(judgement.solved, "model", judgement.reason[:300])
        if not last:
            messages += [Message("assistant", reply.text or "-"), Message("user", prompts.JUDGE_RETRY)]
    return Verdict(None, "model", "could not judge: the judge did not reply as asked")


def parse(text: str) -> Judgement | None:
    """The judgement in `text`: the last JSON object that is one. None: there is none."""
    for start in reversed([match.start() for match in re.finditer(r"\{", text[-8_000:])]):
        try:
            body, _ = json.JSONDecoder().raw_decode(text[-8_000:], start)
            return Judgement.model_validate(body)
        except (ValueError, ValidationError):
            continue
    return None
