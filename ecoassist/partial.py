"""What can be said when the money ends before the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .types import Answer, Attempt


def best(attempts: Sequence[Attempt]) -> Answer | None:
    """The best verified part of an answer; None: nothing was found."""
    return next((attempt.answer for attempt in reversed(attempts) if attempt.answer), None)
