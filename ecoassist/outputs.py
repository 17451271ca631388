"""What a cell that ended well came to, where no model puts it into words. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from . import programs
from .parsing.stated import answer
from .types import Answer, CellResult, Turn

MAX_ANSWER, MAX_LINES = 2_000, 40
"""Characters and lines of an output that a person would read as an answer; more is data."""


def printed(result: CellResult) -> Answer | None:
    """Its value, else what it printed."""
    text = (result.value or result.text).strip() if result.status == "ok" else ""
    return Answer(text) if text else None


def told(result: CellResult) -> Answer | None:
    """All that it says, of a program that answers by itself: what it printed, and its value.

    A last line `ANSWER: <JSON value>` states the value of the answer, as in a reply; so does a text that is nothing but
    a number, a yes or no, or a list.
    """
    parts = (result.text.strip(), _unquoted(result.value.strip())) if result.status == "ok" else ()
    text = "\n".join(filter(None, parts))
    if not text:
        return None
    stated, whole = answer(text), answer(f"ANSWER: {text}")
    if isinstance(stated, Answer) and (stated.value is not None or stated.none):
        return stated
    value = whole.value if isinstance(whole, Answer) else None
    return Answer(text, None if isinstance(value, str) else value)


def answer_like(text: str) -> bool:
    """Whether it is short enough to be read as an answer."""
    return len(text) <= MAX_ANSWER and text.count("\n") < MAX_LINES


def repeated(source: str, turns: Sequence[Turn]) -> Answer | None:
    """A block that repeats the last good cell means: its output is the answer. None: it is another block."""
    last = turns[-1] if turns else None
    if last is None or last.result is None or not last.good or last.fault:
        return None
    alike = programs.normalised(source) == programs.normalised(last.code or "")
    return printed(last.result) if alike else None


def _unquoted(value: str) -> str:
    """The text itself, of the text form of a text."""
    if value[:1] not in "'\"":
        return value
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # the middle may be left out
        return value
    return found if isinstance(found, str) else value
