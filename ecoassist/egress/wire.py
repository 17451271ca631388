"""One HTTP/1.1 connection: asyncio streams below, h11 above, every wait with a deadline."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import h11

_PIPELINED = 1 << 20
"""Bytes kept of what a client sends while its request is still being answered."""

_GOODBYE = 1.0
"""Seconds a peer gets to answer a close."""


class Refused(Exception):
    """Answered to the client instead of the upstream's response. The reason is for the code in the sandbox to read."""

    def __init__(self, status: int, reason: str, *, blocked: bool = False) -> None:
        """`blocked`: only because the host is not on the list."""
        super().__init__(reason)
        self.status, self.reason, self.blocked = status, reason, blocked


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are bytes, times are seconds."""

    connections: int = 64
    request_body: int = 8 << 20
    request_bodies: int = 32 << 20
    """Of all requests under way together: they are kept whole, and the sandbox decides how many there are."""
    response_body: int = 1 << 30
    """After decoding."""
    connect: float = 15.0
    idle: float = 60.0
    """Without a byte in either direction."""
    total: float = 300.0
    """From a complete request to the end of its response."""


class Wire:
    """Raises OSError (also TimeoutError) where the connection fails, h11.RemoteProtocolError where it is not HTTP."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        role: type[h11.CLIENT] | type[h11.SERVER],
        idle: float,
    ) -> None:
        self.reader, self.writer, self.idle = reader, writer, idle
        self.http = h11.Connection(role, max_incomplete_event_size=65536)

    async def secured(self, context: ssl.SSLContext, seconds: float) -> Wire:
        """The same connection with TLS on it, as the server's side.

        StreamWriter.start_tls guesses the side from how the streams were made, and these may come from a socket pair.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = _OnTop(reader, self.writer.transport.get_protocol())
        transport = await loop.start_tls(
            self.writer.transport,
            protocol,
            context,
            server_side=True,
            ssl_handshake_timeout=seconds,
            ssl_shutdown_timeout=_GOODBYE,
        )
        if transport is None:
            raise ConnectionResetError("closed during the handshake")
        protocol.connection_made(transport)
        return Wire(reader, asyncio.StreamWriter(transport, protocol, reader, loop), h11.SERVER, self.idle)

    async def receive(self) -> h11.Event:
        while not isinstance(event := self.http.next_event(), h11.Event):
            if event is h11.PAUSED:
                raise h11.RemoteProtocolError("unexpected data")
            async with asyncio.timeout(self.idle):
                self.http.receive_data(await self.reader.read(65536))
        return event

    async def send(self, *events: h11.Event) -> None:
        self.writer.write(b"".join(self.http.send(event) or b"" for event in events))
        async with asyncio.timeout(self.idle):
            await self.writer.drain()

    @property
    def ready(self) -> bool:
        """Whether a request can be sent now."""
        return self.http.our_state is h11.IDLE and not self.reader.at_eof()

    async def gone(self) -> None:
        """Returns when the other side has closed. What it sends before that is kept for the next receive()."""
        kept = 0
        while data := await self.reader.read(65536):
            self.http.receive_data(data)
            kept += len(data)
            if kept > _PIPELINED:
                return
        self.http.receive_data(b"")

    def next_cycle(self) -> bool:
        """Whether the connection can carry another request."""
        done = self.http.our_state is h11.DONE and self.http.their_state is h11.DONE
        if done:
            self.http.start_next_cycle()
        return done

    async def close(self) -> None:
        self.writer.close()
        try:
            async with asyncio.timeout(_GOODBYE):
                await self.writer.wait_closed()
        except OSError:
            pass
        finally:
            self.writer.transport.abort()  # a peer that does not answer the goodbye holds nothing here


class _OnTop(asyncio.StreamReaderProtocol):
    """Takes the connection over; whoever waits for the end of the streams beneath learns of it."""

    def __init__(self, reader: asyncio.StreamReader, beneath: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._beneath = beneath

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._beneath.connection_lost(exc)
