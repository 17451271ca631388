"""Who owns a container or a socket folder, and the removal of what dead owners left.

Normally nothing is left: a container ends when its link closes. This is the second line. It touches only what carries
this machine's boot id and our pid namespace: elsewhere a process id says nothing about whether the owner lives.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ecoassist.errors import NoSandbox
from ecoassist.owners import dead, owner

from .docker import Engine

LABEL = "ecoassist.owner"
PREFIX = "eco-"
MARK = "owner"
HOUR = 3600.0
LINGER = 5.0
"""Seconds that a container may outlive its link; it takes about 0.2."""
GARBAGE = ".left"
"""The end of the name of a folder that is being removed."""


def private_folder() -> Path:
    """A new folder for sockets, 0700 and marked as ours. Raises OSError."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base()))
    (folder / MARK).write_text(owner(), encoding="ascii")
    return folder


def _base() -> Path:
    """Where socket folders are. Their paths are short: sockets allow 104 bytes."""
    base = tempfile.gettempdir()
    return Path(base if len(base) < 70 else "/tmp")


def remove(folder: Path) -> None:
    """Removes a socket folder. Who ends us meanwhile leaves one whose name says that nobody needs it."""
    garbage = folder if folder.name.endswith(GARBAGE) else folder.with_name(folder.name + GARBAGE)
    with suppress(OSError):
        folder.rename(garbage)
    shutil.rmtree(garbage, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Reaped:
    """What was removed, and what was not."""

    folders: int = 0
    containers: int = 0
    bytes: int = 0
    """In the folders; a container holds memory only while it runs."""
    left: int = 0
    """Containers and folders whose owner lives, or ran on another machine or in another pid namespace."""


def clean(engine: Engine) -> Reaped:
    """Removes what dead owners of this machine and namespace left. Raises NoSandbox."""
    folders, containers = _folders(_base()), _containers(engine)
    return replace(folders, containers=containers.containers, left=folders.left + containers.left)


def reap_folders(base: Path | None = None) -> int:
    """Removes socket folders of dead owners; returns how many. Others' folders and links are left alone."""
    return _folders(base or _base()).folders


def reap_containers(engine: Engine) -> int:
    """Removes containers of dead owners; returns how many. Raises NoSandbox."""
    return _containers(engine).containers


def _folders(base: Path) -> Reaped:
    count = size = left = 0
    for folder in base.glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            if (
                not folder.name.endswith(GARBAGE)
                and not (folder / MARK).exists()
                and time.time() - status.st_mtime > HOUR
            ):
                folder.rmdir()  # its owner ended before the mark; one that is not empty stays
                count += 1
            elif folder.name.endswith(GARBAGE) or dead((folder / MARK).read_text(encoding="ascii")):
                size += sum(path.lstat().st_size for path in folder.rglob("*"))
                remove(folder)
                count += 1
            else:
                left += 1
        except (OSError, ValueError):
            continue  # gone meanwhile, or not one of ours
    return Reaped(folders=count, bytes=size, left=left)


def _containers(engine: Engine) -> Reaped:
    count = left = 0
    for container, labels in engine.containers(LABEL):
        if dead(labels.get(LABEL, "")):
            engine.remove(container)
            count += 1
        else:
            left += 1
    return Reaped(containers=count, left=left)


def reap_in_background(engine: Engine) -> None:
    def work() -> None:
        reap_folders()
        try:
            reap_containers(engine)
        except NoSandbox:
            pass  # the next start tries again

    threading.Thread(target=work, name="reaper", daemon=True).start()


def remove_after(gone: threading.Event, engine: Engine, container: str) -> None:
    """Removes the container if it is still there LINGER seconds after its link went: then its PID 1 is stuck."""

    def work() -> None:
        gone.wait()
        time.sleep(LINGER)
        with suppress(NoSandbox):  # the next start's reaper tries again
            if any(container == id for id, _ in engine.containers(LABEL)):
                engine.remove(container)

    threading.Thread(target=work, name="container-end", daemon=True).start()
