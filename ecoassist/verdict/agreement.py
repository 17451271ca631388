"""Whether two attempts at one question, made in different ways, came to the same value (arXiv 2310.03094). Pure."""

from __future__ import annotations

import json

from ecoassist import values
from ecoassist.types import JSON, Answer, Attempt, Task, Verdict

BY = "agreement"
MAX_SHOWN = 60
"""Characters of a value in a reason."""


def agree(task: Task, first: Attempt, second: Attempt) -> Verdict:
    """Yes where both have the same value, and no where they have different ones, or one of them has no answer.

    Could-not-judge where values cannot be compared (recommendations, long prose, none at all): whoever judges decides.
    """
    if first.answer is None or second.answer is None:
        return Verdict(False, BY, "one of two attempts found no answer")
    one, other = _said(first.answer), _said(second.answer)
    alike = values.same(one, other, task.query)
    shown = f"{_brief(one)} and {_brief(other)}"
    if alike is None:
        return Verdict(None, BY, f"two attempts cannot be compared: {shown}")
    return Verdict(alike, BY, f"two attempts {'agree' if alike else 'differ'}: {shown}")


def _said(answer: Answer) -> JSON:
    found = values.value_of(answer)
    return values.said_of(answer) if found is None else found


def _brief(value: JSON) -> str:
    if value is None:
        return "no value"
    try:
        said = " ".join(value.split()) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # too long a number, too deep a list
        said = "a value that cannot be shown"
    return said if len(said) <= MAX_SHOWN else f"{said[: MAX_SHOWN - 4]} ..."
