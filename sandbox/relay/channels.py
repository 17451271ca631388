"""The channels of the link, and those between the host and a socket in here."""

from __future__ import annotations

import selectors
import socket
import struct

from .link import CHUNK, READ, WRITE, Link

WINDOW = 256 * 1024


class Channel:
    """Bytes in both directions, by credit. Is one of `channels` until it is closed."""

    def __init__(self, link: Link, channels: dict[int, Channel], number: int) -> None:
        self.link, self.channels, self.number = link, channels, number
        self.credit, self.taken = WINDOW, 0
        channels[number] = self

    def frame(self, kind: bytes, payload: bytes) -> None:
        if kind == b"D":
            self.take(payload)
        elif kind == b"W":
            self.credit += struct.unpack("!I", payload)[0]
            self.resume()
        else:
            self.closed()

    def take(self, data: bytes) -> None:
        """The host sent data."""

    def resume(self) -> None:
        """There is more credit."""

    def closed(self) -> None:
        """The host closed; what it sent before still counts."""
        self.close(tell=False)

    def release(self) -> None:
        """Gives back what is open in here."""

    def send(self, data: bytes) -> None:
        self.credit -= len(data)
        self.link.send(b"D", self.number, data)

    def grant(self, size: int) -> None:
        """Data was taken: the host may send as much again."""
        self.taken += size
        if self.taken >= WINDOW // 2:
            self.link.send(b"W", self.number, struct.pack("!I", self.taken))
            self.taken = 0

    def close(self, tell: bool = True) -> None:
        if self.channels.pop(self.number, None) and tell:
            self.link.send(b"C", self.number)
        self.release()


class SocketChannel(Channel):
    """Before there is a socket it collects."""

    reading = True
    """Whether what comes from the socket is for the host."""

    def __init__(
        self,
        link: Link,
        channels: dict[int, Channel],
        number: int,
        selector: selectors.BaseSelector,
        path: str = "",
    ) -> None:
        super().__init__(link, channels, number)
        self.selector, self.path = selector, path
        self.socket: socket.socket | None = None
        self.unsent = bytearray()
        self.closing = False
        self.mask = 0

    def attach(self, connected: socket.socket) -> None:
        """Takes a socket that does not block."""
        self.socket = connected
        self.arm()

    def connect(self) -> None:
        """Tries whether the kernel has made its socket, without waiting for one that accepts nobody."""
        attempt = socket.socket(socket.AF_UNIX)
        attempt.setblocking(False)
        try:
            attempt.connect(self.path)
        except OSError:
            attempt.close()
        else:
            self.attach(attempt)

    def arm(self) -> None:
        """Tells the selector what this channel waits for."""
        if self.socket is None:
            return
        mask = (READ if self.reading and self.credit and not self.closing else 0) | (WRITE if self.unsent else 0)
        if mask == self.mask:
            return
        if mask and self.mask:
            self.selector.modify(self.socket, mask, self.ready)
        elif mask:
            self.selector.register(self.socket, mask, self.ready)
        elif self.mask:
            self.selector.unregister(self.socket)
        self.mask = mask

    def ready(self, mask: int) -> None:
        try:
            if mask & WRITE and self.socket and self.unsent:
                self.drain(self.socket)
            if mask & READ and self.socket and self.credit:
                self.fill(self.socket)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self.arm()

    def fill(self, connected: socket.socket) -> None:
        data = connected.recv(min(CHUNK, self.credit))
        if data:
            self.send(data)
        else:
            self.close()

    def drain(self, connected: socket.socket) -> None:
        sent = connected.send(self.unsent)
        del self.unsent[:sent]
        if self.closing and not self.unsent:
            self.close(tell=False)
        else:
            self.grant(sent)

    def take(self, data: bytes) -> None:
        if self.socket and not self.unsent:
            data = data[self.passed(self.socket, data) :]
        self.unsent += data
        self.arm()

    def passed(self, connected: socket.socket, data: bytes) -> int:
        """How many bytes of it the socket took at once."""
        try:
            sent = connected.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return len(data)
        self.grant(sent)
        return sent

    def resume(self) -> None:
        self.arm()

    def closed(self) -> None:
        self.closing = True
        if self.socket is None or not self.unsent:
            self.close(tell=False)

    def release(self) -> None:
        if self.socket:
            if self.mask:
                self.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None
