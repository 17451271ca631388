"""The relay as PID 1 of a container, against code that wants the container for itself."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from ecoassist.events import Event
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.ports import Kernel
from ecoassist.types import CellResult

pytestmark = pytest.mark.docker


@pytest.fixture
def kernel(box_settings: BoxSettings) -> Iterator[Kernel]:
    kernel = DockerBox(box_settings).start()
    yield kernel
    kernel.close()


def run(kernel: Kernel, code: str) -> str:
    """What a cell printed, with its last value."""

    def keep() -> Generator[Event, str | None, None]:
        results.append((yield from kernel.run(code)))

    results: list[CellResult] = []
    for _ in keep():
        pass
    assert results[0].status == "ok", results
    return f"{results[0].text}{results[0].value}".strip()


def test_pid_1_is_out_of_reach(kernel: Kernel) -> None:
    code = """
import os, signal
refused = []
for name in ("environ", "mem", "fd", "root"):
    try:
        os.listdir(f"/proc/1/{name}") if name in ("fd", "root") else open(f"/proc/1/{name}", "rb").read(1)
    except PermissionError:
        refused.append(name)
for number in set(signal.Signals) - {signal.SIGINT}:
    os.kill(1, number)
print(refused)
"""
    assert run(kernel, code) == "['environ', 'mem', 'fd', 'root']"
    assert run(kernel, "1+1") == "2"


def test_only_sockets_of_the_known_families_and_no_io_uring(kernel: Kernel) -> None:
    code = """
import ctypes, errno, os, socket
refused = []
for family in range(1, 46):
    try:
        socket.socket(family, socket.SOCK_RAW if family == 16 else socket.SOCK_STREAM).close()
    except OSError as error:
        refused.append(family) if error.errno == errno.EPERM else print(family, error)
print([family for family in range(1, 46) if family not in refused])
libc = ctypes.CDLL(None, use_errno=True)
for call in (425, 426, 427):
    print(libc.syscall(call, 1, 0, 0, 0, 0, 0), ctypes.get_errno() == errno.EPERM)
a, b = socket.socketpair()
a.send(b"pair"); print(b.recv(4).decode())
"""
    assert run(kernel, code) == "[1, 2, 10, 16]\n" + 3 * "-1 True\n" + "pair"


def test_what_a_cell_left_running_ends_with_a_restart(kernel: Kernel) -> None:
    daemon = """
import os, signal, subprocess, sys
child = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)"
subprocess.Popen([sys.executable, "-S", "-c", child], start_new_session=True).pid
"""
    others = "import os; print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()) == [1, os.getpid()])"
    pid = run(kernel, daemon)
    assert run(kernel, f"import os; os.kill({pid}, 0)") == ""
    assert run(kernel, others) == "False"
    kernel.restart()
    assert run(kernel, others) == "True"


def test_a_fork_bomb_ends_with_a_restart(kernel: Kernel) -> None:
    bomb = """
import os
if os.fork() == 0:
    os.setsid()
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
    run(kernel, bomb)
    kernel.restart()
    count = "import os; print(len([name for name in os.listdir('/proc') if name.isdigit()]))"
    assert run(kernel, count) == "2"


def test_a_restart_empties_what_the_cell_filled(kernel: Kernel) -> None:
    fill = """
import os
for root in ("/tmp", "/home/sbx", "/dev/shm"):
    here = os.open(root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=here)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.fchmod(here, 0)
    os.close(here)
    os.mkdir(f"{root}/closed")
    os.chmod(f"{root}/closed", 0)
os.chmod("/home/sbx", 0)
os.chmod("/run/eco", 0)
"""
    run(kernel, fill)
    kernel.restart()
    left = """
import os
print(sum((os.listdir(root) for root in ("/tmp", "/home/sbx", "/dev/shm")), []))
"""
    assert run(kernel, left) == "['.ipython']"  # of the new kernel
