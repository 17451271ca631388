"""The store's schema, as the list of steps that lead to it. A released step is never changed; a new one is appended."""

from __future__ import annotations

import sqlite3

from ecoassist.errors import EnvironmentFault

APPLICATION_ID = 0x65636F61
"""In the file's header: "ecoa"."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE solutions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            same TEXT NOT NULL,      -- equal for questions that differ in case, spacing and punctuation only
            query TEXT NOT NULL,
            solution TEXT NOT NULL,  -- JSON
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'verified', 'failed')),
            created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
            wins INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX solutions_same ON solutions (same, state)",
        "CREATE INDEX solutions_state ON solutions (state)",
        "CREATE VIRTUAL TABLE words USING fts5 (query, content='solutions', content_rowid='id', tokenize='porter')",
        """
        CREATE TRIGGER solutions_in AFTER INSERT ON solutions BEGIN
            INSERT INTO words (rowid, query) VALUES (new.id, new.query);
        END
        """,
        """
        CREATE TRIGGER solutions_out AFTER DELETE ON solutions BEGIN
            INSERT INTO words (words, rowid, query) VALUES ('delete', old.id, old.query);
        END
        """,
    ),
)


def migrate(connection: sqlite3.Connection, path: object) -> None:
    """Brings the file to the newest schema, in one transaction. The connection must be in autocommit mode.

    Raises EnvironmentFault for a file of another program, or of a later ecoassist.
    """
    if _version(connection) == len(MIGRATIONS) and _pragma(connection, "application_id") == APPLICATION_ID:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been faster
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if _pragma(connection, "application_id") != APPLICATION_ID and (tables or version):
            raise EnvironmentFault(
                f"{path} is a database of another program", "move it away, or set ECOASSIST_DATA to another folder"
            )
        if version > len(MIGRATIONS):
            raise EnvironmentFault(
                f"{path} was written by a later version of ecoassist",
                "upgrade ecoassist, or set ECOASSIST_DATA to another folder",
            )
        for statement in (statement for step in MIGRATIONS[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "user_version")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
