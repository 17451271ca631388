"""Facts for the next tier. Pure.

A weak answer as a hint was measured to pull the strong model down (MoT cascade, arXiv 2310.03094), so nothing of what a
model said or wrote is here: what happened to its programs is.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ecoassist.cards.tokens import count_tokens
from ecoassist.programs import names, tree
from ecoassist.types import JSON, Access, Attempt, Task, Turn

from .guard import shape

LIMIT = 600
"""Tokens, by our own count."""
ENDPOINTS, FAULTS, NAMES = 8, 8, 30
"""How many of each are told at most."""
LINE = 480
"""Characters of one line."""
_QUOTED = re.compile(r"(?<!\w)'([^'\n]*+)'|\"([^\"\n]*+)\"|`([^`\n]*+)`")
_PLAIN = re.compile(r"[\w.:-]{1,40}(?: [\w.:()-]{1,40}){0,2}")
"""Quoted text that names something: a key, a column, a module."""
_QUERY = re.compile(r"(://[^\s?#]{1,200}+)[?#]\S*+")
_OWN = 6
"""Characters of a text in the code, from which a message that holds it is taken for the code's own."""


def handed(task: Task, attempts: Sequence[Attempt], *, facts: bool, state: bool) -> Task:
    """`task` for the next tier: with what `attempts` met if it wants `facts`, without variables that are gone.

    `state`: the next tier inherits the kernel.
    """
    task = replace(task, digest=digest(attempts, state=state) if facts else "")
    return replace(task, variables=(), made=False) if state and _left(attempts)[0] else task


def digest(attempts: Sequence[Attempt], *, state: bool = False, limit: int = LIMIT) -> str:
    """What earlier attempts met, as lines of at most `limit` tokens; the most useful first where not all has room.

    Endpoints that answered, with the keys and types of their responses; packages that are missing; hosts that are
    closed or open; endpoints that failed; what the kernel holds beside the variables of earlier questions, where its
    `state` is kept; faults.
    """
    kept: list[str] = []
    room = limit
    for line in _lines(attempts, state=state):
        taken = count_tokens(line) + 1
        if taken <= room:
            kept.append(line)
            room -= taken
    return "\n".join(kept)


def _lines(attempts: Sequence[Attempt], *, state: bool) -> Iterator[str]:
    accesses = [access for attempt in attempts for access in attempt.accesses]
    yield from _first((_answered(access, accesses) for access in accesses if access.answered), ENDPOINTS)
    turns = [turn for attempt in attempts for turn in attempt.turns]
    if missing := dict.fromkeys(turn.fault.target for turn in turns if turn.fault and turn.fault.kind == "package"):
        named = ", ".join(name for name in missing if name)
        yield _line(f"not installed: {named}") if named else "a package is not installed"
    yield from _first(_closed(turns), ENDPOINTS)
    yield from _first((_failed(access) for access in accesses if access.status and not access.answered), ENDPOINTS)
    if state:
        yield from _held(attempts)
    yield from _faults(attempts)


def _first(lines: Iterator[str], most: int) -> list[str]:
    return list(dict.fromkeys(lines))[:most]


def _answered(access: Access, accesses: Sequence[Access]) -> str:
    called = (access.method, access.host, access.path)
    shapes = (one.shape for one in accesses if one.answered and (one.method, one.host, one.path) == called)
    known = next((text for text in shapes if text), "")
    return _line(f"{_named(access)} answered {access.status}" + (f": {known}" if known else ""))


def _failed(access: Access) -> str:
    return _line(f"{_named(access)} answered {access.status}")


def _named(access: Access) -> str:
    return f"{access.method[:20]} {access.host[:100]}{access.path[:80]}"


def _closed(turns: Sequence[Turn]) -> Iterator[str]:
    """Hosts that were refused, and what the person said of them and of keys."""
    opened = {host for turn in turns if turn.result for host in (*turn.result.opened, *turn.result.keyed)}
    for turn in turns:
        for access in turn.result.accesses if turn.result else ():
            if access.refused and access.host in opened:
                yield _line(f"{access.host} is open")
            elif access.refused:
                yield _line(f"{access.host} is refused: {access.refused[:120]}")
        if turn.fault and turn.fault.kind == "auth" and turn.fault.target not in opened:
            yield _line(f"{turn.fault.target} does not take its key: only the person can mend that")


def _held(attempts: Sequence[Attempt]) -> Iterator[str]:
    """What the programs left in the kernel."""
    lost, cells = _left(attempts)
    if lost:
        yield "the kernel was restarted: variables of earlier questions are gone"
    if left := names(cells)[-NAMES:]:
        yield _line("the kernel also holds: " + ", ".join(left))


def _left(attempts: Sequence[Attempt]) -> tuple[bool, list[str]]:
    """Whether the kernel began anew since, and the cells whose variables it holds."""
    cells: list[str] = []
    lost = False
    for attempt in attempts:
        lost, cells = (True, []) if attempt.fresh else (lost, cells)
        for turn in attempt.turns:
            lost, cells = (True, []) if turn.result and turn.result.state_lost else (lost, cells)
            cells += [turn.code] if turn.code and turn.good else []
    return lost, cells


def _faults(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Kinds of failures and what the interpreter said, the last ones, those of one form together."""
    found: dict[tuple[str, str], str] = {}
    times: Counter[tuple[str, str]] = Counter()
    for attempt in attempts:
        answers = _answers(attempts)
        for number, turn in enumerate(attempt.turns):
            if turn.fault is None or turn.fault.kind in ("package", "blocked", "auth", "interrupted"):
                continue
            said = _line(f"{turn.fault.kind}: {_message(turn, attempt.turns[: number + 1], answers)}"[:200])
            key = (str(turn.fault.kind), shape(said))
            times[key] += 1
            found.pop(key, None)
            found[key] = said
    for key in reversed(list(found)[-FAULTS:]):
        yield found[key] + (f" ({times[key]} times)" if times[key] > 1 else "")


def _message(turn: Turn, before: Sequence[Turn], answers: Sequence[str]) -> str:
    """The detail of a fault without what came from the model: texts of its programs, lines of code, its answers."""
    detail = turn.fault.detail if turn.fault else ""
    error = turn.result.error if turn.result else None
    if error and _is_own(error.name, error.message, [one.code for one in before if one.code]):
        return detail.partition(f"{error.name}: ")[0] + error.name
    said = _QUERY.sub(r"\1", detail.partition("\n")[0][:2_000])
    for line in (line.strip() for line in (turn.code or "").splitlines()):
        if len(line) >= _OWN:
            said = said.replace(line, "...")
    said = _QUOTED.sub(
        lambda found: found[0] if _PLAIN.fullmatch(found[1] or found[2] or found[3] or "") else "...", said
    )
    for answer in answers:
        said = re.sub(rf"(?<!\w){re.escape(answer)}(?!\w)", "...", said)
    return said


def _is_own(name: str, message: str, programs: Sequence[str]) -> bool:
    """Whether an exception's message may be the program's own words: it raised it, or holds a part of the text."""
    if name in ("SystemExit", "AssertionError"):
        return True
    for program in programs:
        module = tree(program)
        for node in ast.walk(module) if module else ():
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                return True
            if name != "KeyError" and isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.strip()
                if len(text) >= _OWN and text in message:
                    return True
    return False


def _answers(attempts: Sequence[Attempt]) -> list[str]:
    """What was answered, as texts that must not be handed on: values, and the numbers in words, longest first."""
    found: dict[str, None] = {}
    for attempt in attempts:
        if attempt.answer:
            found |= dict.fromkeys(_scalars(attempt.answer.value))
            found |= dict.fromkeys(re.findall(r"\d[\d.,]*\d|\d", attempt.answer.text[:2_000])[:50])
    return sorted((text for text in found if text.strip()), key=len, reverse=True)[:100]


def _scalars(value: JSON) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _scalars(item)
    elif value is not None:
        yield str(value)


def _line(text: str) -> str:
    """One line of printable text: what came from outside cannot begin another one."""
    one = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return one if len(one) <= LINE else one[: LINE - 3] + "..."
