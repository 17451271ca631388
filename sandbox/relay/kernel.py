"""The kernel and every other process of the container: started, signalled, counted and ended."""

from __future__ import annotations

import json
import os
import signal
import stat
import time

from .folders import create, wipe, write_all
from .overlay import lay

END_SECONDS = 10.0
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Of cgroup v2 and v1, as a container sees its own."""
TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any


class Kernel:
    """The supervised process, leader of its own session and process group."""

    def __init__(self) -> None:
        self.pid = 0
        self.started = 0.0
        self.log = ""
        self.oom_kills = 0

    def start(self, hello: dict[str, Any]) -> None:
        rundir = hello["rundir"]
        os.makedirs(rundir, mode=0o700, exist_ok=True)
        wipe(rundir)
        for name, text in {**hello.get("texts", {}), "connection.json": json.dumps(hello["connection"])}.items():
            with create(rundir, name) as file:
                write_all(file, text.encode())
        if overlay := hello.get("overlay"):
            lay(*overlay)
        os.chdir(hello["cwd"])
        argv = [part.replace("{connection_file}", f"{rundir}/connection.json") for part in hello["argv"]]
        self.log = f"{rundir}/kernel.log"
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and inherited otherwise
        self.oom_kills = oom_kills()
        self.pid = os.posix_spawn(argv[0], argv, hello["env"], file_actions=actions, setsid=True, setsigdef=ignored)
        self.started = time.monotonic()
        prefer_for_oom(self.pid)

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.oom_kills = oom_kills()  # so that this end is not taken for one by lack of memory
        if self.pid:
            signal_group(self.pid, number)

    def exit(self, pid: int, status: int) -> dict[str, object] | None:
        """How the kernel ended, if this process, which was reaped, is the kernel."""
        if pid != self.pid:
            return None
        if os.getpid() != 1:
            signal_group(self.pid, signal.SIGKILL)  # in a container the others live on until a restart
        self.pid = 0
        code = os.waitstatus_to_exitcode(status)
        return {"code": code, "oom": code == -signal.SIGKILL and oom_kills() > self.oom_kills}

    def end(self) -> None:
        """Ends the kernel and, in a container, all other processes; elsewhere only the kernel's process group."""
        if os.getpid() == 1:
            end_all_others()
        elif self.pid:
            signal_group(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = 0

    def last_words(self) -> bytes:
        """The end of the kernel's log, unless code put something in its place: a pipe or a device would block us."""
        try:
            log = os.open(self.log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            status = os.fstat(log)
            return os.pread(log, 2000, max(0, status.st_size - 2000)) if stat.S_ISREG(status.st_mode) else b""
        except OSError:
            return b""
        finally:
            os.close(log)


def oom_kills(counters: tuple[str, ...] = OOM_COUNTERS) -> int:
    """How often a process in here was ended for lack of memory, as the cgroup counts it; 0 where none does."""
    for path in counters:
        try:
            with open(path) as lines:
                return int(dict(line.split() for line in lines).get("oom_kill", 0))
        except OSError:
            continue
    return 0


def prefer_for_oom(pid: int) -> None:
    """Has a process, and what it will start, ended for lack of memory before this one is, however small they are."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as score:
            score.write("1000")
    except OSError:
        pass  # it has ended


def reap() -> tuple[int, int] | None:
    """A child that has ended, with its status; None when none has."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def signal_group(leader: int, number: int) -> None:
    if leader <= 1:
        raise ValueError("not the process group of a child")
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        pass


def end_all_others() -> None:
    """Ends every process of the container but PID 1. A fork bomb takes several rounds."""
    if os.getpid() != 1:
        raise RuntimeError("outside a container this would end every process of the user")
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)
    os._exit(4)  # ends the container, and with it everything
