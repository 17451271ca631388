"""A kernel that starts in the background, as long as nobody needs it yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from .errors import NoSandbox
from .events import Stream, Tick
from .ports import Fresh, Kernel
from .types import CellResult

CLOSE_SECONDS = 5.0
"""How long the end of a session waits for a kernel that is still booting."""
TICK = 0.02
"""Seconds between two ticks while a kernel starts."""


class StartingKernel:
    """A kernel that boots in a thread of its own from the moment it is made.

    `prepare` finds out whether there can be a kernel at all, `boot` makes it. The failure of either is raised by
    `ready`, `check` and `run`.
    """

    def __init__(self, boot: Fresh, prepare: Callable[[], object] = lambda: None) -> None:
        self._boot = boot
        self._prepared: Future[None] = Future()
        self._lock = threading.Lock()
        self._closed = False
        self._used = False
        self._kernel = self._start(prepare, boot)

    def ready(self) -> Stream[None]:
        """Returns when a kernel can be had; it may still be booting. Raises NoSandbox."""
        yield from _until(self._prepared)
        self._prepared.result()

    def check(self) -> None:
        """Raises what the start failed with, if it has."""
        if self._kernel.done() and (error := self._kernel.exception()):
            raise error

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        self._check_open()
        self._used = True
        yield from _until(self._kernel)
        kernel = self._kernel.result()
        try:
            return (yield from kernel.run(code, seconds))
        except NoSandbox as error:  # it died since its last cell: a fault like any other death
            return CellResult("gone", reason=str(error), state_lost=True, cause="sandbox")

    def restart(self) -> None:
        """Begins anew in the background. A kernel that never ran a cell is kept as it is."""
        self._check_open()
        if self._used:
            self._used = False
            old = self._kernel.result()
            self._kernel = self._start(lambda: None, lambda: self._renewed(old))

    def close(self) -> None:
        """Ends the kernel. One that still boots is waited for a moment; later it ends itself as soon as it is up."""
        if self._prepared.done():
            wait([self._kernel], CLOSE_SECONDS)
        with self._lock:
            self._closed = True
            booted = self._kernel.done() and not self._kernel.exception()
        if booted:
            self._kernel.result().close()

    def _check_open(self) -> None:
        if self._closed:
            raise NoSandbox("the kernel is closed", "ask again: a new one is started")

    def _start(self, prepare: Callable[[], object], boot: Fresh) -> Future[Kernel]:
        future: Future[Kernel] = Future()
        threading.Thread(target=self._work, args=(prepare, boot, future), daemon=True, name="kernel-start").start()
        return future

    def _work(self, prepare: Callable[[], object], boot: Fresh, future: Future[Kernel]) -> None:
        try:
            prepare()
            if not self._prepared.done():
                self._prepared.set_result(None)
            kernel = boot()
        except BaseException as error:  # noqa: BLE001 - handed on whole to whoever waits for the kernel
            if not self._prepared.done():
                self._prepared.set_exception(error)
            future.set_exception(error)
            return
        with self._lock:
            future.set_result(kernel)
            closed = self._closed
        if closed:
            kernel.close()

    def _renewed(self, old: Kernel) -> Kernel:
        try:
            old.restart()
        except NoSandbox:  # the container is gone; another one may still be had
            old.close()
            return self._boot()
        return old


def _until(future: Future[Any]) -> Stream[None]:
    while not future.done():
        yield Tick()
        wait([future], TICK)


class Standby:
    """Kernels for the re-runs of candidates, booted while the answer is still being judged.

    Each is used once. The one that waits for a verdict is dropped with the next answer, or when nothing was stored.
    """

    def __init__(self) -> None:
        self._waiting: StartingKernel | None = None
        self._kept: dict[int, StartingKernel] = {}

    def foresee(self, boot: Fresh) -> None:
        """An answer may become a candidate: its kernel boots from now on."""
        self.settle(None)
        self._waiting = StartingKernel(boot)

    def settle(self, id: int | None) -> None:
        """The answer was stored as candidate `id`; None: it was not, and the kernel is dropped."""
        kernel, self._waiting = self._waiting, None
        if kernel is not None and id is not None:
            self._kept[id] = kernel
        elif kernel is not None:
            threading.Thread(target=kernel.close, name="standby-close").start()  # it may have to boot first

    def take(self, id: int) -> StartingKernel | None:
        """The kernel of candidate `id`, which is the caller's from now on; None: there is none."""
        return self._kept.pop(id, None)

    def drop(self, id: int) -> None:
        """Candidate `id` will not be tried out."""
        if kernel := self.take(id):
            kernel.close()

    def close(self) -> None:
        """Drops them all."""
        self.settle(None)
        while self._kept:
            self._kept.popitem()[1].close()
