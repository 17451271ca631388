"""Where other threads hand in notices; the session merges them into its stream."""

from __future__ import annotations

import queue
from collections.abc import Callable

from .events import Event, Notice, R, Stream, through

WARNING = "warning: "


class Desk:
    def __init__(self) -> None:
        self._notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()

    def notice(self, text: str) -> None:
        """May be called from any thread. A text that begins with "warning: " is one."""
        warning = text.removeprefix(WARNING)
        self._notices.put(Notice(text) if warning == text else Notice(warning, "warning"))

    def warn(self, text: str) -> None:
        """The same, of something that went wrong."""
        self.notice(f"{WARNING}{text}")

    def clear(self) -> None:
        """What nobody was told yet, nobody is."""
        while not self._notices.empty():
            self._notices.get()

    def merge(self, events: Stream[R], check: Callable[[], None]) -> Stream[R]:
        """`events`, with what lies on the desk between any two. `check` runs at each of them and may raise."""

        def each(event: Event) -> Stream[str | None]:
            check()
            while not self._notices.empty():
                yield self._notices.get()
            return (yield event)

        return through(events, each)
