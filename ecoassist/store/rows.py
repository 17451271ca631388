"""An entry as the columns of a table, which every database has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ecoassist.entries import Entry, FileShape, Parameter, Solution
from ecoassist.similarity import same
from ecoassist.types import Answer

from .typed import sound

COLUMNS = (
    *("id", "solution", "state", "created", "wins", "losses", "verified"),
    *("uses", "usd", "tokens", "replays", "note"),
)
"""What `entry` reads, in order. A table has `same` and `query` as well, to find entries by."""


def columns(entry: Entry) -> dict[str, Any]:
    """Name -> value, all but the id. The solution is JSON, which any database can hold; other texts may be foreign."""
    found = {name: getattr(entry, name) for name in COLUMNS[2:]}
    query = entry.solution.query
    texts = {"same": same(query), "query": query, "note": entry.note}
    return (
        found | {name: plain(text) for name, text in texts.items()} | {"solution": json.dumps(asdict(entry.solution))}
    )


def entry(row: Sequence[Any]) -> Entry:
    """What a row of COLUMNS says. Raises ValueError for one that was not written by ecoassist."""
    id, text, *rest = row
    try:
        made = Entry(id, _solution(json.loads(text)), *rest)
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"row {id} cannot be read") from error
    if not sound(made) or made.id < 1:
        raise ValueError(f"row {id} holds what no entry holds")
    return made


def plain(text: str) -> str:
    """`text` without what a database cannot hold: lone surrogates, and NUL, which ends a text for some."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")


def _solution(fields: dict[str, Any]) -> Solution:
    fields["answer"] = Answer(**fields["answer"])
    many = ("hosts", "apis", "packages", "took", "parameters", "files")
    fields.update({name: _several(fields.get(name, [])) for name in many})
    fields["parameters"] = tuple(Parameter(**one) for one in fields["parameters"])
    fields["files"] = tuple(map(_file, fields["files"]))
    return Solution(**fields)


def _several(kept: list[Any]) -> tuple[Any, ...]:
    """A text has items as well, which are none."""
    if not isinstance(kept, list):
        raise TypeError
    return tuple(kept)


def _file(kept: str | dict[str, Any]) -> FileShape:
    """Entries of the first schema kept nothing but names."""
    if isinstance(kept, str):
        return FileShape(kept)
    return FileShape(kept["name"], _several(kept["columns"]))
