"""A stored program as a template: which of its literals the question names, and what it is for other values. Pure."""

from __future__ import annotations

from ecoassist.entries import Parameter, Solution
from ecoassist.similarity import same


def parameters(query: str, program: str) -> tuple[Parameter, ...]:
    """The literals of `program` that `query` names, in the order of the question."""
    return ()


def shown(solution: Solution) -> tuple[str, str]:
    """Question and program with names in place of the values that belong to this question alone."""
    return solution.query, solution.program


def bound(solution: Solution, query: str) -> str | None:
    """The program that answers `query`: the same question, or one that differs in the values of parameters only.

    None: it is another question. Values enter as Python literals, whatever they hold.
    """
    return solution.program if same(solution.query) == same(query) else None


def fixed(solution: Solution) -> str:
    """Why the program answers its question only on the day it ran, if so."""
    return ""
