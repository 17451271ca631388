"""What is left of a store whose writers are killed: eight at once, one after the other by SIGKILL, in the midst of it.

Each writer says what it did once the store has returned. Nothing that was said may be missing afterwards, and SQLite's
own checks of the file and of its index have to pass.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ecoassist.entries import Entry
from ecoassist.store.sqlite import SqliteStore

from .common import Figure, show

WRITERS = 8
KILLS = 100
MOST_SAID = 30
"""A writer is killed after it has said so much more at most."""
PATIENCE = 60.0
"""Seconds in which a writer says something, however slow the machine is."""

WRITER = """
import os, sys
from pathlib import Path
from ecoassist.entries import Solution
from ecoassist.errors import Locked
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer

store, name = SqliteStore(Path(sys.argv[1])), sys.argv[3]
said = os.open(sys.argv[2], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

def say(what, id):
    os.write(said, f"{what} {id}\\n".encode())

def done(action, *given, **named):
    # eight that never pause may keep each other out for long: what was refused was not acknowledged
    while True:
        try:
            return action(*given, **named)
        except Locked:
            say("locked", 0)

number, last = 0, 0
while True:
    number += 1
    # every program but the first of three takes the place of another, or joins it
    solution = Solution(f"what does {name} say to number {number // 3}", f"print({number // 2})", Answer("1"), "cheap")
    id = done(store.keep, solution)
    say("kept", id)
    done(store.settle, id, number % 7 > 0, why="it did not")
    say("settled", id)
    for _ in range(number % 4):
        done(store.credit, id, True)
        say("won", id)
    if number % 5 == 0:
        say("removing", last)
        done(store.remove, last)
        say("removed", last)
    last = id
"""


@dataclass
class Writer:
    process: subprocess.Popen[bytes]
    file: Path
    """What it said, one line each."""

    def lines(self) -> list[str]:
        """Those that are complete."""
        return self.file.read_text().split("\n")[:-1] if self.file.exists() else []

    def said(self, number: int) -> None:
        """Returns once it has said so much. Raises AssertionError if it does not, or if it ended by itself."""
        end = time.monotonic() + PATIENCE
        while len(self.lines()) < number:
            assert self.process.poll() is None, "a writer ended by itself"
            assert time.monotonic() < end, "a writer says nothing"
            time.sleep(0.002)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Fleet:
    folder: Path
    chance: random.Random
    running: list[Writer] = field(default_factory=list)
    ended: list[Writer] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "solutions.db"

    def start(self) -> None:
        name = f"w{len(self.running) + len(self.ended)}"
        file = self.folder / f"{name}.said"
        command = [sys.executable, "-c", WRITER, str(self.path), str(file), name]
        self.running.append(Writer(subprocess.Popen(command), file))

    def kill_one(self) -> None:
        """As soon as it has said a few words more."""
        writer = self.chance.choice(self.running)
        writer.said(len(writer.lines()) + self.chance.randint(1, MOST_SAID))
        writer.kill()
        self.running.remove(writer)
        self.ended.append(writer)

    def end(self) -> None:
        while self.running:
            writer = self.running.pop()
            writer.kill()
            self.ended.append(writer)


@contextmanager
def fleet(folder: Path, seed: int) -> Iterator[Fleet]:
    writers = Fleet(folder, random.Random(seed))
    try:
        yield writers
    finally:
        writers.end()


def killed(folder: Path, kills: int, seed: int) -> list[str]:
    """Kills so many of the writers, one after the other; what they had said. Raises AssertionError for a loss."""
    with fleet(folder, seed) as writers:
        for _ in range(WRITERS):
            writers.start()
        for _ in range(kills):
            writers.kill_one()
            writers.start()
        writers.end()
        lines = [line for writer in writers.ended for line in writer.lines()]
        check(writers.path, lines)
        return lines


def check(path: Path, lines: list[str]) -> None:
    """Raises AssertionError unless all that was said is true, and the file is whole."""
    with closing(SqliteStore(path)) as store:
        entries = {entry.id: entry for entry in store.entries()}
    kept: dict[int, list[str]] = {}
    for line in lines:
        what, _, number = line.partition(" ")
        if what == "locked":
            continue
        kept.setdefault(int(number), []).append(what)
    for id, said in kept.items():
        if "removed" in said:
            assert id not in entries, f"{id} was removed"
        elif "removing" not in said:
            assert id in entries, f"{id} is missing: {said}"
            _check(entries[id], said)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")


def _check(entry: Entry, said: list[str]) -> None:
    assert entry.state != "pending" or "settled" not in said, f"{entry.id} was settled"
    assert entry.wins >= said.count("won"), f"{entry.id} has {entry.wins} wins of {said.count('won')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--check", action="store_true", help="for the sake of the others: what is lost always fails")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = killed(Path(folder), given.kills, given.seed)
        size = (Path(folder) / "solutions.db").stat().st_size / 1e6
    figures = [
        Figure("writers at once", WRITERS, ""),
        Figure("killed in the midst of it", given.kills, ""),
        Figure("changes that were acknowledged", len(said) - said.count("locked 0"), ""),
        Figure("changes that had to wait for more than ten seconds", said.count("locked 0"), ""),
        Figure("of them lost", 0, "", 0),
        Figure("the file", size, "MB"),
    ]
    show(f"A store whose writers are killed, seed {given.seed}", figures, check=given.check)


if __name__ == "__main__":
    main()
