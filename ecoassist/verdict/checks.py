"""What can be said of an attempt without asking anybody. Pure."""

from __future__ import annotations

from ecoassist.types import Attempt, Task, Verdict

BY = "checks"


def check(task: Task, attempt: Attempt) -> Verdict:
    """A no where the execution itself speaks against the answer, else could-not-judge."""
    if attempt.end != "answered" or attempt.answer is None:
        return Verdict(False, BY, _ended(attempt))
    if not attempt.answer.text.strip():
        return Verdict(False, BY, "the answer is empty")
    results = attempt.results
    if results and results[-1].status != "ok":
        return Verdict(False, BY, f"the last cell ended with {results[-1].status}")
    if not results and task.files:
        return Verdict(False, BY, "a file belongs to the question and no code read it")
    if not results and task.apis:
        return Verdict(False, BY, f"{task.apis[0].name} belongs to the question and no code called it")
    return Verdict(None, BY, "nothing speaks against it")


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
