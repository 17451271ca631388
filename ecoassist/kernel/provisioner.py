"""The sandbox as jupyter_client knows kernels.

Traps met: restart_kernel(now=True) calls kill() with restart=False, so the container may end in cleanup(restart=False)
only; the manager deletes its socket files on a restart, so the mux listens anew; what the mux does must not run on the
caller's event loop, or blocking clients deadlock.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from .cell.host import Death
from .container import PORTS
from .guard import Guard
from .link.files import WorkFiles

if TYPE_CHECKING:
    from .link.mux import Mux

Boot: TypeAlias = "Callable[[KernelConnectionInfo, dict[int, str]], Mux]"
"""Starts a container for this connection, its channels on these host sockets, and returns the started link to it."""


class BoxProvisioner(KernelProvisionerBase):
    """Runs the kernel in a container of its own, which `boot` makes."""

    boot: Boot
    mux: Mux | None = None
    folder: Path | None = None
    _launched = False
    _guard: Guard | None = None

    @property
    def has_process(self) -> bool:
        return self.mux is not None

    def death(self) -> Death | None:
        """How the kernel ended; None while it runs or before it was launched."""
        mux = self.mux
        if mux is None:
            return Death("gone", "the container was removed") if self._launched else None
        if mux.gone.is_set():
            said = mux.error_text.strip().splitlines()
            return Death("gone", said[-1] if said else "the container ended")
        if not mux.exited.is_set():
            return None
        if mux.exit is None:
            return Death("gone", "the link to the container broke")
        if mux.exit.oom:
            return Death("oom", "the code used more memory than the sandbox allows")
        return Death("killed", f"the kernel process ended with exit code {mux.exit.code}")

    def files(self) -> WorkFiles | None:
        """Of the kernel's working directory; None where no container runs."""
        return self.mux.files if self.mux is not None else None

    def leave(self) -> None:
        """Ends the container at once: it goes with its standard input."""
        if self.mux is not None:
            self.mux.close()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager: Any = self.parent
        if self.folder is None:
            self._guard = Guard()
            self.folder = self._guard.folder
        manager.transport, manager.ip = "ipc", str(self.folder / "k")
        for number, name in enumerate(PORTS, 1):
            setattr(manager, name, number)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        kwargs.pop("transport_encryption", None)
        arguments = kwargs.pop("extra_arguments", [])
        return await super().pre_launch(cmd=[*self.kernel_spec.argv, *arguments], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Starts a container, or the kernel anew in the one that runs. The command is fixed in the container."""
        if self.mux is not None and not self.mux.gone.is_set():
            await asyncio.to_thread(self.mux.restart)
        else:
            sockets = {number: f"{self.folder}/k-{number}" for number in range(1, 6)}
            try:
                self.mux = await asyncio.to_thread(self.boot, self.connection_info, sockets)
            except BaseException:
                self._remove_folder()  # a manager forgets what did not start
                raise
        self._launched = True
        return self.connection_info

    async def poll(self) -> int | None:
        death = self.death()
        if death is None:
            return None if self.mux else 0
        return self.mux.exit.code if self.mux and self.mux.exit else 137

    async def wait(self) -> int | None:
        while (code := await self.poll()) is None:
            await asyncio.sleep(0.02)
        return code

    async def send_signal(self, signum: int) -> None:
        if self.mux is not None and self.death() is None:
            self.mux.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        if restart:
            return
        mux, self.mux = self.mux, None
        if mux is not None:
            await asyncio.to_thread(mux.close)  # the container ends with its standard input
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = self.folder = None
