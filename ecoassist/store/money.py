"""The money of a day: what calls of models cost, or may cost at worst while they are under way."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict

from ecoassist.owners import dead, elsewhere, owner
from ecoassist.purse import TINY
from ecoassist.types import Call, Price

from .database import Database
from .rows import plain

BUSY = 0.05
"""Seconds that SQLite waits for the lock of a reservation. Whoever reserves waits longer, and can be stopped there."""
LONGEST = datetime.timedelta(hours=1)
"""A call takes ten minutes at most: after so long an owner of which nothing can be told is taken for dead."""

_INSERT = """
    INSERT INTO calls (run, day, at, state, owner, tier, model, purpose, prompt, completion, cached, usd, exact, price,
                       strong)
    VALUES (?, ?, ?, 'held', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""
_SETTLE = """
    UPDATE calls SET state = 'settled', prompt = ?, completion = ?, cached = ?, usd = ?, exact = ? WHERE id = ?
"""
_DAY = """
    SELECT total(usd) FILTER (WHERE state = 'settled'), total(usd) FILTER (WHERE state = 'held')
    FROM calls WHERE day = ?
"""


class Money:
    """Reservations in `database`, whose tables are those of migrations.LEDGER.

    A call belongs to the day on which it was reserved, by the local time of `now`. Whoever reserves next settles in
    full what a process that has ended left held. Every method raises EnvironmentFault where the file cannot be used.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
        owner: Callable[[], str] = owner,
    ) -> None:
        self._database, self._now, self._owner = database, now, owner()

    def day(self) -> tuple[float, float]:
        with self._database.transaction() as connection:
            return self._sums(connection)

    def reserve(self, worst: Call, cap: float | None) -> int | None:
        with self._database.transaction(write=True, patience=BUSY) as connection:
            self._bury(connection)
            if cap is not None and worst.usd is not None:
                left = max(0.0, cap - sum(self._sums(connection)))
                if worst.usd > left + TINY:
                    return None
            return int(connection.execute(_INSERT, self._row(worst)).fetchone()[0])

    def settle(self, id: int, call: Call | None) -> None:
        with self._database.transaction(write=True) as connection:
            if call is None:
                connection.execute("DELETE FROM calls WHERE id = ?", (id,))
            else:
                came_to = (call.prompt, call.completion, call.cached, call.usd, call.exact)
                connection.execute(_SETTLE, (*came_to, id))

    def _sums(self, connection: sqlite3.Connection) -> tuple[float, float]:
        settled, held = connection.execute(_DAY, (self._today,)).fetchone()
        return settled, held

    def _bury(self, connection: sqlite3.Connection) -> None:
        """Settles in full what dead owners held: the figures of the row are the worst case, and no more exact."""
        long_ago = _utc(self._now() - LONGEST)
        held = connection.execute("SELECT DISTINCT owner FROM calls WHERE state = 'held'").fetchall()
        for (mark,) in held:
            settle = "UPDATE calls SET state = 'settled' WHERE state = 'held' AND owner = ?"
            if dead(mark):
                connection.execute(settle, (mark,))
            elif elsewhere(mark):
                connection.execute(f"{settle} AND at < ?", (mark, long_ago))

    @property
    def _today(self) -> str:
        return self._now().date().isoformat()

    def _row(self, call: Call) -> tuple[str | int | float | None, ...]:
        names = (call.tier, call.model, call.purpose)
        figures = (call.prompt, call.completion, call.cached, call.usd, call.exact)
        head = (call.run, self._today, _utc(self._now()), self._owner, *names)
        return (*map(plain, head), *figures, _json(call.price), _json(call.strong))


def _utc(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(price: Price | None) -> str:
    return json.dumps(asdict(price) if price else None)
