"""What a question that was judged says of the stored solutions it was answered with. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ecoassist.types import Access, Attempt, Outcome, Spending

CHECKED = "checks"
"""Who spoke a verdict that nobody was asked for."""


def credits(outcome: Outcome) -> Iterator[tuple[int, bool | None, Spending | None]]:
    """Ids, whether each won, and what the question cost; in the terms of Store.credit. One question is one loss."""
    shown = tuple(of_examples(outcome))
    lost = {id for id, won, _ in shown if not won}
    for id, won in of_replay(outcome):
        if won is not False or id not in lost:
            yield id, won, None
    yield from shown


def of_examples(outcome: Outcome) -> Iterator[tuple[int, bool, Spending]]:
    """A demonstration wins where the first tier solved the question with it, and loses where it did not."""
    asked = [attempt for attempt in outcome.attempts if attempt.asked]
    if asked and all(attempt.end not in ("provider", "needs_person") for attempt in asked):
        won = bool(outcome.verdict.solved) and len({attempt.tier for attempt in asked}) == 1
        for example in outcome.examples:
            yield example.id, won, outcome.spending


def of_replay(outcome: Outcome) -> Iterator[tuple[int, bool | None]]:
    """The program that ran before any model was asked.

    It never wins by itself: only whoever judged it can say so. It loses where it was rejected, and where a model
    solved the question after it; not where a host of its own did not work or is closed by now, where the sandbox died,
    nor where nobody solved the question.
    """
    ran, solved = outcome.replay, outcome.verdict.solved
    if ran is None or not outcome.attempts or outcome.attempts[0].asked:
        return
    if outcome.replayed:
        yield ran.id, None if solved and outcome.verdict.by == CHECKED else bool(solved)
    elif solved and not _excused(outcome.attempts[0], ran.hosts):
        yield ran.id, False


def _excused(attempt: Attempt, hosts: tuple[str, ...]) -> bool:
    """Whether a failure says nothing of the program."""
    own = [access for access in attempt.accesses if access.host in hosts]
    return any(access.refused or _unwell(access) for access in own) or _died(attempt)


def _unwell(access: Access) -> bool:
    return access.status is None or access.status == 429 or access.status >= 500


def _died(attempt: Attempt) -> bool:
    return any(result.status == "gone" for result in attempt.results)
