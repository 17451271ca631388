"""What a question gets from the store of solutions, and what it leaves there.

`meanings` asks an embedder, `showing` chooses what is shown and `recalling` what is run, `keeping` makes a solution of
what answered, `mending` tells what a stored program failed with, `crediting` says what a question tells of those it was
answered with, `merit` judges entries by their record.
"""

from __future__ import annotations

from dataclasses import replace

from ecoassist.entries import Match
from ecoassist.errors import EnvironmentFault
from ecoassist.events import Notice, Stored, Stream
from ecoassist.ports import Store
from ecoassist.types import Outcome, Task

from .crediting import credits
from .keeping import Setting, solution_of
from .meanings import Meanings
from .mending import to_mend
from .recalling import Limits, replay
from .showing import demonstrations

__all__ = ["Limits", "Meanings", "Setting", "keep", "recall", "remember", "to_mend"]


def recall(store: Store, task: Task, limits: Limits, meanings: Meanings | None = None) -> Stream[Task]:
    """`task` with what the store has for it. A broken memory costs the person a notice, not the answer.

    `meanings` are not asked for where the words tell which program is to be run.
    """
    try:
        matches = _usable(store.similar(task.in_context), limits)
        if meanings and not replay(matches, task, limits):
            meaning = yield from meanings.of(store, task.in_context)
            matches = _usable(store.similar(task.in_context, meaning), limits) if meaning else matches
    except EnvironmentFault as error:
        yield Notice(f"no memory: {error}; {error.remedy}", "warning")
        return task
    examples = demonstrations(matches, task, limits.demonstrations, limits.tokens)
    return replace(task, examples=examples, replay=replay(matches, task, limits))


def _usable(matches: tuple[Match, ...], limits: Limits) -> tuple[Match, ...]:
    return tuple(match for match in matches if limits.foreign or not match.entry.foreign)


def remember(store: Store, task: Task, outcome: Outcome, setting: Setting) -> Stream[Outcome]:
    """Stores a solved question as a candidate, and credits what was shown or run."""
    if outcome.verdict.solved is None:
        return outcome
    try:
        for used, won, spent in credits(outcome):
            store.credit(used, won, spent)
        if outcome.status == "solved" and (id := keep(store, task, outcome, setting)) is not None:
            outcome = replace(outcome, stored=id)
            yield Stored(id)
    except EnvironmentFault as error:
        yield Notice(f"not remembered: {error}; {error.remedy}", "warning")
    return outcome


def keep(store: Store, task: Task, outcome: Outcome, setting: Setting) -> int | None:
    """Stores what answered `task` as a candidate. None: no program did. Raises EnvironmentFault."""
    solution = solution_of(task, outcome, setting)
    return None if solution is None else store.keep(solution)
