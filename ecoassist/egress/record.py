"""What was asked of the network and what came of it. Never a query, a body or a key."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from ecoassist.types import Access

_KEPT = 10_000
"""Accesses between two drains; the oldest are dropped first, since the sandbox decides how many there are."""


@dataclass(slots=True)
class Tally:
    """An Access in the making."""

    host: str
    method: str
    path: str = ""
    status: int | None = None
    refused: str = ""
    blocked: bool = False
    api: str = ""
    size: int = 0
    begun: float = field(default_factory=time.monotonic)
    ended: float | None = None
    noted: bool = False

    def access(self) -> Access:
        seconds = (self.ended or time.monotonic()) - self.begun
        told = (self.host, self.method, self.path, self.status, self.refused, self.size, seconds)
        return Access(*told, api=self.api, blocked=self.blocked)


class Record:
    """Written by the gate's event loop, drained from any thread.

    An access is noted before the client gets the first byte of its answer, so that code which has its answer finds it
    here; what is drained in the middle of a response has the figures of that moment.
    """

    def __init__(self) -> None:
        self._tallies: deque[Tally] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def note(self, tally: Tally) -> None:
        """Once per tally; later calls change nothing."""
        with self._lock:
            if not tally.noted:
                self._tallies.append(tally)
            tally.noted = True

    def drain(self) -> tuple[Access, ...]:
        with self._lock:
            drained = tuple(tally.access() for tally in self._tallies)
            self._tallies.clear()
        return drained
