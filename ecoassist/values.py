"""The value of an answer, and whether two of them are the same. Pure."""

from __future__ import annotations

from .types import JSON, Answer


def value_of(answer: Answer | None) -> JSON:
    """What the ANSWER line states, else what the text says by its type. None: there is no value to compare."""
    return None if answer is None else answer.value


def same(one: JSON, other: JSON) -> bool:
    """Whether two values are equal once normalised. Two missing ones never are."""
    return one is not None and one == other
