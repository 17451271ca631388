"""Of the stored solutions like a question: which is run before any model is asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecoassist import templates
from ecoassist.entries import Match
from ecoassist.types import Replay, Task

from . import merit


@dataclass(frozen=True, slots=True)
class Limits:
    demonstrations: int = 1
    """How many are shown to the models at most."""
    tokens: int = 800
    """That all of them may take in a prompt."""
    replay: bool = True
    """Whether a stored program may answer without a model."""
    foreign: bool = True
    """Whether what others wrote is looked at. Not outside a sandbox: a model that adapts it would run it there."""


def replay(matches: Sequence[Match], task: Task, limits: Limits) -> Replay | None:
    """The one that is run, with the values of the question. None: none fits it exactly enough."""
    for match in matches if limits.replay else ():
        entry = match.entry
        if not merit.replayable(entry) or templates.fixed(entry.solution) or entry.solution.files:
            continue
        program = templates.bound(entry.solution, task.in_context)
        if program is not None:
            judged = (entry.replays + 1) % merit.JUDGED == 0
            made = entry.solution
            return Replay(entry.id, made.query, program, made.hosts, made.shape, entry.wins, judged)
    return None
