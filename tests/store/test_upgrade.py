"""A file of any earlier version is brought to the newest, and loses nothing by it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.entries import Entry, FileShape
from ecoassist.store.migrations import SOLUTIONS
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer

CREATED = "2026-03-01T12:00:00Z"
OSLO = "What is the temperature in Oslo?"
KEPT = {
    "query": OSLO,
    "program": "print(4)",
    "answer": {"text": "It is 4.", "value": 4, "none": False},
    "tier": "cheap",
    "model": "m",
    "hosts": ["a.org"],
    "files": ["x.csv"],
    "apis": ["weather"],
}
"""A solution, as the first version wrote it."""
Row = tuple[int, str, str, int, int]
"""Id, question, state, wins, losses."""
ROWS: tuple[Row, ...] = (
    (1, OSLO, "verified", 4, 0),
    (2, "What is the humidity in Rome?", "failed", 0, 0),
    (3, "Who wrote Hunger?", "pending", 0, 0),
    (4, "how many people live in Bodø", "verified", 1, 4),
    (5, OSLO, "verified", 0, 1),
    (7, "What is the dew point in Lima?", "verified", 2, 1),
)


def built(path: Path, version: int) -> sqlite3.Connection:
    """A file as that version of ecoassist made it: by its statements alone."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path, isolation_level=None)
    for step in SOLUTIONS.steps[:version]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {SOLUTIONS.application_id}")
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


def old(path: Path, version: int) -> None:
    with closing(built(path, version)) as connection:
        columns = "(id, same, query, solution, state, created, wins, losses)"
        for id, query, state, wins, losses in ROWS:
            made = json.dumps(KEPT | {"query": query})
            row = (id, query.lower().strip("?"), query, made, state, CREATED, wins, losses)
            connection.execute(f"INSERT INTO solutions {columns} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO solutions (id, same, query, solution) VALUES (9, 'q', 'q', '{}')")
        connection.execute("DELETE FROM solutions WHERE id = 9")


def entry(store: SqliteStore, id: int) -> Entry:
    found = store.get(id)
    assert found
    return found


VERSIONS = range(1, len(SOLUTIONS.steps))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_entry_comes_through_an_upgrade(path: Path, version: int) -> None:
    old(path, version)
    with closing(SqliteStore(path)) as store:
        entries = store.entries()
        states = {entry.id: (entry.state, entry.wins, entry.losses) for entry in entries}
        assert states == {
            1: ("retired", 4, 0),
            2: ("failed", 0, 0),
            3: ("pending", 0, 0),
            4: ("retired", 1, 4),
            5: ("verified", 0, 1),
            7: ("verified", 2, 1),
        }
        for found in entries:
            solution = found.solution
            assert (solution.program, solution.tier, solution.hosts) == ("print(4)", "cheap", ("a.org",))
            assert (solution.files, solution.apis, found.created) == ((FileShape("x.csv"),), ("weather",), CREATED)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_retired_by_an_upgrade_says_why(path: Path, version: int) -> None:
    old(path, version)
    with closing(SqliteStore(path)) as store:
        assert entry(store, 1).note == "a later program for the same question took its place"
        assert entry(store, 4).note == "it lost 4 questions and won 1"
        assert {entry(store, id).note for id in (2, 3, 5, 7)} == {""}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_served_is_served_after_an_upgrade_and_nothing_else(path: Path, version: int) -> None:
    old(path, version)
    with closing(SqliteStore(path)) as store:
        assert [match.id for match in store.similar(OSLO)] == [5]
        assert [match.id for match in store.similar("What is the dew point in Quito?")] == [7]
        assert store.similar("how many people live in Bodø") == ()
        assert store.restore(4)
        assert [match.id for match in store.similar("how many people live in Bodø")] == [4]
        assert store.keep(replace(entry(store, 7).solution, query="another")) == 10  # 9 was removed


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_entry_is_never_its_own_answer(path: Path, version: int) -> None:
    """Nobody knew then whether what a program printed was the answer, nor when it ran."""
    old(path, version)
    with closing(SqliteStore(path)) as store:
        solution = entry(store, 7).solution
        assert (solution.tells, solution.ran, solution.answer) == (False, CREATED, Answer(""))
        assert entry(store, 7).verified == CREATED
        assert entry(store, 3).solution.answer == Answer("It is 4.", 4)  # its re-run is still to come


@pytest.mark.parametrize("version", VERSIONS)
def test_the_index_of_an_upgraded_file_is_whole(path: Path, version: int) -> None:
    old(path, version)
    with closing(SqliteStore(path)) as store:
        store.retire(5, "test")
        store.restore(1)
        store.remove(7)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(SOLUTIONS.steps)
