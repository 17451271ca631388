"""A real kernel, supervised by the real relay and reached through the host's end of the link; no container."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient

from ecoassist.kernel.mux import KernelExit, Mux
from ecoassist.types import Attachment

RELAY = Path(__file__).parents[2] / "sandbox" / "relay.py"
DEADLINE = 30.0
KEY = "0123456789abcdef"
PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "hb_port": 4, "control_port": 5}


class KernelHouse:
    """The relay's process, the mux and a client, put together as a sandbox does."""

    def __init__(self, folder: Path, proxy_port: int) -> None:
        self.home, self.rundir, self.host = folder / "home", folder / "run", folder / "host"
        self.home.mkdir()
        self.host.mkdir(mode=0o700)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", str(RELAY), "--outside-container"]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, start_new_session=True)
        connection = {"transport": "ipc", "key": KEY, "signature_scheme": "hmac-sha256", **PORTS}
        hello = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "env": {"PATH": os.environ["PATH"], "HOME": str(self.home), "IPYTHONDIR": str(self.home / ".ipython")},
            "cwd": str(self.home),
            "rundir": str(self.rundir),
            "wipe": [str(self.home)],
            "connection": {**connection, "ip": f"{self.rundir}/k"},
            "proxy_port": proxy_port,
        }
        self.sockets = {port: f"{self.host}/k-{port}" for port in PORTS.values()}
        files = [Attachment("numbers.txt", b"1 2 3")]
        self.mux = Mux(ours, framed=False, hello=hello, channels=self.sockets, files=files)
        self.connection = {**connection, "ip": f"{self.host}/k"}
        self.clients: list[BlockingKernelClient] = []

    def client(self) -> BlockingKernelClient:
        client = BlockingKernelClient()
        client.load_connection_info({**self.connection, "key": KEY.encode()})
        client.start_channels()
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
def house(free_port: int) -> Iterator[KernelHouse]:
    with tempfile.TemporaryDirectory(prefix="eco-") as folder:
        house = KernelHouse(Path(folder), free_port)
        yield house
        house.close()


def value_of(client: BlockingKernelClient, code: str) -> str:
    """The text form of the cell's last expression."""
    texts = []

    def hook(message: dict) -> None:
        if message["msg_type"] == "execute_result":
            texts.append(message["content"]["data"]["text/plain"])

    reply = client.execute_interactive(code, timeout=DEADLINE, output_hook=hook, allow_stdin=False)
    assert reply["content"]["status"] == "ok", reply["content"]
    return texts[0]


def test_a_kernel_answers_through_the_link(house):
    house.mux.start()
    assert value_of(house.client(), "1+1") == "2"
