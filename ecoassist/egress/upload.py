"""The body of a request on its way from the client: kept whole where it must be, else passed on as it comes."""

from __future__ import annotations

import asyncio

import h11

from .places import Headers
from .upstream import Call
from .wire import Limits, Refused, Wire

_SMALL = 1 << 16
"""Bytes. A body up to this length is waited for: one write and one task less, and its host sees no broken beginning."""
_PATIENCE = 1.0
"""Seconds in which a host may say "100 Continue"; then we do, for hosts that know nothing of it."""
_DISCARDED = 64 << 20
"""Bytes of a refused body that are read: many clients read no answer before they have sent everything."""


class Room:
    """What the requests under way together may hold of bodies that are kept whole."""

    def __init__(self, size: int) -> None:
        self.size, self.held = size, 0


class Upload:
    """Read once: by whole(), into() or discard()."""

    def __init__(self, client: Wire, request: h11.Request, limits: Limits) -> None:
        headers = dict(request.headers)
        self._client, self._limits = client, limits
        self._length = int(headers[b"content-length"]) if b"content-length" in headers else None
        self._chunked = b"transfer-encoding" in headers
        self._read = self._held = 0
        self._before = client.received - len(client.http.trailing_data[0])  # some of it may have come with the head

    @property
    def small(self) -> bool:
        """Whether it is better waited for: also where there is none."""
        return not self._chunked and (self._length or 0) <= _SMALL and not self.awaits_word

    @property
    def awaits_word(self) -> bool:
        """Whether the client waits for "100 Continue" before it sends anything."""
        return self._client.http.they_are_waiting_for_100_continue

    @property
    def framing(self) -> Headers:
        """The header that says where the body ends, if it is passed on as it comes."""
        framing = ((b"transfer-encoding", b"chunked"),) if self._chunked else ()
        return framing if self._length is None else ((b"content-length", b"%d" % self._length),)

    def framing_of(self, body: bytes) -> Headers:
        """The same for a body that was kept whole."""
        return ((b"content-length", b"%d" % len(body)),) if body or self.framing else ()

    def check(self) -> None:
        """Raises Refused for one that says that it is too long."""
        if (self._length or 0) > self._limits.request_body:
            raise self._too_large(self._limits.request_body)

    async def whole(self, room: Room) -> bytes:
        """All of it. Raises Refused where it is too large, alone or with the others in the room."""
        limit = self._limits.whole_body
        if (self._length or 0) > limit:
            raise self._too_large(limit)
        await self.go_on()
        body = bytearray()
        while isinstance(event := await self._client.receive(), h11.Data):
            self._count(event, limit)
            if room.held + len(event.data) > room.size:
                raise Refused(503, f"the requests under way have more than {room.size} bytes of body")
            room.held, self._held = room.held + len(event.data), self._held + len(event.data)
            body += event.data
        return bytes(body)

    def leave(self, room: Room) -> None:
        """The body is not needed any more."""
        room.held, self._held = room.held - self._held, 0

    async def into(self, call: Call) -> None:
        """Passes it on, no faster than the host takes it. What the host does not want any more is read and dropped."""
        event = await self._first()
        while isinstance(event, h11.Data):
            self._count(event, self._limits.request_body)
            await call.send(event)
            event = await self._client.receive()
        await call.send(h11.EndOfMessage())  # without trailers: no host depends on them, and nobody has checked them

    def _count(self, event: h11.Data, limit: int) -> None:
        """Raises Refused where the body is too large, or what it is wrapped in."""
        self._read += len(event.data)
        if self._read > limit or self._client.received - self._before > 2 * limit + _SMALL:
            raise self._too_large(limit)

    async def _first(self) -> h11.Event:
        if self.awaits_word:
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await self._client.receive()
            except TimeoutError:
                await self.go_on()
        return await self._client.receive()

    async def go_on(self) -> None:
        """Tells the client to send it, if it waits for that."""
        if self.awaits_word:
            await self._client.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def _too_large(self, limit: int) -> Refused:
        return Refused(413, f"the request body is larger than {limit} bytes")


async def discard(client: Wire, seconds: float) -> None:
    """Reads what is left of a request after its answer. Raises OSError or RemoteProtocolError where that goes wrong."""
    read = 0
    async with asyncio.timeout(seconds):
        while client.http.their_state is h11.SEND_BODY and not client.unasked and read < _DISCARDED:
            event = await client.receive()
            read += len(event.data) if isinstance(event, h11.Data) else 0
