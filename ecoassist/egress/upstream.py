"""The connection to the real host: to a checked address, over verified TLS, kept for the client's next request."""

from __future__ import annotations

import h11

from .dial import Dialer
from .places import Outgoing
from .policy import Door
from .wire import Limits, Refused, Wire

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


class Upstream:
    """At most one connection at a time. Every failure is Refused with the reason."""

    def __init__(self, dialer: Dialer, limits: Limits) -> None:
        self._dialer, self._limits = dialer, limits
        self._wire: Wire | None = None
        self._to: Door | None = None

    async def ask(self, door: Door, request: Outgoing) -> h11.Response:
        """Sends the request; returns the head of the response. Its body is read with piece()."""
        kept = self._wire if self._to == door else None
        if kept and kept.ready:
            try:
                return await self._send(kept, request)
            except (OSError, h11.RemoteProtocolError) as error:
                # The host may have closed it in the meantime. Only it knows whether it saw the request.
                if isinstance(error, TimeoutError) or request.method not in _REPEATABLE:
                    raise self._failed(door.host, error) from None
        await self.close()
        self._wire, self._to = await self._dialer.open(door), door
        try:
            return await self._send(self._wire, request)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._failed(door.host, error) from None

    async def piece(self) -> bytes:
        """The next piece of the body; empty at its end, after which the connection is kept if the host agrees."""
        wire, door = self._wire, self._to
        assert wire, "ask() comes first"
        assert door
        try:
            while not isinstance(event := await wire.receive(), h11.EndOfMessage):
                if isinstance(event, h11.Data) and event.data:
                    return bytes(event.data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._failed(door.host, error) from None
        if not wire.next_cycle():
            await self.close()
        return b""

    async def close(self) -> None:
        wire, self._wire, self._to = self._wire, None, None
        if wire:
            await wire.close()

    async def _send(self, wire: Wire, request: Outgoing) -> h11.Response:
        headers = list(request.headers)
        if request.body or request.method not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(request.body)))
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        await wire.send(head, *([h11.Data(data=request.body)] if request.body else []), h11.EndOfMessage())
        while not isinstance(event := await wire.receive(), h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise h11.RemoteProtocolError("no response")
        return event

    def _failed(self, host: str, error: Exception) -> Refused:
        if isinstance(error, TimeoutError):
            return Refused(504, f"{host} was silent for {self._limits.idle:g} s")
        return Refused(502, f"{host} broke off the connection")
