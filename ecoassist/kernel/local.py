"""A kernel on the host, only for those who asked for it by name: code runs with all rights of the person."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecoassist.errors import NoSandbox
from ecoassist.types import Access, Attachment

from .cell.host import Death
from .guard import Guard
from .launch import LAUNCH
from .link.files import WorkFiles
from .reaper import reap_folders
from .workdir import LocalFiles

if TYPE_CHECKING:
    from ecoassist.ports import Kernel, Outbox

    from .link.mux import Serve

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT")
"""What a program needs to run. Everything else in the environment may be a secret."""
COMMAND = [sys.executable, "-c", LAUNCH, "-f", "{connection_file}"]


class LocalBox:
    """Makes kernels as processes of this machine; `environ` is where PASSED_ON is taken from.

    `cell_seconds` and `output_bytes` are as in BoxSettings.
    """

    def __init__(self, environ: Mapping[str, str], cell_seconds: float = 60.0, output_bytes: int = 16 << 20) -> None:
        self._environ, self._cell_seconds, self._output_bytes = environ, cell_seconds, output_bytes

    def prepare(self) -> str:
        """Raises NoSandbox when ipykernel is not installed."""
        if importlib.util.find_spec("ipykernel") is None:
            raise NoSandbox("--unsafe-local needs ipykernel", 'pip install "ecoassist[unsafe-local]"')
        threading.Thread(target=reap_folders, name="reaper", daemon=True).start()
        return "local"

    def start(
        self,
        *,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
        accesses: Callable[[], tuple[Access, ...]] = tuple,
        outbox: Outbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Kernel:
        """A kernel in a new process and a new working directory, which close() removes. Raises NoSandbox.

        `serve` and `ca_pem` have no use here: the process reaches the network by itself.
        """
        self.prepare()
        from .cell.cells import CellKernel
        from .cell.host import make_host

        guard = Guard()
        folder = guard.folder
        work, spool = folder / "work", folder / "spool"
        guarded = _provisioner_class()

        def provision(**traits: Any) -> Any:
            made = guarded(**traits)
            made.before, made.files = partial(_fill, work, spool, files), partial(LocalFiles, work, spool)
            made.guard = guard
            return made

        kept = {name: self._environ[name] for name in PASSED_ON if name in self._environ}
        kept |= {"IPYTHONDIR": str(folder / "ipython"), "MPLBACKEND": "agg", **variables}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        host = make_host(guard, COMMAND, provision, {"env": kept, "cwd": str(work), **quiet})
        return CellKernel(
            host,
            seconds=self._cell_seconds,
            most=self._output_bytes,
            accesses=accesses,
            outbox=outbox,
            clock=clock,
        )


def _fill(work: Path, spool: Path, files: Sequence[Attachment]) -> None:
    """An empty working directory with the person's files, and an empty folder beside it for other files of ours."""
    for folder in (work, spool):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    for file in files:
        if Path(file.name).name != file.name or file.name in ("", ".", ".."):
            raise NoSandbox(f"{file.name!r} is not a plain file name", "rename the file")
        (work / file.name).write_bytes(file.content)


def _provisioner_class() -> type[Any]:
    """jupyter_client's own local provisioner, with a fresh directory for each start and a guard for our death."""
    from jupyter_client.connect import KernelConnectionInfo
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class GuardedProvisioner(LocalProvisioner):
        before: Callable[[], None]
        files: Callable[[], WorkFiles]
        guard: Guard
        code: int | None = None

        def death(self) -> Death | None:
            process: Any = self.process
            code = process.poll() if process is not None else self.code
            return None if code is None else Death("killed", f"the kernel process ended with exit code {code}")

        def leave(self) -> None:
            """Nothing is faster than the manager's kill."""

        async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
            self.before()
            return await super().pre_launch(**kwargs)

        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
            info = await super().launch_kernel(cmd, **kwargs)
            # ipykernel looks after its parent by itself, but only while Python code runs: not within one long call
            self.guard.watch(self.pgid)
            return info

        async def wait(self) -> int | None:
            self.code = await super().wait()
            self.guard.watch(None)
            return self.code

    return GuardedProvisioner
