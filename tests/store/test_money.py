"""The day's money: one file, any number of processes, and what the dead leave."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.errors import EnvironmentFault
from ecoassist.owners import owner
from ecoassist.store.database import Database
from ecoassist.store.migrations import LEDGER
from ecoassist.store.money import Money
from ecoassist.types import Call, Price

CALL = Call("cheap", "small", "answer", 100, 50, 0.01, price=Price(10, 180), strong=Price(20, 360), run="r1")
ZONE = datetime.timezone(datetime.timedelta(hours=2))
EVENING = datetime.datetime(2026, 11, 21, 23, 59, 30, tzinfo=ZONE)
ELSEWHERE = "00000000-0000-0000-0000-000000000000 pid:[1] 4711 815"
needs_proc = pytest.mark.skipif(not owner(), reason="this system does not tell when a process started")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(Database(path, LEDGER)) as database:
        yield database


@pytest.fixture
def money(database: Database) -> Money:
    return Money(database)


def rows(path: Path, columns: str = "state, prompt, completion, usd, exact") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM calls ORDER BY id").fetchall()


def holding(path: Path, usd: float = 0.01) -> subprocess.Popen[str]:
    """A process that has reserved a call and now waits."""
    code = f"""
import sys, time
from dataclasses import replace
from pathlib import Path
from ecoassist.store.database import Database
from ecoassist.store.migrations import LEDGER
from ecoassist.store.money import Money
from ecoassist.types import Call
assert Money(Database(Path({str(path)!r}), LEDGER)).reserve(Call("cheap", "m", "answer", 1, 1, {usd}), None) is not None
print("held", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str], number: int) -> None:
    os.kill(process.pid, number)
    process.communicate()


def test_a_call_is_held_with_its_worst_case_and_then_comes_to_what_it_cost(money: Money, path: Path) -> None:
    id = money.reserve(CALL, None)
    assert id is not None
    assert money.day() == (0.0, 0.01)
    assert rows(path) == [("held", 100, 50, 0.01, 0)]
    money.settle(id, replace(CALL, prompt=90, completion=5, cached=80, usd=0.002, exact=True))
    assert money.day() == (0.002, 0.0)
    assert rows(path) == [("settled", 90, 5, 0.002, 1)]
    kept = rows(path, "run, tier, model, purpose, cached, price, strong")
    prices = [
        json.dumps({"input": input, "output": output, "cached": None, "written": None})
        for input, output in ((10, 180), (20, 360))
    ]
    assert kept == [("r1", "cheap", "small", "answer", 80, *prices)]


def test_a_call_that_cost_nothing_leaves_nothing(money: Money, path: Path) -> None:
    id = money.reserve(CALL, None)
    assert id is not None
    money.settle(id, None)
    assert rows(path) == []


def test_what_does_not_fit_beside_the_spent_and_the_held_is_not_reserved(money: Money, path: Path) -> None:
    first, second = money.reserve(CALL, 0.025), money.reserve(CALL, 0.025)
    assert first
    assert second
    assert money.reserve(CALL, 0.025) is None
    money.settle(first, replace(CALL, usd=0.005))
    assert money.reserve(CALL, 0.025) is not None, "0.005 spent, 0.01 held, 0.01 wanted"
    assert money.reserve(replace(CALL, usd=0.0001), 0.025) is None
    assert len(rows(path)) == 3


def test_free_calls_and_those_of_unknown_price_fit_into_a_day_that_is_overspent(money: Money) -> None:
    assert money.reserve(replace(CALL, usd=5.0), None)
    assert money.reserve(replace(CALL, usd=0.0), 1.0)
    assert money.reserve(replace(CALL, usd=None, price=None), 1.0)
    assert money.reserve(replace(CALL, usd=0.000_001), 1.0) is None


def test_a_call_belongs_to_the_local_day_on_which_it_was_reserved(database: Database, path: Path) -> None:
    now = [EVENING]
    money = Money(database, now=lambda: now[0])
    late = money.reserve(CALL, 0.015)
    assert late is not None
    now[0] += datetime.timedelta(minutes=1)
    assert money.day() == (0.0, 0.0)
    assert money.reserve(CALL, 0.015) is not None
    money.settle(late, CALL)
    assert money.day() == (0.0, 0.01)
    assert rows(path, "day, at") == [("2026-11-21", "2026-11-21T21:59:30Z"), ("2026-11-22", "2026-11-21T22:00:30Z")]


@needs_proc
def test_what_a_killed_process_held_is_settled_in_full_by_whoever_reserves_next(money: Money, path: Path) -> None:
    dead, alive = holding(path), holding(path)
    end(dead, signal.SIGKILL)
    assert money.reserve(CALL, 0.025) is None, "both still count"
    assert rows(path, "state, usd, exact") == [("settled", 0.01, 0), ("held", 0.01, 0)]
    assert money.day() == (0.01, 0.01)
    end(alive, signal.SIGKILL)
    assert money.reserve(CALL, None) is not None
    assert money.day() == (0.02, 0.01)


def test_an_owner_of_whom_nothing_can_be_told_counts_as_dead_after_an_hour(database: Database, path: Path) -> None:
    now = [EVENING]
    there, here = Money(database, now=lambda: now[0], owner=lambda: ELSEWHERE), Money(database, now=lambda: now[0])
    id = there.reserve(CALL, None)
    assert id is not None
    now[0] += datetime.timedelta(minutes=59)
    here.reserve(CALL, None)
    assert rows(path, "state") == [("held",), ("held",)]
    now[0] += datetime.timedelta(minutes=2)
    here.reserve(CALL, None)
    assert rows(path, "state") == [("settled",), ("held",), ("held",)], "our own are known to live"
    there.settle(id, replace(CALL, usd=0.001, exact=True))
    assert rows(path, "usd, exact")[0] == (0.001, 1), "it lived after all: the truth replaces the bound"


def test_a_model_with_an_impossible_name_is_put_down(money: Money, path: Path) -> None:
    assert money.reserve(replace(CALL, model="m\ud800", run="\udfff"), None)
    assert rows(path, "model, run") == [("m?", "?")]


def test_a_file_that_cannot_be_used_is_an_environment_fault(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    with closing(Database(path, LEDGER)) as database, pytest.raises(EnvironmentFault, match="damaged"):
        Money(database).reserve(CALL, None)


SPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
from ecoassist.errors import Locked
from ecoassist.store.database import Database
from ecoassist.store.migrations import LEDGER
from ecoassist.store.money import Money
from ecoassist.types import Call
call = Call("cheap", "m", "answer", 10, 10, 0.01)
money = Money(Database(Path(sys.argv[1]), LEDGER))
def reserve():
    while True:
        try:
            return money.reserve(call, 0.5)
        except Locked:
            pass
money.day()
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    id = reserve()
    if id is not None and number % 2:
        money.settle(id, replace(call, usd=0.004, exact=True))
    elif id is not None:
        money.settle(id, None if number % 4 else call)
"""


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_share_a_day_without_a_race(processes: int, path: Path) -> None:
    command = [sys.executable, "-c", SPENDER, str(path), str(240 // processes)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    most = 0.0
    with closing(Database(path, LEDGER)) as database, ExitStack() as running:
        money = Money(database)
        started = [running.enter_context(subprocess.Popen(command, **pipes)) for _ in range(processes)]  # type: ignore[call-overload]
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        while any(process.poll() is None for process in started):
            most = max(most, sum(money.day()))
        assert [process.returncode for process in started] == [0] * processes
        spent, held = money.day()
    assert held == 0
    assert 0.49 < spent <= 0.5 + 1e-9, "all of it could be spent, and no more"
    assert most <= 0.5 + 1e-9, "not at any moment"


def test_a_ledger_of_the_first_version_keeps_its_calls_and_takes_those_for_embeddings(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in LEDGER.steps[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {LEDGER.application_id}")
        connection.execute("PRAGMA user_version = 1")
        row = ("2026-11-21", "settled", "", "cheap", "small", "answer", 7, 3, 0.5, 1, "null", "null")
        names = "day, state, owner, tier, model, purpose, prompt, completion, usd, exact, price, strong"
        for _ in range(3):
            connection.execute(f"INSERT INTO calls ({names}) VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("DELETE FROM calls WHERE id = 3")
    with closing(Database(path, LEDGER)) as database:
        id = Money(database).reserve(replace(CALL, tier="embeddings", purpose="embed"), None)
    assert id == 4  # a number is never given twice
    assert rows(path, "id, purpose, prompt, usd") == [
        (1, "answer", 7, 0.5),
        (2, "answer", 7, 0.5),
        (4, "embed", 100, 0.01),
    ]
