"""What tests of a relay outside a container need around it."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecoassist.kernel.link.frames import Attached

RELAY = Path(__file__).parents[2] / "sandbox" / "relay"
COMMAND = [sys.executable, "-I", "-S", str(RELAY / "__main__.py"), "--outside-container"]
HEADER = struct.Struct("!cII")
WINDOW = 256 * 1024
DEADLINE = 15.0


class Wire:
    """The host's end of a link. `framed`: what comes is wrapped as an attached container's."""

    def __init__(self, stream: socket.socket, framed: bool = False) -> None:
        self.socket, self.attached = stream, Attached() if framed else None
        self.socket.settimeout(DEADLINE)
        self.received = bytearray()

    def send(self, kind: bytes, channel: int = 0, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(kind, channel, len(payload)) + payload)

    def next(self) -> tuple[bytes, int, bytes]:
        """Type, channel and payload of the next frame."""
        kind, channel, size = HEADER.unpack(self.exactly(HEADER.size))
        return kind, channel, self.exactly(size)

    def expect(self, kind: bytes) -> tuple[int, bytes]:
        """The channel and the payload of the next frame, which must be of this kind."""
        got, channel, payload = self.next()
        assert got == kind, (got, payload[:200])
        return channel, payload

    def exactly(self, size: int) -> bytes:
        while len(self.received) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.received += b"".join(part for _, part in self.attached.feed(piece)) if self.attached else piece
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def collect(self, channel: int) -> bytes:
        """All that comes on a channel until the relay closes it."""
        data = bytearray()
        while True:
            kind, number, payload = self.next()
            assert number == channel
            if kind == b"C":
                return bytes(data)
            assert kind == b"D"
            data += payload
            self.send(b"W", channel, struct.pack("!I", len(payload)))

    def list(self, channel: int = 101) -> list[list[object]]:
        """[name, size, mtime in ns] of each file that the relay lists."""
        self.send(b"O", channel, b"list")
        rows: list[list[object]] = json.loads(self.collect(channel))
        return rows

    def get(self, name: str, channel: int = 102) -> bytes:
        self.send(b"O", channel, b"get " + name.encode())
        return self.collect(channel)

    def put(self, name: str, content: bytes, size: int | None = None, channel: int = 103) -> str:
        """The relay's answer to a file of which `size` bytes were announced."""
        self.send(b"O", channel, f"put {len(content) if size is None else size} {name}".encode())
        credit = WINDOW
        while content:
            if not credit:
                kind, _, payload = self.next()
                if kind != b"W":
                    assert self.expect(b"C") == (channel, b"")
                    return payload.decode()
                credit += int.from_bytes(payload, "big")
                continue
            piece, content = content[: min(credit, 65536)], content[min(credit, 65536) :]
            self.send(b"D", channel, piece)
            credit -= len(piece)
        while (frame := self.next())[0] == b"W":
            pass
        assert frame[:2] == (b"D", channel)
        assert self.expect(b"C") == (channel, b"")
        return frame[2].decode()


class RelayProcess(Wire):
    """A relay as a child process."""

    def __init__(self, folder: Path, proxy_port: int) -> None:
        self.home, self.rundir, self.spool = folder / "home", folder / "run", folder / "spool"
        self.proxy_port = proxy_port
        self.home.mkdir()
        self.spool.mkdir()
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        with theirs:
            end = theirs.fileno()
            self.process = subprocess.Popen(COMMAND, stdin=end, stdout=end, start_new_session=True)

    def hello(self, *argv: str, **more: object) -> None:
        hello = {
            "argv": argv,
            "env": {"PATH": os.environ["PATH"], "SOCKET": f"{self.rundir}/k-1"},
            "cwd": str(self.home),
            "rundir": str(self.rundir),
            "spool": str(self.spool),
            "wipe": [str(self.home)],
            "connection": {"transport": "ipc", "ip": f"{self.rundir}/k"},
            "proxy_port": self.proxy_port,
        }
        self.send(b"H", 0, json.dumps({**hello, **more}).encode())

    def run(self, program: str, **more: object) -> None:
        """Has a Python program started in place of a kernel."""
        self.hello(sys.executable, "-S", "-c", program, **more)
        self.go()

    def go(self) -> None:
        self.send(b"G")
        assert json.loads(self.expect(b"G")[1]).keys() == {"facts"}

    def exit(self) -> tuple[str, dict[str, object]]:
        """The kernel's last words, and its exit."""
        words = self.expect(b"L")[1].decode()
        return words, json.loads(self.expect(b"X")[1])

    def close(self) -> int:
        self.socket.close()
        try:
            return self.process.wait(DEADLINE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user that no relay has started."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits until something is true."""

    def eventually(true: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return eventually


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process runs; one that only waits to be reaped does not."""

    def alive(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return alive


@pytest.fixture
def relay(tmp_path: Path, free_port: int) -> Iterator[RelayProcess]:
    process = RelayProcess(tmp_path, free_port)
    yield process
    process.close()
