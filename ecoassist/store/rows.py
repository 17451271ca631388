"""An entry as the columns of a table, which every database has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ecoassist.entries import Entry, FileShape, Parameter, Solution
from ecoassist.similarity import same
from ecoassist.types import Answer

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
        return Entry(id, _solution(json.loads(text)), *rest)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"row {id} cannot be read") from error


def plain(text: str) -> str:
    """`text` without what a database cannot hold: lone surrogates, and NUL, which ends a text for some."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")


def _solution(fields: dict[str, Any]) -> Solution:
    fields["answer"] = Answer(**fields["answer"])
    fields.update({name: tuple(fields.get(name, ())) for name in ("hosts", "apis", "packages", "took")})
    fields["parameters"] = tuple(Parameter(**one) for one in fields.get("parameters", ()))
    fields["files"] = tuple(map(_file, fields.get("files", ())))
    return Solution(**fields)


def _file(kept: str | dict[str, Any]) -> FileShape:
    """Entries of the first schema kept nothing but names."""
    if isinstance(kept, str):
        return FileShape(kept)
    return FileShape(kept["name"], tuple(kept["columns"]))
