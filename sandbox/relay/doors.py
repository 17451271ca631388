"""Where clients in here connect to get out: the proxy, and hosts by their names. Each connection becomes a channel."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from functools import partial

from .channels import Channel, SocketChannel
from .link import READ, Link
from .names import LARGEST, Names, answer

MAX_PROXIED = 264
"""Connections of clients in here; the host takes no more than these and the kernel's. The gate takes fewer, and tells
those beyond that why."""
FIRST_OWN = 0x80000000
ANSWERED_AT_ONCE = 64
"""Questions for names, of which a flood must not keep others waiting."""
LARGEST_HEAD = 16 * 1024
"""Bytes in which the gate agrees to a tunnel."""
FULL = b"HTTP/1.1 503 more than %d connections at once: close some\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Doors:
    """Listens as hello asks. What cannot be listened at is told, and the rest works."""

    def __init__(self, link: Link, channels: dict[int, Channel], selector: selectors.BaseSelector) -> None:
        self.link, self.channels, self.selector = link, channels, selector
        self.names = Names()
        self.here: dict[str, str] = {}
        self.next_own = FIRST_OWN

    def proxy(self, port: int) -> None:
        self.listen("127.0.0.1", port, self.to_proxy)

    def hosts(self, ports: list[int], names_port: int, here: dict[str, str]) -> None:
        """Answers questions for names, and takes connections to the addresses it gave for them, and to those in `here`.

        Those are what code calls this machine by, and a person who told of an API on theirs means the other one.
        """
        self.here = here
        self.listen("127.0.0.1", names_port, self.asked, socket.SOCK_DGRAM)
        for port in ports:
            self.listen("0.0.0.0", port, self.to_host)

    def listen(
        self,
        address: str,
        port: int,
        ready: Callable[[socket.socket], None],
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> None:
        listener = socket.socket(socket.AF_INET, kind)
        try:
            if kind == socket.SOCK_STREAM:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            if kind == socket.SOCK_STREAM:
                listener.listen(MAX_PROXIED)
        except OSError as error:  # an engine may keep low ports from users
            listener.close()
            self.link.send(b"L", 0, f"relay: nothing listens on port {port}: {error.strerror}\n".encode())
            return
        listener.setblocking(False)
        self.selector.register(listener, READ, lambda mask: ready(listener))

    def to_proxy(self, listener: socket.socket) -> None:
        if client := self.accepted(listener, FULL % MAX_PROXIED):
            self.channel(client, SocketChannel)

    def to_host(self, listener: socket.socket) -> None:
        if client := self.accepted(listener, b""):
            address, port = client.getsockname()
            if target := self.target(address, port):
                self.channel(client, partial(Tunnel, target=target))
            else:
                client.close()

    def target(self, address: str, port: int) -> str:
        """What is behind an address of ours; empty where nothing is."""
        name = self.names.name(address)
        return f"{name}:{port}" if name else self.here.get(f"{address}:{port}", "")

    def accepted(self, listener: socket.socket, full: bytes) -> socket.socket | None:
        """The next client, unless there are too many: then it is sent `full`, as far as it waits for that."""
        try:
            client, _ = listener.accept()
        except OSError:
            return None
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each keep-alive request took 40 ms
            if sum(number >= FIRST_OWN for number in self.channels) < MAX_PROXIED:
                return client
            client.send(full)
        except OSError:
            pass
        client.close()
        return None

    def channel(self, client: socket.socket, kind: Callable[..., SocketChannel]) -> None:
        number, self.next_own = self.next_own, self.next_own + 1
        self.link.send(b"O", number, b"proxy")
        kind(self.link, self.channels, number, self.selector).attach(client)

    def asked(self, listener: socket.socket) -> None:
        for _ in range(ANSWERED_AT_ONCE):
            try:
                query, sender = listener.recvfrom(LARGEST)
                if reply := answer(query, self.names):
                    listener.sendto(reply, sender)
            except BlockingIOError:
                return
            except OSError:
                continue  # the one who asked is gone


class Tunnel(SocketChannel):
    """A client that takes us for the host: the proxy is asked for a tunnel to `target` first, and then left out."""

    reading = False

    def __init__(
        self, link: Link, channels: dict[int, Channel], number: int, selector: selectors.BaseSelector, target: str
    ) -> None:
        super().__init__(link, channels, number, selector)
        self.head = bytearray()
        self.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())

    def take(self, data: bytes) -> None:
        if not self.reading:
            data = self.agreed(data)
        if data:
            super().take(data)

    def agreed(self, data: bytes) -> bytes:
        """Reads the proxy's answer; returns what comes behind it."""
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end and len(head) <= LARGEST_HEAD:
            self.grant(len(data))
        elif not end or head.split(b" ")[1:2] != [b"200"]:
            self.close()
        else:
            self.grant(len(data) - len(rest))
            self.head.clear()
            self.reading = True
            self.arm()
            return bytes(rest)
        return b""
