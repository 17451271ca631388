"""What is known of one cell, from its first message to its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ecoassist.events import Event, Output, Tick
from ecoassist.kernel.displays.rich import Product, shown
from ecoassist.types import Access, CellCause, CellError, CellResult, CellStatus, Saved, Table

from .client import Said
from .output import Ends, Spool

LIVE = 1_000_000
"""Characters of a cell that are shown live."""
MOST_TABLES = 20
MOST_DISPLAYS = 50
"""Figures and the like that are kept of one cell."""
CAUSES: dict[CellStatus, CellCause] = {
    "ok": "",
    "error": "exception",
    "timeout": "deadline",
    "interrupted": "person",
    "oom": "memory",
    "killed": "exit",
    "gone": "sandbox",
}


@dataclass(slots=True)
class Cell:
    """`keep` takes a display for the person; None: it was not kept. Without a spool there is no whole text."""

    number: int
    """Of the cells of this kernel, from 1."""
    began: float
    keep: Callable[[Product], Saved | None] = lambda product: None
    spool: Spool | None = None
    text: Ends = field(default_factory=Ends)
    value: Ends = field(default_factory=Ends)
    error: CellError | None = None
    tables: list[Table] = field(default_factory=list)
    files: list[Saved] = field(default_factory=list)
    whole: str = ""
    survived: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    """In words, beside why it was ended."""
    size: int = 0
    """Bytes of all it said."""
    end: CellStatus | None = None
    """Set where it did not come to its own end."""
    cause: CellCause = ""
    """Set where the status alone does not say it."""
    reason: str = ""
    limit: float | None = None
    """When it must be at rest."""
    signals: int = 0
    started: bool = False
    idle: bool = False
    state_lost: bool = False
    live: int = 0
    """Characters shown."""
    displays: int = 0

    def take(self, said: Said | None) -> Event:
        """Notes it, and returns what to show of it."""
        if said is None:
            return Tick()
        self.size += said.size
        self.started = self.started or said.kind == "started"
        self.idle = said.kind == "idle"
        if said.kind in ("stdout", "stderr"):
            return self._print(said.text, "stderr" if said.kind == "stderr" else "stdout")
        if said.kind in ("display", "value"):
            return self._show(said)
        if said.kind == "error":
            self.error = said.error
        elif said.kind == "dropped":
            self.note("a piece of the output was too large and was left out")
        return Tick()

    def stop(self, status: CellStatus, reason: str, limit: float, cause: CellCause = "") -> None:
        """The first reason to stop holds, but a person's word always does: nobody wants to press Ctrl-C twice."""
        if self.end is None or status == "interrupted":
            self.end, self.reason, self.cause = status, reason, cause
        if self.limit is None:
            self.limit = limit

    def died(self, status: CellStatus, reason: str) -> None:
        """Its kernel is no more. What it was to be ended for before holds, unless there is no place for another one."""
        self.state_lost = True
        self.reason = "; ".join(filter(None, (self.reason, reason)))
        if self.end is None or (status == "gone" and self.end != "interrupted"):
            self.end, self.cause = status, ""

    def note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)

    def result(self, seconds: float, lost: str, accesses: tuple[Access, ...]) -> CellResult:
        """`lost`: why it met an empty kernel."""
        status = self.end or ("error" if self.error else "ok")
        return CellResult(
            status,
            str(self.text),
            str(self.value),
            self.error,
            "; ".join(filter(None, (lost, self.reason, *self.notes))),
            seconds,
            accesses,
            state_lost=self.state_lost or bool(lost),
            omitted=self.text.omitted,
            cause=self.cause or CAUSES[status],
            whole=self.whole,
            survived=self.survived,
            files=tuple(self.files),
            tables=tuple(self.tables),
        )

    def _print(self, text: str, stream: Literal["stdout", "stderr"]) -> Event:
        self.text.add(text)
        if self.spool:
            self.spool.add(text)
        live = text[: LIVE - self.live]
        self.live += len(live)
        return Output(live, stream) if live else Tick()

    def _show(self, said: Said) -> Event:
        form = shown(said.bundle)
        self.tables += form.tables[: MOST_TABLES - len(self.tables)]
        for product in form.products:
            self.displays += 1
            if self.displays > MOST_DISPLAYS:
                self.note(f"only the first {MOST_DISPLAYS} displays were kept")
            elif saved := self._kept(product):
                self.files.append(saved)
        if said.kind == "value":
            self.value.add(form.text)
            return Tick()
        return self._print(f"{form.text}\n", "stdout")

    def _kept(self, product: Product) -> Saved | None:
        try:
            return self.keep(product)
        except OSError as error:
            self.note(f"a display could not be kept: {error}")
            return None
