"""A blocking iterator, read in a thread, so that whoever waits for it can tick, stop and leave."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

from ecoassist.events import Tick

T = TypeVar("T")
EVERY = 0.05
"""Seconds between two Ticks while nothing comes; the port's contract is 100 ms."""
ROOM = 256
"""Items read ahead of the consumer: a source that is faster waits."""


class _Source(Generic[T]):
    """The thread's side: items, then how it ended."""

    def __init__(self, source: Callable[[], Iterable[T]]) -> None:
        self.source = source
        self.items: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(ROOM)
        self.gone = threading.Event()

    def work(self) -> None:
        try:
            for item in self.source():
                if not self._put((item,)):
                    return  # dropping the iterator runs its `finally`
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the consumer
            self._put(error)

    def _put(self, item: tuple[T] | BaseException | None) -> bool:
        """Whether the consumer is still there to take it."""
        while not self.gone.is_set():
            try:
                self.items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False


def pump(
    source: Callable[[], Iterable[T]], stop: Callable[[], None] = lambda: None, every: float = EVERY
) -> Generator[T | Tick, object, None]:
    """The items of source(), called and iterated in a thread, and a Tick whenever none came for `every` seconds.

    Raises what the source raises. However it ends (exhausted, closed, an exception thrown in), `stop` is called: it
    should make a blocked source return. The thread is not waited for; what it still does is dropped.
    """
    reader = _Source(source)
    threading.Thread(target=reader.work, daemon=True, name="pump").start()
    try:
        yield Tick()
        while True:
            try:
                item = reader.items.get(timeout=every)
            except queue.Empty:
                yield Tick()
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        reader.gone.set()
        stop()
