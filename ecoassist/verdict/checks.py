"""What can be said of an attempt without asking anybody. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecoassist import cards
from ecoassist.types import Api, Attempt, End, Task, Verdict

BY = "checks"
NOTHING = "nothing speaks against it"
UNREAD = "a file belongs to the question and no code read it"
ENDED: dict[End, str] = {
    "no_progress": "the same failure three times",
    "needs_person": "only you can help",
    "refusal": "the model would not do it",
    "provider": "the model endpoint failed",
}


def check(task: Task, attempts: Sequence[Attempt], *, recorded: bool = True) -> Verdict:
    """A no where the execution of any of the attempts speaks against its answer, else could-not-judge.

    `recorded`: a gate saw what the cells asked of the network. A reason other than NOTHING is a suspicion.
    """
    verdicts = [check_one(task, attempt, recorded=recorded) for attempt in attempts]
    spoken = [verdict for verdict in verdicts if verdict.solved is False]
    suspicions = [verdict for verdict in verdicts if verdict.reason != NOTHING]
    found = (spoken or suspicions or verdicts)[0]
    if not found.escalate and any(attempt.end == "answered" for attempt in attempts):  # there is another way
        return replace(found, escalate=True, reason=f"in one of two attempts: {found.reason}")
    return found


def check_one(task: Task, attempt: Attempt, *, recorded: bool = True) -> Verdict:
    """The same of one attempt."""
    if (answered := check_end(attempt)).solved is False:
        return answered
    results = attempt.results
    if results and results[-1].status != "ok":
        return Verdict(False, BY, f"the last cell ended with {results[-1].status}")
    if task.history:  # in a conversation an answer may rest on what ran before: whoever judges sees that
        return Verdict(None, BY, NOTHING)
    if task.files:
        return Verdict(None, BY, NOTHING) if results else Verdict(False, BY, UNREAD)
    for api in cards.demanded(task.query, task.apis)[:1]:
        return _of_calls(api, attempt) if recorded or not results else Verdict(None, BY, NOTHING)
    return Verdict(None, BY, NOTHING)


def check_end(attempt: Attempt) -> Verdict:
    """A no where there is no answer at all: no step of any chain may call that solved.

    Where only the person can help, a stronger model cannot: then the no does not escalate.
    """
    if attempt.end != "answered" or attempt.answer is None:
        return Verdict(False, BY, _ended(attempt), escalate=attempt.end != "needs_person")
    if not attempt.answer.text.strip():
        return Verdict(False, BY, "the answer is empty")
    return Verdict(None, BY, NOTHING)


def _of_calls(api: Api, attempt: Attempt) -> Verdict:
    """Of an answer to a question that seems to be one for `api`.

    A no only where calls were made and none succeeded. That none was made is suspicious, but the words of a question
    alone do not prove that it needed one ("what is the magnitude of an earthquake?"): whoever judges sees it.
    """
    if any(access.answered for access in attempt.accesses):
        return Verdict(None, BY, NOTHING)
    if attempt.accesses:
        return Verdict(False, BY, f"{api.name} belongs to the question and no call succeeded")
    return Verdict(None, BY, f"{api.name} seems to belong to the question and no code called it")


def _ended(attempt: Attempt) -> str:
    """Why there is no answer, with the last failure where there is one; with the remedy where the person has it."""
    words = ENDED.get(attempt.end, attempt.end)
    if attempt.end == "turn_limit":
        words = f"no answer after {len(attempt.turns)} turns"
    faults = [turn.fault for turn in attempt.turns if turn.fault]
    detail = attempt.why or (f"{faults[-1].kind}: {faults[-1].detail}" if faults else "")
    room = 400 if attempt.end == "needs_person" else 160
    return f"{words} ({detail[:room]})" if detail else words
