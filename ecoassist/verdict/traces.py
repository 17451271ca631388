"""Numbers and names of an answer that appear in nothing that was seen. Pure.

That is a remark for whoever judges and never a no by itself: answers add up, count and know things. A number counts as
seen if it is what a number in the outputs, in the conversation or in the date becomes by rounding to as many digits as
the answer prints, by separators of thousands, as a percentage, or in thousands, millions or billions.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecoassist.traces import LONGEST_ANSWER, Seen, folded, names, numbers, said
from ecoassist.types import Attempt, Task

MOST = 5
"""Things that are told."""


def untraced(task: Task, attempt: Attempt) -> tuple[str, ...]:
    """The first of those numbers and names, as the answer has them; none where no code ran.

    Takes time that grows linearly with outputs of any size, of which the middle is left out beyond LONGEST.
    """
    if attempt.answer is None or not attempt.results:
        return ()
    outputs = [text for result in attempt.results for text in (result.text, result.value)]
    seen = Seen.of([*outputs, *_talk(task)])
    missing = (one for one in numbers(said(attempt.answer)) if not seen.number(one))
    unseen = (one for one in names(attempt.answer.text[:LONGEST_ANSWER]) if not _mentioned(one, seen))
    return _first([*missing, *unseen])


def written(task: Task, attempt: Attempt) -> tuple[str, ...]:
    """The first numbers of the answer that the code states itself, though nobody had named them before.

    Printing what one believes makes an output, and no evidence.
    """
    if attempt.answer is None or not attempt.results:
        return ()
    stated, talk = Seen.of(turn.code or "" for turn in attempt.turns), Seen.of(_talk(task))
    return _first(one for one in numbers(said(attempt.answer)) if stated.number(one) and not talk.number(one))


def _talk(task: Task) -> list[str]:
    """What was said before anything ran."""
    return [task.query, task.now, *(text for one in task.history for text in (one.query, one.answer))]


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip()[:60] for one in found))[:MOST]


def _mentioned(name: str, seen: Seen) -> bool:
    """Whether any word of it was seen: a first name is enough."""
    return any(folded(word) in seen.words for word in name.split())
