"""A stored program as a template: which of its literals the question names, and what it is for other values. Pure.

A literal of the program is a parameter if the question names it and the program works with it: the ticker that a model
looked up for a company is none, and the company's name in a line that is printed is none either. All is read anew from
question and program each time, so nothing has to be believed that was stored or shared beside them.
"""

from __future__ import annotations

from ecoassist.entries import Parameter, Solution

from . import ageing, binding, matching, showing
from .sameness import alike, exact
from .template import Template, template
from .words import plain


def parameters(query: str, program: str) -> tuple[Parameter, ...]:
    """The literals of `program` that `query` names, in the order of the question."""
    made = _template(query, program)
    return tuple(showing.parameter(slot) for slot in made.slots) if made else ()


def shown(solution: Solution) -> tuple[str, str]:
    """Question and program with names in place of the values that belong to this question alone."""
    made = _template(solution.query, solution.program)
    return showing.shown(solution.program, made) if made and made.slots else (solution.query, solution.program)


def bound(solution: Solution, query: str) -> str | None:
    """The program that answers `query`: the same question, or one that differs in the values of parameters only.

    None: it is another question. Values enter as Python literals, whatever they hold.
    """
    if plain(query) and alike(solution.query, query, solution.program):
        return solution.program
    made = _template(solution.query, solution.program)
    if made is None or not made.slots:
        return None
    values = matching.values(made, query)
    return None if values is None else binding.bound(solution.program, made.source, made.slots, values)


def key(query: str) -> tuple[str, ...]:
    """Equal for questions that are one, however they are spelt."""
    return exact(query) or (query.strip(),)


def fixed(solution: Solution) -> str:
    """Why the program answers its question only on the day it ran, if so."""
    return ageing.fixed(solution)


def _template(query: str, program: str) -> Template | None:
    try:
        return template(query, program)
    except RecursionError:
        return None
