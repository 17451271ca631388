"""The one line at the bottom of a terminal that is drawn again and again while something is under way."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from .plain import plain
from .words import DOT

PERIOD = 0.08
"""Seconds between two drawings at least; ticks arrive at least every 0.1 s."""
KEPT = 400
"""Characters of live text that are kept: more than any line shows."""


class StatusLine:
    """Without thread or timer: whoever holds it calls `draw` when a tick arrives. Draws nothing if not `live`."""

    def __init__(self, console: Console, clock: Callable[[], float], live: bool, network: str = "") -> None:
        """`network`: the policy that is in force; empty where none is."""
        self.console, self.clock, self.live = console, clock, live
        self.frames, self.dot = ("|/-\\", " - ") if console.options.ascii_only else ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", DOT)
        self.label, self._network = "", f"{self.dot}network: {network}" if network else ""
        self._tail = ""
        self._began = self._drawn_at = 0.0
        self._drawn = False

    def begin(self, label: str) -> None:
        """Something new is under way."""
        self.label, self._tail, self._began = label, "", self.clock()

    def live_text(self, text: str) -> None:
        self._tail = (self._tail + text)[-KEPT:]
        self.draw()

    def drop_live(self) -> None:
        self._tail = ""

    def draw(self) -> None:
        now = self.clock()
        if not self.live or not self.label or (self._drawn and now - self._drawn_at < PERIOD):
            return
        with self.console:  # one write, so that nothing flickers
            self.console.control(Control(ControlType.CARRIAGE_RETURN))
            self.console.print(self._line(now - self._began), end="", no_wrap=True, overflow="crop", soft_wrap=False)
            self.console.control(Control((ControlType.ERASE_IN_LINE, 0)))
        self._drawn, self._drawn_at = True, now

    def erase(self) -> None:
        if self._drawn:
            self.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            self._drawn = False

    def _line(self, seconds: float) -> Text:
        room = self.console.width - 1  # a full line would make some terminals wrap
        frame = self.frames[int(seconds / PERIOD) % len(self.frames)]
        line = Text.assemble((frame, "cyan"), (f" {self.label}{self._network}{self.dot}{seconds:.0f} s", "dim"))
        line.truncate(room)
        tail = (
            next((row for row in reversed(plain(self._tail).split("\n")) if row.strip()), "").replace("\t", " ").strip()
        )
        room -= line.cell_len + len(self.dot)
        if tail and room > 10:
            while cell_len(tail) > room:
                tail = tail[max(1, (cell_len(tail) - room) // 2) :]
            line.append(self.dot + tail, style="dim")
        return line
