"""The event loop: one thread, every callback short."""

from __future__ import annotations

import io
import json
import os
import selectors
import signal
import time

from .channels import Channel, SocketChannel
from .doors import Doors
from .files import Download, Listing, Upload
from .folders import create, wipe, write_all
from .kernel import Kernel, reap
from .link import READ, Link

REAPED_AT_ONCE = 100
"""Processes that have ended, of which a fork bomb makes more while they are reaped."""
SOCKET_POLL = 0.005
"""Seconds between two looks for a socket of the kernel, which appear about half a second after its start."""
TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any


class Relay:
    """`facts` goes with each answer to a start. run() raises EOFError when the host is gone."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        # epoll's watches are counted by user, and code could use up all of them
        self.selector = selectors.PollSelector()
        self.link = Link(self.selector, self.receive)
        self.channels: dict[int, Channel] = {}
        self.waiting: list[SocketChannel] = []
        self.walking: list[Listing] = []
        self.doors = Doors(self.link, self.channels, self.selector)
        self.kernel = Kernel()
        self.hello: dict[str, Any] = {}
        self.file: io.FileIO | None = None
        self.failure = ""
        self.watch_signals()

    def watch_signals(self) -> None:
        """SIGTERM and the like get no handler: what PID 1 does not handle, nobody in its container can send it."""
        self.signals, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.selector.register(self.signals, READ, self.signalled)

    def run(self) -> None:
        while True:
            for key, mask in self.selector.select(self.timeout()):
                key.data(mask)
            for channel in self.unconnected():
                channel.connect()
            for listing in self.listings():
                listing.step()

    def unconnected(self) -> list[SocketChannel]:
        """Channels that wait for a running kernel to make its sockets."""
        if self.waiting:
            self.waiting = [one for one in self.waiting if one.number in self.channels and not one.socket]
        return self.waiting if self.kernel.pid else []

    def listings(self) -> list[Listing]:
        """Channels that still look at folders."""
        if self.walking:
            self.walking = [one for one in self.walking if one.number in self.channels and one.walking]
        return self.walking

    def timeout(self) -> float | None:
        if self.listings():
            return 0
        if not self.unconnected():
            return None
        return SOCKET_POLL if time.monotonic() - self.kernel.started < 10 else 0.25

    def signalled(self, mask: int) -> None:
        if signal.SIGINT in os.read(self.signals, 4096):
            self.kernel.signal(signal.SIGINT)
        for _ in range(REAPED_AT_ONCE):
            reaped = reap()
            if not reaped:
                return
            if exit := self.kernel.exit(*reaped):
                self.link.send(b"L", 0, self.kernel.last_words())
                self.link.send(b"X", 0, json.dumps(exit).encode())
        try:
            os.write(self.wake, bytes([signal.SIGCHLD]))  # the others get their turn before the rest
        except BlockingIOError:
            pass  # it is full, which will do

    def receive(self, mask: int) -> None:
        for kind, number, payload in self.link.frames():
            if kind in b"DCW":
                channel = self.channels.get(number)
                if channel:
                    channel.frame(kind, payload)
            elif kind == b"O":
                self.open(number, payload.decode("utf-8", "replace"))
            else:
                self.command(kind, payload)

    def command(self, kind: bytes, payload: bytes) -> None:
        if kind == b"H":
            self.hello = json.loads(payload)
            self.doors.proxy(self.hello.get("proxy_port", 3128))
            if ports := self.hello.get("ports"):
                self.doors.hosts(ports, self.hello.get("names_port", 53), self.hello.get("here", {}))
        elif kind == b"F" or kind == b"f":
            self.write_file(kind, payload)
        elif kind == b"G":
            self.go()
        elif kind == b"S":
            self.kernel.signal(payload[0])
        elif kind == b"R":
            self.restart()

    def open(self, number: int, wanted: str) -> None:
        verb, _, rest = wanted.partition(" ")
        if verb == "list":
            self.walking.append(Listing(self.link, self.channels, number, self.hello["cwd"]))
        elif verb == "get":
            Download(self.link, self.channels, number, self.hello["cwd"], rest)
        elif verb == "put":
            size, _, name = rest.partition(" ")
            Upload(self.link, self.channels, number, self.hello.get("spool", "/tmp"), int(size), name)
        else:
            path = f"{self.hello['connection']['ip']}-{int(verb)}"
            self.waiting.append(SocketChannel(self.link, self.channels, number, self.selector, path))

    def write_file(self, kind: bytes, payload: bytes) -> None:
        """F begins a file, f continues it. The first failure is kept for the answer to G."""
        try:
            if kind == b"F":
                self.close_file()
                self.file = create(self.hello["cwd"], payload.decode())
            elif self.file:
                write_all(self.file, payload)
        except (OSError, ValueError) as error:
            self.failure = self.failure or str(error)

    def close_file(self) -> None:
        if self.file:
            self.file.close()
            self.file = None

    def go(self) -> None:
        self.close_file()
        failure = self.failure
        if not failure:
            try:
                self.kernel.start(self.hello)
            except (OSError, ValueError) as error:
                failure = f"the kernel did not start: {error}"
        answer = {"error": failure} if failure else {"facts": self.facts}
        self.link.send(b"G", 0, json.dumps(answer).encode())

    def restart(self) -> None:
        self.kernel.end()
        for channel in list(self.channels.values()):
            channel.close()
        self.close_file()
        self.failure = ""
        for folder in self.hello["wipe"]:
            wipe(folder)
