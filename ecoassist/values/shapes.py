"""Of what kind a value is, in words: what of an answer is kept once the answer itself is forgotten. Pure."""

from __future__ import annotations

import re

from ecoassist.types import Answer

from .dates import dates
from .finding import numbers_in, said_of, value_of
from .kinds import Missing, Moment, Name, Quantity, Several, Truth, Value
from .reading import Asked, read

_DIGIT, _WORD = re.compile(r"\d"), re.compile(r"\w")
_YES_OR_NO = re.compile(r"\b(?:yes|no|true|false)\b", re.IGNORECASE)
_FAILURE = re.compile(
    r"\W*(?:\w*error|\w*exception|traceback|fail(?:ed|ure)|invalid|unauthori[sz]ed|forbidden|bad request)\b"
    r"|\W*http [45]\d\d\b"
    r"|\W*[\"']?error[\"']?\s*[:=]",
    re.IGNORECASE,
)
"""How an output begins that tells of a failure which the program caught."""


def shape_of(answer: Answer | None) -> str:
    """number, text, yes or no, date or list; empty where it has no single value."""
    return _named(read(value_of(answer), Asked()))


def tells(answer: Answer | None, shape: str) -> bool:
    """Whether an output can hold an answer of that shape: that it says something, of that kind, and no failure."""
    said = said_of(answer)
    if answer is None or said is None or isinstance(read(said, Asked()), Missing) or _FAILURE.match(answer.text):
        return False
    if not shape or shape_of(answer) == shape:
        return bool(_WORD.search(answer.text))
    match shape:
        case "number":
            return bool(numbers_in(answer.text)) or bool(_DIGIT.search(answer.text))
        case "date":
            return bool(dates(answer.text)) or bool(_DIGIT.search(answer.text))
        case "yes or no":
            return bool(_YES_OR_NO.search(answer.text))
    return bool(_WORD.search(answer.text))


def _named(value: Value) -> str:
    match value:
        case Truth():
            return "yes or no"
        case Quantity():
            return "number"
        case Moment():
            return "date"
        case Several():
            return "list"
        case Name():
            return "text"
    return ""
