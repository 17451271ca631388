"""What holds for a kernel in a container only."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.events import Stream
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.reaper import LABEL, owner
from ecoassist.kernel.settings import BoxSettings
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
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["ReadonlyRootfs"], host["AutoRemove"], host["IpcMode"]) == (True, True, "private")
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (1 << 30, 1 << 30, 10**9, 128)
    assert not any((host["Binds"], host["PortBindings"], row["Mounts"]))
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
    assert run(kernel, "'eco_site' in sys.modules").value == "True"


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


OWNER = """
import sys, os
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.settings import BoxSettings
kernel = DockerBox(eval(sys.argv[1])).start()
print("up", flush=True)
for event in kernel.run(sys.argv[2]):
    if hasattr(event, "text"):
        print(event.text, flush=True)
input()
"""
BUSY = "print('busy', flush=True)\nimport time\ntime.sleep(0.2)\nsum(range(10**13))"
DAEMON = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); print('daemon', flush=True)"


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("print('idle')", signal.SIGKILL),
        (BUSY, signal.SIGKILL),
        (DAEMON, signal.SIGKILL),
        ("print('idle')", signal.SIGTERM),
        ("print('idle')", None),
    ],
    ids=["killed idle", "killed busy", "killed with a daemon inside", "terminated", "left without closing"],
)
def test_no_container_outlives_its_owner(
    code: str, end: signal.Signals | None, engine: Engine, box_settings: BoxSettings, soon: Soon
) -> None:
    script = [sys.executable, "-c", OWNER, repr(box_settings), code]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "up\n"
        assert process.stdout.readline()
        assert containers_of(engine, process.pid)
        if end is None:
            process.stdin.close()
        else:
            process.send_signal(end)
        process.wait(15)
        assert soon(lambda: not containers_of(engine, process.pid))


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
