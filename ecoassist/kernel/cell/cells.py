"""The Kernel port over a jupyter kernel: one cell at a time, always to an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Stream, Tick
from ecoassist.ports import Outbox
from ecoassist.types import Access, CellResult

from .cell import Cell
from .client import Client
from .harvest import Harvest
from .host import KernelHost
from .names import EXPRESSION, names
from .watch import GRACE, Watch

TICK = 0.05
NAMES_SECONDS = 1.0
"""How long a kernel has to name its variables."""


class CellKernel:
    """Runs cells in the kernel of `host`, each for at most `seconds` and `most` bytes of text and displays.

    A cell that exceeds either or is interrupted gets a SIGINT and then `grace` seconds; what never looks at signals is
    killed and the kernel restarted, which the result says. `accesses` is asked after each cell what it did on the
    network. What it makes goes to `outbox`. `clock` counts the seconds.
    """

    def __init__(
        self,
        host: KernelHost,
        *,
        seconds: float = 60.0,
        most: int = 16 << 20,
        grace: float = GRACE,
        accesses: Callable[[], tuple[Access, ...]] = tuple,
        outbox: Outbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._seconds, self._accesses, self._clock = host, seconds, accesses, clock
        self._grace = grace
        self._watch = partial(Watch, interrupt=host.interrupt, most=most, grace=grace, clock=clock)
        self._most, self._harvest = most, Harvest(outbox, host.files)
        self._count = 0
        """Cells so far."""
        self._unfinished = ""
        """The request of a cell that was left half way."""
        self._lost = ""
        """Why the next cell meets an empty kernel."""
        self._client: Client | None = host.start()

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        self._count += 1
        cell = Cell(self._count, self._clock(), self._harvest.keep, self._harvest.spool(self._most))
        try:
            try:
                yield Tick()
                yield from self._settle()
            except Interrupted:
                cell.stop("interrupted", "interrupted before it began", 0)
                return self._result(cell, 0.0)
            cell.began = self._clock()
            yield from self._follow(cell, code, self._seconds if seconds is None else seconds)
            taken = self._clock() - cell.began
            yield from self._look_after(cell)
            return self._result(cell, taken)
        finally:
            if cell.spool:
                cell.spool.close()

    def restart(self) -> None:
        if self._host.death() is None:
            self._alive()
        self._lost = ""
        self._restart()

    def close(self) -> None:
        self._drop_client()
        self._host.close()

    # ── one cell ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, cell: Cell, code: str, seconds: float) -> Stream[None]:
        """Until the cell is at its end: idle, or its kernel dead, or restarted."""
        client = self._alive()
        request = self._unfinished = client.execute(code)
        watch = self._watch(cell, client, request, seconds=seconds)
        try:
            while True:
                said = client.hear(request, TICK)
                try:
                    yield cell.take(said)
                except Interrupted:
                    watch.interrupted()
                death = self._host.death() if said is None else None
                if death:
                    cell.died(death.status, death.reason)
                state = "restart" if death else watch.check(said is not None)
                if state == "restart":
                    return (yield from self._renew(cell))
                if state == "at rest":
                    self._unfinished = ""
                    return
        finally:
            if self._unfinished:  # closed half way: tell it and go; the next run waits for its end
                with suppress(NoSandbox):  # the next run meets that, too
                    self._host.interrupt()

    def _renew(self, cell: Cell) -> Stream[None]:
        """Restarts the kernel, unless there is no place for one any more."""
        self._unfinished = ""
        try:
            if (yield from self._apart(self._restart)):
                cell.stop("interrupted", "interrupted by the person", 0)
        except NoSandbox as error:
            cell.died("gone", str(error))

    def _look_after(self, cell: Cell) -> Stream[None]:
        """What the person and the model are told of a cell beside its output."""
        try:
            if cell.end and not cell.state_lost:
                yield from self._name_survivors(cell)
            if self._harvest.wanted and not self._harvest.nothing(cell):
                yield from self._collect(cell)
        except Interrupted:
            cell.stop("interrupted", "interrupted by the person", 0)

    def _collect(self, cell: Cell) -> Stream[None]:
        halt = threading.Event()
        if (yield from self._apart(partial(self._harvest.collect, cell, halt), halt.set)):
            raise Interrupted

    def _name_survivors(self, cell: Cell) -> Stream[None]:
        client = self._client
        if client is None:
            return
        request, end = client.evaluate(EXPRESSION), time.monotonic() + NAMES_SECONDS
        while (reply := client.reply(request, TICK)) is None and time.monotonic() < end:
            yield Tick()
        cell.survived = names(reply or {})

    def _result(self, cell: Cell, seconds: float) -> CellResult:
        lost, self._lost = self._lost, ""
        return cell.result(seconds, lost, self._accesses())

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
        self._alive()
        if not self._harvest.ready and (yield from self._apart(self._harvest.baseline)):
            raise Interrupted

    def _restart(self) -> None:
        self._unfinished = ""
        self._drop_client()
        self._harvest.forget()
        self._client = self._host.restart()

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

    def _apart(self, work: Callable[[], None], halt: Callable[[], None] = lambda: None) -> Stream[bool]:
        """Does `work` in a thread, with ticks; it always comes to its end. Whether it was interrupted meanwhile.

        `halt` is called when it need not do all it could: after an interruption, or when nobody waits any more.
        """
        failed: list[BaseException] = []
        interrupted = False

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
                failed.append(error)

        thread = threading.Thread(target=run, name="kernel-work")
        thread.start()
        try:
            while thread.is_alive():
                try:
                    yield Tick()
                except Interrupted:
                    interrupted = True
                    halt()
                thread.join(TICK)
        finally:
            if thread.is_alive():
                halt()
            thread.join()
        if failed:
            raise failed[0]
        return interrupted
