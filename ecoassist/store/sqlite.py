"""The store of one person: one SQLite file, which any number of processes and threads may use at once."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from ecoassist.types import Answer, Entry, Example, Solution

from .database import Database, plain
from .migrations import SOLUTIONS
from .similarity import GATE, cosine, features, same

CANDIDATES = 20
"""Solutions that share words with a question and are compared with it."""
LARGE = 3000
"""Above so many entries only the RARE rarest words of a question are looked up: 34 ms for 221 at 100,000 entries."""
RARE = 6
MOST_WORDS = 64
"""Of a question; the rest of a longer one is not looked up."""
PATIENCE = 3
"""A solution that lost so many questions more than it won is no longer served."""

_COLUMNS = "id, solution, state, created, wins, losses"
_SIMILAR = f"""
    SELECT solutions.id, solutions.solution
    FROM words JOIN solutions ON solutions.id = words.rowid
    WHERE words MATCH ? AND solutions.id = (
        SELECT max(id) FROM solutions AS newest
        WHERE newest.same = solutions.same AND newest.state = 'verified' AND newest.losses < newest.wins + {PATIENCE}
    )
    ORDER BY words.rank LIMIT {CANDIDATES}
"""


class SqliteStore:
    """A Store in the file `path`; the file and its folder are made on first use, for their owner only.

    `gate`: the least similarity, from 0 to 1, of a solution that is served. `limit`: how many are served at most.
    Every method raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path, gate: float = GATE, limit: int = 1) -> None:
        self.path, self.gate, self.limit = path, gate, limit
        self._database = Database(path, SOLUTIONS)

    def similar(self, query: str) -> tuple[Example, ...]:
        """Verified solutions of similar questions, best first; of several for one question only the newest."""
        asked, key = features(query), same(query)
        found: list[tuple[bool, float, int, Solution]] = []
        with self._database.transaction() as connection:
            words = _rarest(connection, _words(query))
            rows = connection.execute(_SIMILAR, (" OR ".join(words),)).fetchall() if words and self.limit else []
        for id, text in rows:
            solution = self._solution(text)
            identical = same(solution.query) == key
            score = 1.0 if identical else cosine(asked, features(solution.query))
            if score >= self.gate:
                found.append((identical, score, id, solution))
        found.sort(key=lambda one: one[:3], reverse=True)
        return tuple(Example(id, kept.query, kept.program, score) for _, score, id, kept in found[: self.limit])

    def keep(self, solution: Solution) -> int:
        with self._database.transaction(write=True) as connection:
            row = connection.execute(
                "INSERT INTO solutions (same, query, solution) VALUES (?, ?, ?) RETURNING id",
                (plain(same(solution.query)), plain(solution.query), json.dumps(asdict(solution))),
            ).fetchone()
        return int(row[0])

    def settle(self, id: int, green: bool) -> None:
        if green:
            self._change("UPDATE solutions SET state = 'verified' WHERE id = ? AND state = 'pending'", id)
        else:
            self._change("UPDATE solutions SET state = 'failed' WHERE id = ?", id)

    def credit(self, id: int, won: bool) -> None:
        self._change("UPDATE solutions SET wins = wins + ?, losses = losses + ? WHERE id = ?", won, not won, id)

    def remove(self, id: int) -> bool:
        """Whether there was such an entry."""
        return self._change("DELETE FROM solutions WHERE id = ?", id)

    def pending(self) -> tuple[Entry, ...]:
        return self.entries("pending")

    def entries(self, state: Literal["pending", "verified", "failed"] | None = None) -> tuple[Entry, ...]:
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
        return tuple(Entry(id, self._solution(text), *rest) for id, text, *rest in rows)

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
            fields.update({name: tuple(fields.get(name, ())) for name in ("hosts", "files", "apis")})
            return Solution(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._database.damaged() from error


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
