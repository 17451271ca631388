"""A SQLite file of one person, which any number of processes and threads may use at once."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecoassist.errors import EnvironmentFault, Locked

from .locking import BUSY_SECONDS, begin, write_ahead
from .migrations import Schema, migrate

_creating = threading.Lock()  # closing a descriptor of the file would drop the locks of the process's connections


class Database:
    """The file `path` with the tables of `schema`; it and its folder are made on first use, for their owner only.

    `transaction` raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path, self.schema = path, schema
        self.patience = BUSY_SECONDS
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []

    def close(self) -> None:
        """Ends the connections of all threads. The next use would open a new one."""
        with self._lock:
            while self._connections:
                self._connections.pop().close()
            self._local = threading.local()

    def compact(self) -> None:
        """Takes what was removed out of the side files as well, if nobody else uses them. Raises EnvironmentFault."""
        with translated(self.path, self.schema.name):
            self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def damaged(self) -> EnvironmentFault:
        """For a row that cannot be read."""
        return _damaged(self.path, self.schema.name)

    @contextmanager
    def transaction(self, *, write: bool = False, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """This thread's connection, within one transaction. Raises EnvironmentFault.

        Raises Locked after `patience` seconds, in which nobody is heard; None: those that the file is given.
        """
        patience = self.patience if patience is None else patience
        with translated(self.path, self.schema.name):
            connection = self._open()
            try:
                if write:
                    begin(connection, patience)
                else:
                    connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
                    connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        _create(self.path)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )  # used by its own thread only; close() is the exception
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # what a person removes is overwritten
            write_ahead(connection)
            connection.execute("PRAGMA synchronous = NORMAL")  # a kill loses nothing; a power cut the last moment
            migrate(connection, self.path, self.schema)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._connections.append(connection)
        return connection


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


@contextmanager
def translated(path: Path, name: str) -> Iterator[None]:
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
                raise _damaged(path, name) from error
            case sqlite3.SQLITE_FULL:
                raise EnvironmentFault(f"the disk with {path} is full", "free some space") from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                raise Locked(f"another process has locked {path}", "end that process, or try again") from error
        if "no such module" in str(error):
            raise EnvironmentFault("this Python's SQLite has no FTS5", "use a Python whose SQLite has it") from error
        if "no such" in str(error):  # table or column
            raise _damaged(path, name) from error
        raise EnvironmentFault(f"cannot use {path}: {error}", _remedy(path)) from error


def _damaged(path: Path, name: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the {name} in {path} is damaged; nothing was deleted",
        f"move it away and a new one is begun: mv {path} {path}.damaged",
    )


def _remedy(path: Path) -> str:
    return f"make {path.parent} writable, or set ECOASSIST_DATA to another folder"
