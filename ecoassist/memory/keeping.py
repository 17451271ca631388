"""What of a solved question becomes a stored solution. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecoassist import programs, templates, values
from ecoassist.entries import Solution
from ecoassist.types import Attempt, Outcome, Task

from .attached import shapes


@dataclass(frozen=True, slots=True)
class Setting:
    """Where programs run, and when."""

    portable: Callable[[str], str] = str
    """Takes what is of this session only out of a program: the placeholders of keys."""
    image: Callable[[], str] = str
    """The sandbox's image; empty outside a sandbox."""
    clock: Callable[[], str] = str
    """The time now: ISO 8601 with the offset from UTC."""


def solution_of(task: Task, outcome: Outcome, setting: Setting) -> Solution | None:
    """What answered `task`. None: no program did."""
    attempt = _solver(outcome)
    if attempt is None or not attempt.program or not attempt.answer:
        return None
    query, program = task.in_context, setting.portable(programs.assemble(attempt.program))
    spent = outcome.spending
    return Solution(
        query,
        program,
        attempt.answer,
        attempt.tier,
        attempt.model,
        attempt.hosts,
        shapes(task.files, program),
        attempt.apis,
        templates.parameters(query, program),
        values.shape_of(attempt.answer),
        programs.packages(program),
        setting.image(),
        spent.usd,
        spent.prompt_tokens + spent.completion_tokens,
        setting.clock(),
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
