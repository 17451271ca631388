"""One request at a real host and its response, on a connection that may have carried others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import h11

from .dial import Dialer
from .places import Headers, Outgoing
from .policy import Door
from .pool import Pool
from .wire import Limits, Refused, Wire

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class Call:
    """ask(), then response(), then piece() until it returns nothing. Every failure is Refused with the reason."""

    def __init__(self, door: Door, dialer: Dialer, pool: Pool, limits: Limits) -> None:
        self._door, self._dialer, self._pool, self._limits = door, dialer, pool, limits
        self._wire: Wire | None = None
        self._again: Outgoing | None = None
        """The request, while it may be sent once more: on a kept connection that the host may have closed by now."""
        self._sent = 0
        """Pieces of the body that the host has taken."""
        self._before = 0
        """Bytes that the connection had brought to earlier requests."""
        self._deaf = False
        """The host takes no more of the body. It may have answered, though."""
        self.trailers: Headers = ()

    async def ask(self, request: Outgoing, *, streamed: bool) -> None:
        """Sends the request; if `streamed` its head only, and the body follows by send()."""
        self._wire = await self._pool.take(self._door)
        if not self._wire:
            return await self._ask_anew(request, streamed)
        repeatable = request.method in _REPEATABLE and not streamed and not request.body
        self._again = request if repeatable else None
        try:
            return await self._send(self._wire, request, streamed)
        except OSError as error:
            if not repeatable and not streamed:  # of the others, the host has seen nothing that it could act on twice
                raise self._failed(error) from None
        self.close()
        return await self._ask_anew(request, streamed)

    async def _ask_anew(self, request: Outgoing, streamed: bool) -> None:
        self._again = None
        self._wire = await self._dialer.open(self._door)
        try:
            await self._send(self._wire, request, streamed)
        except OSError as error:
            raise self._failed(error) from None

    async def _send(self, wire: Wire, request: Outgoing, streamed: bool) -> None:
        self._before = wire.received
        head = h11.Request(method=request.method, target=request.target, headers=list(request.headers))
        if streamed:
            await wire.send(head)
        elif request.body:
            await wire.send(head, h11.Data(data=request.body), h11.EndOfMessage())
        else:
            await wire.send(head, h11.EndOfMessage())

    async def send(self, event: h11.Data | h11.EndOfMessage) -> None:
        """The next part of the body. Where the host does not listen any more, nothing happens."""
        if self._deaf or not self._wire:
            return
        try:
            await self._wire.send(event)
            self._sent += 1
        except OSError:
            self._deaf = True

    async def response(self, go_on: Callable[[], Awaitable[None]]) -> h11.Response:
        """Its head. `go_on` is called when the host wants to see the body; other 1xx are passed over."""
        while True:
            try:
                event = await self._receive()
            except (OSError, h11.RemoteProtocolError) as error:
                if not self._again or isinstance(error, TimeoutError) or self.received:
                    raise self._failed(error) from None
                again = self._again
                self.close()
                await self._ask_anew(again, streamed=False)
                continue
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise self._failed(h11.RemoteProtocolError("no response"))
            if event.status_code == 100:
                await go_on()

    async def _receive(self) -> h11.Event:
        assert self._wire, "ask() comes first"
        while True:
            sent = self._sent
            try:
                return await self._wire.receive()
            except TimeoutError:
                if self._sent == sent:  # a long body on its way out is no silence
                    raise

    def at_hand(self) -> bytes | None:
        """What piece() would return, if it is here already; None where the host has to be waited for."""
        assert self._wire, "ask() comes first"
        try:
            event = self._wire.at_hand()
        except h11.RemoteProtocolError as error:
            raise self._failed(error) from None
        if isinstance(event, h11.EndOfMessage):
            return self._end(event)
        return bytes(event.data) if isinstance(event, h11.Data) and event.data else None

    async def piece(self) -> bytes:
        """The next piece of the body; empty at its end, after which the connection is kept if the host agrees."""
        try:
            while not isinstance(event := await self._receive(), h11.EndOfMessage):
                if isinstance(event, h11.Data) and event.data:
                    return bytes(event.data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._failed(error) from None
        return self._end(event)

    def _end(self, event: h11.EndOfMessage) -> bytes:
        self.trailers = tuple(event.headers)
        wire, self._wire = self._wire, None
        assert wire
        self._pool.give(self._door, wire)
        return b""

    @property
    def received(self) -> int:
        """Bytes of the response so far, its head included, as they came."""
        return self._wire.received - self._before if self._wire else 0

    def close(self) -> None:
        """Gives the request up, unless its response has ended."""
        wire, self._wire = self._wire, None
        if wire:
            wire.abort()

    def _failed(self, error: Exception) -> Refused:
        """Without the words of `error`, which may quote what the host sent, keys included."""
        host, ended = self._door.host, not self._wire or self._wire.ended
        if isinstance(error, TimeoutError):
            return Refused(504, f"{host} was silent for {self._limits.idle:g} s")
        if isinstance(error, h11.RemoteProtocolError) and not ended:
            return Refused(502, f"{host} answered something that is not well-formed HTTP")
        return Refused(502, f"{host} broke off the connection")
