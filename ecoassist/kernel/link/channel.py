"""One byte stream through the link: from here to a socket or a file in the sandbox, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .frames import CHUNK, WINDOW, Violation

Send = Callable[[bytes, int, bytes | memoryview], Awaitable[None]]
"""Puts one frame on the link; returns when the link has room again."""
CLOSE_SECONDS = 5.0
"""For what the sandbox sent last to reach a slow local reader."""


class Channel:
    """Flow is by credit in both directions; what the peer sends beyond its window is a Violation.

    Holds at most one window of received data. A close counts for both directions, after the data sent before it.
    """

    def __init__(self, number: int, send: Send) -> None:
        self.number = number
        self._send = send
        self._credit, self._granted = WINDOW, WINDOW
        self._received = bytearray()
        self._taken = 0
        self.peer_closed = False
        self._lost = False
        self._may_send, self._may_read = asyncio.Event(), asyncio.Event()

    # ── what the peer sends ─────────────────────────────────────────────────────────────────────────────────────────

    def data(self, payload: bytes) -> None:
        self._granted -= len(payload)
        if self._granted < 0:
            raise Violation("more data than the window allows")
        if self.peer_closed or not payload:
            raise Violation("data after the close" if payload else "empty data")
        self._received += payload
        self._may_read.set()

    def window(self, size: int) -> None:
        self._credit += size
        if self._credit > WINDOW:
            raise Violation("more window than was used")
        self._may_send.set()

    def closed(self) -> None:
        self.peer_closed = True
        self._may_read.set()
        self._may_send.set()

    # ── for one reader and one writer ───────────────────────────────────────────────────────────────────────────────

    async def read(self, least: int = 1) -> bytes:
        """What has come, once it is `least` bytes (half a window at most); less only at the end, where it is b"".

        The credit for it is given back by the next call. Raises ConnectionError when the channel was lost.
        """
        if self._taken >= WINDOW // 2:
            taken, self._taken = self._taken, 0
            self._granted += taken
            await self._send(b"W", self.number, taken.to_bytes(4, "big"))
        while len(self._received) < least and not self.peer_closed and not self._lost:
            self._may_read.clear()
            await self._may_read.wait()
        if self._lost:
            raise ConnectionError("the channel was lost")
        data = bytes(self._received)
        self._received.clear()
        self._taken += len(data)
        return data

    async def room(self) -> int:
        """How many bytes may be sent now: waits until there are some. None are left to send when the peer closed.

        Raises ConnectionError when the channel was lost.
        """
        while not self._credit and not self.peer_closed and not self._lost:
            self._may_send.clear()
            await self._may_send.wait()
        if self._lost:
            raise ConnectionError("the channel was lost")
        return 0 if self.peer_closed else min(CHUNK, self._credit)

    async def write(self, data: bytes | memoryview) -> None:
        """Sends what room() allowed."""
        self._credit -= len(data)
        await self._send(b"D", self.number, data)

    def lose(self) -> None:
        """Ends what waits for this channel."""
        self._lost = True
        self._may_read.set()
        self._may_send.set()

    # ── between the peer and a local connection ─────────────────────────────────────────────────────────────────────

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries bytes between the peer and a local connection until either end closes. Closes `writer`."""
        ways = {asyncio.create_task(self._outward(reader)), asyncio.create_task(self._inward(writer))}
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not self.peer_closed:
                await self._send(b"C", self.number, b"")
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
            ended.pop().result()
        except OSError:
            pass  # the local end is gone, or does not read: nothing is left to deliver
        finally:
            writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _outward(self, reader: asyncio.StreamReader) -> None:
        while room := await self.room():
            data = await reader.read(room)
            if not data:
                return
            await self.write(data)
        await asyncio.Event().wait()  # the peer closed: its last data is still on its way to the local end

    async def _inward(self, writer: asyncio.StreamWriter) -> None:
        while data := await self.read():
            writer.write(data)
            await writer.drain()
