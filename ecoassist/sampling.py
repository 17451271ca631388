"""Two ways of going about one question whose answers have to agree (mixture of thought, arXiv 2310.03094). Pure."""

from __future__ import annotations

from dataclasses import replace

from . import cards
from .types import Task, Way


def ways(task: Task) -> tuple[Way, Way]:
    """Live data needed: two programs, the second with a plan. Else words and a program."""
    return ("direct", "plan") if needs_data(task) else ("words", "direct")


def needs_data(task: Task) -> bool:
    """Whether the question cannot be answered from what a model knows."""
    return bool(task.files or cards.demanded(task.query, task.apis))


def towards(task: Task, way: Way) -> Task:
    """`task` as it is put to an attempt of that way: a plan is made without the demonstration."""
    return replace(task, way=way, examples=() if way == "plan" else task.examples)
