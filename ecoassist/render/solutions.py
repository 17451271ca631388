"""Stored solutions in a list, and all that is known of one."""

from __future__ import annotations

from collections.abc import Sequence

from ecoassist.entries import SERVED, Entry, FileShape, Parameter, numbered
from ecoassist.memory.merit import worth

from . import columns, words
from .plain import one_line

LONG = 120
"""Characters of a question in the list."""


def rows(entries: Sequence[Entry]) -> list[str]:
    """One line for each: number, state, wins and losses, tier, question, and why it is not served."""
    table = [
        [numbered(entry.id), entry.state, f"{entry.wins}+ {entry.losses}-", one_line(entry.solution.tier), _said(entry)]
        for entry in entries
    ]
    return columns.lines(table) if table else []


def _said(entry: Entry) -> str:
    said = words.shortened(one_line(entry.solution.query), LONG)
    return f"{said} ({one_line(entry.note)})" if entry.note else said


def shown(entry: Entry) -> list[str]:
    """What is known of it, beside its program, one fact a line."""
    solution = entry.solution
    facts = {
        "question": solution.query,
        "answer": solution.answer.text,
        "state": _state(entry),
        "record": _record(entry),
        "found by": f"{solution.tier} ({solution.model})" if solution.model else solution.tier,
        "found for": _cost(solution.usd, solution.tokens),
        "from": solution.origin,
        "created": entry.created,
        "verified": entry.verified or "never",
        "differs by": ", ".join(map(_parameter, solution.parameters)),
        "hosts": ", ".join(solution.hosts) or "none",
        "APIs": ", ".join(solution.apis) or "none",
        "files": ", ".join(map(_file, solution.files)) or "none",
        "packages": ", ".join(solution.packages),
        "image": solution.image,
    }
    width = max(map(len, facts))
    return [f"{name:{width}} {one_line(value)}" for name, value in facts.items() if value]


def _state(entry: Entry) -> str:
    """With the reason why it is not shown to models, if it is not."""
    why = entry.note
    if entry.state in SERVED and not worth(entry):
        why = "; ".join(filter(None, [why, "no longer shown: questions cost no less with it"]))
    return f"{entry.state}: {why}" if why else entry.state


def _record(entry: Entry) -> str:
    """How it was used, and what came of it."""
    parts = [words.count(entry.wins, "win"), "1 loss" if entry.losses == 1 else f"{entry.losses:,} losses"]
    if entry.replays:
        parts.append(f"replayed {words.count(entry.replays, 'time')}")
    if entry.uses:
        usd = None if entry.usd is None else entry.usd / entry.uses
        parts.append(f"shown {words.count(entry.uses, 'time')}, at {_cost(usd, entry.tokens // entry.uses)} a question")
    return ", ".join(parts)


def _cost(usd: float | None, tokens: int) -> str:
    return f"{words.money(usd)}, {words.count(tokens, 'token')}" if tokens else words.money(usd)


def _parameter(parameter: Parameter) -> str:
    return f"{parameter.name} ({parameter.kind}, {parameter.said})"


def _file(file: FileShape) -> str:
    return f"{file.name} with {', '.join(file.columns)}" if file.columns else file.name
