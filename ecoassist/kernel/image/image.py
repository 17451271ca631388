"""The sandbox image: built when the engine does not have it, once if two processes want it."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import Engine, translated
from ecoassist.kernel.settings import BoxSettings

from .build import build
from .prune import remove_replaced
from .recipe import context, labels, recipe, tag

REMEDY = "set sandbox.base_image (or ECOASSIST_BASE_IMAGE) to an image that this engine has or can pull"


def ensure(
    engine: Engine,
    settings: BoxSettings,
    notice: Callable[[str], None],
    files: dict[str, bytes] | None = None,
    *,
    rebuild: bool = False,
) -> str:
    """The name of an image that the engine has, built now if need be; older ones that it replaces are removed then.

    `notice` is told how a build goes on, from any thread; `files` are those of the image if not the usual ones.
    `rebuild`: builds in any case, and repeats every step. Raises NoSandbox.
    """
    files = files or recipe()
    name = tag(files, settings, engine.arch())
    if not rebuild and engine.has_image(name):
        return name
    with _alone(name, notice):
        if rebuild or not engine.has_image(name):  # another process may have built it meanwhile
            _make(engine, settings, context(files, settings), name, notice, rebuild=rebuild)
    return name


def _make(
    engine: Engine,
    settings: BoxSettings,
    files: dict[str, bytes],
    name: str,
    notice: Callable[[str], None],
    *,
    rebuild: bool,
) -> None:
    if not engine.has_image(settings.base_image):
        notice(f"looking for the base image {settings.base_image}")
        with translated(f"no base image {settings.base_image}"):
            _probe(engine, settings)
    build(engine, settings, files, name, labels(settings), notice, rebuild=rebuild)
    remove_replaced(engine, name, labels(settings), notice)


@contextmanager
def _alone(name: str, notice: Callable[[str], None]) -> Iterator[None]:
    """Waits while another process of this user builds the same image.

    Where no lock can be had both build it: that takes longer, and ends the same.
    """
    path = _lock_file(name.rpartition(":")[2])
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600) if path else -1
    except OSError:
        lock = -1
    if path is None or lock < 0:
        yield
        return
    try:
        told = False
        while not _locked(lock):
            if not told:
                notice("another process builds the sandbox image: waiting for it")
                told = True
            time.sleep(0.2)
        yield
    finally:
        path.unlink(missing_ok=True)  # who waits still has it open
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def _lock_file(name: str, base: Path | None = None) -> Path | None:
    """In a folder that only this user can write: in a shared one another user could hold the lock for ever."""
    folder = (base or Path(tempfile.gettempdir())) / f"ecoassist-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    return folder / f"{name}.lock" if ours else None


def _probe(engine: Engine, settings: BoxSettings) -> None:
    """Asks the registry, through the engine, for the base image: a pull alone may wait for minutes."""
    from docker.errors import APIError
    from requests import RequestException

    api = engine.api
    usual, api.timeout = api.timeout, settings.registry_seconds
    try:
        api.inspect_distribution(settings.base_image)  # type: ignore[no-untyped-call]
    except APIError as error:
        if "page not found" in str(error.explanation):  # an engine without this call: its pull has to tell
            return
        raise NoSandbox(f"no base image {settings.base_image}: {error.explanation}", REMEDY) from error
    except RequestException as error:
        why = f"no registry answered within {settings.registry_seconds:g} s"
        raise NoSandbox(f"no base image {settings.base_image}: {why}", REMEDY) from error
    finally:
        api.timeout = usual
