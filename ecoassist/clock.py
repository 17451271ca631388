"""Seconds that stand still while a person is asked: nobody's time limit runs out over a question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Call it for the seconds. Safe from any thread."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._lost = 0.0
        self._since: float | None = None
        self._pauses = 0

    def __call__(self) -> float:
        with self._lock:
            now = self._seconds() if self._since is None else self._since
            return now - self._lost

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stands still within the block; blocks of several threads may overlap."""
        with self._lock:
            self._pauses += 1
            if self._since is None:
                self._since = self._seconds()
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses and self._since is not None:
                    self._lost += self._seconds() - self._since
                    self._since = None
