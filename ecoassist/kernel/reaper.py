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
from functools import cache
from pathlib import Path

from ecoassist.errors import NoSandbox

from .docker import Engine

LABEL = "ecoassist.owner"
PREFIX = "eco-"
MARK = "owner"


def owner() -> str:
    """Boot id, pid namespace, process id and its start time; empty where the system does not tell (no /proc)."""
    started = _started(os.getpid())
    return f"{_place()} {os.getpid()} {started}" if _place() and started else ""


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process started, in ticks since boot, so that a reused id is told apart; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def dead(mark: str) -> bool:
    """Whether `mark` names an owner that ran here and runs no more. False for every other machine and container."""
    place, _, process = mark.partition("] ")
    pid, _, started = process.partition(" ")
    if not _place() or f"{place}]" != _place() or not pid.isascii() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def private_folder() -> Path:
    """A new folder for sockets, 0700 and marked as ours. Its path is short: sockets allow 104 bytes."""
    base = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base if len(base) < 70 else "/tmp"))
    (folder / MARK).write_text(owner(), encoding="ascii")
    return folder


def reap_folders(base: Path | None = None) -> int:
    """Removes socket folders of dead owners; returns how many. Others' folders and links are left alone."""
    count = 0
    for folder in (base or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        try:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            if dead((folder / MARK).read_text(encoding="ascii")):
                shutil.rmtree(folder)
                count += 1
        except (OSError, ValueError):
            continue  # gone meanwhile, or not one of ours
    return count


def reap_containers(engine: Engine) -> int:
    """Removes containers of dead owners; returns how many. Raises NoSandbox."""
    count = 0
    for container, labels in engine.containers(LABEL):
        if dead(labels.get(LABEL, "")):
            engine.remove(container)
            count += 1
    return count


def reap_in_background(engine: Engine) -> None:
    def work() -> None:
        reap_folders()
        try:
            reap_containers(engine)
        except NoSandbox:
            pass  # the next start tries again

    threading.Thread(target=work, name="reaper", daemon=True).start()
