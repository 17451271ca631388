"""What became of each question: its events as they happened, its verdicts and its end."""

from __future__ import annotations

import datetime
import re
import sqlite3
from dataclasses import replace
from typing import Any

from ecoassist.events import AttemptFinished, Event, Finished, decode, encode
from ecoassist.owners import dead, elsewhere, owner
from ecoassist.types import Outcome, Reply, Run, Usage

from .database import Database
from .rows import plain

SURROGATE = re.compile("[\ud800-\udfff]")
MOST_FORGOTTEN = 200
"""Runs that are forgotten at one time, so that a start takes no longer for an old ledger."""
PATIENCE = 3.0
"""Seconds that a run waits for a locked ledger, once: it is not kept then."""
LONGEST = datetime.timedelta(days=1)
"""A run that did not end by then has been lost."""

_COLUMNS = "id, began, query, status, tier, why, fault, seconds, size, owner"


def today() -> str:
    """The day of this machine, ISO 8601."""
    return datetime.date.today().isoformat()


class RunLog:
    """The runs in `database`. Every method raises EnvironmentFault where it cannot be used.

    What is not begun is not kept: nothing is added to a run that is not here, or not any more.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = owner()

    # ── as it happens ───────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, run: str, query: str, why: str = "") -> None:
        self._change(
            "INSERT INTO runs (id, day, query, status, why, owner) VALUES (?, ?, ?, 'running', ?, ?)",
            *(run, today(), plain(query), plain(why), self._owner),
        )

    def add(self, run: str, at: float, event: Event) -> None:
        if isinstance(event, Finished):  # the attempts are in the events before it
            event = Finished(replace(event.outcome, attempts=()))
        line = SURROGATE.sub(_escaped, encode(event))
        with self._database.transaction(write=True, patience=PATIENCE) as connection:
            connection.execute(
                """
                INSERT INTO events (run, number, at, event)
                SELECT id, (SELECT coalesce(max(number) + 1, 0) FROM events WHERE run = id), ?, ?
                FROM runs WHERE id = ?
                """,
                (at, line, run),
            )
            connection.execute("UPDATE runs SET size = size + ? WHERE id = ?", (len(line.encode()), run))

    def finish(self, run: str, outcome: Outcome | None, fault: str = "") -> None:
        if outcome is None:
            status = "error" if fault else "interrupted"
            self._change("UPDATE runs SET status = ?, fault = ? WHERE id = ?", status, plain(fault), run)
            return
        tokens = _tokens(outcome)
        replayed = outcome.replayed
        self._change(
            """
            UPDATE runs SET status = ?, tier = ?, seconds = ?, prompt = ?, completion = ?, cached = ?, replayed = ?,
                spared = ? WHERE id = ?
            """,
            *(outcome.status, outcome.tier or "", outcome.seconds),
            *((tokens.prompt, tokens.completion, tokens.cached) if tokens else (None, None, None)),
            *((replayed.id, replayed.usd) if replayed else (None, None)),
            run,
        )

    def judged(self, run: str, tier: str, step: str, solved: bool | None) -> None:
        self._change(
            "INSERT INTO verdicts (run, tier, step, solved) SELECT id, ?, ?, ? FROM runs WHERE id = ?",
            *(tier, step, solved, run),
        )

    def agreement(self, tier: str, last: int = 30) -> tuple[int, int]:
        rows = self._rows(
            """
            SELECT solved FROM verdicts WHERE step = 'agreement' AND tier = ? AND solved IS NOT NULL
            ORDER BY rowid DESC LIMIT ?
            """,
            *(tier, last),
        )
        return sum(solved for (solved,) in rows), len(rows)

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self, prefix: str = "", limit: int = -1) -> tuple[Run, ...]:
        """Runs whose id begins with `prefix`, newest first; at most `limit`, below 0: all."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM runs WHERE substr(id, 1, ?) = ? ORDER BY rowid DESC LIMIT ?",
            *(len(prefix), plain(prefix), limit),
        )
        return tuple(map(_run, rows))

    def events(self, run: str) -> tuple[tuple[float, Event], ...]:
        """Its events, with the seconds that it had taken until each."""
        rows = self._rows("SELECT at, event FROM events WHERE run = ? ORDER BY number", run)
        try:
            events = [(float(at), decode(line)) for at, line in rows]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._database.damaged() from error
        attempts = tuple(event.attempt for _, event in events if isinstance(event, AttemptFinished))
        return tuple(
            (at, Finished(replace(event.outcome, attempts=attempts)) if isinstance(event, Finished) else event)
            for at, event in events
        )

    def remove(self, run: str | None = None) -> int:
        """Forgets one run, or all. What its calls cost stays. Returns how many there were."""
        with self._database.transaction(write=True) as connection:
            where, values = ("WHERE id = ?", (run,)) if run is not None else ("", ())
            count = connection.execute(f"DELETE FROM runs {where}", values).rowcount
        self._database.compact()
        return count

    def retain(self, days: int, size: int) -> int:
        """Forgets runs older than `days`, and the oldest while all take more than `size` bytes. Returns how many.

        Not those that are under way; at most MOST_FORGOTTEN at a time.
        """
        with self._database.transaction(write=True) as connection:
            running = connection.execute("SELECT id, owner, began FROM runs WHERE status = 'running'").fetchall()
            lost = [(id,) for id, mark, began in running if _lost(mark, began)]
            connection.executemany("UPDATE runs SET status = 'lost' WHERE id = ?", lost)
            gone = _outdated(connection, days, size)
            connection.executemany("DELETE FROM runs WHERE rowid = ?", gone)
        return len(gone)

    def _rows(self, query: str, *values: str | float) -> list[tuple[Any, ...]]:
        with self._database.transaction() as connection:
            return connection.execute(query, values).fetchall()

    def _change(self, statement: str, *values: str | float | None) -> None:
        with self._database.transaction(write=True, patience=PATIENCE) as connection:
            connection.execute(statement, values)


def _outdated(connection: sqlite3.Connection, days: int, size: int) -> list[tuple[int]]:
    """The rows of runs to forget, oldest first."""
    (total,) = connection.execute("SELECT coalesce(sum(size), 0) FROM runs").fetchone()
    oldest = connection.execute(
        """
        SELECT rowid, size, began < ? FROM runs
        WHERE status != 'running' ORDER BY began LIMIT ?
        """,
        (_ago(datetime.timedelta(days)), MOST_FORGOTTEN),
    )
    gone = []
    for row, bytes, old in oldest:
        if not old and total <= size:
            break
        total -= bytes
        gone.append((row,))
    return gone


def _run(row: tuple[Any, ...]) -> Run:
    *fields, mark = row
    run = Run(*fields)
    return replace(run, status="lost") if run.status == "running" and _lost(mark, run.began) else run


def _lost(mark: str, began: str) -> bool:
    """Whether the process of a run that did not end is no more. Where that cannot be told, none takes so long."""
    return dead(mark) or (elsewhere(mark) and began < _ago(LONGEST))


def _ago(span: datetime.timedelta) -> str:
    return (datetime.datetime.now(datetime.UTC) - span).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tokens(outcome: Outcome) -> Usage | None:
    """What the last attempt took. None: unknown, as where all that is known is a bound, or there was none."""
    replies = [turn.reply for attempt in outcome.attempts[-1:] for turn in attempt.turns]
    found = [_usage(reply) for reply in replies]
    known = [usage for usage in found if usage]
    if not known or len(known) < len(found):
        return None
    return Usage(*(sum(getattr(usage, name) for usage in known) for name in ("prompt", "completion", "cached")))


def _usage(reply: Reply) -> Usage | None:
    if reply.usage or not reply.charge or not reply.charge.exact:
        return reply.usage
    return Usage(reply.charge.prompt_tokens, reply.charge.completion_tokens)


def _escaped(match: re.Match[str]) -> str:
    """A lone surrogate as JSON writes it: SQLite holds no other text than UTF-8."""
    return f"\\u{ord(match[0]):04x}"
