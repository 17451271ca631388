"""The sandbox: a hardened container per kernel, with nothing of the host and no network but the gate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from ecoassist.types import Access, Attachment

from .container import COMMAND, Containers, Running
from .features import Feature, features
from .settings import BoxSettings

if TYPE_CHECKING:
    from ecoassist.ports import Kernel, Outbox

    from .docker import Engine
    from .link.mux import Mux, Serve


class DockerBox:
    """Makes kernels in containers; the arguments are those of Containers."""

    def __init__(
        self,
        settings: BoxSettings,
        notice: Callable[[str], None] = lambda text: None,
        engine: Engine | None = None,
    ) -> None:
        self._settings, self._containers = settings, Containers(settings, notice, engine)

    def prepare(self) -> str:
        """Finds the engine and the image, and builds the image if need be. Returns its name; again costs nothing.

        Raises NoSandbox.
        """
        return self._containers.prepare()

    def features(self) -> tuple[Feature, ...]:
        """What the sandbox that was started last is confined by, and what it lacks."""
        return features(self._containers.facts, self._settings)

    def launch(self) -> Launched:
        """Has a container started in the background, for a `start` that follows. Raises NoSandbox."""
        self._containers.prepare()
        return Launched(self._containers.launch)

    def boot(
        self,
        connection: Mapping[str, Any],
        sockets: Mapping[int, str],
        *,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
        doors: Sequence[tuple[str, int]] = (),
        installs: bool = False,
    ) -> Mux:
        """A container for a kernel that somebody else manages; the started link to it, for BoxProvisioner.boot.

        Arguments as for `start`. Raises NoSandbox.
        """
        return self._containers.boot(
            connection,
            sockets,
            serve=serve,
            variables=variables,
            ca_pem=ca_pem,
            files=files,
            doors=doors,
            installs=installs,
        )

    def start(
        self,
        *,
        launched: Launched | None = None,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
        doors: Sequence[tuple[str, int]] = (),
        installs: bool = False,
        accesses: Callable[[], tuple[Access, ...]] = tuple,
        outbox: Outbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Kernel:
        """A kernel in a new container, or in one that was launched before; blocks until it answers.

        `serve` takes the connections that code opens through the proxy; without it there is no network at all.
        `variables` and `files` are what code finds, also after a restart. `doors` and `installs` are as for
        Containers.boot. What code makes goes to `outbox`; without
        one it stays inside. `clock` counts the seconds of a cell. Raises NoSandbox.
        """
        launched = launched or self.launch()  # the engine works while jupyter_client is imported here
        try:
            from .cell.cells import CellKernel
            from .cell.host import make_host
            from .guard import Guard
            from .provisioner import BoxProvisioner

            boot = partial(
                self._containers.boot,
                started=launched.take,
                serve=serve,
                variables=variables,
                ca_pem=ca_pem,
                files=files,
                doors=doors,
                installs=installs,
            )
            guard = Guard()

            def provision(**traits: Any) -> BoxProvisioner:
                made = BoxProvisioner(**traits)
                made.boot, made.folder = boot, guard.folder
                return made

            host = make_host(guard, COMMAND, provision)
            return CellKernel(
                host,
                seconds=self._settings.cell_seconds,
                most=self._settings.output_bytes,
                accesses=accesses,
                outbox=outbox,
                clock=clock,
            )
        except BaseException:
            launched.drop()
            raise


class Launched:
    """A container that is being started in a thread, ahead of its use."""

    def __init__(self, launch: Callable[[], Running]) -> None:
        self._running: Future[Running] = Future()
        self._taken = False
        threading.Thread(target=self._work, args=(launch,), name="container-start", daemon=True).start()

    def _work(self, launch: Callable[[], Running]) -> None:
        try:
            self._running.set_result(launch())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever takes it
            self._running.set_exception(error)

    def take(self) -> Running:
        """Waits for the container, which is the caller's from then on. Raises what starting it raised."""
        running = self._running.result()
        self._taken = True
        return running

    def drop(self) -> None:
        """Ends the container if nobody took it."""
        if not self._taken and self._running.exception() is None:
            self._running.result().stream.close()
