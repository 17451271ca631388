"""One byte stream through the link: between a local connection on the host and a socket in the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .frames import CHUNK, WINDOW, Violation

Send = Callable[[bytes, int, bytes], Awaitable[None]]
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
        self._peer_closed = False
        self._may_send, self._may_deliver = asyncio.Event(), asyncio.Event()

    # ── what the peer sends ─────────────────────────────────────────────────────────────────────────────────────────

    def data(self, payload: bytes) -> None:
        self._granted -= len(payload)
        if self._granted < 0:
            raise Violation("more data than the window allows")
        if self._peer_closed or not payload:
            raise Violation("data after the close" if payload else "empty data")
        self._received += payload
        self._may_deliver.set()

    def window(self, size: int) -> None:
        self._credit += size
        if self._credit > WINDOW:
            raise Violation("more window than was used")
        self._may_send.set()

    def closed(self) -> None:
        self._peer_closed = True
        self._may_deliver.set()

    # ── the two directions ──────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries bytes between the peer and a local connection until either end closes. Closes `writer`."""
        ways = {asyncio.create_task(self._outward(reader)), asyncio.create_task(self._inward(writer))}
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not self._peer_closed:
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
        while True:
            while not self._credit:
                self._may_send.clear()
                await self._may_send.wait()
            data = await reader.read(min(CHUNK, self._credit))
            if not data:
                return
            self._credit -= len(data)
            await self._send(b"D", self.number, data)

    async def _inward(self, writer: asyncio.StreamWriter) -> None:
        delivered = 0
        while self._received or not self._peer_closed:
            if not self._received:
                self._may_deliver.clear()
                await self._may_deliver.wait()
                continue
            data = bytes(self._received)
            self._received.clear()
            writer.write(data)
            await writer.drain()
            delivered += len(data)
            if delivered >= WINDOW // 2:
                self._granted += delivered
                await self._send(b"W", self.number, delivered.to_bytes(4, "big"))
                delivered = 0
