"""The sandbox: a hardened container per kernel, with nothing of the host and no network but the gate."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from ecoassist.types import Access, Attachment

from .container import COMMAND, Containers
from .reaper import private_folder
from .settings import BoxSettings

if TYPE_CHECKING:
    from ecoassist.ports import Kernel

    from .mux import Serve


class DockerBox:
    """Makes kernels in containers. `notice` is told what takes long: looking for and building the image."""

    def __init__(self, settings: BoxSettings, notice: Callable[[str], None] = lambda text: None) -> None:
        self._settings, self._containers = settings, Containers(settings, notice)

    def prepare(self) -> str:
        """Finds the engine and the image, and builds the image if need be. Returns its name; again costs nothing.

        Raises NoSandbox.
        """
        return self._containers.prepare()

    def launch(self) -> Launched:
        """Has a container started in the background, for a `start` that follows. Raises NoSandbox."""
        self._containers.prepare()
        return Launched(self._containers.launch)

    def start(
        self,
        *,
        launched: Launched | None = None,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
        accesses: Callable[[], tuple[Access, ...]] = tuple,
    ) -> Kernel:
        """A kernel in a new container, or in one that was launched before; blocks until it answers.

        `serve` takes the connections that code opens through the proxy; without it there is no network at all.
        `variables` and `files` are what code finds, also after a restart. Raises NoSandbox.
        """
        launched = launched or self.launch()  # the engine works while jupyter_client is imported here
        try:
            from .cells import CellKernel
            from .host import make_host
            from .provisioner import BoxProvisioner

            boot = partial(
                self._containers.boot,
                started=launched.take,
                serve=serve,
                variables=variables,
                ca_pem=ca_pem,
                files=files,
            )
            folder = private_folder()

            def provision(**traits: Any) -> BoxProvisioner:
                made = BoxProvisioner(**traits)
                made.boot, made.folder = boot, folder
                return made

            host = make_host(folder, COMMAND, provision)
            return CellKernel(host, seconds=self._settings.cell_seconds, accesses=accesses)
        except BaseException:
            launched.drop()
            raise


class Launched:
    """A container that is being started in a thread, ahead of its use; its stream."""

    def __init__(self, open_stream: Callable[[], socket.socket]) -> None:
        self._stream: Future[socket.socket] = Future()
        self._taken = False
        threading.Thread(target=self._work, args=(open_stream,), name="container-start", daemon=True).start()

    def _work(self, open_stream: Callable[[], socket.socket]) -> None:
        try:
            self._stream.set_result(open_stream())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever takes the stream
            self._stream.set_exception(error)

    def take(self) -> socket.socket:
        """Waits for the stream, which is the caller's from then on. Raises what opening it raised."""
        stream = self._stream.result()
        self._taken = True
        return stream

    def drop(self) -> None:
        """Closes the stream if nobody took it."""
        if not self._taken and self._stream.exception() is None:
            self._stream.result().close()
