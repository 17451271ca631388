"""Packs: solutions as lines of JSON, to be read by others.

The first line tells the version of the format and how many solutions follow, one on a line. A pack is foreign: what it
may hold is bounded, and what a person would not see as it is, is refused. Nobody's record is in it, nor an answer.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any, TypeAlias

from .egress.policy import is_address, is_name
from .entries import FileShape, Solution
from .errors import UsageFault
from .render.plain import one_line, plain
from .types import Answer

VERSION = 1
MOST_BYTES = 64 << 20
"""Of a pack."""
MOST_SOLUTIONS = 10_000
LONGEST_LINE = 1 << 20
"""Bytes of a line."""
LONGEST_QUERY, LONGEST_PROGRAM, LONGEST_NAME, MOST_NAMES, MOST_COLUMNS = 4_000, 100_000, 200, 50, 500
"""Characters; entries of a list."""
MOST_USD, MOST_TOKENS = 100.0, 10_000_000
"""That a question can have cost: what a pack says of it is weighed against what its uses cost here."""

Row: TypeAlias = dict[str, Any]


class Unfit(ValueError):
    """What a pack may not hold."""


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(solutions: Sequence[Solution]) -> Iterator[str]:
    """The lines of a pack, each with its end. ASCII: no editor or mailer changes them."""
    yield json.dumps({"ecoassist_pack": VERSION, "solutions": len(solutions)}) + "\n"
    for solution in solutions:
        yield json.dumps(_row(solution)) + "\n"


def unfit(solution: Solution) -> str:
    """Why a pack cannot hold it; empty where it can."""
    try:
        _solution(_row(solution))
    except Unfit as error:
        return str(error)
    return ""


def _row(solution: Solution) -> Row:
    """Without what is of no use elsewhere: its answer, and what is derived from its program again."""
    row = asdict(solution) | {"program": solution.program.replace("\r\n", "\n")}
    return {name: row[name] for name in _FIELDS}


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(file: IO[bytes], name: str) -> tuple[Solution, ...]:
    """The solutions of a pack called `name`. Raises UsageFault for anything that is not one, with the line's number."""
    numbered = _lines(file, name)
    _, first = next(numbered, (1, b""))
    try:
        if not first:
            raise Unfit("it is empty")
        announced = _announced(_json(first.removeprefix(codecs.BOM_UTF8)))  # editors may put one there
    except Unfit as error:
        remedy = "a pack is what ecoassist solutions export FILE writes"
        raise UsageFault(f"{name} is no pack of solutions: {error}", remedy) from error
    found = []
    for number, line in numbered:
        try:
            found.append(_solution(_json(line)))
        except Unfit as error:
            raise UsageFault(f"{name}, line {number}: {error}", REMEDY) from error
        if len(found) > announced:
            raise UsageFault(f"{name}, line {number}: the first line announces {announced} only", REMEDY)
    if len(found) < announced:
        raise UsageFault(
            f"{name} is cut off: it announces {announced} solutions and holds {len(found)}", "get it once more"
        )
    return tuple(found)


REMEDY = "nothing was imported; have whoever made the pack export it again"


def _lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """Those with something on them, and their numbers. Bounded: no more is read than a pack may have."""
    total = number = 0
    while line := file.readline(LONGEST_LINE + 1):
        total, number = total + len(line), number + 1
        if len(line) > LONGEST_LINE or total > MOST_BYTES:
            what = "has a line" if len(line) > LONGEST_LINE else "is"
            most = LONGEST_LINE if len(line) > LONGEST_LINE else MOST_BYTES
            raise UsageFault(f"{name} {what} larger than {most >> 20} MB: no pack of solutions is", REMEDY)
        if line.strip():
            yield number, line


def _json(line: bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise Unfit("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise Unfit("it is not JSON") from None
    if not isinstance(row, dict):
        raise Unfit("it is not a JSON object")
    return row


def _announced(row: Row) -> int:
    version, number = row.get("ecoassist_pack"), row.get("solutions")
    if type(version) is not int:
        raise Unfit("its first line does not say so")
    if version != VERSION:
        raise Unfit(f"its format is version {str(version)[:20]}, and this ecoassist reads {VERSION}")
    if type(number) is not int or not 0 <= number <= MOST_SOLUTIONS:
        raise Unfit(f"its first line does not say how many solutions follow, at most {MOST_SOLUTIONS:,}")
    return number


def _solution(row: Row) -> Solution:
    """Raises Unfit."""
    if unknown := sorted(set(row) - set(_FIELDS)):
        raise Unfit(f"it has a field {one_line(unknown[0])[:LONGEST_NAME]!r}, which no solution has")
    fields = {name: check(row[name], name) for name, check in _FIELDS.items() if name in row}
    for name in ("query", "program"):
        if not fields.get(name, "").strip():
            raise Unfit(f"it has no {name}")
    return Solution(answer=Answer(""), **{"tier": "pack", **fields})


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(most: int) -> Callable[[object, str], str]:
    def check(value: object, name: str) -> str:
        if not isinstance(value, str):
            raise Unfit(f"{name} is not a text")
        if len(value) > most:
            raise Unfit(f"{name} is longer than {most:,} characters")
        return value

    return check


def _query(value: object, name: str) -> str:
    """As a terminal shows it."""
    return plain(_text(LONGEST_QUERY)(value, name)).strip()


def _program(value: object, name: str) -> str:
    """What is read is what runs: nothing in it may be invisible, or change the order of what is seen."""
    program = _text(LONGEST_PROGRAM)(value, name)
    if plain(program) != program:
        raise Unfit(f"the {name} holds invisible or control characters, which hide what it does from a reader")
    return program


def _name(value: object, name: str) -> str:
    text = _text(LONGEST_NAME)(value, name)
    if one_line(text) != text:
        raise Unfit(f"{name} holds invisible or control characters, or blanks at an end")
    return text


def _list(of: Callable[[object, str], Any], most: int = MOST_NAMES) -> Callable[[object, str], tuple[Any, ...]]:
    def check(value: object, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Unfit(f"{name} is not a list")
        if len(value) > most:
            raise Unfit(f"{name} has more than {most} entries")
        return tuple(of(one, name) for one in value)

    return check


def _host(value: object, name: str) -> str:
    host = _name(value, name)
    if not is_name(host) and not (is_address(host) and host == host.lower()):
        raise Unfit(f"{name}: {host!r} is not a host: a name such as api.example.com, in lower case, without scheme")
    return host


def _file(value: object, name: str) -> FileShape:
    if not isinstance(value, dict) or not set(value) <= {"name", "columns"}:
        raise Unfit(f"{name}: a file has a name and columns")
    shape = FileShape(_name(value.get("name"), name), _COLUMNS(value.get("columns", []), name))
    if not shape.name or "/" in shape.name or "\\" in shape.name:
        raise Unfit(f"{name}: {shape.name!r} is no plain file name")
    return shape


def _usd(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_USD:
        raise Unfit(f"{name} is no sum of dollars from 0 to {MOST_USD:g}")
    return float(value)


def _tokens(value: object, name: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise Unfit(f"{name} is no number from 0 to {MOST_TOKENS:,}")
    return value


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"{name} is neither true nor false")
    return value


def _moment(value: object, name: str) -> str:
    """Of the first run; what is fixed in the program to that day is told by it."""
    text = _name(value, name)
    try:
        known = not text or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        known = False
    if not known or not text.isascii():
        raise Unfit(f"{name} is no moment as ISO 8601 writes it, with the offset from UTC")
    return text


_COLUMNS = _list(_name, MOST_COLUMNS)
_FIELDS: dict[str, Callable[[object, str], Any]] = {
    "query": _query,
    "program": _program,
    "hosts": _list(_host),
    "apis": _list(_name),
    "files": _list(_file),
    "packages": _list(_name),
    "shape": _name,
    "tier": _name,
    "model": _name,
    "image": _name,
    "usd": _usd,
    "tokens": _tokens,
    "ran": _moment,
    "tells": _flag,
}
"""Of a solution in a pack, with what reads it."""
