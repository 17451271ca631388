from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecoassist.entries import FileShape, Solution
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "solutions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def solution() -> Callable[..., Solution]:
    def make(query: str = "What is the temperature in Oslo?", program: str = "print(4)") -> Solution:
        return Solution(
            query,
            program,
            Answer("It is 4.", {"c": [4, None, "é"]}),
            "cheap",
            "m",
            ("a.org", "b.org"),
            (FileShape("x.csv"),),
        )

    return make
