"""A connection that the sandbox opened, as a transport of asyncio that takes TLS and needs no socket of ours."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from .frames import MAX_FRAME, WINDOW, Violation

LARGEST, SMALLEST = 128 * 1024, 32 * 1024
"""Unsent bytes from which on the protocol is asked to wait, and down to which it waits."""


class Outlet(Protocol):
    """Where frames go out."""

    def put(self, kind: bytes, channel: int, payload: bytes | memoryview = b"") -> None: ...

    def room(self, asking: Proxied) -> bool:
        """Whether data may be put. If not, `asking` is flushed as soon as it may."""
        ...


class Proxied(asyncio.Transport):
    """Flow is by credit in both directions; what the peer sends beyond its window is a Violation.

    Holds at most one window of received data, while its protocol does not read. A close counts for both directions,
    after the data sent before it. All methods belong to the loop.
    """

    _start_tls_compatible = True  # asyncio asks whether it may put TLS on a transport that is not its own

    def __init__(self, number: int, outlet: Outlet) -> None:
        super().__init__()
        self._number, self._outlet = number, outlet
        self._loop = asyncio.get_running_loop()
        self._credit = self._granted = WINDOW
        self._taken = 0
        self._received, self._unsent = bytearray(), bytearray()
        self._reading, self._full = True, False
        self._peer_closed = self._told = self._closing = self._ended = False
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """On which `writer.start_tls(context)` acts as the server, for that is who has a callback for connections."""
        reader, made = asyncio.StreamReader(), list[asyncio.StreamWriter]()
        protocol = asyncio.StreamReaderProtocol(reader, lambda _, writer: made.append(writer))
        self.set_protocol(protocol)
        protocol.connection_made(self)
        return reader, made[0]

    # ── what the peer sends ─────────────────────────────────────────────────────────────────────────────────────────

    def data(self, payload: bytes) -> None:
        self._granted -= len(payload)
        if self._granted < 0:
            raise Violation("more data than the window allows")
        if self._peer_closed or not payload:
            raise Violation("data after the close" if payload else "empty data")
        if self._closing:
            return
        if self._reading and not self._received:
            self._hand_over(payload)
        else:
            self._received += payload

    def window(self, size: int) -> None:
        self._credit += size
        if self._credit > WINDOW:
            raise Violation("more window than was used")
        self.flush()

    def closed(self) -> None:
        self._peer_closed = True
        self._unsent.clear()
        self.flush()
        self._deliver()

    # ── to the protocol ─────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self) -> None:
        if self._reading and self._received and not self._closing:
            data = bytes(self._received)
            self._received.clear()
            self._hand_over(data)
        if self._reading and self._peer_closed and not self._received and not self._closing and not self._told:
            self._told = True
            self._hand_over(b"")

    def _hand_over(self, data: bytes) -> None:
        """b"": the end, after which a protocol may keep the transport, as TLS does until all was read from it."""
        protocol = cast(asyncio.Protocol, self._protocol)
        try:
            if not data:
                if not protocol.eof_received():
                    self.close()
            elif isinstance(protocol, asyncio.BufferedProtocol):
                _fill(protocol, data)
            else:
                protocol.data_received(data)
        except Exception as error:  # noqa: BLE001 - as asyncio does: a fault of one connection is its own end
            self._force_close(error)
        self._taken += len(data)
        if self._taken >= WINDOW // 2 and not self._closing and not self._peer_closed:
            self._granted += self._taken
            self._outlet.put(b"W", self._number, self._taken.to_bytes(4, "big"))
            self._taken = 0

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    # ── to the peer ─────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._peer_closed:
            self._force_close(ConnectionResetError("the client is gone"))
        if self._closing:
            return
        rest = memoryview(data)
        if not self._unsent:
            rest = rest[self._pass_on(rest) :]
        self._unsent += rest
        if len(self._unsent) > LARGEST and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def flush(self) -> None:
        """Sends what the peer and the link have room for."""
        with memoryview(self._unsent) as unsent:
            sent = self._pass_on(unsent)
        del self._unsent[:sent]
        if self._full and len(self._unsent) <= SMALLEST:
            self._full = False
            self._protocol.resume_writing()
        if self._closing and not self._unsent:
            self._end(None)

    def _pass_on(self, data: memoryview) -> int:
        """Returns how many bytes of it."""
        sent = 0
        while sent < len(data) and self._credit and self._outlet.room(self):
            size = min(len(data) - sent, self._credit, MAX_FRAME)
            self._outlet.put(b"D", self._number, data[sent : sent + size])
            self._credit -= size
            sent += size
        return sent

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """After what is unsent."""
        if not self._closing:
            self._closing = True
            self._received.clear()
            self.flush()

    def abort(self) -> None:
        self._force_close(None)

    def _force_close(self, error: Exception | None) -> None:  # asyncio's TLS calls it by this name
        self._closing = True
        self._received.clear()
        self._unsent.clear()
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended = True
            if not self._peer_closed:
                self._outlet.put(b"C", self._number)
            self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol


def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]
