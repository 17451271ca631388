"""A stored program that fails where it is to answer alone is shown to the models with its error, to be repaired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecoassist.prompts import ADAPT, REPAIR
from ecoassist.testing import MemoryStore
from ecoassist.types import CellResult
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
