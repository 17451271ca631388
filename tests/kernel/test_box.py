"""What holds for a kernel in a container only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.events import Stream
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.reaper import LABEL
from ecoassist.kernel.settings import BoxSettings
from ecoassist.kernel.sources import seccomp
from ecoassist.owners import owner
from ecoassist.ports import Kernel
from ecoassist.types import CellResult

pytestmark = pytest.mark.docker

Start = Callable[..., Kernel]
Run = Callable[..., CellResult]
Soon = Callable[[Callable[[], object]], object]


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


def containers_of(engine: Engine, pid: int) -> list[str]:
    """Ids of the containers whose owner is the process `pid`."""
    return [row for row, labels in engine.containers(LABEL) if f" {pid} " in labels[LABEL]]


def rest_of(stream: Stream[CellResult]) -> CellResult:
    try:
        while True:
            next(stream)
    except StopIteration as end:
        result: CellResult = end.value
        return result


@pytest.fixture
def container(engine: Engine) -> Callable[[], str]:
    """The id of the newest container that this process owns."""

    def newest() -> str:
        return next(row for row, labels in engine.containers(LABEL) if labels[LABEL] == owner())

    return newest


# ── what is in it ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_container_has_no_network_no_rights_no_mounts_and_nothing_to_write_on(
    start_box: Start, engine: Engine, container: Callable[[], str]
) -> None:
    start_box()
    row = engine.api.inspect_container(container())
    host, config = row["HostConfig"], row["Config"]
    assert host["NetworkMode"] == "none"
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    no_new_privileges, profile = host["SecurityOpt"]
    assert (no_new_privileges, profile) == ("no-new-privileges:true", f"seccomp={seccomp()}")
    assert (host["ReadonlyRootfs"], host["AutoRemove"], host["IpcMode"]) == (True, True, "private")
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (1 << 30, 1 << 30, 10**9, 128)
    assert not any((host["Binds"], host["PortBindings"], row["Mounts"]))
    assert (host["Dns"], host["DnsSearch"]) == (["127.0.0.1"], ["."])  # not this machine's
    assert (host["LogConfig"]["Type"], config["User"], config["StdinOnce"]) == ("none", "10001:10001", True)
    assert not any("proxy" in variable.lower() for variable in config["Env"])


def test_code_is_nobody_and_reaches_nothing(start_box: Start, run: Run) -> None:
    kernel = start_box()
    assert run(kernel, "import os; os.getuid(), os.getgid()").value == "(10001, 10001)"
    status = run(kernel, "print(open('/proc/self/status').read())").text
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {rows[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (rows["NoNewPrivs"], rows["Seccomp"]) == ("1", "2")
    assert run(kernel, "os.listdir('/sys/class/net')").value == "['lo']"
    for place in ("1.1.1.1", "172.17.0.1", "169.254.169.254"):
        result = run(kernel, f"import socket; socket.create_connection(({place!r}, 80), 3)")
        assert result.error
        assert "unreachable" in result.error.message


REFUSED = """
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
calls = {  # number on x86_64, on aarch64, arguments
    "add_key": (248, 217, ()), "request_key": (249, 218, ()), "keyctl": (250, 219, ()), "bpf": (321, 280, ()),
    "perf_event_open": (298, 241, ()), "userfaultfd": (323, 282, (1,)), "io_uring_setup": (425, 425, ()),
    "ptrace": (101, 117, ()), "process_vm_readv": (310, 270, ()), "process_vm_writev": (311, 271, ()),
    "pidfd_getfd": (438, 438, ()), "kcmp": (312, 272, ()), "mount": (165, 40, ()), "umount2": (166, 39, ()),
    "pivot_root": (155, 41, ()), "chroot": (161, 51, ()), "fsopen": (430, 430, ()), "open_tree": (428, 428, ()),
    "move_mount": (429, 429, ()), "mount_setattr": (442, 442, ()), "unshare": (272, 97, (0x10000000,)),
    "setns": (308, 268, ()), "open_by_handle_at": (304, 265, ()), "kexec_load": (246, 104, ()),
    "init_module": (175, 105, ()), "finit_module": (313, 273, ()), "delete_module": (176, 106, ()),
    "reboot": (169, 142, ()), "swapon": (167, 224, ()), "acct": (163, 89, ()), "quotactl": (179, 60, ()),
    "syslog": (103, 116, ()), "settimeofday": (164, 170, ()), "sethostname": (170, 161, ()),
    "fanotify_init": (300, 262, ()), "vmsplice": (278, 75, ()), "io_setup": (206, 0, ()), "sync": (162, 81, ()),
    "shmget": (29, 194, (1, 4096, 0o1600)), "semget": (64, 190, ()), "msgget": (68, 186, ()),
    "personality": (135, 92, (0x0040000,)), "clone": (56, 220, (0x10000000 | 17,)),
}
column = ["x86_64", "aarch64"].index(platform.machine())
for name, numbers in calls.items():
    ctypes.set_errno(0)
    failed = libc.syscall(numbers[column], *numbers[2], *[0] * (6 - len(numbers[2]))) == -1
    if not failed or ctypes.get_errno() != errno.EPERM:
        print(name, ctypes.get_errno())
libc.syscall(435, 0, 0), ctypes.get_errno() == errno.ENOSYS
"""


def test_system_calls_that_no_answer_needs_are_refused(start_box: Start, run: Run) -> None:
    result = run(start_box(), REFUSED)
    assert (result.text, result.value) == ("", "(-1, True)")


SOCKETS = """
import errno, socket
made, other = set(), set()
for family in range(47):
    for kind in (1, 2, 3, 5, 6):
        for protocol in (0, 1, 6, 17, 33, 132, 262):  # 33: DCCP, 132: SCTP, 262: MPTCP
            try:
                socket.socket(family, kind, protocol).close()
                made.add((family, protocol))
            except OSError as error:
                if error.errno != errno.EPERM:
                    other.add(family)
for family in range(2, 47):
    try:
        socket.socketpair(family)
    except OSError as error:
        assert error.errno == errno.EPERM, family
print(other - {1, 2, 10, 16})
print(sorted({family for family, protocol in made}), max(protocol for family, protocol in made))
"""


def test_sockets_are_local_or_of_the_internet_s_common_protocols(start_box: Start, run: Run) -> None:
    assert run(start_box(), SOCKETS).text == "set()\n[1, 2, 10, 16] 17\n"


NEEDED = """
import asyncio, concurrent.futures, mmap, os, shutil, signal, socket, sqlite3, subprocess, sys, threading
from multiprocessing import shared_memory
done = []
thread = threading.Thread(target=done.append, args=("thread",)); thread.start(); thread.join()
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    done += pool.map(abs, [-1, -2])
done.append(subprocess.run("cp /etc/passwd p && tail -1 p | cut -d: -f1", shell=True, capture_output=True).stdout)
process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(3)", stdout=subprocess.PIPE)
done.append((await process.communicate())[0])
memory = shared_memory.SharedMemory(create=True, size=4096); memory.close(); memory.unlink()
database = sqlite3.connect("d.db"); database.execute("pragma journal_mode=wal"); database.execute("create table t(a)")
database.close()
os.mkfifo("f"); shutil.copy2("p", "q"); os.close(os.memfd_create("m")); os.close(os.pidfd_open(os.getpid()))
signal.setitimer(signal.ITIMER_REAL, 0)
print(socket.if_nameindex())
done
"""


def test_what_programs_commonly_do_is_open(start_box: Start, run: Run) -> None:
    result = run(start_box(), NEEDED)
    assert result.error is None
    assert result.text == "[(1, 'lo')]\n"
    assert result.value == r"['thread', 1, 2, b'sandbox\n', b'3\n']"


class Strict(Engine):
    """As podman is: a profile is the name of a file, and without a network there is no name server."""

    def create(
        self,
        image: str,
        settings: BoxSettings,
        labels: Mapping[str, str],
        *,
        profile: str | None = None,
        names: bool = True,
    ) -> str:
        if profile != "":
            raise NoSandbox("container create: opening seccomp profile failed: open {...}: file name too long")
        if names:
            raise NoSandbox("container create: conflicting options: dns and the network mode: none")
        return super().create(image, settings, labels, profile=profile, names=names)


def test_what_an_engine_does_not_take_is_left_out_and_said_once(engine: Engine, box_settings: BoxSettings) -> None:
    said: list[str] = []
    containers = Containers(box_settings, said.append, Strict(engine.api))
    for _ in range(2):
        containers.launch().stream.close()
    warnings = [text for text in said if text.startswith("warning: the engine")]
    assert [" ".join(text.split()[1:4]) for text in warnings] == ["the engine refused", "the engine sets"]


def test_code_writes_only_to_bounded_memory(start_box: Start, run: Run) -> None:
    kernel = start_box()
    for place in ("/", "/opt/venv", "/eco", "/etc", "/usr", "/var/tmp"):
        result = run(kernel, f"open({place + '/new'!r}, 'w')")
        assert result.error
        assert result.error.name in ("OSError", "PermissionError")
    assert run(kernel, "open('here', 'w').write('1'); open('/tmp/there', 'w').write('1')").status == "ok"
    full = run(kernel, "open('/tmp/big', 'wb').write(b'x' * 300_000_000)")
    assert full.error
    assert "No space" in full.error.message


def test_the_libraries_are_there_and_compiled(start_box: Start, run: Run) -> None:
    kernel = start_box()
    names = "requests, httpx, aiohttp, bs4, lxml.html, dateutil.parser, zoneinfo"
    assert run(kernel, f"import {names}; zoneinfo.ZoneInfo('Europe/Paris').key").value == "'Europe/Paris'"
    missing = """
import importlib.util, pathlib, sys, sysconfig
folders = [sysconfig.get_path("purelib"), "/eco"]
files = [path for folder in folders for path in pathlib.Path(folder).rglob("*.py") if "tests" not in path.parts]
(len(files) > 1000, [path for path in files if not pathlib.Path(importlib.util.cache_from_source(path)).exists()])
"""
    assert run(kernel, missing).value == "(True, [])"


def test_the_person_s_secrets_are_what_the_caller_gives(start_box: Start, run: Run) -> None:
    kernel = start_box(variables={"WEATHER_KEY": "placeholder"}, ca_pem=b"-----BEGIN CERTIFICATE-----\n")
    assert run(kernel, "import os; os.environ['WEATHER_KEY']").value == "'placeholder'"
    assert run(kernel, "open(os.environ['SSL_CERT_FILE']).read()").value == r"'-----BEGIN CERTIFICATE-----\n'"
    assert run(kernel, "'HTTPS_PROXY' in os.environ").value == "False"


def test_a_connection_through_the_proxy_is_served_on_the_host(start_box: Start, run: Run) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(line), line))
        await writer.drain()

    kernel = start_box(serve=serve)
    code = "import requests; requests.get('http://weather.example/now?q=1').text"
    assert run(kernel, code).value == "'GET http://weather.example/now?q=1 HTTP/1.1'"
    kernel.restart()
    assert run(kernel, code).value == "'GET http://weather.example/now?q=1 HTTP/1.1'"


def test_a_server_in_the_sandbox_is_reached_without_the_proxy(start_box: Start, run: Run) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Through the proxy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    code = """
import http.server, threading, requests
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
requests.get(f"http://127.0.0.1:{server.server_port}/").status_code
"""
    assert run(start_box(serve=serve), code).value == "200"


# ── how it ends ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_that_takes_all_memory_loses_its_kernel_only(start_box: Start, run: Run) -> None:
    kernel = start_box()
    result = run(kernel, "print('begun', flush=True)\nall = []\nwhile True: all.append(bytearray(10_000_000))")
    assert (result.status, result.state_lost) == ("oom", True)
    assert "memory" in result.reason
    assert run(kernel, "1 + 1").value == "2"


def test_files_that_fill_the_memory_are_gone_after_a_restart(start_box: Start, run: Run) -> None:
    kernel = start_box()
    run(kernel, "open('/tmp/big', 'wb').write(b'x' * 200_000_000)")
    kernel.restart()
    assert run(kernel, "import os; os.path.exists('/tmp/big')").value == "False"


def test_a_container_that_vanishes_during_a_cell_is_gone_and_stays_gone(
    start_box: Start, run: Run, engine: Engine, container: Callable[[], str]
) -> None:
    kernel = start_box()
    stream = kernel.run("import time; time.sleep(60)")
    for _ in range(5):
        next(stream)
    engine.remove(container())
    result = rest_of(stream)
    assert (result.status, result.state_lost) == ("gone", True)
    for again in (lambda: run(kernel, "1"), kernel.restart):
        with pytest.raises(NoSandbox, match="gone"):
            again()


def test_closing_removes_the_container(
    start_box: Start, engine: Engine, container: Callable[[], str], soon: Soon
) -> None:
    kernel = start_box()
    mine = container()
    kernel.close()
    assert soon(lambda: mine not in dict(engine.containers(LABEL)))


def test_a_kernel_that_cannot_start_leaves_nothing(start_box: Start, engine: Engine, soon: Soon) -> None:
    before = dict(engine.containers(LABEL))
    with pytest.raises(NoSandbox):
        start_box(variables={"PATH\0": "not a name"})
    assert soon(lambda: set(dict(engine.containers(LABEL))) <= set(before))


# ── as jupyter_client knows it ──────────────────────────────────────────────────────────────────────────────────────


def test_stock_jupyter_clients_run_restart_and_end_it(box_settings: BoxSettings, engine: Engine, soon: Soon) -> None:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    from ecoassist.kernel.provisioner import BoxProvisioner

    async def ask(manager: AsyncKernelManager, code: str) -> str:
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=30)
            reply = await client.execute_interactive(code, store_history=False, output_hook=lambda message: None)
            return str(reply["content"]["status"])
        finally:
            client.stop_channels()

    async def session() -> None:
        manager = AsyncKernelManager()
        spec = KernelSpec(argv=["in the container"], language="python")
        provisioner = BoxProvisioner(kernel_id="one", kernel_spec=spec, parent=manager)
        provisioner.boot = Containers(box_settings).boot
        manager.provisioner = provisioner
        await manager.start_kernel()
        try:
            assert await ask(manager, "x = 1; x") == "ok"
            await manager.restart_kernel(now=True)
            assert await ask(manager, "x") == "error"
        finally:
            await manager.shutdown_kernel(now=True)

    asyncio.run(session())
    assert soon(lambda: owner() not in [labels[LABEL] for _, labels in engine.containers(LABEL)])
