"""A blocking iterator that ticks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from ecoassist.events import Tick
from ecoassist.models.pump import ROOM, pump

Until: TypeAlias = Callable[[Callable[[], bool]], None]


def test_items_come_in_order_after_a_first_tick() -> None:
    items = list(pump(lambda: range(1000)))
    assert items[0] == Tick()
    assert [item for item in items if item != Tick()] == list(range(1000))


def test_it_ticks_until_something_comes() -> None:
    gate = threading.Event()

    def source() -> Iterator[int]:
        gate.wait(15)
        yield 7

    items = pump(source, every=0.01)
    assert [next(items) for _ in range(4)] == [Tick()] * 4
    gate.set()
    assert next(item for item in items if item != Tick()) == 7
    assert [item for item in items if item != Tick()] == []


def test_what_the_source_raises_comes_after_its_items() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = pump(source)
    assert next(item for item in items if item != Tick()) == 1
    with pytest.raises(ValueError, match="broken"):
        list(items)


def test_a_source_that_is_faster_waits_and_is_ended_when_its_reader_leaves(until: Until) -> None:
    made, closed, stopped = [], threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        try:
            for number in range(10**9):
                made.append(number)
                yield number
        finally:
            closed.set()

    items = pump(source, stopped.set)
    next(items)
    until(lambda: len(made) > ROOM)
    items.close()
    assert stopped.is_set()
    assert closed.wait(15)
    assert len(made) <= ROOM + 2
