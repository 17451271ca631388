from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import kills
from ecoassist.entries import Solution
from ecoassist.errors import EnvironmentFault
from ecoassist.memory.merit import PATIENCE
from ecoassist.store.migrations import SOLUTIONS
from ecoassist.store.sqlite import LARGE, SqliteStore
from ecoassist.types import JSON, Answer

QUERY = "What is the temperature in Oslo?"
MakeSolution = Callable[..., Solution]

WRITER = """
import sys
from pathlib import Path
from ecoassist.store.sqlite import SqliteStore
from ecoassist.entries import Solution
from ecoassist.errors import Locked
from ecoassist.types import Answer
store = SqliteStore(Path(sys.argv[1]))
def kept(solution):
    while True:
        try:
            return store.keep(solution)
        except Locked:
            pass  # on a slow machine eight that never pause may keep each other out for long

for number in range(int(sys.argv[3])):
    print(kept(Solution(f"question {sys.argv[2]} {number}", "print(1)", Answer("1"), "cheap")), flush=True)
"""


def writer(path: Path, name: int, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(name), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def verified(store: SqliteStore, made: Solution) -> int:
    id = store.keep(made)
    store.settle(id, True)
    return id


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_entries_outlive_the_process(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path)) as first:
        id = verified(first, solution())
        first.credit(id, True)
        first.credit(id, False)
        first.credit(id, True)
    with closing(SqliteStore(path)) as second:
        entry = second.get(id)
        assert entry is not None
        assert (entry.solution, entry.state) == (replace(solution(), answer=Answer("")), "verified")
        assert (entry.wins, entry.losses) == (2, 1)
        assert time.strptime(entry.created, "%Y-%m-%dT%H:%M:%SZ")


def test_entries_are_listed_by_state(store: SqliteStore, solution: MakeSolution) -> None:
    pending, good, bad = (store.keep(solution(f"Question {number}")) for number in range(3))
    store.settle(good, True)
    store.settle(bad, False)
    assert [entry.id for entry in store.entries()] == [pending, good, bad]
    assert [entry.id for entry in store.entries("verified")] == [good]
    assert [entry.id for entry in store.entries("failed")] == [bad]
    assert store.entries("pending") == store.pending()


def test_a_removed_entry_is_gone_and_its_id_is_not_used_again(store: SqliteStore, solution: MakeSolution) -> None:
    id = verified(store, solution())
    assert store.remove(id)
    assert not store.remove(id)
    assert store.get(id) is None
    assert store.similar(QUERY) == ()
    assert store.keep(solution()) > id


@pytest.mark.parametrize("retired", [False, True])
def test_nothing_of_a_removed_entry_stays_in_the_files(
    path: Path, store: SqliteStore, solution: MakeSolution, retired: bool
) -> None:
    verified(store, solution())
    id = verified(store, solution("What does Zanzibarqwx cost in spring?", "print('zanzibarqwx')"))
    store.describe(id, "e", b"zanzibarqwx.")
    verified(store, solution("Who is it?", "print(5)"))
    if retired:
        store.retire(id, "zanzibarqwx")
    assert any(b"zanzibarqwx" in file.read_bytes().lower() for file in path.parent.iterdir())
    store.remove(id)
    assert not any(b"zanzibarqwx" in file.read_bytes().lower() for file in path.parent.iterdir())


@pytest.mark.parametrize("id", [0, -1, 99, 2**63, -(2**63) - 1])
def test_an_id_that_was_never_given_is_nothing(store: SqliteStore, id: int) -> None:
    assert store.get(id) is None
    assert not store.remove(id)
    store.settle(id, True)
    store.credit(id, True)


def test_closing_twice_does_no_harm(store: SqliteStore, solution: MakeSolution) -> None:
    store.keep(solution())
    store.close()
    store.close()
    assert len(store.entries()) == 1


# ── what is served ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_that_differs_in_names_and_numbers_is_served(store: SqliteStore, solution: MakeSolution) -> None:
    id = verified(store, solution("What will the temperature in Oslo be on May 3?"))
    (example,) = store.similar("What will the temperature in Buenos Aires be on June 12?")
    assert example.id == id
    assert example.score > 0.8


def test_the_very_question_comes_before_one_that_differs_in_a_name(store: SqliteStore, solution: MakeSolution) -> None:
    oslo = verified(store, solution("What is the temperature in Oslo?"))
    verified(store, solution("What is the temperature in Bergen?"))
    assert store.similar("what is  the temperature in Oslo")[0].id == oslo


def test_the_best_come_first(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path)) as store:
        for city in ("Oslo", "Bergen", "Bodø"):
            verified(store, solution(f"What is the temperature in {city}?"))
        scores = [example.score for example in store.similar("What is the temperature in Lima?")]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)


def test_the_gate_decides(path: Path, solution: MakeSolution) -> None:
    asked = "What is the humidity in Oslo right now?"
    with closing(SqliteStore(path, gate=0.0)) as open_store:
        verified(open_store, solution())
        (example,) = open_store.similar(asked)
    for gate, served in ((example.score - 0.01, 1), (example.score + 0.01, 0)):
        with closing(SqliteStore(path, gate=gate)) as store:
            assert len(store.similar(asked)) == served


@pytest.mark.parametrize(
    "unrelated",
    [
        "What is the capital of Mongolia?",
        "Write a poem about the autumn in Oslo",
        "How do I sort a list in Python?",
        "Who is the author of Hunger?",
    ],
)
def test_unrelated_questions_are_served_nothing(store: SqliteStore, solution: MakeSolution, unrelated: str) -> None:
    verified(store, solution())
    assert store.similar(unrelated) == ()


def test_a_question_asked_a_hundred_times_does_not_hide_the_others(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path)) as store:
        other = verified(store, solution("What is the temperature on the mountain tomorrow?"))
        ids = [verified(store, solution(program=f"print({n})")) for n in range(100)]
        assert [example.id for example in store.similar(QUERY)] == [ids[-1], other]


def test_what_loses_again_and_again_is_no_longer_served(store: SqliteStore, solution: MakeSolution) -> None:
    id = verified(store, solution())
    for _ in range(PATIENCE):
        assert [example.id for example in store.similar(QUERY)] == [id]
        store.credit(id, False)
    assert store.similar(QUERY) == ()
    entry = store.get(id)
    assert entry
    assert (entry.state, entry.note) == ("retired", "it lost 3 questions and won 0")


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "?!",
        "_",
        '"',
        "'; DROP TABLE solutions; --",
        "temperature OR NOT AND NEAR(",
        'temperature" OR "x',
        "query:temperature ^oslo*",
        "a\x00b",
        "\ud800",
        "🌡️ in Oslo?",
        "奥斯陆的气温是多少?",
        "temperature " * 5000,
        " ".join(f"word{number}" for number in range(5000)),
    ],
)
def test_any_question_can_be_asked_and_kept(store: SqliteStore, solution: MakeSolution, query: str) -> None:
    verified(store, solution())
    store.similar(query)
    id = verified(store, solution(query))
    entry = store.get(id)
    assert entry is not None
    assert entry.solution.query == query
    store.similar(query)


def test_quotes_and_operators_do_not_keep_a_question_from_being_found(
    store: SqliteStore, solution: MakeSolution
) -> None:
    id = verified(store, solution())
    (example,) = store.similar('what is the "temperature" (in Oslo) AND NOT*?')
    assert example.id == id


def test_a_large_store_is_searched_by_the_rarest_words_it_holds(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path, gate=0.0)) as store:
        wanted = verified(store, solution("How many slow ferries cross the windy fjord near Stavanger harbour today?"))
        text = "How many slow ferries cross the windy fjord near Stavanger, Alta, Lom, Voss and Moss harbour today?"
        with closing(sqlite3.connect(path)) as connection:
            made = connection.execute("SELECT solution FROM solutions").fetchone()[0]
            rows = [(f"q{n}", f"How many people live near the town {n} today?", made) for n in range(LARGE)]
            insert = "INSERT INTO solutions (same, query, solution, state) VALUES (?, ?, ?, 'verified')"
            connection.executemany(insert, rows[:-1])
            connection.commit()
            assert len(store.similar(text)) == 20  # every word is looked up
            connection.execute(insert, rows[-1])
            connection.commit()
            assert [example.id for example in store.similar(text)] == [wanted]


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_nobody_else_may_read_the_files_whatever_the_umask(tmp_path: Path, solution: MakeSolution, mask: int) -> None:
    path = tmp_path / "share" / "data" / "solutions.db"
    with umask(mask), closing(SqliteStore(path)) as store:
        store.keep(solution())
        modes = {
            file.name: stat.S_IMODE(file.stat().st_mode)
            for file in [path.parent.parent, *path.parent.parent.rglob("*")]
        }
    assert modes == {
        "share": 0o700,
        "data": 0o700,
        "solutions.db": 0o600,
        "solutions.db-wal": 0o600,
        "solutions.db-shm": 0o600,
    }


def test_a_file_that_others_could_read_is_closed_to_them(path: Path, solution: MakeSolution) -> None:
    path.parent.mkdir()
    path.touch()
    path.chmod(0o666)
    with closing(SqliteStore(path)) as store:
        store.keep(solution())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_made_before_the_first_use(path: Path) -> None:
    SqliteStore(path).close()
    assert not path.parent.exists()


def test_a_file_of_version_0_is_brought_to_the_newest(path: Path, solution: MakeSolution) -> None:
    path.parent.mkdir()
    path.touch()
    with closing(SqliteStore(path)) as store:
        store.keep(solution())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(SOLUTIONS.steps)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_file_of_a_later_version_is_left_alone(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path)) as store:
        store.keep(solution())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with closing(SqliteStore(path)) as store, pytest.raises(EnvironmentFault, match="later version") as raised:
        store.similar(QUERY)
    assert "upgrade" in raised.value.remedy
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM solutions").fetchone()[0] == 1


def test_a_database_of_another_program_is_left_alone(path: Path, solution: MakeSolution) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with closing(SqliteStore(path)) as store, pytest.raises(EnvironmentFault, match="another program"):
        store.keep(solution())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_a_damaged_file_is_named_and_kept(path: Path, solution: MakeSolution) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    before = path.read_bytes()
    with closing(SqliteStore(path)) as store, pytest.raises(EnvironmentFault) as raised:
        store.keep(solution())
    assert str(path) in str(raised.value)
    assert str(path) in raised.value.remedy
    assert path.read_bytes() == before


def test_a_file_damaged_in_the_middle_is_named_and_kept(path: Path, solution: MakeSolution) -> None:
    with closing(SqliteStore(path)) as store:
        for number in range(300):
            verified(store, solution(f"What is the temperature in town {number}?"))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with closing(SqliteStore(path)) as store, pytest.raises(EnvironmentFault, match="damaged"):
        store.similar(QUERY)
    assert path.read_bytes() == bytes(content)


def test_a_row_that_cannot_be_read_is_damage(store: SqliteStore, solution: MakeSolution, path: Path) -> None:
    store.keep(solution())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE solutions SET solution = '{}'")
        connection.commit()
    with pytest.raises(EnvironmentFault, match="damaged"):
        store.pending()


def test_a_path_that_cannot_be_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "solutions.db", tmp_path):
        with closing(SqliteStore(path)) as store, pytest.raises(EnvironmentFault, match="cannot use") as raised:
            store.similar(QUERY)
        assert raised.value.remedy


def test_a_full_disk_is_said_and_the_store_works_on(path: Path, store: SqliteStore, solution: MakeSolution) -> None:
    store.keep(solution())
    with store._database.transaction() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    store._database._local.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(EnvironmentFault, match="full"):
        store.keep(solution(program="x" * 1_000_000))
    assert len(store.entries()) == 1


def test_a_lock_that_stays_is_said(path: Path, store: SqliteStore, solution: MakeSolution) -> None:
    store.keep(solution())
    store._database.patience = 0.1
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EnvironmentFault, match="locked"):
            store.keep(solution())
        assert len(store.entries()) == 1  # reading goes on
    store.keep(solution())


# ── at once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_eight_processes_write_at_once_and_nothing_is_lost(path: Path) -> None:
    writers = [writer(path, name, 25) for name in range(8)]
    said = [process.communicate(timeout=120)[0].split() for process in writers]
    assert [process.returncode for process in writers] == [0] * 8
    ids = {int(id) for ids in said for id in ids}
    assert len(ids) == 200
    with closing(SqliteStore(path)) as store:
        assert {entry.id for entry in store.pending()} == ids
        assert len({entry.solution.query for entry in store.pending()}) == 200


def test_threads_share_a_store(store: SqliteStore, solution: MakeSolution) -> None:
    ids: list[int] = []
    barrier = threading.Barrier(4)

    def write() -> None:
        barrier.wait(15)
        ids.extend(verified(store, solution()) for _ in range(20))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(ids)) == 80
    assert len(store.similar(QUERY)) == len(store.entries("verified")) == 1


def test_what_was_acknowledged_survives_the_kill_of_one_of_eight_writers(tmp_path: Path) -> None:
    assert len(kills.killed(tmp_path, kills=6, seed=6)) > 8


def test_a_lost_change_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "solutions.db"
    with closing(SqliteStore(path)) as store:
        first, second = (store.keep(Solution(f"q{n}", "print(1)", Answer("1"), "cheap")) for n in range(2))
        store.settle(second, True)
        store.credit(second, True)
    kills.check(path, [f"kept {first}", f"kept {second}", f"settled {second}", f"won {second}"])
    for lie in (["kept 7"], [f"removed {first}"], [f"settled {first}"], [f"won {second}"] * 2):
        with pytest.raises(AssertionError):
            kills.check(path, lie)


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "é\ud800\x00", [1, {"a": []}], {}])
def test_an_answer_of_any_value_comes_back(store: SqliteStore, value: JSON) -> None:
    made = Solution("q", "p", Answer("t\ud800", value), "cheap")
    entry = store.get(store.keep(made))
    assert entry is not None
    assert entry.solution == made
