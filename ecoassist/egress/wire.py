"""One HTTP/1.1 connection: asyncio streams below, h11 above, every wait with a deadline."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import h11

_READ = 1 << 18
"""Bytes per read: what asyncio takes from a socket at once."""

_PIPELINED = 1 << 17
"""Bytes kept of what a client sends while its request is still being answered."""

_GOODBYE = 1.0
"""Seconds a peer gets to answer a close."""

_TURN = 0.01
"""Seconds for which one connection may keep the loop, which also carries the link to the kernel."""

_ASKED: WeakKeyDictionary[ssl.SSLObject, str] = WeakKeyDictionary()
"""The server names that clients asked for in their handshakes."""


class Refused(Exception):
    """Answered to the client instead of the upstream's response. The reason is for the code in the sandbox to read."""

    def __init__(self, status: int, reason: str, *, blocked: bool = False) -> None:
        """`blocked`: only because the host is not on the list."""
        super().__init__(reason)
        self.status, self.reason, self.blocked = status, reason, blocked


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are bytes, times are seconds."""

    connections: int = 256
    """Of clients, at once."""
    head: int = 1 << 16
    """Of a request: its first line and its headers."""
    headers: int = 128
    """Lines of them."""
    request_body: int = 1 << 30
    whole_body: int = 8 << 20
    """Of a request that is kept whole, so that a key can be put into its body."""
    whole_bodies: int = 32 << 20
    """Of all requests kept whole together: the sandbox decides how many there are."""
    response_body: int = 1 << 30
    """After decoding."""
    unpacked: int = 64 << 20
    """Of a response that is decoded: from here on it may be at most `expansion` times what was received."""
    expansion: int = 500
    kept: int = 8
    """Idle connections to one place."""
    kept_seconds: float = 30.0
    connect: float = 15.0
    """Also for the client's TLS handshake."""
    head_seconds: float = 30.0
    """From the first byte of a request to the end of its head."""
    idle: float = 60.0
    """Without a byte in either direction."""
    total: float = 600.0
    """From the head of a request to the end of its response."""


class Turns:
    """What is at hand is not waited for, so that a peer who sends ahead would keep everybody else from their turn."""

    def __init__(self, seconds: float = _TURN) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    async def give(self) -> None:
        """To everybody else, unless they had one lately."""
        if time.monotonic() - self._last >= self._seconds:
            for _ in range(2):  # after the first, what has just come in is known to nobody yet
                await asyncio.sleep(0)
            self._last = time.monotonic()


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
        self._turns, self._ahead = Turns(), False
        """Ahead: the last event was at hand, and so may be the next."""
        self.received = 0
        """Bytes, over all requests."""
        self.ended = False
        """The other side sends nothing more."""
        self.unasked = False
        """The client got its answer while it waited for "100 Continue": whether its body will come, nobody can tell."""

    def again(self) -> Wire:
        """The same connection, on which HTTP begins anew."""
        return Wire(self.reader, self.writer, self.http.our_role, self.idle)

    async def secured(self, context: ssl.SSLContext, seconds: float) -> Wire:
        """The same connection with TLS on it, as the server's side.

        StreamWriter.start_tls guesses the side from how the streams were made, and these may come from a socket pair.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_READ)
        protocol = _OnTop(reader, self.writer.transport.get_protocol())
        context.sni_callback = _hear
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

    @property
    def asked(self) -> str:
        """The server name that the client asked for in its handshake, in lower case; empty where it named none."""
        spoken = self.writer.get_extra_info("ssl_object")
        return _ASKED.get(spoken, "").lower() if spoken else ""

    async def request(self, seconds: float) -> tuple[h11.Event, bytes]:
        """The next request with its head as it was sent, or the end of the connection.

        Its first byte is waited for as long as a connection may be idle, the rest for `seconds`.
        """
        if not self.http.trailing_data[0]:
            await self._more(self.idle)
        async with asyncio.timeout(seconds):
            while True:
                before = self.http.trailing_data[0]
                if isinstance(event := self.http.next_event(), h11.Event):
                    return event, before[: len(before) - len(self.http.trailing_data[0])]
                await self._more(self.idle)

    def at_hand(self) -> h11.Event | None:
        """What receive() would return without waiting."""
        event = self.http.next_event()
        return event if isinstance(event, h11.Event) else None

    async def receive(self) -> h11.Event:
        if self._ahead:  # else nobody is kept waiting, and an answer before a hard end would be lost meanwhile
            await self._turns.give()
        self._ahead = True
        while not isinstance(event := self.http.next_event(), h11.Event):
            if event is h11.PAUSED:
                raise h11.RemoteProtocolError("unexpected data")
            self._ahead = False
            await self._more(self.idle)
        return event

    async def _more(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            data = await self.reader.read(_READ)
        self.received, self.ended = self.received + len(data), not data
        self.http.receive_data(data)

    async def send(self, *events: h11.Event) -> None:
        if isinstance(events[0], h11.Response):
            self.unasked = self.http.they_are_waiting_for_100_continue
        self.writer.write(b"".join(self.http.send(event) or b"" for event in events))
        async with asyncio.timeout(self.idle):
            await self.writer.drain()

    async def quiet(self) -> bool:
        """Whether a request can be sent: the other side has neither closed nor sent anything that nobody asked for."""
        if self.http.our_state is not h11.IDLE or self.http.trailing_data[0] or self.writer.is_closing():
            return False
        try:
            async with asyncio.timeout(0):
                await self.reader.read(1)
        except TimeoutError:
            return not self.reader.at_eof()
        except OSError:
            pass
        return False

    async def gone(self) -> None:
        """Returns when the other side has closed. What it sends before that is kept for the next receive()."""
        kept = 0
        while data := await self.reader.read(_READ):
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
            self._ahead = False
        return done

    async def close(self) -> None:
        self.writer.close()
        try:
            async with asyncio.timeout(_GOODBYE):
                await self.writer.wait_closed()
        except OSError:
            pass
        finally:
            self.abort()  # a peer that does not answer the goodbye holds nothing here

    def abort(self) -> None:
        """Ends it at once, without a goodbye."""
        self.writer.transport.abort()


def _hear(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
    assert isinstance(connection, ssl.SSLObject)
    _ASKED[connection] = name or ""


class _OnTop(asyncio.StreamReaderProtocol):
    """Takes the connection over; whoever waits for the end of the streams beneath learns of it."""

    def __init__(self, reader: asyncio.StreamReader, beneath: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._beneath = beneath

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._beneath.connection_lost(exc)
