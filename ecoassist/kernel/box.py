"""The sandbox: a hardened container per kernel, with nothing of the host and no network but the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    def start(
        self,
        *,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
        accesses: Callable[[], tuple[Access, ...]] = tuple,
    ) -> Kernel:
        """A kernel in a new container; blocks until it answers.

        `serve` takes the connections that code opens through the proxy; without it there is no network at all.
        `variables` and `files` are what code finds, also after a restart. Raises NoSandbox.
        """
        self._containers.prepare()
        from .cells import CellKernel
        from .host import make_host
        from .provisioner import BoxProvisioner

        boot = partial(self._containers.boot, serve=serve, variables=variables, ca_pem=ca_pem, files=files)
        folder = private_folder()

        def provision(**traits: Any) -> BoxProvisioner:
            made = BoxProvisioner(**traits)
            made.boot, made.folder = boot, folder
            return made

        host = make_host(folder, COMMAND, provision)
        return CellKernel(host, seconds=self._settings.cell_seconds, accesses=accesses)
