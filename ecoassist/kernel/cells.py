"""The Kernel port over a jupyter kernel: one cell at a time, always to an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Event, Output, Stream, Tick
from ecoassist.types import Access, CellError, CellResult, CellStatus

from .client import Client, Said
from .host import KernelHost
from .output import Ends

T = TypeVar("T")
TICK = 0.05
GRACE = 2.0
"""Seconds for an interrupted cell to come to rest before the kernel is killed."""
LIVE = 1_000_000
"""Characters of a cell that are shown live."""
STRAY = 1.0
"""Seconds of silence after the reply, beyond which the end of output was lost."""


class CellKernel:
    """Runs cells in the kernel of `host`, each for at most `seconds`.

    A cell that runs too long or is interrupted gets a SIGINT and then `grace` seconds; what never looks at signals is
    killed and the kernel restarted, which the result says. `accesses` is asked after each cell what it did on the
    network.
    """

    def __init__(
        self,
        host: KernelHost,
        *,
        seconds: float = 60.0,
        grace: float = GRACE,
        accesses: Callable[[], tuple[Access, ...]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._seconds, self._grace, self._accesses, self._clock = host, seconds, grace, accesses, clock
        self._unfinished = ""
        """The request of a cell that was left half way."""
        self._lost = ""
        """Why the next cell meets an empty kernel."""
        self._client: Client | None = host.start()

    def run(self, code: str) -> Stream[CellResult]:
        cell = _Cell(self._clock())
        try:
            yield Tick()
            yield from self._settle()
        except Interrupted:
            cell.stop("interrupted", "interrupted before it began", 0)
            return self._result(cell)
        client = self._alive()
        request = self._unfinished = client.execute(code)
        cell.began = self._clock()
        try:
            yield from self._follow(cell, client, request)
        finally:
            if self._unfinished:  # closed half way: tell it and go; the next run waits for its end
                with suppress(NoSandbox):  # the next run meets that, too
                    self._host.interrupt()
        return self._result(cell)

    def restart(self) -> None:
        if self._host.death() is None:
            self._alive()
        self._lost = ""
        self._restart()

    def close(self) -> None:
        self._drop_client()
        self._host.close()

    # ── one cell ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, cell: _Cell, client: Client, request: str) -> Stream[None]:
        """Until the cell is at its end: idle, or its kernel dead, or restarted."""
        while True:
            said = client.hear(request, TICK)
            try:
                yield cell.take(said)
            except Interrupted:
                cell.stop("interrupted", "interrupted by the person", self._clock() + self._grace)
            if cell.idle:
                self._unfinished = ""
                return
            if said is None and cell.replied(client, request, self._clock()):
                return (yield from self._renew(cell, self._reconnect))
            death = self._host.death() if said is None else None
            if death:
                cell.status, cell.reason, cell.state_lost = death.status, death.reason, True
                return (yield from self._renew(cell, self._restart))
            if self._overdue(cell):
                cell.reason, cell.state_lost = f"{cell.reason} and did not stop, so the kernel was restarted", True
                return (yield from self._renew(cell, self._restart))

    def _overdue(self, cell: _Cell) -> bool:
        """Whether the cell outlived its grace; on the way there it is interrupted, at most twice."""
        now = self._clock()
        if cell.limit is None:
            if now <= cell.began + self._seconds:
                return False
            cell.stop("timeout", f"the cell ran longer than {self._seconds:g} s", now + self._grace)
        assert cell.limit is not None
        # a kernel that has not begun with the cell would ignore the signal
        if cell.started and (cell.signals == 0 or (cell.signals == 1 and now > cell.limit - self._grace / 2)):
            cell.signals += 1
            self._host.interrupt()
        return now > cell.limit

    def _renew(self, cell: _Cell, work: Callable[[], None]) -> Stream[None]:
        """Restarts the kernel or connects anew, unless there is no place for a kernel any more."""
        self._unfinished = ""
        if cell.status == "gone":
            return self._drop_client()
        try:
            if (yield from self._apart(work)):
                cell.status = "interrupted"
        except NoSandbox as error:
            cell.status, cell.reason, cell.state_lost = "gone", f"{cell.reason}; {error}", True

    def _result(self, cell: _Cell) -> CellResult:
        lost, self._lost = self._lost, ""
        return CellResult(
            cell.status or ("error" if cell.error else "ok"),
            str(cell.text),
            str(cell.value),
            cell.error,
            "; ".join(filter(None, (lost, cell.reason))),
            self._clock() - cell.began,
            self._accesses(),
            cell.state_lost or bool(lost),
            cell.text.omitted,
        )

    # ── between cells ───────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self) -> Stream[None]:
        """A kernel fit for the next cell: at rest after one that was left, and restarted if it died meanwhile.

        Without the wait the next cell could meet the interruption meant for the last one.
        """
        end = self._clock() + self._grace
        while self._unfinished and self._host.death() is None and self._clock() < end:
            said = self._alive().hear(self._unfinished, TICK)
            if said and said.kind == "idle":
                self._unfinished = ""
            yield Tick()
        death = self._host.death()
        if self._unfinished or (death and death.status != "gone"):
            why = death.reason if death else "the last cell did not stop"
            self._lost = f"the kernel was restarted before this cell: {why}"
            if (yield from self._apart(self._restart)):
                raise Interrupted

    def _restart(self) -> None:
        self._unfinished = ""
        self._drop_client()
        self._client = self._host.restart()

    def _reconnect(self) -> None:
        self._drop_client()
        self._client = self._host.connect()

    def _alive(self) -> Client:
        death = self._host.death()
        if self._client is None or (death and death.status == "gone"):
            why = f": {death.reason}" if death else ""
            raise NoSandbox(f"the sandbox is gone{why}", "ask again: a new one is started")
        return self._client

    def _drop_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _apart(self, work: Callable[[], None]) -> Stream[bool]:
        """Does `work` in a thread, with ticks; it always comes to its end. Whether it was interrupted meanwhile."""
        failed: list[BaseException] = []
        interrupted = False

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
                failed.append(error)

        thread = threading.Thread(target=run, name="kernel-restart")
        thread.start()
        try:
            while thread.is_alive():
                try:
                    yield Tick()
                except Interrupted:
                    interrupted = True
                thread.join(TICK)
        finally:
            thread.join()
        if failed:
            raise failed[0]
        return interrupted


@dataclass(slots=True)
class _Cell:
    """What is known of the running cell."""

    began: float
    text: Ends = field(default_factory=Ends)
    value: Ends = field(default_factory=Ends)
    error: CellError | None = None
    status: CellStatus | None = None
    """Set where it is neither ok nor error."""
    reason: str = ""
    state_lost: bool = False
    started: bool = False
    idle: bool = False
    limit: float | None = None
    """When an interrupted cell must be at rest."""
    signals: int = 0
    shown: int = 0
    reply_seen: bool = False
    silent_since: float | None = None
    """Since when, after the reply, nothing was heard."""

    def take(self, said: Said | None) -> Event:
        """Notes it, and returns what to show of it."""
        if said is None:
            return Tick()
        self.silent_since = None
        self.started = self.started or said.kind == "started"
        self.idle = said.kind == "idle"
        if said.kind == "value":
            self.value.add(said.text)
        elif said.kind == "error":
            self.error = said.error
        elif said.kind in ("stdout", "stderr") and said.text:
            self.text.add(said.text)
            shown = said.text[: LIVE - self.shown]
            self.shown += len(shown)
            if shown:
                stream: Literal["stdout", "stderr"] = "stderr" if said.kind == "stderr" else "stdout"
                return Output(shown, stream)
        return Tick()

    def stop(self, status: CellStatus, reason: str, limit: float) -> None:
        """The first reason to stop holds."""
        if self.limit is None:
            self.status, self.reason, self.limit = status, reason, limit

    def replied(self, client: Client, request: str, now: float) -> bool:
        """Whether it is over although its end was not heard: a too large piece of output ended the connection."""
        self.reply_seen = self.reply_seen or client.replied(request)
        if not self.reply_seen:
            return False
        self.silent_since = now if self.silent_since is None else self.silent_since
        if now < self.silent_since + STRAY:
            return False
        self.reason = self.reason or "a piece of the output was too large: it and what came after it is lost"
        return True
