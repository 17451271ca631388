"""What of a solved question becomes a stored solution. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ecoassist import programs, templates, traces, values
from ecoassist.entries import Solution
from ecoassist.slicing import sliced
from ecoassist.types import Answer, Attempt, CellResult, Outcome, Task

from .agreeing import tells
from .attached import shapes
from .pasted import pasted


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
    """What answered `task`. None: no program did, or it holds what stands in a file of the person's."""
    attempt = _solver(outcome)
    if attempt is None or not attempt.program or not attempt.answer:
        return None
    found = _found(attempt, attempt.answer, task)
    query, program = task.in_context, setting.portable(found.program)
    whole = setting.portable(programs.assemble(attempt.program))
    known = _known(task)
    if pasted(program, task.files, known):
        return None
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
        "" if whole == program or pasted(whole, task.files, known) else whole,
        tells=found.tells,
        took=found.took,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    program: str
    tells: bool
    took: tuple[str, ...]


def _found(attempt: Attempt, answer: Answer, task: Task) -> _Found:
    """The program that comes to `answer` alone, and what it has to print."""
    cells = _cells(attempt)
    good = [number for number, (_, result) in enumerate(cells) if result.status == "ok"]
    took = traces.taken(answer, [text for _, result in cells for text in (result.text, result.value)], _known(task))
    shown = _shown(took, {number: cells[number][1] for number in good})
    failed = set(range(len(cells))) - set(good)
    slice = sliced([code for code, _ in cells], shown, failed)
    says = len(shown) == 1 and slice.quiet and tells(cells[max(shown)][1], answer, took, task.query)
    return _Found(slice.program, says, took)


def _cells(attempt: Attempt) -> list[tuple[str, CellResult]]:
    """Those that may have left something in the kernel as it is at the end."""
    cells: list[tuple[str, CellResult]] = []
    for turn in attempt.turns:
        if turn.result and turn.code and turn.result.status in ("ok", "error"):
            cells.append((turn.code, turn.result))
        if turn.result and turn.result.state_lost:
            cells = [cell for cell in cells if cell[1].status == "ok"]
    return cells


def _shown(took: Sequence[str], results: Mapping[int, CellResult]) -> set[int]:
    """The good cells whose outputs the answer is made of: the last one, and what else it took something from.

    The last one is none of them where others printed all that there is in the answer.
    """
    held: dict[str, list[int]] = {piece: [] for piece in took}
    for number, result in results.items():
        seen = traces.Seen.of((result.text, result.value))
        for piece in took:
            if seen.holds(piece):
                held[piece].append(number)
    last = max(results)
    found = {max(numbers) for numbers in held.values() if numbers}
    return found if found and last not in found and all(held.values()) else found | {last}


def _known(task: Task) -> list[str]:
    """What was said before anything ran."""
    return [task.query, task.now, *(text for one in task.history for text in (one.query, one.answer))]


def _solver(outcome: Outcome) -> Attempt | None:
    """The attempt whose program is worth keeping: the last, or of two that agreed the last one that ran any.

    A program that was replayed is stored already.
    """
    if outcome.replayed:
        return None
    last = outcome.attempts[-1:]
    both = outcome.attempts[-2:] if outcome.verdict.by == "agreement" and outcome.verdict.solved else last
    return next((attempt for attempt in reversed(both) if attempt.program), last[0] if last else None)
