"""The store of one person: one SQLite file, which any number of processes and threads may use at once."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from ecoassist.errors import EnvironmentFault
from ecoassist.types import Answer, Entry, Example, Solution

from .migrations import migrate
from .similarity import GATE, cosine, features, same

BUSY_SECONDS = 10.0
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
_creating = threading.Lock()  # closing a descriptor of the file would drop the locks of the process's connections


class SqliteStore:
    """A Store in the file `path`; the file and its folder are made on first use, for their owner only.

    `gate`: the least similarity, from 0 to 1, of a solution that is served. `limit`: how many are served at most.
    Every method raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path, gate: float = GATE, limit: int = 1) -> None:
        self.path, self.gate, self.limit = path, gate, limit
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    def similar(self, query: str) -> tuple[Example, ...]:
        """Verified solutions of similar questions, best first; of several for one question only the newest."""
        asked, key = features(query), same(query)
        found: list[tuple[bool, float, int, Solution]] = []
        with self._connection() as connection:
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
        with self._connection(write=True) as connection:
            row = connection.execute(
                "INSERT INTO solutions (same, query, solution) VALUES (?, ?, ?) RETURNING id",
                (_plain(same(solution.query)), _plain(solution.query), json.dumps(asdict(solution))),
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
        with self._lock:
            while self._connections:
                self._connections.pop().close()
            self._local = threading.local()

    def _select(self, condition: str, *values: str | int) -> tuple[Entry, ...]:
        if not _storable(*values):
            return ()
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM solutions {condition}", values).fetchall()
        return tuple(Entry(id, self._solution(text), *rest) for id, text, *rest in rows)

    def _change(self, statement: str, *values: str | int) -> bool:
        """Whether a row was changed."""
        if not _storable(*values):
            return False
        with self._connection(write=True) as connection:
            return connection.execute(statement, values).rowcount > 0

    def _solution(self, text: str) -> Solution:
        try:
            fields: dict[str, Any] = json.loads(text)
            fields["answer"] = Answer(**fields["answer"])
            fields.update({name: tuple(fields.get(name, ())) for name in ("hosts", "files", "apis")})
            return Solution(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(self.path) from error

    @contextmanager
    def _connection(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """This thread's connection, within one transaction. Raises EnvironmentFault."""
        with translated(self.path):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect()
            # a transaction that reads first and writes later fails where another process wrote in between
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        _create(self.path)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )  # used by its own thread only; close() is the exception
        try:
            _write_ahead(connection)
            migrate(connection, self.path)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._connections.append(connection)
        return connection


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _create(path: Path) -> None:
    """An empty file that only its owner may read, whatever the umask; SQLite gives its side files the same mode."""
    with _creating:
        for folder in reversed([one for one in path.parents if not one.exists()]):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if path.stat().st_mode & 0o077 == 0:
                return
        path.chmod(0o600)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches the file to write-ahead logging. SQLite does not wait for locks here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises EnvironmentFault, with what can be done, for every way in which the file can fail."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"cannot use {path}: {error.strerror}", _remedy(path)) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.ProgrammingError):
            raise  # a defect of ours
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise _damaged(path) from error
            case sqlite3.SQLITE_FULL:
                raise EnvironmentFault(f"the disk with {path} is full", "free some space") from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                message = f"another process has locked {path} for {BUSY_SECONDS:.0f} s"
                raise EnvironmentFault(message, "end that process, or try again") from error
        if "no such module" in str(error):
            raise EnvironmentFault("this Python's SQLite has no FTS5", "use a Python whose SQLite has it") from error
        if "no such" in str(error):  # table or column
            raise _damaged(path) from error
        raise EnvironmentFault(f"cannot use {path}: {error}", _remedy(path)) from error


def _damaged(path: Path) -> EnvironmentFault:
    return EnvironmentFault(
        f"the store of solutions in {path} is damaged; nothing was deleted",
        f"move it away and a new one is begun: mv {path} {path}.damaged",
    )


def _remedy(path: Path) -> str:
    return f"make {path.parent} writable, or set ECOASSIST_DATA to another folder"


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _words(query: str) -> list[str]:
    """The question's distinct words, quoted, so that nothing in them is query syntax."""
    return [f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", _plain(query).lower()))][:MOST_WORDS]


def _rarest(connection: sqlite3.Connection, words: list[str]) -> list[str]:
    """In a large store only the rarest of the words that occur at all."""
    if connection.execute("SELECT count(*) FROM solutions").fetchone()[0] <= LARGE:
        return words
    count = "SELECT count(*) FROM words WHERE words MATCH ?"
    ranked = sorted((connection.execute(count, (word,)).fetchone()[0], word) for word in words)
    return [word for number, word in ranked if number][:RARE]


def _plain(text: str) -> str:
    """Without what SQLite cannot hold: lone surrogates, and NUL, after which its tokenizer reads nothing."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")


def _storable(*values: str | int) -> bool:
    return all(isinstance(value, str) or -(2**63) <= value < 2**63 for value in values)
