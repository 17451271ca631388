"""What can be said of an attempt without asking anybody. Pure."""

from __future__ import annotations

from ecoassist import cards
from ecoassist.types import Api, Attempt, Task, Verdict

BY = "checks"
NOTHING = "nothing speaks against it"
UNREAD = "a file belongs to the question and no code read it"


def check(task: Task, attempt: Attempt, *, recorded: bool = True) -> Verdict:
    """A no where the execution itself speaks against the answer, else could-not-judge.

    `recorded`: a gate saw what the cells asked of the network.
    """
    if attempt.end != "answered" or attempt.answer is None:
        return Verdict(False, BY, _ended(attempt))
    if not attempt.answer.text.strip():
        return Verdict(False, BY, "the answer is empty")
    results = attempt.results
    if results and results[-1].status != "ok":
        return Verdict(False, BY, f"the last cell ended with {results[-1].status}")
    if task.history:  # in a conversation an answer may rest on what ran before: whoever judges sees that
        return Verdict(None, BY, NOTHING)
    if task.files:
        return Verdict(None, BY, NOTHING) if results else Verdict(False, BY, UNREAD)
    if recorded or not results:
        for api in cards.demanded(task.query, task.apis)[:1]:
            if not any(access.answered for access in attempt.accesses):
                return Verdict(False, BY, _unasked(api, attempt))
    return Verdict(None, BY, NOTHING)


def _unasked(api: Api, attempt: Attempt) -> str:
    """No call at all succeeded, though the question is one for `api`."""
    asked = any(access.api == api.name or access.host == api.host for access in attempt.accesses)
    came = "no call to it succeeded" if asked else "no code called it"
    return f"{api.name} belongs to the question and {came}"


def _ended(attempt: Attempt) -> str:
    """Why there is no answer, with the last failure where there is one."""
    words = {
        "turn_limit": f"no answer after {len(attempt.turns)} turns",
        "no_progress": "the same failure three times",
        "refusal": "the model would not do it",
        "provider": "the model endpoint failed",
    }.get(attempt.end, attempt.end)
    faults = [turn.fault for turn in attempt.turns if turn.fault]
    detail = attempt.why or (f"{faults[-1].kind}: {faults[-1].detail}" if faults else "")
    return f"{words} ({detail[:160]})" if detail else words
