"""The store of one person: one SQLite file, which any number of processes and threads may use at once."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecoassist.entries import Entry, FileShape, Match, Parameter, Solution, State
from ecoassist.memory.merit import PATIENCE
from ecoassist.similarity import GATE, cosine, features, same
from ecoassist.types import Answer, Spending

from .database import Database, plain
from .migrations import SOLUTIONS

CANDIDATES = 20
"""Solutions that share words with a question and are compared with it."""
LARGE = 3000
"""Above so many entries only the RARE rarest words of a question are looked up: 34 ms for 221 at 100,000 entries."""
RARE = 6
MOST_WORDS = 64
"""Of a question; the rest of a longer one is not looked up."""

_COLUMNS = "id, solution, state, created, wins, losses, verified, uses, usd, tokens, replays, note"
_SIMILAR = f"""
    SELECT {", ".join(f"solutions.{name}" for name in _COLUMNS.split(", "))}
    FROM words JOIN solutions ON solutions.id = words.rowid
    WHERE words MATCH ? AND solutions.id = (
        SELECT max(id) FROM solutions AS newest
        WHERE newest.same = solutions.same AND newest.state IN ('verified', 'broken')
            AND newest.losses < newest.wins + {PATIENCE}
    )
    ORDER BY words.rank LIMIT {CANDIDATES}
"""


class SqliteStore:
    """A Store in the file `path`; the file and its folder are made on first use, for their owner only.

    `gate`: the least similarity, from 0 to 1, of a solution that is served.
    Every method raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path, gate: float = GATE) -> None:
        self.path, self.gate = path, gate
        self._database = Database(path, SOLUTIONS)

    def similar(self, query: str) -> tuple[Match, ...]:
        """Solutions of similar questions, best first; of several for one question only the newest."""
        asked, key = features(query), same(query)
        found: list[tuple[bool, float, int, Match]] = []
        with self._database.transaction() as connection:
            words = _rarest(connection, _words(query))
            rows = connection.execute(_SIMILAR, (" OR ".join(words),)).fetchall() if words else []
        for row in rows:
            entry = self._entry(row)
            identical = same(entry.solution.query) == key
            score = 1.0 if identical else cosine(asked, features(entry.solution.query))
            if score >= self.gate:
                found.append((identical, score, entry.id, Match(entry, score)))
        found.sort(key=lambda one: one[:3], reverse=True)
        return tuple(match for *_, match in found)

    def keep(self, solution: Solution) -> int:
        with self._database.transaction(write=True) as connection:
            row = connection.execute(
                "INSERT INTO solutions (same, query, solution) VALUES (?, ?, ?) RETURNING id",
                (plain(same(solution.query)), plain(solution.query), json.dumps(asdict(solution))),
            ).fetchone()
        return int(row[0])

    def settle(self, id: int, green: bool, program: str = "", why: str = "") -> None:
        if green:
            self._change("UPDATE solutions SET state = 'verified' WHERE id = ? AND state = 'pending'", id)
        else:
            self._change("UPDATE solutions SET state = 'failed', note = ? WHERE id = ?", plain(why), id)

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        change = "UPDATE solutions SET wins = wins + ?, losses = losses + ? WHERE id = ?"
        self._change(change, won is True, won is False, id)

    def retire(self, id: int, why: str) -> bool:
        return self._change("UPDATE solutions SET state = 'retired', note = ? WHERE id = ?", plain(why), id)

    def restore(self, id: int) -> bool:
        clean = "state = 'verified', note = '', wins = 0, losses = 0"
        return self._change(f"UPDATE solutions SET {clean} WHERE id = ?", id)

    def remove(self, id: int) -> bool:
        """Whether there was such an entry."""
        return self._change("DELETE FROM solutions WHERE id = ?", id)

    def pending(self) -> tuple[Entry, ...]:
        return self.entries("pending")

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        """All entries, or those in one state, oldest first."""
        return self._select("WHERE state = ? ORDER BY id" if state else "ORDER BY id", *([state] if state else []))

    def get(self, id: int) -> Entry | None:
        return next(iter(self._select("WHERE id = ?", id)), None)

    def close(self) -> None:
        """Ends the connections of all threads. The next use would open a new one."""
        self._database.close()

    def _select(self, condition: str, *values: str | int) -> tuple[Entry, ...]:
        if not _storable(*values):
            return ()
        with self._database.transaction() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM solutions {condition}", values).fetchall()
        return tuple(map(self._entry, rows))

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        id, text, *rest = row
        return Entry(id, self._solution(text), *rest)

    def _change(self, statement: str, *values: str | int) -> bool:
        """Whether a row was changed."""
        if not _storable(*values):
            return False
        with self._database.transaction(write=True) as connection:
            return connection.execute(statement, values).rowcount > 0

    def _solution(self, text: str) -> Solution:
        try:
            fields: dict[str, Any] = json.loads(text)
            fields["answer"] = Answer(**fields["answer"])
            fields.update({name: tuple(fields.get(name, ())) for name in ("hosts", "apis", "packages", "took")})
            fields["parameters"] = tuple(Parameter(**one) for one in fields.get("parameters", ()))
            fields["files"] = tuple(map(_file, fields.get("files", ())))
            return Solution(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._database.damaged() from error


def _file(kept: str | dict[str, Any]) -> FileShape:
    """Entries of the first schema kept nothing but names."""
    if isinstance(kept, str):
        return FileShape(kept)
    return FileShape(kept["name"], tuple(kept["columns"]))


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _words(query: str) -> list[str]:
    """The question's distinct words, quoted, so that nothing in them is query syntax."""
    return [f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", plain(query).lower()))][:MOST_WORDS]


def _rarest(connection: sqlite3.Connection, words: list[str]) -> list[str]:
    """In a large store only the rarest of the words that occur at all."""
    if connection.execute("SELECT count(*) FROM solutions").fetchone()[0] <= LARGE:
        return words
    count = "SELECT count(*) FROM words WHERE words MATCH ?"
    ranked = sorted((connection.execute(count, (word,)).fetchone()[0], word) for word in words)
    return [word for number, word in ranked if number][:RARE]


def _storable(*values: str | int) -> bool:
    return all(isinstance(value, str) or -(2**63) <= value < 2**63 for value in values)
