"""The far end of a link, with every frame written by the test."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import TypeAlias

from ecoassist.kernel.link.frames import ATTACH_HEADER
from ecoassist.kernel.link.mux import Mux

HEADER = struct.Struct("!cII")
DEADLINE = 15.0
THEIRS = 0x80000000
HELLO = {"argv": ["kernel"], "wipe": []}


class Peer:
    """What a relay would be, with every frame written by the test."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(DEADLINE)

    def send(self, kind: bytes, channel: int = 0, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(kind, channel, len(payload)) + payload)

    def receive(self) -> tuple[bytes, int, bytes]:
        kind, channel, size = HEADER.unpack(self.exactly(HEADER.size))
        return kind, channel, self.exactly(size)

    def expect(self, kind: bytes) -> tuple[int, bytes]:
        got, channel, payload = self.receive()
        assert got == kind, (got, payload[:100])
        return channel, payload

    def until(self, kind: bytes) -> tuple[int, bytes]:
        while True:
            got, channel, payload = self.receive()
            if got == kind:
                return channel, payload

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def greet(self, framed: bool = False) -> None:
        self.expect(b"H")
        self.until(b"G")
        if framed:
            self.socket.sendall(ATTACH_HEADER.pack(1, HEADER.size + 2))
        self.send(b"G", 0, b"{}")


Connect: TypeAlias = "Callable[..., tuple[Mux, Peer]]"
"""Makes a mux and its peer; takes the options of a mux."""
