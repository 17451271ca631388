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
    for api in cards.demanded(task.query, task.apis)[:1]:
        return _of_calls(api, attempt) if recorded or not results else Verdict(None, BY, NOTHING)
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
