"""What of a solved question becomes a stored solution. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ecoassist import programs, templates
from ecoassist.entries import FileShape, Solution
from ecoassist.types import Attempt, Outcome, Task


def solution_of(task: Task, outcome: Outcome, portable: Callable[[str], str]) -> Solution | None:
    """What answered `task`. None: no program did. `portable` takes what is of this session only out of a program."""
    attempt = _solver(outcome)
    if attempt is None or not attempt.program or not attempt.answer:
        return None
    query, program = task.in_context, portable(programs.assemble(attempt.program))
    spent = outcome.spending
    return Solution(
        query,
        program,
        attempt.answer,
        attempt.tier,
        attempt.model,
        attempt.hosts,
        tuple(FileShape(file.name) for file in task.files),
        attempt.apis,
        templates.parameters(query, program),
        usd=spent.usd,
        tokens=spent.prompt_tokens + spent.completion_tokens,
    )


def _solver(outcome: Outcome) -> Attempt | None:
    """The attempt whose program is worth keeping: the last, or of two that agreed the last one that ran any.

    A program that was replayed is stored already.
    """
    if outcome.replayed:
        return None
    last = outcome.attempts[-1:]
    both = outcome.attempts[-2:] if outcome.verdict.by == "agreement" and outcome.verdict.solved else last
    return next((attempt for attempt in reversed(both) if attempt.program), last[0] if last else None)
