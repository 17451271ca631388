"""What can be said when the money ends before the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .prompts import clip
from .types import Answer, Attempt, CellResult

FOUND, LENGTH = 3, 600
"""Outputs that are told, the last ones, and characters of each."""
UNFINISHED = "Unfinished: the budget was spent before there was an answer. What the last programs printed:"


def best(attempts: Sequence[Attempt]) -> Answer | None:
    """The best verified part of an answer; None: nothing was found.

    That is an answer of the tier that the money ended in, which nobody has rejected; else what programs printed that
    ended well, of any tier, labelled as what it is. An answer of an earlier tier was rejected, or it would have been
    the last: it is not offered again.
    """
    if not attempts:
        return None
    unjudged = [attempt.answer for attempt in attempts if attempt.tier == attempts[-1].tier and attempt.answer]
    if unjudged:
        return unjudged[-1]
    results = [
        turn.result for attempt in attempts for turn in attempt.turns if turn.good and not turn.fault and turn.result
    ]
    said = dict.fromkeys(text for text in map(_said, results) if text)
    return Answer("\n\n".join([UNFINISHED, *tuple(said)[-FOUND:]])) if said else None


def _said(result: CellResult) -> str:
    return clip("\n".join(filter(None, (result.text.strip(), result.value.strip()))), LENGTH)
