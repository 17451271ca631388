"""Which stored solutions are shown to the models, and how much of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecoassist import prompts, templates
from ecoassist.cards.tokens import count_tokens
from ecoassist.entries import Entry, Match
from ecoassist.types import Example, Task

from . import merit

MAX_QUESTION = 400
"""Characters of a stored question that are shown."""
LEAST = 200
"""Characters: of a program that is cut to less nothing can be learnt."""


def demonstrations(matches: Sequence[Match], task: Task, most: int, room: int) -> tuple[Example, ...]:
    """At most `most`, best first, which take no more than `room` tokens of a prompt in all.

    Left out is what would not help: an entry whose record shows no saving, one whose API is not enabled, and a program
    that stands there already. A long program is shown with its middle left out where it is the first, else not at all.
    """
    shown: list[Example] = []
    for match in matches:
        if len(shown) == most:
            break
        if not merit.worth(match.entry) or not enabled(match.entry, task):
            continue
        example = _example(match)
        if example.program in {other.program for other in shown}:
            continue
        cut = example if shown else _cut(example, room)
        if cut and tokens(cut) <= room:
            shown.append(cut)
            room -= tokens(cut)
    return tuple(shown)


def enabled(entry: Entry, task: Task) -> bool:
    """Whether all APIs that answered a program may be called."""
    return {*entry.solution.apis} <= {*task.enabled}


def tokens(example: Example) -> int:
    """What a demonstration takes of a prompt."""
    return count_tokens(prompts.question(Task("", examples=(example,)))) - count_tokens(prompts.question(Task("")))


def _example(match: Match) -> Example:
    entry = match.entry
    query, program = templates.shown(entry.solution)
    query, program = prompts.clip(query, MAX_QUESTION), prompts.clip(program, prompts.MAX_PROGRAM)
    trouble = entry.note if entry.state == "broken" else ""
    return Example(entry.id, query, program, match.score, entry.wins, entry.losses, trouble)


def _cut(example: Example, room: int) -> Example | None:
    """With as much of its program as there is room for. None: too little of it would be left."""
    whole, limit = example.program, len(example.program)
    while (taken := tokens(example)) > room:
        limit = min(limit - 1, limit * room // taken)
        if limit < LEAST:
            return None
        example = replace(example, program=prompts.clip(whole, limit))
    return example
