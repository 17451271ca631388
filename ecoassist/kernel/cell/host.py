"""A jupyter_client kernel manager, called from plain code of any thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ecoassist.errors import NoSandbox
from ecoassist.kernel.guard import Guard
from ecoassist.kernel.link.files import WorkFiles

from .client import Client

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

T = TypeVar("T")
READY_SECONDS = 30.0
"""How long a new kernel may take to answer; it takes about one."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a kernel ended."""

    status: Literal["oom", "killed", "gone"]
    """gone: and what it ran in as well, so that nothing can be restarted there."""
    reason: str


class KernelHost:
    """Starts, interrupts, restarts and ends one kernel.

    `death()` tells how the running kernel ended, None while it lives. `files()` are those of its working directory,
    None where there is none. `leave()` is called once, before the manager
    ends the kernel, and may do that faster; `left()` is called once, after the end.
    """

    def __init__(
        self,
        manager: AsyncKernelManager,
        launch: dict[str, Any],
        death: Callable[[], Death | None],
        leave: Callable[[], None],
        left: Callable[[], None],
        files: Callable[[], WorkFiles | None],
    ) -> None:
        self._manager, self._launch, self._leave, self._left = manager, launch, leave, left
        self.death, self.files = death, files
        self._loop: Loop | None = Loop()
        self._lock = threading.RLock()

    def start(self) -> Client:
        """Raises NoSandbox when the kernel does not come up; nothing is left then."""
        try:
            self._do(partial(self._manager.start_kernel, **self._launch))
            return self.connect()
        except BaseException:
            self.close()
            raise

    def interrupt(self) -> None:
        if self.death() is None:
            self._do(self._manager.interrupt_kernel)

    def restart(self) -> Client:
        """A new kernel in the same place. Raises NoSandbox when that place is gone or the kernel does not come up."""
        death = self.death()
        if death is not None and death.status == "gone":
            raise NoSandbox(f"the sandbox is gone: {death.reason}", "ask again: a new one is started")
        self._do(partial(self._manager.restart_kernel, now=True))
        return self.connect()

    def close(self) -> None:
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            self._leave()
            loop.wait(partial(self._manager.shutdown_kernel, now=True))
        except (RuntimeError, OSError, NoSandbox):
            pass  # it never ran, or it is gone already
        finally:
            loop.close()
            self._left()

    def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        with self._lock:
            loop = self._loop
            if loop is None:
                raise NoSandbox("the kernel is closed", "start another one")
            try:
                return loop.wait(work)
            except (RuntimeError, OSError, TimeoutError) as error:
                raise NoSandbox(f"the kernel cannot be managed: {error}", "ask again: a new one is started") from error

    def connect(self) -> Client:
        """A client that has heard from the kernel. Raises NoSandbox."""
        client = Client(self._manager)
        if client.ready(READY_SECONDS, lambda: self.death() is not None):
            return client
        death, broken = self.death(), client.broken
        client.close()
        why = death.reason if death else broken or f"it did not answer within {READY_SECONDS:g} s"
        raise NoSandbox(f"the kernel did not start: {why}", "see: ecoassist doctor")


class Loop:
    """An event loop in a thread of its own, so that callers need none and may have one."""

    def __init__(self) -> None:
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="kernel-manager", daemon=True)
        self._thread.start()
        self._up.wait()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._up.set()
        await self._end.wait()

    def wait(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


def make_host(
    guard: Guard, argv: list[str], provision: Callable[..., Any], launch: dict[str, Any] | None = None
) -> KernelHost:
    """A kernel with its unix sockets in the guard's folder, which goes with it.

    `provision` makes a provisioner with the methods `death()`, `files()` and `leave()`; `launch` is passed on to
    its pre_launch.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    spec = KernelSpec(argv=argv, display_name="ecoassist", language="python")

    class OneSpec(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return spec

    quiet = logging.getLogger("ecoassist.kernel")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False  # the manager logs what it also raises
    manager = AsyncKernelManager(
        kernel_name="ecoassist",
        kernel_spec_manager=OneSpec(),
        connection_file=str(guard.folder / "connection.json"),
        log=quiet,
    )
    manager.transport, manager.ip = "ipc", str(guard.folder / "k")
    provisioner = provision(kernel_id="ecoassist", kernel_spec=spec, parent=manager)
    manager.provisioner = provisioner
    return KernelHost(manager, launch or {}, provisioner.death, provisioner.leave, guard.close, provisioner.files)
