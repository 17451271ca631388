"""Schemas, as the lists of steps that lead to them. A released step is never changed; a new one is appended."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ecoassist.errors import EnvironmentFault

from .locking import begin


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    """What the file holds, for the person."""
    application_id: int
    """In the file's header."""
    steps: tuple[tuple[str, ...], ...]
    """The statements of each step."""


_SOLUTIONS: tuple[tuple[str, ...], ...] = (
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
    (
        """
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            same TEXT NOT NULL,      -- equal for questions that differ in case, spacing and punctuation only
            query TEXT NOT NULL,
            solution TEXT NOT NULL,  -- JSON
            state TEXT NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'verified', 'broken', 'failed', 'retired')),
            created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
            wins INTEGER NOT NULL DEFAULT 0,
            losses INTEGER NOT NULL DEFAULT 0,
            verified TEXT NOT NULL DEFAULT '',  -- when it last ran well alone
            uses INTEGER NOT NULL DEFAULT 0,    -- questions whose prompts showed it, and their cost
            usd REAL DEFAULT 0,                 -- NULL: unknown
            tokens INTEGER NOT NULL DEFAULT 0,
            replays INTEGER NOT NULL DEFAULT 0,
            note TEXT NOT NULL DEFAULT ''
        )
        """,
        """
        INSERT INTO entries (id, same, query, solution, state, created, wins, losses)
            SELECT id, same, query, solution, state, created, wins, losses FROM solutions
        """,
        """
        INSERT INTO sqlite_sequence (name, seq)
            SELECT 'entries', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'entries')
        """,
        """
        UPDATE sqlite_sequence SET seq = max(seq, coalesce((
            SELECT seq FROM sqlite_sequence WHERE name = 'solutions'
        ), 0)) WHERE name = 'entries'
        """,
        "DROP TABLE words",
        "DROP TABLE solutions",
        "ALTER TABLE entries RENAME TO solutions",
        "CREATE INDEX solutions_same ON solutions (same, state)",
        "CREATE INDEX solutions_state ON solutions (state)",
        "CREATE VIRTUAL TABLE words USING fts5 (query, content='solutions', content_rowid='id', tokenize='porter')",
        "INSERT INTO words (words) VALUES ('rebuild')",
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
    (
        # of what was settled before: no answer, no rivals, and never a word of their own without a model
        """
        UPDATE solutions SET solution = json_set(solution, '$.answer', json('{"text": ""}')) WHERE state != 'pending'
        """,
        """
        UPDATE solutions SET solution = json_set(solution, '$.ran', created) WHERE solution ->> '$.ran' IS NULL
        """,
        """
        UPDATE solutions SET solution = json_set(solution, '$.tells', json('false'))
            WHERE solution ->> '$.tells' IS NULL
        """,
        "UPDATE solutions SET verified = created WHERE state = 'verified' AND verified = ''",
        """
        UPDATE solutions SET state = 'retired', note = 'it lost ' || losses || ' questions and won ' || wins
            WHERE state = 'verified' AND losses >= wins + 3
        """,
        """
        UPDATE solutions SET state = 'retired', note = 'a later program for the same question took its place'
            WHERE state = 'verified' AND EXISTS (
                SELECT 1 FROM solutions AS later
                WHERE later.same = solutions.same AND later.state = 'verified' AND later.id > solutions.id
            )
        """,
        # only what is served is looked up by its words
        "DROP TRIGGER solutions_in",
        "DROP TRIGGER solutions_out",
        "DROP TABLE words",
        "CREATE VIEW served AS SELECT id, query FROM solutions WHERE state IN ('verified', 'broken')",
        "CREATE VIRTUAL TABLE words USING fts5 (query, content='served', content_rowid='id', tokenize='porter')",
        "INSERT INTO words (words) VALUES ('rebuild')",
        """
        CREATE TRIGGER solutions_in AFTER INSERT ON solutions WHEN new.state IN ('verified', 'broken') BEGIN
            INSERT INTO words (rowid, query) VALUES (new.id, new.query);
        END
        """,
        """
        CREATE TRIGGER solutions_out AFTER DELETE ON solutions WHEN old.state IN ('verified', 'broken') BEGIN
            INSERT INTO words (words, rowid, query) VALUES ('delete', old.id, old.query);
        END
        """,
        """
        CREATE TRIGGER solutions_on AFTER UPDATE OF state ON solutions
        WHEN new.state IN ('verified', 'broken') AND old.state NOT IN ('verified', 'broken') BEGIN
            INSERT INTO words (rowid, query) VALUES (new.id, new.query);
        END
        """,
        """
        CREATE TRIGGER solutions_off AFTER UPDATE OF state ON solutions
        WHEN old.state IN ('verified', 'broken') AND new.state NOT IN ('verified', 'broken') BEGIN
            INSERT INTO words (words, rowid, query) VALUES ('delete', old.id, old.query);
        END
        """,
        """
        CREATE TABLE vectors (
            embedder TEXT NOT NULL,
            id INTEGER NOT NULL REFERENCES solutions (id) ON DELETE CASCADE,
            vector BLOB NOT NULL,
            PRIMARY KEY (embedder, id)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX vectors_id ON vectors (id)",  # to delete by
    ),
)


_LEDGER: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE calls (             -- of models: what they cost, or may cost at worst
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL DEFAULT '',
            day TEXT NOT NULL,           -- of this machine, ISO 8601: the day whose money it takes
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
            state TEXT NOT NULL CHECK (state IN ('held', 'settled')),
            owner TEXT NOT NULL,         -- the process that makes it
            tier TEXT NOT NULL,
            model TEXT NOT NULL,
            purpose TEXT NOT NULL CHECK (purpose IN ('answer', 'judge')),
            prompt INTEGER NOT NULL,     -- tokens
            completion INTEGER NOT NULL,
            cached INTEGER NOT NULL DEFAULT 0,
            usd REAL,                    -- NULL: the price is unknown
            exact INTEGER NOT NULL,      -- 0: an upper bound
            price TEXT NOT NULL,         -- JSON
            strong TEXT NOT NULL         -- JSON: the price of the strongest tier at that time
        )
        """,
        "CREATE INDEX calls_day ON calls (day, state)",
        "CREATE INDEX calls_held ON calls (owner) WHERE state = 'held'",
        "CREATE INDEX calls_run ON calls (run)",
        """
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            began TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
            day TEXT NOT NULL,
            query TEXT NOT NULL,
            status TEXT NOT NULL,        -- "running" until it ended
            owner TEXT NOT NULL,         -- the process that answers it
            tier TEXT NOT NULL DEFAULT '',
            why TEXT NOT NULL DEFAULT '',  -- it did not begin at the first tier; "hold-out": to compare
            fault TEXT NOT NULL DEFAULT '',  -- what broke it off
            seconds REAL NOT NULL DEFAULT 0,
            prompt INTEGER,              -- tokens of its last attempt; NULL: unknown
            completion INTEGER,
            cached INTEGER,
            size INTEGER NOT NULL DEFAULT 0  -- bytes of its events
        )
        """,
        "CREATE INDEX runs_began ON runs (began, status, size)",
        "CREATE INDEX runs_day ON runs (day)",
        """
        CREATE TABLE events (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            at REAL NOT NULL,            -- seconds since the run began
            event TEXT NOT NULL,         -- JSON, as events.encode writes it
            PRIMARY KEY (run, number)
        )
        """,
        """
        CREATE TABLE verdicts (          -- each step of the verdict chain, and what the person said later
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            tier TEXT NOT NULL,
            step TEXT NOT NULL,
            solved INTEGER,              -- NULL: could not judge
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
        )
        """,
        "CREATE INDEX verdicts_run ON verdicts (run)",
        "CREATE INDEX verdicts_step ON verdicts (step, tier)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN replayed INTEGER",  # the solution that answered it without a model
        "ALTER TABLE runs ADD COLUMN spared REAL",  # what the question had cost that it is from; NULL: unknown
    ),
    (
        # calls for embeddings as well
        """
        CREATE TABLE every_call (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL DEFAULT '',
            day TEXT NOT NULL,           -- of this machine, ISO 8601: the day whose money it takes
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
            state TEXT NOT NULL CHECK (state IN ('held', 'settled')),
            owner TEXT NOT NULL,         -- the process that makes it
            tier TEXT NOT NULL,
            model TEXT NOT NULL,
            purpose TEXT NOT NULL CHECK (purpose IN ('answer', 'judge', 'embed')),
            prompt INTEGER NOT NULL,     -- tokens
            completion INTEGER NOT NULL,
            cached INTEGER NOT NULL DEFAULT 0,
            usd REAL,                    -- NULL: the price is unknown
            exact INTEGER NOT NULL,      -- 0: an upper bound
            price TEXT NOT NULL,         -- JSON
            strong TEXT NOT NULL         -- JSON: the price of the strongest tier at that time
        )
        """,
        "INSERT INTO every_call SELECT * FROM calls",
        """
        INSERT INTO sqlite_sequence (name, seq)
            SELECT 'every_call', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'every_call')
        """,
        """
        UPDATE sqlite_sequence SET seq = max(seq, coalesce((
            SELECT seq FROM sqlite_sequence WHERE name = 'calls'
        ), 0)) WHERE name = 'every_call'
        """,
        "DROP TABLE calls",
        "ALTER TABLE every_call RENAME TO calls",
        "CREATE INDEX calls_day ON calls (day, state)",
        "CREATE INDEX calls_held ON calls (owner) WHERE state = 'held'",
        "CREATE INDEX calls_run ON calls (run)",
    ),
)

SOLUTIONS = Schema("store of solutions", 0x65636F61, _SOLUTIONS)  # "ecoa"
LEDGER = Schema("ledger", 0x65636F6C, _LEDGER)  # "ecol"


def migrate(connection: sqlite3.Connection, path: object, schema: Schema) -> None:
    """Brings the file to the newest schema, in one transaction. The connection must be in autocommit mode.

    Raises EnvironmentFault for a file of another program, or of a later ecoassist.
    """
    if _version(connection) == len(schema.steps) and _pragma(connection, "application_id") == schema.application_id:
        return
    begin(connection)
    try:
        version = _version(connection)  # another process may have been faster
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if _pragma(connection, "application_id") != schema.application_id and (tables or version):
            raise EnvironmentFault(
                f"{path} is a database of another program", "move it away, or set ECOASSIST_DATA to another folder"
            )
        if version > len(schema.steps):
            raise EnvironmentFault(
                f"{path} was written by a later version of ecoassist",
                "upgrade ecoassist, or set ECOASSIST_DATA to another folder",
            )
        for statement in (statement for step in schema.steps[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {len(schema.steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "user_version")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
