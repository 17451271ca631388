"""Several stored programs run again at once, each alone in a sandbox of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .entries import Entry, Proof
from .events import CellFinished, Event, Stream
from .play import Stop, play
from .types import Access

AT_ONCE = 4
"""Sandboxes that run side by side, unless the person says otherwise."""
LOOK = 0.1
"""Seconds between two looks at what is done: Ctrl-C is noticed in between."""
LEAVE = 10.0
"""Seconds that sandboxes get to end after Ctrl-C."""

Prove: TypeAlias = Callable[[Entry], Stream[Proof]]


@dataclass(frozen=True, slots=True)
class Tried:
    entry: Entry
    proof: Proof
    accesses: tuple[Access, ...] = ()
    """What its program asked of the network."""


class _Accesses:
    """A sink that keeps what cells asked of the network."""

    def __init__(self) -> None:
        self.seen: list[Access] = []

    def handle(self, event: Event) -> None:
        if isinstance(event, CellFinished):
            self.seen += event.result.accesses


def tried(entries: Sequence[Entry], prove: Prove, stop: Stop, at_once: int = AT_ONCE) -> Generator[Tried, None, None]:
    """Proves all entries, `at_once` of them side by side, and yields what came of each as soon as it is known.

    Once `stop` is requested none is begun any more, and what was under way has a proof that says nothing. The first
    thing that raises ends the others, and is raised here.
    """
    waiting, done = queue.SimpleQueue[Entry](), queue.SimpleQueue[Tried | BaseException]()
    for entry in entries:
        waiting.put(entry)
    threads = [
        threading.Thread(target=_work, args=(waiting, done, prove, stop), daemon=True, name=f"verify-{number}")
        for number in range(min(at_once, len(entries)))
    ]
    try:
        with stop.on_signals():
            for thread in threads:
                thread.start()
            yield from _arriving(threads, done)
    except BaseException:  # whoever reads the results had enough, or one of them raised
        stop.request()
        raise
    finally:
        until = time.monotonic() + LEAVE
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _arriving(threads: Sequence[threading.Thread], done: queue.SimpleQueue[Tried | BaseException]) -> Iterator[Tried]:
    while True:
        alive = any(thread.is_alive() for thread in threads)  # asked before the queue: what a thread put is there
        try:
            found = done.get(timeout=LOOK if alive else 0.001)
        except queue.Empty:
            if not alive:
                return
            continue
        if isinstance(found, BaseException):
            raise found
        yield found


def _work(
    waiting: queue.SimpleQueue[Entry], done: queue.SimpleQueue[Tried | BaseException], prove: Prove, stop: Stop
) -> None:
    while not stop.requested:
        try:
            entry = waiting.get_nowait()
        except queue.Empty:
            return
        seen = _Accesses()
        try:
            done.put(Tried(entry, play(prove(entry), [seen], stop=stop), tuple(seen.seen)))
        except BaseException as error:  # noqa: BLE001 - raised where the results are read
            done.put(error)
            return
