"""Runs on a disk: other processes, dead ones, broken files, what is forgotten."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.errors import EnvironmentFault
from ecoassist.events import AttemptFinished, Event, Finished, Notice, Replied, Started
from ecoassist.owners import owner
from ecoassist.store import runlog
from ecoassist.store.ledger import SqliteLedger
from ecoassist.types import Answer, Attempt, Outcome, Reply, Spending, Turn, Verdict

WRITER = """
import os, signal, sys
from pathlib import Path
from ecoassist.events import Notice
from ecoassist.store.ledger import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]))
ledger.begin(sys.argv[2], "q")
for number in range(int(sys.argv[3])):
    ledger.add(sys.argv[2], number, Notice(f"{sys.argv[2]} {number}"))
if sys.argv[4:]:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def writer(path: Path, run: str, events: int, *end: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), run, str(events), *end])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with closing(SqliteLedger(path)) as ledger:
        yield ledger


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def kept(ledger: SqliteLedger, run: str, *, size: int = 0) -> str:
    """A run that ended, with events of about `size` bytes."""
    ledger.begin(run, "q")
    ledger.add(run, 0.0, Notice("x" * size))
    ledger.finish(run, None)
    return run


def ids(ledger: SqliteLedger) -> list[str]:
    return [run.id for run in ledger.runs()]


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_ledger_is_for_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(SqliteLedger(path)) as ledger:
            kept(ledger, "r1")
            files = [*path.parent.iterdir()]
            assert len(files) > 1, "the side files are to be seen too"
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", ["é \U0001f600", "nul \x00 nul", "lone \ud83d surrogate", 'a "quote" \\ud83d', "\u2028"]
)
def test_any_text_comes_back_as_it_was(text: str, ledger: SqliteLedger) -> None:
    ledger.begin("r1", text)
    event = Replied(Reply(text))
    ledger.add("r1", 0.0, event)
    assert ledger.events("r1") == ((0.0, event),)
    assert len(ledger.runs()) == 1


def test_the_tokens_of_the_last_attempt_are_kept_to_compare(ledger: SqliteLedger) -> None:
    replies = [Reply("a", charge=Spending(0.1, 100, 10, 1)), Reply("b", charge=Spending(0.1, 200, 20, 1))]
    first = Attempt("cheap", (Turn(Reply("x", charge=Spending(0.1, 7, 7, 1))),), "turn_limit")
    last = Attempt("strong", tuple(map(Turn, replies)), "answered")
    ledger.begin("r1", "q")
    ledger.finish("r1", Outcome("solved", Answer("b"), Verdict(True, "model"), (first, last)))
    ledger.begin("r2", "q")
    ledger.finish("r2", Outcome("solved", None, Verdict(True, "model"), (replace(last, turns=(Turn(Reply("x")),)),)))
    known, unknown = [cost.tokens for cost in ledger.costs("2000-01-01")]
    assert known is not None
    assert (known.prompt, known.completion) == (300, 30)
    assert unknown is None


def test_tokens_that_are_a_bound_compare_with_nothing(ledger: SqliteLedger) -> None:
    """A reply's reservation at the strongest tier's price would look like money saved."""
    bound = Turn(Reply("a", charge=Spending(0.1, 100, 8192, 1, exact=False)))
    ledger.begin("r1", "q")
    ledger.finish("r1", Outcome("solved", None, Verdict(True, "model"), (Attempt("cheap", (bound,), "answered"),)))
    assert [cost.tokens for cost in ledger.costs("2000-01-01")] == [None]


def test_the_attempts_of_a_run_are_kept_once(ledger: SqliteLedger) -> None:
    attempt = Attempt("cheap", (Turn(Reply("y" * 50_000)),), "answered")
    outcome = Outcome("solved", None, Verdict(True, "model"), (attempt,))
    events: list[Event] = [AttemptFinished(attempt), Finished(outcome)]
    ledger.begin("r1", "q")
    for event in events:
        ledger.add("r1", 0.0, event)
    assert [event for _, event in ledger.events("r1")] == events
    (run,) = ledger.runs()
    assert 50_000 < run.size < 60_000


# ── other processes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_processes_write_at_once_and_every_run_is_whole(path: Path, ledger: SqliteLedger) -> None:
    writers = [writer(path, f"r{number}", 40) for number in range(3)]
    assert [process.wait(60) for process in writers] == [0, 0, 0]
    for number in range(3):
        said = [event for _, event in ledger.events(f"r{number}")]
        assert said == [Notice(f"r{number} {count}") for count in range(40)]


@pytest.mark.skipif(not owner(), reason="this system does not tell when a process started")
def test_what_a_killed_process_kept_is_readable_and_its_run_is_lost(path: Path, ledger: SqliteLedger) -> None:
    assert writer(path, "r1", 3, "killed").wait(60) == -9
    (run,) = ledger.runs()
    assert run.status == "lost"
    assert [event for _, event in ledger.events("r1")] == [Notice(f"r1 {number}") for number in range(3)]
    ledger.retain(90, 10**9)
    assert [run.status for run in ledger.runs()] == ["lost"]


def test_a_run_of_another_machine_is_lost_only_after_a_day(path: Path, ledger: SqliteLedger) -> None:
    for run in ("r1", "r2"):
        ledger.begin(run, "q")
        change(path, "UPDATE runs SET owner = 'elsewhere pid:[1] 1 1' WHERE id = ?", run)
    change(path, "UPDATE runs SET began = '2020-01-01T00:00:00Z' WHERE id = 'r2'")
    assert {run.id: run.status for run in ledger.runs()} == {"r1": "running", "r2": "lost"}


# ── broken files ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_damaged_ledger_is_said_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1_000)
    with closing(SqliteLedger(path)) as ledger, pytest.raises(EnvironmentFault, match="damaged") as raised:
        ledger.begin("r1", "q")
    assert "mv " in raised.value.remedy
    assert path.read_bytes() == b"not a database" * 1_000


@pytest.mark.parametrize("event", ["", "{}", '{"event": "Notice"}', '{"event": "Bang"}', "[" * 100_000, "7"])
def test_an_event_that_cannot_be_read_is_said(event: str, path: Path, ledger: SqliteLedger) -> None:
    kept(ledger, "r1")
    change(path, "UPDATE events SET event = ?", event)
    with pytest.raises(EnvironmentFault, match="damaged"):
        ledger.events("r1")


# ── what is forgotten ───────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_that_are_too_old_are_forgotten(path: Path, ledger: SqliteLedger) -> None:
    kept(ledger, "old"), kept(ledger, "new")
    change(path, "UPDATE runs SET began = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-91 days') WHERE id = 'old'")
    assert ledger.retain(90, 10**9) == 1
    assert ids(ledger) == ["new"]
    assert ledger.events("old") == ()


def test_the_oldest_runs_are_forgotten_while_all_are_too_large(path: Path, ledger: SqliteLedger) -> None:
    for number in range(4):
        run = kept(ledger, f"r{number}", size=1_000)
        change(path, "UPDATE runs SET began = ? WHERE id = ?", f"2999-01-0{number + 1}T00:00:00Z", run)
    assert ledger.retain(90, 2_500) == 2
    assert ids(ledger) == ["r3", "r2"]
    assert ledger.retain(90, 2_500) == 0


def test_a_run_under_way_is_not_forgotten(path: Path, ledger: SqliteLedger) -> None:
    ledger.begin("r1", "q")
    ledger.add("r1", 0.0, Notice("x" * 1_000))
    change(path, "UPDATE runs SET began = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-91 days')")
    if owner():
        assert ledger.retain(90, 10) == 0
        assert ids(ledger) == ["r1"]


def test_an_old_ledger_is_cleaned_in_steps(ledger: SqliteLedger) -> None:
    for number in range(runlog.MOST_FORGOTTEN + 3):
        ledger.begin(f"r{number}", "q")
        ledger.finish(f"r{number}", None)
        ledger.add(f"r{number}", 0.0, Notice("x"))
    assert ledger.retain(90, 0) == runlog.MOST_FORGOTTEN
    assert ledger.retain(90, 0) == 3


def test_what_was_removed_is_in_no_file_any_more(path: Path, ledger: SqliteLedger) -> None:
    ledger.begin("r1", "quetzalcoatl in the question")
    ledger.add("r1", 0.0, Started("quetzalcoatl in an event", "r1"))
    ledger.judged("r1", "cheap", "person", True)
    kept(ledger, "r2")
    assert ledger.remove("r1") == 1
    assert ids(ledger) == ["r2"]
    assert not any(b"quetzalcoatl" in file.read_bytes() for file in path.parent.iterdir())
    assert ledger.remove() == 1
    assert ledger.remove() == 0


def test_a_run_that_was_removed_while_it_ran_stays_removed(ledger: SqliteLedger) -> None:
    ledger.begin("r1", "q")
    ledger.remove("r1")
    ledger.add("r1", 1.0, Notice("x"))
    ledger.judged("r1", "cheap", "model", True)
    ledger.finish("r1", None)
    assert ledger.runs() == ()
    assert ledger.events("r1") == ()
    assert ledger.judged_alike() == (0, 0)


# ── judge and person ────────────────────────────────────────────────────────────────────────────────────────────────


def test_judge_and_person_are_compared_by_their_last_word_on_one_answer(ledger: SqliteLedger) -> None:
    said: list[tuple[str, str, str, bool | None]] = [
        ("alike", "cheap", "model", False),  # of the answer of another tier
        ("alike", "strong", "model", True),
        ("alike", "strong", "person", False),
        ("alike", "strong", "person", True),
        ("apart", "strong", "model", True),
        ("apart", "strong", "person", False),
        ("unsure", "strong", "model", None),
        ("unsure", "strong", "person", True),
        ("alone", "strong", "person", True),
    ]
    for run in ("alike", "apart", "unsure", "alone"):
        ledger.begin(run, "q")
    for verdict in said:
        ledger.judged(*verdict)
    assert ledger.judged_alike() == (1, 2)
