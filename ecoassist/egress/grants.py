"""Hosts that the person opened while a session runs. Every gate of the session looks here at once."""

from __future__ import annotations

import threading
from typing import Literal

Span = Literal["once", "session", "always"]
"""For how long: until the next question begins, until the session ends, or beyond it."""


class Grants:
    """Written by whoever asks the person, read by the gate's event loop."""

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}
        self._lock = threading.Lock()

    def open(self, host: str, span: Span) -> None:
        with self._lock:
            self._spans[host] = span

    def begin(self) -> None:
        """The next question begins: what was opened once is closed again."""
        with self._lock:
            self._spans = {host: span for host, span in self._spans.items() if span != "once"}

    def __contains__(self, host: object) -> bool:
        with self._lock:
            return host in self._spans

    @property
    def hosts(self) -> tuple[str, ...]:
        """In the order in which they were opened."""
        with self._lock:
            return tuple(self._spans)
