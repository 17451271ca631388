"""When a running cell is over, when it has to be interrupted, and when its kernel is beyond help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from .cell import Cell
from .client import Client

GRACE = 2.0
"""Seconds for an interrupted cell to come to rest before the kernel is killed."""
STRAY = 1.5
"""Seconds of silence after the reply, or after the connection broke, beyond which nothing more is expected."""


class Watch:
    """Looks after one cell from the moment it was sent; `check` is to be called all the time.

    `seconds` and `most` bytes are what the cell may take by `clock`; `grace` what it gets after that.
    """

    def __init__(
        self,
        cell: Cell,
        client: Client,
        request: str,
        interrupt: Callable[[], None],
        *,
        seconds: float,
        most: int,
        grace: float,
        clock: Callable[[], float],
    ) -> None:
        self._cell, self._client, self._request, self._interrupt = cell, client, request, interrupt
        self._seconds, self._most, self._grace, self._clock = seconds, most, grace, clock
        self._deadline = cell.began + seconds
        self._replied = False
        self._read, self._quiet = client.read, clock()
        """Bytes read so far, and since when nothing comes any more: neither output nor the reply."""

    def interrupted(self) -> None:
        """A person wants it to end."""
        self._cell.stop("interrupted", "interrupted by the person", self._clock() + self._grace)

    def check(self, heard: bool) -> Literal["goes on", "at rest", "restart"]:
        """restart: nothing else brings its kernel to rest; the cell says why. `heard`: whether anything was."""
        cell, now = self._cell, self._clock()
        if cell.idle:
            return "at rest"
        if heard or self._client.read != self._read:
            self._read, self._quiet = self._client.read, now
        if now > self._quiet + STRAY:
            if broken := self._client.broken:
                cell.died("killed", f"the connection to the kernel broke: {broken}")
                return "restart"
            if self._has_replied() and now > self._quiet + STRAY:
                cell.note("the end of the output was lost")
                return "at rest"
        if cell.limit is None:
            self._look_at_limits(now)
        elif now <= cell.limit:
            self._signal(now)
        elif not self._draining(now):
            cell.died("timeout", f"{'it' if cell.end else 'the output'} did not stop, so the kernel was restarted")
            return "restart"
        return "goes on"

    def _look_at_limits(self, now: float) -> None:
        cell, limit = self._cell, now + self._grace
        if now > self._deadline and self._has_replied():  # in time: it is we who are late with its output
            cell.limit = limit
        elif now > self._deadline:
            cell.stop("timeout", f"the cell ran longer than {self._seconds:g} s", limit)
        elif cell.size > self._most:
            cell.stop("error", f"the cell wrote more than {_size(self._most)} and was interrupted", limit, "output")

    def _signal(self, now: float) -> None:
        """Interrupts it, at most twice."""
        cell = self._cell
        assert cell.limit is not None
        # a kernel that has not begun with the cell would ignore the signal
        if cell.end and cell.started and cell.signals < (2 if now > cell.limit - self._grace / 2 else 1):
            cell.signals += 1
            self._interrupt()

    def _draining(self, now: float) -> bool:
        """Whether the code has ended and only what it wrote too much is still coming, for which it has its own time."""
        return self._cell.cause == "output" and now <= self._deadline and self._has_replied()

    def _has_replied(self) -> bool:
        if not self._replied and self._client.reply(self._request) is not None:
            self._replied, self._quiet = True, self._clock()  # the last output comes another way, and may be later
        return self._replied


def _size(count: int) -> str:
    return f"{count / (1 << 20):g} MB" if count >= 1 << 20 else f"{count:,} bytes"
