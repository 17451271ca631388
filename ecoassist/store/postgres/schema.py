"""The tables of a team's database, as the list of steps that lead to them. A released step is never changed; a new one
is appended. They stand in a schema of their own: the database may have other uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecoassist.errors import EnvironmentFault

if TYPE_CHECKING:
    from psycopg import Connection

LOCK = 0x65636F61
"""Of PostgreSQL's advisory locks, which are per database; whoever holds it is the only one who writes. "ecoa"."""
TAKE_LOCK = f"SELECT pg_advisory_xact_lock({LOCK})"

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE ecoassist.solutions (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            same text NOT NULL,      -- equal for questions that differ in case, spacing and punctuation only
            query text NOT NULL,
            solution text NOT NULL,  -- JSON
            state text NOT NULL CHECK (state IN ('pending', 'verified', 'broken', 'failed', 'retired')),
            created text NOT NULL,
            wins bigint NOT NULL,
            losses bigint NOT NULL,
            verified text NOT NULL,  -- when it last ran well alone
            uses bigint NOT NULL,    -- questions whose prompts showed it, and their cost
            usd double precision,    -- NULL: unknown
            tokens bigint NOT NULL,
            replays bigint NOT NULL,
            note text NOT NULL,
            -- a text search vector holds a megabyte at most
            words tsvector GENERATED ALWAYS AS (to_tsvector('english', left(same, 20000))) STORED
        )
        """,
        "CREATE INDEX solutions_same ON ecoassist.solutions USING hash (same)",  # a tree's keys end at 2,700 bytes
        "CREATE INDEX solutions_state ON ecoassist.solutions (state)",
        # without the list of what came last: searches would read it from end to end
        "CREATE INDEX solutions_words ON ecoassist.solutions USING gin (words) WITH (fastupdate = off)",
        """
        CREATE TABLE ecoassist.vectors (
            embedder text NOT NULL,
            id bigint NOT NULL REFERENCES ecoassist.solutions (id) ON DELETE CASCADE,
            vector bytea NOT NULL,
            PRIMARY KEY (embedder, id)
        )
        """,
        "CREATE INDEX vectors_id ON ecoassist.vectors (id)",
    ),
)


def migrate(connection: Connection[tuple[Any, ...]]) -> None:
    """Brings the database to the newest schema, in one transaction. The connection must be in autocommit mode.

    Raises EnvironmentFault where a later ecoassist has been here.
    """
    if _version(connection) == len(STEPS):
        return
    with connection.transaction():
        connection.execute(TAKE_LOCK)
        version = _version(connection)  # somebody else may have been faster
        if version is None:
            connection.execute("CREATE SCHEMA IF NOT EXISTS ecoassist")
            connection.execute("CREATE TABLE ecoassist.version (steps integer NOT NULL)")
            connection.execute("INSERT INTO ecoassist.version VALUES (0)")
        if version is not None and version > len(STEPS):
            raise EnvironmentFault("it was written by a later version of ecoassist", "upgrade ecoassist")
        for statement in (statement for step in STEPS[version or 0 :] for statement in step):
            connection.execute(statement.encode())
        connection.execute("UPDATE ecoassist.version SET steps = %s", (len(STEPS),))


def _version(connection: Connection[tuple[Any, ...]]) -> int | None:
    """How many steps were taken; None: nobody has been here."""
    # not to_regclass: what it does not find it does not look for again in the same transaction
    there = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'ecoassist' AND tablename = 'version'"
    if not connection.execute(there.encode()).fetchall():
        return None
    steps = connection.execute("SELECT max(steps) FROM ecoassist.version").fetchone()
    return int(steps[0]) if steps and steps[0] is not None else 0
