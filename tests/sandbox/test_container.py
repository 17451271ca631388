"""The relay as PID 1 of a container, against code that wants the container for itself."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator

import pytest

from ecoassist.events import Event
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.container import ENVIRONMENT, PYTHON, Containers
from ecoassist.kernel.docker import HOME, RUN
from ecoassist.kernel.settings import BoxSettings
from ecoassist.ports import Kernel
from ecoassist.types import CellResult
from tests.sandbox.conftest import Wire

pytestmark = pytest.mark.docker


@pytest.fixture
def kernel(box_settings: BoxSettings) -> Iterator[Kernel]:
    kernel = DockerBox(box_settings).start()
    yield kernel
    kernel.close()


@pytest.fixture
def wire(box_settings: BoxSettings) -> Iterator[Wire]:
    """The link to a container, by its frames."""
    with Containers(box_settings).launch().stream as stream:
        yield Wire(stream, framed=True)


def hello(wire: Wire, code: str) -> None:
    """Tells the relay to run a program in place of the kernel."""
    told = {
        "argv": [PYTHON, "-c", code],
        "env": ENVIRONMENT,
        "cwd": HOME,
        "rundir": RUN,
        "spool": "/tmp",
        "wipe": [HOME, "/tmp", "/dev/shm"],
        "connection": {"ip": f"{RUN}/k"},
    }
    wire.send(b"H", 0, json.dumps(told).encode())


def go(wire: Wire) -> tuple[dict[str, object], str]:
    """What the relay sees of the container's walls; and the last words of the program, which ended well."""
    wire.send(b"G")
    facts = json.loads(wire.expect(b"G")[1])["facts"]
    words = wire.expect(b"L")[1].decode()
    assert json.loads(wire.expect(b"X")[1]) == {"code": 0, "oom": False}, words
    return facts, words


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


def test_pid_1_keeps_its_limits_and_its_share_of_the_processor(kernel: Kernel) -> None:
    """All of one user, which is allowed elsewhere: a relay without files, memory or time could not end a cell."""
    code = """
import os, resource
attacks = {
    "files": lambda who: resource.prlimit(who, resource.RLIMIT_NOFILE, (0, 1024)),
    "idle": lambda who: os.sched_setscheduler(who, os.SCHED_IDLE, os.sched_param(0)),
    "param": lambda who: os.sched_setparam(who, os.sched_param(0)),
    "affinity": lambda who: os.sched_setaffinity(who, {0}),
    "nice": lambda who: os.setpriority(os.PRIO_PROCESS, who, 19),
}
try:
    os.setpriority(os.PRIO_USER, os.getuid(), 19)
    print("open: nice, of a user")
except PermissionError:
    pass
for name, attack in attacks.items():
    child = os.fork()
    if not child:
        attack(os.getpid())  # its own are its own business
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
    try:
        attack(1)
    except PermissionError:
        continue
    print("open:", name)
"""
    assert run(kernel, code) == ""
    kernel.restart()
    assert run(kernel, "1+1") == "2"


def test_a_socket_that_waits_in_close_holds_nothing_up(wire: Wire) -> None:
    """Sent along with a message to PID 1, which drops it, it is PID 1 that would wait: here for 15 minutes."""
    code = """
import array, socket, struct
server = socket.socket(socket.AF_UNIX)
server.bind("/run/eco/k-3")
server.listen()
there, _ = server.accept()
listener = socket.create_server(("127.0.0.1", 0))
slow = socket.create_connection(listener.getsockname())
other, _ = listener.accept()
try:
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 900))
except PermissionError:
    pass
slow.setblocking(False)
try:
    while True:
        slow.send(bytes(65536))
except BlockingIOError:
    pass
there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [slow.fileno()]))])
slow.close()
there.recv(1)
"""
    hello(wire, code)
    wire.send(b"G")
    wire.expect(b"G")
    wire.send(b"O", 7, b"3")
    assert wire.expect(b"D") == (7, b"x")
    assert wire.list() == []


def test_whatever_code_starts_ends_for_lack_of_memory_before_pid_1_does(kernel: Kernel) -> None:
    code = """
import subprocess
children = subprocess.run(["cat", "/proc/self/oom_score_adj"], capture_output=True, text=True).stdout
print(int(children), int(children) > int(open("/proc/1/oom_score_adj").read()))
try:
    open("/proc/1/oom_score_adj", "w").write("1000")
except PermissionError:
    print("refused")
"""
    assert run(kernel, code) == "1000 True\nrefused"


def test_orphans_without_end_hold_nothing_up(wire: Wire) -> None:
    code = """
import os
for _ in range(20):
    if os.fork() == 0:
        while True:  # each child of a child is left to PID 1
            try:
                child = os.fork()
                if child == 0:
                    os.fork()
                    os._exit(0)
                os.waitpid(child, 0)
            except OSError:
                pass
open("ready", "w").close()
"""
    hello(wire, code)
    go(wire)
    for _ in range(5):
        assert [row[0] for row in wire.list()] == ["ready"]
    wire.send(b"R")
    assert wire.list() == []


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
others = {"x86_64": (248, 249, 250, 251, 298, 321, 323), "aarch64": (30, 217, 218, 219, 241, 280, 282)}
for call in (425, 426, 427, *others[os.uname().machine]):
    if libc.syscall(call, 1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM:
        print("open:", call)
a, b = socket.socketpair()
a.send(b"pair"); print(b.recv(4).decode())
"""
    assert run(kernel, code) == "[1, 2, 10, 16]\npair"


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


def test_the_walls_are_seen_from_inside(wire: Wire, box_settings: BoxSettings) -> None:
    hello(wire, "")
    facts, _ = go(wire)
    assert facts == {
        "seccomp": 2,
        "no_new_privs": True,
        "capabilities": 0,
        "memory": 1 << 30,
        "pids": box_settings.pids,
        "cpus": box_settings.cpus,
        "interfaces": ["lo"],
    }


def test_files_go_in_and_out_by_names_of_every_script(wire: Wire) -> None:
    code = """
import os
os.mkdir("bücher")
open("bücher/\u202e日本\\n.txt", "w").write("text")
open(b"\\xff", "w").close()
os.symlink("/etc/passwd", "passwd")
"""
    hello(wire, code)
    go(wire)
    assert [row[:2] for row in wire.list()] == [["bücher/\u202e日本\n.txt", 4]]
    assert wire.get("bücher/\u202e日本\n.txt") == b"text"
    assert wire.get("passwd") == b""
    assert wire.put("übrig.txt", b"more") == "ok"


def test_a_full_disk_is_an_answer_and_a_restart_empties_it(wire: Wire) -> None:
    code = """
import os
for root in ("/tmp", os.getcwd()):
    with open(f"{root}/filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 20)):
                pass
        except OSError as error:
            print(error.strerror)
"""
    hello(wire, code)
    assert go(wire)[1] == 2 * "No space left on device\n"
    assert wire.put("big", bytes(1 << 20)) == "error: [Errno 28] No space left on device"
    assert [row[:2] for row in wire.list()] == [["filler", 256 << 20]]
    assert len(wire.get("filler")) == 256 << 20
    wire.send(b"R")
    assert wire.put("big", bytes(1 << 20)) == "ok"
    assert wire.list() == []


def test_as_many_files_as_there_can_be_are_an_answer(wire: Wire) -> None:
    code = """
import os
for root in ("/tmp", os.getcwd()):
    for name in range(30_000):
        try:
            os.close(os.open(f"{root}/{name}", os.O_CREAT))
        except OSError as error:
            print(error.strerror)
            break
"""
    hello(wire, code)
    assert go(wire)[1] == 2 * "No space left on device\n"
    assert wire.put("more", b"") == "error: [Errno 28] No space left on device: '/tmp/more'"
    assert len(wire.list()) == 200


def test_the_persons_time_zone_holds(box_settings: BoxSettings) -> None:
    code = """
import datetime, time, zoneinfo
moment = 1_800_000_000
print(time.strftime("%H:%M %z %Z", time.localtime(moment)))
print(datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).astimezone().isoformat())
print(datetime.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo("Asia/Kathmandu")).isoformat())
"""
    kernel = DockerBox(box_settings).start(variables={"TZ": "Asia/Kathmandu"})
    try:
        expected = "13:45 +0545 +0545\n" + 2 * "2027-01-15T13:45:00+05:45\n"
        assert run(kernel, code) == expected.strip()
        kernel.restart()
        assert run(kernel, code) == expected.strip()
    finally:
        kernel.close()
