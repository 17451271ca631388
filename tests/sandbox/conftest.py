"""A relay as a child process, outside a container, and the host's end of its link."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RELAY = Path(__file__).parents[2] / "sandbox" / "relay.py"
HEADER = struct.Struct("!cII")
DEADLINE = 15.0


class RelayProcess:
    """Speaks frames, and knows nothing of ecoassist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.rundir = folder / "home", folder / "run"
        self.home.mkdir()
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.socket.settimeout(DEADLINE)
        command = [sys.executable, "-I", "-S", str(RELAY), "--outside-container"]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, start_new_session=True)
        theirs.close()
        self.proxy_port = a_free_port()

    def hello(self, *argv: str, **more: object) -> None:
        hello = {
            "argv": argv,
            "env": {"PATH": os.environ["PATH"]},
            "cwd": str(self.home),
            "rundir": str(self.rundir),
            "wipe": [str(self.home)],
            "connection": {"transport": "ipc", "ip": f"{self.rundir}/k"},
            "proxy_port": self.proxy_port,
        }
        self.send(b"H", 0, json.dumps({**hello, **more}).encode())

    def python(self, program: str, **more: object) -> None:
        """Says hello with a Python program as the kernel and has it started."""
        self.hello(sys.executable, "-S", "-c", program, **more)
        self.send(b"G")
        assert self.expect(b"G") == {}

    def send(self, kind: bytes, channel: int = 0, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(kind, channel, len(payload)) + payload)

    def receive(self) -> tuple[bytes, int, bytes]:
        kind, channel, size = HEADER.unpack(self.exactly(HEADER.size))
        return kind, channel, self.exactly(size)

    def expect(self, kind: bytes) -> Any:
        """The next frame but log lines, which must be of this kind; JSON decoded, or (channel, payload)."""
        while True:
            got, channel, payload = self.receive()
            if got != b"L" or kind == b"L":
                break
        assert got == kind, (got, payload)
        return json.loads(payload) if kind in b"XG" else (channel, payload)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def kernel_pid(self) -> int:
        """Of the kernel that wrote its pid to `pid` in its home, as the programs here do."""
        file = self.home / "pid"
        eventually(lambda: file.exists() and file.read_text().endswith("\n"))
        return int(file.read_text())

    def close(self) -> None:
        self.socket.close()
        try:
            self.process.wait(DEADLINE)
        finally:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def free_port() -> int:
    return a_free_port()


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process runs; one that only waits to be reaped does not."""

    def alive(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    return alive


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess(tmp_path)
    yield process
    process.close()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user that no relay has started."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()
