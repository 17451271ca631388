"""A real kernel, supervised by the real relay and reached through the host's end of the link; no container."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from ecoassist.kernel.link.mux import KernelExit, Mux
from ecoassist.types import Attachment
from tests.sandbox.conftest import COMMAND

DEADLINE = 30.0
KEY = "0123456789abcdef"
PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "hb_port": 4, "control_port": 5}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """In place of the egress proxy: sends the first line back."""
    writer.write(b"you said " + await reader.readline())


class Setup:
    """The relay's process, the mux and its clients, put together as a sandbox does."""

    def __init__(self, folder: Path, proxy_port: int) -> None:
        self.home, self.host = folder / "home", folder / "host"
        self.home.mkdir()
        self.host.mkdir(mode=0o700)
        (folder / "spool").mkdir()
        ours, theirs = socket.socketpair()
        with theirs:
            end = theirs.fileno()
            self.process = subprocess.Popen(COMMAND, stdin=end, stdout=end, start_new_session=True)
        connection = {"transport": "ipc", "ip": f"{folder}/run/k", "key": KEY, "signature_scheme": "hmac-sha256"}
        hello = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "env": {"PATH": os.environ["PATH"], "HOME": str(self.home), "IPYTHONDIR": str(self.home / ".ipython")},
            "cwd": str(self.home),
            "rundir": f"{folder}/run",
            "spool": f"{folder}/spool",
            "wipe": [str(self.home)],
            "connection": {**connection, **PORTS},
            "proxy_port": proxy_port,
        }
        self.sockets = {port: f"{self.host}/k-{port}" for port in PORTS.values()}
        files = [Attachment("numbers.txt", b"1 2 3")]
        self.mux = Mux(ours, framed=False, hello=hello, channels=self.sockets, files=files, serve=serve)
        self.clients: list[BlockingKernelClient] = []

    def client(self) -> BlockingKernelClient:
        client = BlockingKernelClient()
        info: Any = {"transport": "ipc", "ip": f"{self.host}/k", "key": KEY.encode(), "signature_scheme": "hmac-sha256"}
        info.update(PORTS)
        client.load_connection_info(info)
        client.start_channels(hb=False)  # wait_for_ready takes a slow start for a death when there is a heartbeat
        self.clients.append(client)
        client.wait_for_ready(DEADLINE)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.stop_channels()
            client.context.destroy()
        self.mux.close()
        try:
            assert self.process.wait(DEADLINE) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def box(free_port: int) -> Iterator[Setup]:
    with tempfile.TemporaryDirectory(prefix="eco-") as folder:
        box = Setup(Path(folder), free_port)
        try:
            box.mux.start()
            yield box
        finally:
            box.close()


def run(client: BlockingKernelClient, code: str) -> str:
    """The text form of the cell's last expression, or what it printed, or its exception's name."""
    texts: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "execute_result":
            texts.append(content["data"]["text/plain"])
        elif message["msg_type"] in ("stream", "error"):
            texts.append(content.get("text") or content["ename"])

    reply = client.execute_interactive(code, timeout=DEADLINE, output_hook=hook, allow_stdin=False)
    return "".join(texts) or str(reply["content"])


def test_a_kernel_answers_through_the_link_and_finds_its_files(box: Setup) -> None:
    client = box.client()
    assert run(client, "1+1") == "2"
    assert run(client, "open('numbers.txt').read()") == "'1 2 3'"
    assert len(run(client, "print('x' * 3_000_000)")) == 3_000_001


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", "while True: pass", "import subprocess; subprocess.run(['sleep', '60'])"]
)
def test_a_cell_is_interrupted_by_a_signal(box: Setup, code: str) -> None:
    client = box.client()
    request = client.execute(f"print('began', flush=True)\n{code}", stop_on_error=False)
    while client.get_iopub_msg(timeout=DEADLINE)["msg_type"] != "stream":
        pass
    box.mux.signal(signal.SIGINT)
    reply = client.get_shell_msg(timeout=DEADLINE)
    while reply["parent_header"]["msg_id"] != request:  # of wait_for_ready, which asks again when it is slow
        reply = client.get_shell_msg(timeout=DEADLINE)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert run(client, "1+1") == "2"


def test_a_restart_forgets_everything_and_spares_bystanders(
    box: Setup,
    bystander: subprocess.Popen[bytes],
    alive: Callable[[int], bool],
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    client = box.client()
    before = int(run(client, "import os; os.getpid()"))
    run(client, "kept = 1; open('left', 'w').write('x'); open('numbers.txt', 'w').write('changed')")
    client.stop_channels()
    for path in box.sockets.values():
        os.unlink(path)  # as jupyter_client does

    box.mux.restart()

    client = box.client()
    assert run(client, "kept") == "NameError"
    assert run(client, "open('numbers.txt').read(), os.listdir()") == "NameError"
    assert run(client, "import os; sorted(name for name in os.listdir() if name[0] != '.')") == "['numbers.txt']"
    assert run(client, "open('numbers.txt').read()") == "'1 2 3'"
    assert int(run(client, "os.getpid()")) != before
    eventually(lambda: not alive(before))
    assert bystander.poll() is None


def test_an_exit_of_the_kernel_is_reported_and_a_restart_heals_it(box: Setup) -> None:
    client = box.client()
    client.execute("import os; os._exit(7)")
    assert box.mux.exited.wait(DEADLINE)
    assert box.mux.exit == KernelExit(7, oom=False)
    assert not box.mux.gone.is_set()
    client.stop_channels()
    box.mux.restart()
    assert not box.mux.exited.is_set()
    assert run(box.client(), "1+1") == "2"


def test_a_connection_in_the_kernel_is_served_on_the_host(box: Setup, free_port: int) -> None:
    code = f"""
import socket
with socket.create_connection(("127.0.0.1", {free_port})) as proxy:
    proxy.sendall(b"hello\\n")
    print(proxy.makefile().read(), end="")
"""
    assert run(box.client(), code) == "you said hello\n"


def test_the_end_of_the_link_ends_the_relay_and_the_kernel(
    box: Setup, alive: Callable[[int], bool], eventually: Callable[[Callable[[], object]], None]
) -> None:
    client = box.client()
    kernel = int(run(client, "import os; os.getpid()"))
    child = int(run(client, "import subprocess; subprocess.Popen(['sleep', '600']).pid"))
    client.execute("while True: pass")
    began = time.monotonic()
    box.mux.close()
    assert time.monotonic() - began < 2
    assert box.process.wait(DEADLINE) == 0
    eventually(lambda: not alive(kernel) and not alive(child))


def test_files_of_the_kernel_come_and_go_through_the_link(box: Setup) -> None:
    client, content = box.client(), os.urandom(1_000_000)
    run(client, f"import os; os.mkdir('a'); open('a/b.bin', 'wb').write(bytes.fromhex('{content.hex()}'))")
    assert [(file.name, file.size) for file in box.mux.files.list()] == [("a/b.bin", 1_000_000), ("numbers.txt", 5)]
    assert b"".join(box.mux.files.get("a/b.bin", 1 << 30)) == content
    path = box.mux.files.put("back.bin", [content])
    assert run(client, f"open({path!r}, 'rb').read() == open('a/b.bin', 'rb').read()") == "True"


def test_what_the_relay_sees_of_its_walls_is_told(box: Setup) -> None:
    assert box.mux.facts.seccomp is not None
    assert "lo" in (box.mux.facts.interfaces or ())
