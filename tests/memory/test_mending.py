"""A stored program that fails where it is to answer alone is shown to the models with its error, to be repaired."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.entries import Entry, Solution
from ecoassist.prompts import ADAPT, REPAIR
from ecoassist.store.sqlite import SqliteStore
from ecoassist.templates import parameters
from ecoassist.testing import MemoryStore
from ecoassist.types import Answer, CellResult
from tests.test_replay import DOWN, FAILED, FELL, House


def shown(cell: CellResult) -> str:
    """What the first model is told after the stored program ran to `cell`."""
    house = House(cell)
    assert isinstance(house.store, MemoryStore)
    assert house.ask().status == "solved"
    return house.models[0].seen[0][-1].text


def test_what_it_failed_with_is_told_so_that_it_is_not_repeated() -> None:
    text = shown(FAILED)
    assert REPAIR in text
    assert "It now fails: KeyError: 'mm'" in text


@pytest.mark.parametrize("cell", [DOWN, CellResult("gone"), replace(FELL, text="3 mm\n" * 5_000)])
def test_what_is_no_fault_of_its_own_leaves_it_as_it_is(cell: CellResult) -> None:
    text = shown(cell)
    assert ADAPT in text
    assert REPAIR not in text


def test_what_was_repaired_for_another_value_takes_the_place_of_the_broken_one(tmp_path: Path) -> None:
    def made(city: str, field: str, origin: str = "") -> Solution:
        query, program = f"How warm is it in {city}?", f"city = '{city}'\nprint(api(city)['{field}'])"
        found = parameters(query, program)
        assert found
        return Solution(query, program, Answer("4"), "cheap", parameters=found, shape="number", origin=origin)

    with closing(SqliteStore(tmp_path / "s.db")) as store:
        paris, sound = store.keep(made("Paris", "temp")), store.keep(made("Bern", "felt"))
        store.settle(paris, True)
        store.settle(sound, True)
        store.settle(paris, False, why="KeyError: 'temp'")
        packed = store.keep(made("Rome", "temperature", origin="p.jsonl"))
        store.settle(packed, True)
        assert entry(store, paris).state == "broken", "a pack pushes out nothing that was found here"
        oslo = store.keep(made("Oslo", "temperature"))
        store.settle(oslo, True)
        assert (entry(store, paris).state, entry(store, sound).state) == ("retired", "verified")
        assert entry(store, paris).note == f"#{oslo} took its place: it answers its question as well, and works"


def entry(store: SqliteStore, id: int) -> Entry:
    found = store.get(id)
    assert found
    return found
