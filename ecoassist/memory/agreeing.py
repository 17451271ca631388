"""Whether what a program prints is the answer, or at least what the answer was made of. Pure."""

from __future__ import annotations

from ecoassist import outputs, values
from ecoassist.entries import Solution
from ecoassist.traces import Seen
from ecoassist.types import Answer, CellResult

MOST_WORDS = 4
"""How many times as long as an answer in words an output may be that says the same."""
SHORTEST = 80
"""Characters that such an output may have in any case."""


def tells(result: CellResult, answer: Answer, took: tuple[str, ...], query: str) -> bool:
    """Whether an output is the answer, so that the program needs no model to put it into words.

    Not so where a model read the answer in it: "yes" in a forecast of 0.4 mm of rain.
    """
    printed = outputs.told(result)
    if printed is None or not outputs.answer_like(printed.text):
        return False
    if not values.tells(printed, values.shape_of(answer)):
        return False
    same = _same(printed, answer, query)
    if same is None and answer.value is None and took:
        short = len(printed.text) <= max(SHORTEST, MOST_WORDS * len(answer.text))
        return short and not _missing(took, result)
    return same is True or printed.text.strip() == answer.text.strip()


def disagreement(result: CellResult, solution: Solution, *, exactly: bool) -> str:
    """Why a program that ended well did not come to its answer again; empty where it did.

    `exactly`: it saw the same data, so that the same has to come of it. Otherwise the same kind of answer is enough, as
    it is for a solution whose answer is forgotten.
    """
    printed = outputs.told(result)
    if printed is None:
        return "it printed nothing"
    if solution.tells and not outputs.answer_like(printed.text):
        return "what it printed is too long for an answer"
    if solution.tells and not values.tells(printed, solution.shape):
        return f"it printed no {solution.shape or 'answer'}"
    if not exactly or not solution.answer.text:
        return ""
    if solution.tells and _same(printed, solution.answer, solution.query) is False:
        return "it came to another answer"
    return "it did not print again what its answer was made of" if _missing(solution.took, result) else ""


def _same(printed: Answer, answer: Answer, query: str) -> bool | None:
    whole = values.said_of(answer)
    value = values.value_of(answer)
    return values.same(values.said_of(printed), whole if value is None else value, query)


def _missing(took: tuple[str, ...], result: CellResult) -> bool:
    seen = Seen.of((result.text, result.value))
    return not all(map(seen.holds, took))
