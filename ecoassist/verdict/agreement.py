"""Whether two attempts at one question, made in different ways, came to the same value (arXiv 2310.03094). Pure."""

from __future__ import annotations

from ecoassist import values
from ecoassist.types import Attempt, Task, Verdict

BY = "agreement"


def agree(task: Task, first: Attempt, second: Attempt) -> Verdict:
    """Yes where both have the same value, and no where they have different ones, or one of them has no answer.

    Could-not-judge where values cannot be compared (recommendations, long prose): whoever judges decides then.
    """
    one, other = values.value_of(first.answer), values.value_of(second.answer)
    if first.answer is None or second.answer is None:
        return Verdict(False, BY, "one of two attempts found no answer")
    alike = values.same(one, other, task.query)
    if alike is None:
        return Verdict(None, BY, f"two attempts cannot be compared: {_brief(one)} and {_brief(other)}")
    joined = "agree" if alike else "differ"
    return Verdict(alike, BY, f"two attempts {joined}: {_brief(one)} and {_brief(other)}")


def _brief(value: object, limit: int = 60) -> str:
    said = repr(value)
    return said if len(said) <= limit else f"{said[: limit - 4]} ..."
