"""What becomes of entries by what happens to them. Pure: each function says what is to be written.

A candidate is verified or fails; a verified entry breaks and mends; what loses, is superseded or joins another is
retired, with a note that says why. Nothing is ever deleted but by the person.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from ecoassist import programs, templates
from ecoassist.entries import SERVED, Entry, Solution, State
from ecoassist.types import Spending

from .merit import lost

LATER, REPAIRED = "a later program for the same question", "it answers its question as well, and works"


def settled(entry: Entry, near: Sequence[Entry], green: bool, program: str, why: str, now: str) -> list[Entry]:
    """After a re-run at `now`: the entry, and of those `near` it, which are served, the ones that it changes."""
    match entry.state:
        case "pending" if green:
            return _verified(replace(entry, solution=_proven(entry.solution, program)), near, now)
        case "pending":
            return [replace(entry, solution=entry.solution.settled(), state="failed", note=why)]
        case "verified" | "broken" if green:
            solution = _proven(entry.solution, program)
            return [replace(entry, solution=solution, state="verified", verified=now, note="")]
        case "verified" | "broken":
            return [replace(entry, state="broken", note=why)]
    return []


def credited(entry: Entry, won: bool | None, spent: Spending | None) -> Entry:
    """After a use."""
    entry = replace(entry, wins=entry.wins + (won is True), losses=entry.losses + (won is False))
    if spent is None:
        entry = replace(entry, replays=entry.replays + (won is not False))
    elif spent.calls:
        tokens = entry.tokens + spent.prompt_tokens + spent.completion_tokens
        usd = None if entry.usd is None or spent.usd is None else entry.usd + spent.usd
        entry = replace(entry, uses=entry.uses + 1, tokens=tokens, usd=usd)
    if entry.state in SERVED and won is False and lost(entry):
        return retired(entry, f"it lost {entry.losses} questions and won {entry.wins}")
    return entry


def retired(entry: Entry, why: str) -> Entry:
    return replace(entry, solution=entry.solution.settled(), state="retired", note=why)


def restored(entry: Entry) -> Entry | None:
    """None: it is served, or a candidate. One that never worked is a candidate again: it has to run first."""
    if entry.state in ("pending", "verified"):
        return None
    state: State = "verified" if entry.verified else "pending"
    return replace(entry, state=state, note="", wins=0, losses=0, uses=0, usd=0.0, tokens=0)


def _verified(entry: Entry, near: Sequence[Entry], now: str) -> list[Entry]:
    """A candidate that worked: it joins the oldest of its twins, or takes the place of others for its question.

    Then it has the wins of one that never lost: they were won for this question, and without them one that is asked
    again and again would be answered by a program that is always too new to be trusted.
    """
    others = [other for other in near if other.id != entry.id and other.state in SERVED]
    twins = [other for other in others if _above(other, entry) and _twin(other.solution, entry.solution)]
    if twins:
        first = min(twins, key=lambda twin: twin.id)
        return [
            replace(first, state="verified", verified=now, note=""),
            replace(retired(entry, f"#{first.id} answers it with the same program"), verified=now),
        ]
    reasons = {other.id: _replaced(other, entry) for other in others if _above(entry, other)}
    gone = [other for other in others if reasons.get(other.id)]
    wins = max((other.wins for other in gone if other.state == "verified" and not other.losses), default=0)
    verified = replace(entry, state="verified", verified=now, note="", wins=entry.wins + wins)
    return [verified, *(retired(other, f"#{entry.id} took its place: {reasons[other.id]}") for other in gone)]


def _replaced(older: Entry, newer: Entry) -> str:
    """Why `newer` takes the place of `older`, if it does: it is for the same question, or mends it."""
    if templates.key(older.solution.query) == templates.key(newer.solution.query):
        return LATER
    return REPAIRED if _mended(older, newer) else ""


def _mended(broken: Entry, newer: Entry) -> bool:
    """Whether `newer` answers the question of what no longer works, with its values."""
    return broken.state == "broken" and templates.bound(newer.solution, broken.solution.query) is not None


def _above(newer: Entry, older: Entry) -> bool:
    """Whether one may take the other's place: what a pack says of a question does not push out what was found here."""
    return not newer.solution.origin or newer.solution.origin == older.solution.origin


def _twin(older: Solution, newer: Solution) -> bool:
    """Whether `older` serves whatever `newer` would serve: bound to its question it is the same program.

    Other words for the same are no twins: the older one would not be replayed for them.
    """
    if older.files != newer.files or frozenset(newer.hosts) - frozenset(older.hosts):
        return False
    program = templates.bound(older, newer.query)
    return program is not None and _meaning(program) == _meaning(newer.program)


def _meaning(program: str) -> str:
    """Equal for programs that differ in comments and layout only."""
    tree = programs.tree(program, magic=False)
    try:
        return ast.dump(tree) if tree else program
    except RecursionError:
        return program


def _proven(solution: Solution, program: str) -> Solution:
    """With the program that ran."""
    if program and program != solution.program:
        solution = replace(solution, parameters=templates.parameters(solution.query, program))
    return solution.settled(program)
