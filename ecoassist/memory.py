"""What a question gets from the store of solutions, and what it leaves there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from . import programs
from .errors import EnvironmentFault
from .events import Notice, Stored, Stream
from .ports import Store
from .types import Attempt, Example, Outcome, Solution, Task


def recall(store: Store, task: Task) -> Stream[tuple[Example, ...]]:
    """Similar solutions. A broken memory costs the person a notice, not the answer."""
    try:
        return store.similar(task.in_context)
    except EnvironmentFault as error:
        yield Notice(f"no memory: {error}; {error.remedy}", "warning")
        return ()


def remember(store: Store, task: Task, outcome: Outcome, portable: Callable[[str], str]) -> Stream[Outcome]:
    """Stores a solved question as a candidate, and credits the demonstrations that were shown."""
    if outcome.verdict.solved is None:
        return outcome
    heard = all(attempt.end not in ("provider", "needs_person") for attempt in outcome.attempts)
    one_tier = len({attempt.tier for attempt in outcome.attempts}) == 1
    try:
        for example in outcome.examples if heard else ():
            store.credit(example.id, outcome.verdict.solved and one_tier)
        if outcome.status == "solved" and (id := keep(store, task, outcome, portable)) is not None:
            outcome = replace(outcome, stored=id)
            yield Stored(id)
    except EnvironmentFault as error:
        yield Notice(f"not remembered: {error}; {error.remedy}", "warning")
    return outcome


def keep(store: Store, task: Task, outcome: Outcome, portable: Callable[[str], str]) -> int | None:
    """Stores what answered `task` as a candidate. None: no program did. Raises EnvironmentFault."""
    attempt = _solver(outcome)
    if attempt is None or not attempt.program or not attempt.answer:
        return None
    program = portable(programs.assemble(attempt.program))
    names, query = tuple(file.name for file in task.files), task.in_context
    made_by = (attempt.tier, attempt.model, attempt.hosts)
    return store.keep(Solution(query, program, attempt.answer, *made_by, names, attempt.apis))


def _solver(outcome: Outcome) -> Attempt | None:
    """The attempt whose program is worth keeping: the last, or of two that agreed the last one that ran any."""
    last = outcome.attempts[-1:]
    both = outcome.attempts[-2:] if outcome.verdict.by == "agreement" and outcome.verdict.solved else last
    return next((attempt for attempt in reversed(both) if attempt.program), last[0] if last else None)
