"""Our end of a ZeroMQ connection over a unix socket (ZMTP 3.0, RFC 23, without security), read only on demand.

Why not libzmq: its limits do not hold against a hostile peer. MAXMSGSIZE counts one part of a message and RCVHWM whole
messages, so one message of endless parts fills our memory (measured: 100 parts of 4 MB took 400 MB), and a part over
the limit ends the connection together with all that follows. Here nothing is read ahead, and what is too large is
passed over.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
CHUNK = 256 * 1024
LONGEST_COMMAND = 1024
MOST_PARTS = 64
"""Parts of one message that are kept; ipykernel's have seven, and one more for each buffer."""
SEND_SECONDS = 5.0
"""How long a peer may leave a message of ours unread: a stopped process never takes it."""


@dataclass(frozen=True, slots=True)
class Received:
    parts: list[bytearray]
    whole: bool = True
    """False: it was too large, and `parts` are those that came before that showed."""
    skipped: int = 0
    """Bytes of it that were passed over."""


Bytes: TypeAlias = "Generator[None, None, bytearray]"
"""Yields where more has to be read first."""


class Wire:
    """One connection as `kind`. Holds one message of at most `largest` bytes and one chunk beyond it.

    `close` it. When the peer breaks the protocol or is gone, `broken` says so and nothing comes any more.
    """

    def __init__(self, path: str, kind: Literal["SUB", "DEALER"], largest: int) -> None:
        self._path, self._kind, self._largest = path, kind, largest
        self._socket: socket.socket | None = None
        self._poll = select.poll()
        self._buffer = bytearray()
        self._incoming = self._messages()
        self.up = False
        """Whether messages can be sent."""
        self.broken = ""
        self.read = self.skipped = 0
        """Bytes in all, and those of them that were passed over."""

    def connect(self) -> bool:
        """Whether there is a connection; the peer's socket may not be there yet."""
        if self._socket is None:
            attempt = socket.socket(socket.AF_UNIX)
            try:
                attempt.connect(self._path)
            except OSError:
                attempt.close()
                return False
            attempt.settimeout(SEND_SECONDS)
            self._socket = attempt
            self._poll.register(attempt, select.POLLIN)
            self._write(GREETING)
        return True

    def send(self, parts: Sequence[bytes]) -> None:
        last = len(parts) - 1
        self._write(b"".join(_frame(MORE if at < last else 0, part) for at, part in enumerate(parts)))

    def receive(self, seconds: float) -> Received | None:
        """The next message; None when it was not complete within `seconds`."""
        end = time.monotonic() + seconds
        while (message := self._parsed()) is None and self._socket is not None and not self.broken:
            left = end - time.monotonic()
            if not self._poll.poll(max(0.0, left * 1000)):
                break
            self._read(self._socket)
            if left <= 0:  # what never pauses must not hold us up
                return self._parsed()
        return message

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.broken = self.broken or "it was closed"

    # ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, connected: socket.socket) -> None:
        try:
            data = connected.recv(CHUNK)
        except OSError as error:
            self.broken = str(error)
            return
        self._buffer += data
        self.read += len(data)
        if not data:
            self.broken = "the kernel closed its end"

    def _write(self, data: bytes) -> None:
        try:
            if self._socket is not None and not self.broken:
                self._socket.sendall(data)
        except OSError as error:
            self.broken = f"the kernel takes no messages: {error}"

    def _parsed(self) -> Received | None:
        try:
            return next(self._incoming, None)
        except ValueError as error:
            self.broken = str(error)
            return None

    def _messages(self) -> Iterator[Received | None]:
        """Each message once it is complete; None where more has to be read first. Raises ValueError."""
        greeting = yield from self._take(len(GREETING))
        if greeting[0] != 0xFF or greeting[10] < 3 or greeting[12:32] != GREETING[12:32]:
            raise ValueError("the kernel does not speak ZMTP 3 without security")
        self._write(_frame(COMMAND, b"\x05READY" + _property(b"Socket-Type", self._kind.encode())))
        parts: list[bytearray] = []
        size, whole, skipped = 0, True, 0
        while True:
            flags, length = yield from self._head()
            if flags & COMMAND:
                yield from self._command(length)
                continue
            size += length
            whole = whole and size <= self._largest and len(parts) < MOST_PARTS
            if whole:
                parts.append((yield from self._take(length)))
            else:
                yield from self._skip(length)
                skipped += length
            if not flags & MORE:
                received = Received(parts, whole, skipped)
                parts, size, whole, skipped = [], 0, True, 0
                yield received
                del received  # one message at a time in memory

    def _head(self) -> Generator[None, None, tuple[int, int]]:
        flags = (yield from self._take(1))[0]
        if flags & ~(MORE | LONG | COMMAND):
            raise ValueError("the kernel does not keep to ZMTP")
        return flags, int.from_bytes((yield from self._take(8 if flags & LONG else 1)))

    def _command(self, length: int) -> Generator[None, None, None]:
        if length > LONGEST_COMMAND:
            raise ValueError("the kernel does not keep to ZMTP")
        body = yield from self._take(length)
        if body.startswith(b"\x05READY") and not self.up:
            if self._kind == "SUB":
                self._write(_frame(0, b"\x01"))  # to everything; before READY it would be an error
            self.up = True

    def _take(self, count: int) -> Bytes:
        while len(self._buffer) < count:
            yield
        taken = self._buffer[:count]
        del self._buffer[:count]
        return taken

    def _skip(self, count: int) -> Generator[None, None, None]:
        while count:
            here = min(count, len(self._buffer))
            del self._buffer[:here]
            self.skipped += here
            count -= here
            if count:
                yield


def _frame(flags: int, body: bytes) -> bytes:
    if len(body) > 255:
        return bytes([flags | LONG]) + len(body).to_bytes(8) + body
    return bytes([flags, len(body)]) + body


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4) + value
