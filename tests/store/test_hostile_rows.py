"""Rows that ecoassist never wrote: a team's database is written by others, and one's own file may be damaged."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ecoassist import memory
from ecoassist.entries import Solution
from ecoassist.errors import EnvironmentFault
from ecoassist.events import Notice
from ecoassist.memory import Limits
from ecoassist.play import play
from ecoassist.store import rows
from ecoassist.store.postgres.rows import LARGEST
from ecoassist.store.postgres.store import PostgresStore
from ecoassist.store.rows import COLUMNS as NAMES
from ecoassist.store.sqlite import SqliteStore
from ecoassist.testing import Recorder
from ecoassist.types import Answer, Task
from ecoassist.vectors import cosines, packed

QUERY = "How much rain fell in Oslo?"
MADE = Solution(QUERY, "print(1)", Answer("1", 1), "cheap", usd=0.01, tokens=9)
SOLUTIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no object": lambda made: [made],
    "nothing": lambda made: None,
    "a number as question": lambda made: made | {"query": 5},
    "no program": lambda made: made | {"program": None},
    "a list as program": lambda made: made | {"program": ["print(1)"]},
    "a text as answer": lambda made: made | {"answer": "1"},
    "an answer without a text": lambda made: made | {"answer": {"text": {}, "value": 1}},
    "a text as hosts": lambda made: made | {"hosts": "a.org"},
    "an object as hosts": lambda made: made | {"hosts": {"a.org": 1}},
    "numbers as hosts": lambda made: made | {"hosts": [1, 2]},
    "a parameter of no kind": lambda made: (
        made | {"parameters": [{"name": "a", "kind": "code", "said": "b", "value": "c", "form": ""}]}
    ),
    "a parameter with more": lambda made: made | {"parameters": [{"name": "a", "eval": "b"}]},
    "columns as a text": lambda made: made | {"files": [{"name": "a.csv", "columns": "abc"}]},
    "columns as numbers": lambda made: made | {"files": [{"name": "a.csv", "columns": [1]}]},
    "dollars beyond counting": lambda made: made | {"usd": 1e308},
    "infinite dollars": lambda made: made | {"usd": float("inf")},
    "dollars that are no number": lambda made: made | {"usd": float("nan")},
    "negative dollars": lambda made: made | {"usd": -1.0},
    "a text as tokens": lambda made: made | {"tokens": "9"},
    "true as tokens": lambda made: made | {"tokens": True},
    "tokens of a hundred digits": lambda made: made | {"tokens": 10**100},
    "something unknown": lambda made: made | {"__class__": "os.system"},
}
COLUMNS: dict[str, tuple[str, object]] = {
    "more wins than there are": ("wins", 2**60),
    "a text as wins": ("wins", "many"),
    "infinite wins": ("wins", float("inf")),
    "a fraction of a win": ("wins", 0.5),
    "negative wins": ("wins", -1),
    "negative losses": ("losses", -5),
    "1e308 losses": ("losses", 1e308),
    "negative replays": ("replays", -1),
    "infinite dollars spent": ("usd", float("inf")),
    "bytes as a time": ("created", b"\xff\xfe"),
    "bytes as a note": ("note", b"\xff"),
}
ROW = ["same", "query", *NAMES[1:]]


def stored(path: Path, solution: str, column: str = "wins", value: object = 0) -> None:
    """Writes a verified entry past the store."""
    with closing(SqliteStore(path)) as store:
        id = store.keep(MADE)
        store.settle(id, True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE solutions SET solution = ?, {column} = ? WHERE id = ?", (solution, value, id))
        connection.commit()


def refused(path: Path) -> None:
    """The store says what is wrong, and a question is answered all the same."""
    with closing(SqliteStore(path)) as store:
        for read in (store.entries, lambda: store.similar(QUERY), lambda: store.get(1)):
            with pytest.raises(EnvironmentFault, match="damaged; nothing was deleted"):
                read()
        sink = Recorder()
        task = play(memory.recall(store, Task(QUERY), Limits()), [sink])
        assert (task.examples, task.replay) == ((), None)
        assert [event.text for event in sink.events if isinstance(event, Notice)]


@pytest.mark.parametrize("what", SOLUTIONS)
def test_a_solution_that_is_none_is_not_read(what: str, tmp_path: Path) -> None:
    stored(tmp_path / "s.db", json.dumps(SOLUTIONS[what](asdict(MADE))))
    refused(tmp_path / "s.db")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"query": ' * 50_000, "\x00"])
def test_a_solution_that_is_no_json_is_not_read(text: str, tmp_path: Path) -> None:
    stored(tmp_path / "s.db", text)
    refused(tmp_path / "s.db")


@pytest.mark.parametrize("what", COLUMNS)
def test_a_record_that_counts_nothing_is_not_read(what: str, tmp_path: Path) -> None:
    stored(tmp_path / "s.db", json.dumps(asdict(MADE)), *COLUMNS[what])
    refused(tmp_path / "s.db")


@pytest.mark.postgres
def test_a_teams_rows_that_are_none_are_passed_over(team_url: str) -> None:
    """One member could otherwise take the memory from all, or have its rows taken for somebody's own."""
    import psycopg

    texts = [json.dumps(change(asdict(MADE))) for change in SOLUTIONS.values()]
    texts += [json.dumps(asdict(MADE) | {"program": "#" * LARGEST}), "{", "[" * 100_000]
    numbers: list[dict[str, Any]] = [
        {"wins": -1},
        {"losses": 2**60},
        {"usd": 1e308},
        {"usd": float("nan")},
        {"id": -3},
        {"id": 0},
    ]
    with closing(PostgresStore(lambda: team_url)) as store, psycopg.connect(team_url, autocommit=True) as raw:
        good = store.keep(MADE)
        store.settle(good, True)
        row = dict(
            zip(ROW, raw.execute(f"SELECT {', '.join(ROW)} FROM ecoassist.solutions").fetchall()[0], strict=True)
        )
        for change in [*({"solution": text} for text in texts), *numbers]:
            new = row | change
            names, marks = ", ".join(new), ", ".join(["%s"] * len(new))
            insert = f"INSERT INTO ecoassist.solutions ({names}) OVERRIDING SYSTEM VALUE VALUES ({marks})"
            raw.execute(insert.encode(), [*new.values()])
        assert [match.id for match in store.similar(QUERY)] == [good]
        assert [entry.id for entry in store.entries()] == [good]
        assert [store.get(id) for id in (-3, 0)] == [None, None]


@pytest.mark.parametrize("numbers", [[float("inf"), float("-inf"), 0.0], [float("nan")] * 3, [1e308] * 3, [1.0]])
def test_a_vector_that_has_no_direction_is_like_none(numbers: Sequence[float]) -> None:
    asked = packed([1.0, 1.0, 1.0])
    halves = [max(-65504.0, min(65504.0, number)) if abs(number) < float("inf") else number for number in numbers]
    (cosine,) = cosines(asked, [struct.pack(f"<{len(halves)}e", *halves)])
    assert 0.0 <= cosine <= 1.0


def test_what_the_store_writes_is_sound_with_every_field_filled() -> None:
    """The check asks for nothing that an entry may lack, and lets JSON of any depth through."""
    row = [1, json.dumps(asdict(MADE)), "verified", "2026-01-01T00:00:00Z", 1, 0, "", 0, None, 0, 0, ""]
    assert rows.entry(row).solution == MADE
    deep: Any = None
    for _ in range(50):
        deep = {"a": [deep, 1.5, True]}
    row[1] = json.dumps(asdict(MADE) | {"answer": {"text": "", "value": deep}, "usd": None})
    assert rows.entry(row).solution.answer.value == deep
