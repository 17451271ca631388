"""The store of one person: one SQLite file, which any number of processes and threads may use at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from ecoassist.entries import Entry, State
from ecoassist.memory.shelving import ShelfStore
from ecoassist.similarity import GATE

from . import rows
from .database import Database
from .migrations import SOLUTIONS
from .rows import COLUMNS, plain

LARGE = 3000
"""Above so many entries only the rarest words of a question are looked up."""
RARE = 6
"""Of them at most."""
ROWS = 5_000
"""That they may occur in, all in all: to rank so many takes about 5 ms. The rarest one may occur in more."""

_NAMES = ", ".join(f"solutions.{name}" for name in COLUMNS)
_SHARING = f"""
    SELECT {_NAMES} FROM words JOIN solutions ON solutions.id = words.rowid
    WHERE words MATCH ? ORDER BY words.rank LIMIT ?
"""
_OCCURS = f"SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT {ROWS})"
_OF = "WHERE same = ? AND state IN ('verified', 'broken') ORDER BY id DESC"
_VECTORS = """
    SELECT vectors.id, vectors.vector FROM vectors JOIN solutions ON solutions.id = vectors.id
    WHERE vectors.embedder = ? AND solutions.state IN ('verified', 'broken')
"""
_LACKING = f"""
    SELECT {_NAMES} FROM solutions WHERE state IN ('verified', 'broken') AND id NOT IN (
        SELECT id FROM vectors WHERE embedder = ?
    ) ORDER BY id DESC LIMIT ?
"""
_PUT_VECTOR = """
    INSERT INTO vectors (id, embedder, vector) SELECT id, ?, ? FROM solutions WHERE id = ?
    ON CONFLICT (embedder, id) DO UPDATE SET vector = excluded.vector
"""


class SqliteStore(ShelfStore):
    """A Store in the file `path`; the file and its folder are made on first use, for their owner only.

    `gate`: the least similarity, from 0 to 1, of a solution that is served. `large`: above so many entries only the
    rarest words of a question are looked up.
    Every method raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path, gate: float = GATE, large: int = LARGE) -> None:
        self.path = path
        self._database = Database(path, SOLUTIONS)
        super().__init__(SqliteShelf(self._database, large), gate)

    def remove(self, id: int) -> bool:
        """Whether there was such an entry. Nothing that it said stays in the file."""
        removed = super().remove(id)
        if removed:
            self._database.compact()
        return removed


class SqliteShelf:
    def __init__(self, database: Database, large: int = LARGE) -> None:
        self._database, self._large = database, large

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[SqliteRows]:
        with self._database.transaction(write=write) as connection:
            yield SqliteRows(connection, self._database, self._large)

    def close(self) -> None:
        self._database.close()


class SqliteRows:
    """Rows over `connection`, which is in a transaction of `database`."""

    def __init__(self, connection: sqlite3.Connection, database: Database, large: int) -> None:
        self._connection, self._database, self._large = connection, database, large

    def add(self, entry: Entry) -> int:
        values = rows.columns(entry)
        marks = ", ".join("?" * len(values))
        statement = f"INSERT INTO solutions ({', '.join(values)}) VALUES ({marks}) RETURNING id"
        return int(self._connection.execute(statement, [*values.values()]).fetchone()[0])

    def put(self, entry: Entry) -> None:
        values = rows.columns(entry)
        changes = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(f"UPDATE solutions SET {changes} WHERE id = ?", [*values.values(), entry.id])

    def remove(self, id: int) -> bool:
        if not _storable(id) or not self._connection.execute("DELETE FROM solutions WHERE id = ?", (id,)).rowcount:
            return False
        # deleted words stay in the index until then; 'optimize' damages it after a thousand times (SQLite 3.40.1)
        self._connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
        return True

    def get(self, id: int) -> Entry | None:
        return next(iter(self._select("WHERE id = ?", id)), None) if _storable(id) else None

    def all(self, state: State | None) -> list[Entry]:
        return self._select("WHERE state = ? ORDER BY id", state) if state else self._select("ORDER BY id")

    def of(self, key: str) -> list[Entry]:
        return self._select(_OF, plain(key))

    def sharing(self, words: Sequence[str], limit: int) -> list[Entry]:
        asked = " OR ".join(self._rarest([f'"{plain(word)}"' for word in words]))
        return self._entries(self._connection.execute(_SHARING, (asked, limit))) if asked else []

    def vectors(self, embedder: str) -> list[tuple[int, bytes]]:
        return self._connection.execute(_VECTORS, (embedder,)).fetchall()

    def lacking(self, embedder: str, limit: int) -> list[Entry]:
        return self._entries(self._connection.execute(_LACKING, (embedder, limit)))

    def put_vector(self, id: int, embedder: str, vector: bytes) -> None:
        self._connection.execute(_PUT_VECTOR, (embedder, vector, id))

    def _rarest(self, words: list[str]) -> list[str]:
        """In a large store only the rarest of the words that occur at all."""
        if (self._connection.execute("SELECT max(id) FROM solutions").fetchone()[0] or 0) <= self._large:
            return words
        counts = sorted((self._connection.execute(_OCCURS, (word,)).fetchone()[0], word) for word in words)
        rare = [(number, word) for number, word in counts if number][:RARE]
        totals = accumulate(number for number, _ in rare)
        cheap = [word for (_, word), total in zip(rare, totals, strict=True) if total <= ROWS]
        return cheap or [word for _, word in rare[:1]]

    def _select(self, condition: str, *values: str | int) -> list[Entry]:
        return self._entries(self._connection.execute(f"SELECT {_NAMES} FROM solutions {condition}", values))

    def _entries(self, found: sqlite3.Cursor) -> list[Entry]:
        try:
            return [rows.entry(row) for row in found]
        except ValueError as error:
            raise self._database.damaged() from error


def _storable(id: int) -> bool:
    return -(2**63) <= id < 2**63
