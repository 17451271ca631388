"""A store of solutions over any database: all of it but the statements.

What a database has to do is in `Rows`; which entries are changed by what happens is in `lifecycle`, in which order they
come in `ranking`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from ecoassist import vectors
from ecoassist.entries import Entry, Match, Meaning, Solution, State
from ecoassist.similarity import GATE, LONGEST, masked, same
from ecoassist.types import Spending

from . import lifecycle, ranking

CANDIDATES = 20
"""Solutions that share words with a question and are compared with it."""
MOST_WORDS = 64
"""Of a question; the rest of a longer one is not looked up."""

_WORD = re.compile(r"\w+")


class Rows(Protocol):
    """The entries of a database, within one transaction. An id that it cannot hold is one that is not there.

    In a transaction that writes nothing that was read is changed by others before it ends.
    """

    def add(self, entry: Entry) -> int:
        """Keeps it under a number of its own, never given before, which is returned; `entry` has none."""

    def put(self, entry: Entry) -> None:
        """In place of the one with its number, if there is one. Its question is always the same."""

    def remove(self, id: int) -> bool:
        """Whether there was such an entry. Its vectors go with it."""

    def get(self, id: int) -> Entry | None: ...

    def all(self, state: State | None) -> list[Entry]:
        """Those in `state`, or all, oldest first."""

    def of(self, key: str) -> list[Entry]:
        """Those that are served for a question whose `similarity.same` is `key`, newest first."""

    def sharing(self, words: Sequence[str], limit: int) -> list[Entry]:
        """The most relevant of those that are served and share words with `words`, which are lower case, without
        punctuation, and differ."""

    def vectors(self, embedder: str) -> list[tuple[int, bytes]]:
        """Of the entries that are served, those that `embedder` made, with the entries' numbers."""

    def lacking(self, embedder: str, limit: int) -> list[Entry]:
        """Those that are served and have no vector that `embedder` made, newest first."""

    def put_vector(self, id: int, embedder: str, vector: bytes) -> None:
        """In place of the one that was there, if the entry is there."""


class Shelf(Protocol):
    """A database that any number of processes and threads may use at once. Raises EnvironmentFault."""

    def transaction(self, *, write: bool = False) -> AbstractContextManager[Rows]:
        """All that is done within it is there for good at its end, or, where it raises, nothing of it is."""

    def close(self) -> None:
        """Ends all connections. The next use would open a new one."""


def utc() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ShelfStore:
    """A Store whose entries are on `shelf`.

    `gate`: the least similarity, from 0 to 1, of a solution that is served. `now`: the time, as entries have it.
    """

    def __init__(self, shelf: Shelf, gate: float = GATE, now: Callable[[], str] = utc) -> None:
        self.shelf, self.gate, self.now = shelf, gate, now

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        with self.shelf.transaction() as rows:
            found = _near(rows, query)
            meant = _meant(rows, meaning) if meaning else {}
            beside = sorted(meant.keys() - {entry.id for entry in found}, key=lambda id: -meant[id])[:CANDIDATES]
            found += filter(None, map(rows.get, beside))
        return ranking.ranked(query, found, self.gate, meant, meaning.gate if meaning else 1.0)[:CANDIDATES]

    def lacking(self, embedder: str, most: int) -> tuple[Entry, ...]:
        with self.shelf.transaction() as rows:
            return tuple(rows.lacking(embedder, most))

    def describe(self, id: int, embedder: str, vector: bytes) -> None:
        with self.shelf.transaction(write=True) as rows:
            rows.put_vector(id, embedder, vector)

    def keep(self, solution: Solution) -> int:
        with self.shelf.transaction(write=True) as rows:
            return rows.add(Entry(0, solution, "pending", self.now()))

    def settle(self, id: int, green: bool, program: str = "", why: str = "") -> None:
        with self.shelf.transaction(write=True) as rows:
            entry = rows.get(id)
            if entry is None:
                return
            near = _near(rows, entry.solution.query) if green and entry.state == "pending" else []
            for changed in lifecycle.settled(entry, near, green, program, why, self.now()):
                rows.put(changed)

    def receive(self, solution: Solution) -> int:
        """Keeps what worked alone elsewhere; the number of the entry that serves it: the same may be there already."""
        with self.shelf.transaction(write=True) as rows:
            near = _near(rows, solution.query)
            entry = next((entry for entry in near if _equal(entry.solution, solution)), None)
            if entry is None:
                entry = Entry(0, solution, "pending", self.now())
                entry = replace(entry, id=rows.add(entry))
            changes = lifecycle.settled(entry, near, True, "", "", self.now())
            for changed in changes:
                rows.put(changed)
        return next(changed.id for changed in changes if changed.state == "verified")

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        self._change(id, lambda entry: lifecycle.credited(entry, won, spent))

    def retire(self, id: int, why: str) -> bool:
        return self._change(id, lambda entry: lifecycle.retired(entry, why))

    def restore(self, id: int) -> bool:
        return self._change(id, lifecycle.restored)

    def remove(self, id: int) -> bool:
        with self.shelf.transaction(write=True) as rows:
            return rows.remove(id)

    def pending(self) -> tuple[Entry, ...]:
        return self.entries("pending")

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        with self.shelf.transaction() as rows:
            return tuple(rows.all(state))

    def get(self, id: int) -> Entry | None:
        with self.shelf.transaction() as rows:
            return rows.get(id)

    def close(self) -> None:
        """Ends all connections. The next use would open a new one."""
        self.shelf.close()

    def _change(self, id: int, change: Callable[[Entry], Entry | None]) -> bool:
        """Whether `change` made something else of the entry; None: there is nothing to change."""
        with self.shelf.transaction(write=True) as rows:
            entry = rows.get(id)
            changed = change(entry) if entry else None
            if changed is None:
                return False
            rows.put(changed)
            return True


def words(query: str) -> list[str]:
    """What the question is about: its distinct words, without anything that a database could take for syntax.

    Its names and numbers are no part of it, unless there is nothing else: in a large store they are the rarest words,
    and would find other questions about the same place. Measured on the 300 queries of EcoAssistant: the nearest shares
    an API endpoint for 83 % of them by the six rarest words without names, for 79 % with them.
    """
    plain = query[:LONGEST].replace("\x00", " ")
    told = [word for word in _WORD.findall(masked(plain)) if word not in ("0", "X")]
    return list(dict.fromkeys(word.lower() for word in told or _WORD.findall(plain)))[:MOST_WORDS]


def _equal(a: Solution, b: Solution) -> bool:
    return (same(a.query), a.program, a.files, a.hosts) == (same(b.query), b.program, b.files, b.hosts)


def _near(rows: Rows, query: str) -> list[Entry]:
    """The entries worth comparing with a question."""
    named = words(query)
    found = rows.of(same(query))[:CANDIDATES] + (rows.sharing(named, CANDIDATES) if named else [])
    return list({entry.id: entry for entry in found}.values())


def _meant(rows: Rows, meaning: Meaning) -> dict[int, float]:
    """How alike the vectors of the same embedder are, by entries; none where there are too many to compare."""
    size = len(meaning.vector)
    stored = {id: vector for id, vector in rows.vectors(meaning.embedder) if _fits(vector, size)}
    if not vectors.comparable(size, len(stored)):
        return {}
    cosines = vectors.cosines(meaning.vector, [*stored.values()])
    return {id: vectors.above(cosine, meaning.base) for id, cosine in zip(stored, cosines, strict=True)}


def _fits(vector: object, size: int) -> bool:
    """Whether it is a vector that can be compared: what a database holds, others may have written."""
    return isinstance(vector, bytes) and len(vector) == size
