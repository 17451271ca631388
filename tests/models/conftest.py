"""What the tests of models share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import pytest

from ecoassist.events import Event, Stream

Run: TypeAlias = Callable[[Stream[Any]], tuple[Any, list[Event]]]
Until: TypeAlias = Callable[[Callable[[], bool]], None]


@pytest.fixture
def run() -> Run:
    """Drives a stream to its end: its result and its events."""

    def drive(stream: Stream[Any]) -> tuple[Any, list[Event]]:
        events = []
        while True:
            try:
                events.append(next(stream))
            except StopIteration as end:
                return end.value, events

    return drive


@pytest.fixture
def until() -> Until:
    """Waits until something is true."""

    def wait(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait


@pytest.fixture
def quickly() -> Callable[[], AbstractContextManager[None]]:
    """A block that may take 15 seconds."""

    @contextmanager
    def block() -> Iterator[None]:
        began = time.monotonic()
        yield
        assert time.monotonic() - began < 15

    return block
