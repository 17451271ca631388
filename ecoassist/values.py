"""The value of an answer, and whether two of them are the same. Pure."""

from __future__ import annotations

from .types import JSON, Answer


def value_of(answer: Answer | None) -> JSON:
    """What the ANSWER line states, else what the text says by its type. None: there is no value to compare."""
    return None if answer is None else answer.value


def same(one: JSON, other: JSON, query: str = "") -> bool | None:
    """Whether two values that answer `query` are equal once normalised.

    None: they cannot be compared; one that is missing never can."""
    return None if one is None or other is None else one == other
