"""Runs in a list, and one run with its code."""

from __future__ import annotations

from collections.abc import Sequence

from ecoassist.events import Event
from ecoassist.types import Attempt, Run

from . import columns, words
from .plain import one_line, plain
from .story import told
from .why import heading, local

LONG = 120
"""Characters of a question in the list."""


def rows(runs: Sequence[Run]) -> list[str]:
    """One line for each run: id, time, status, tier, seconds, question."""
    if not runs:
        return []
    table = [[run.id, local(run.began), run.status, one_line(run.tier), _took(run)] for run in runs]
    questions = [words.shortened(one_line(run.query), LONG) for run in runs]
    return columns.lines([[*row, said] for row, said in zip(table, questions, strict=True)], right={4})


def _took(run: Run) -> str:
    return words.duration(run.seconds) if run.seconds else ""


def shown(run: Run, events: Sequence[Event]) -> list[str]:
    """Question, answer, files, and the code of each cell; all foreign text is plain."""
    story = told(events)
    lines = [heading(run), "", *_indented("question", run.query)]
    lines += _indented("answer", story.answer.text) if story.answer else ["answer: none"]
    lines += list(words.saved(story.files, len(story.files)))
    for number, attempt in enumerate(story.attempts, 1):
        lines += _cells(number, attempt)
    return lines


def _indented(name: str, text: str) -> list[str]:
    return [f"{name}:", *(f"  {line}".rstrip() for line in plain(text).strip().split("\n"))]


def _cells(number: int, attempt: Attempt) -> list[str]:
    """The code of an attempt, each cell under a comment that says what came of it."""
    lines = []
    for turn, one in enumerate(attempt.turns, 1):
        if one.code:
            came = words.cell(one.result) if one.result else "did not end"
            head = f"# attempt {number} by {one_line(attempt.tier)}, turn {turn}: {came}"
            lines += ["", head, *plain(one.code).strip("\n").split("\n")]
    return lines
