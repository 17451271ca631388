"""One connection of a client: its tunnel, and its requests in their order."""

from __future__ import annotations

import asyncio
import time

import h11

from .common import Common
from .exchange import Exchange
from .record import Tally
from .route import METHOD, Tunnel, route_of, strict, tunnel_of
from .upload import discard
from .wire import Refused, Wire

_QUOTED = 200
"""Characters: what is wrong with a request is told with a piece of it."""


class Conversation:
    """run() serves it until either side ends it."""

    def __init__(self, gate: Common, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, full: bool) -> None:
        """`full`: there are too many others. Its first request is refused."""
        self._gate, self._full = gate, full
        self._client = Wire(reader, writer, h11.SERVER, gate.limits.idle)
        self._tunnel: Tunnel | None = None
        self._untold: Tally | None = None
        """Of a tunnel that is refused, until a request inside it has been told so."""

    async def run(self) -> None:
        try:
            while await self._turn():
                # Of requests that were sent ahead none has to be waited for: others have their turn between them.
                await asyncio.sleep(0)
        except (OSError, h11.RemoteProtocolError):
            # The client is gone or silent, or its response broke off: no polite goodbye, it is not whole.
            self._client.abort()
        finally:
            if self._untold:
                self._gate.record.note(self._untold)
            await self._client.close()

    async def _turn(self) -> bool:
        """One request and its answer. Returns whether the connection goes on."""
        try:
            request, head = await self._client.request(self._gate.limits.head_seconds)
        except h11.RemoteProtocolError as error:
            await self._answer(_malformed(error), "", last=True)
            return False
        if not isinstance(request, h11.Request):
            return False
        tally = Tally(self._tunnel.host if self._tunnel else "", request.method.decode("ascii")[:METHOD])
        sound = False
        try:
            strict(head, request, self._gate.limits)
            sound = True
            if tally.method == "CONNECT" and not self._tunnel:
                return await self._open_tunnel(request, tally)
            self._untold = None
            await self._serve(request, tally)
        except (Refused, h11.RemoteProtocolError) as error:
            refused = error if isinstance(error, Refused) else _malformed(error)
            tally.refused, tally.blocked = refused.reason, refused.blocked
            self._gate.record.note(tally)
            await self._answer(refused, tally.method, last=not sound)
        finally:
            tally.ended = time.monotonic()
            if tally.refused or tally.path:  # a tunnel that is open is told of by its requests
                self._gate.record.note(tally)
        if not sound:  # where its body would end, nobody can tell
            return False
        await discard(self._client, self._gate.limits.head_seconds)
        return self._client.next_cycle()

    async def _open_tunnel(self, request: h11.Request, tally: Tally) -> bool:
        host, port = tunnel_of(bytes(request.target))
        tally.host = host
        if not isinstance(await self._client.receive(), h11.EndOfMessage) or self._client.http.trailing_data[0]:
            raise Refused(400, "data before the tunnel was open")
        policy = self._gate.policy
        closed = policy.refusal(host, port, "CONNECT", tls=True)
        tls = port != 80 and not (closed and not policy.refusal(host, port, "CONNECT", tls=False))
        if tls and closed:
            self._untold = Tally(host, "CONNECT", refused=closed.reason, blocked=closed.blocked)
        await self._client.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        self._client = await self._secured(host, tally) if tls else self._client.again()
        self._tunnel = Tunnel(host, port, tls, self._client.asked)
        return True

    async def _secured(self, host: str, tally: Tally) -> Wire:
        try:
            return await self._client.secured(self._gate.ca.context(host), self._gate.limits.connect)
        except OSError:
            if not self._untold:
                tally.refused = "the client broke off the TLS handshake; it may not trust the session certificate"
            raise

    async def _serve(self, request: h11.Request, tally: Tally) -> None:
        route = route_of(request, self._tunnel)
        tally.host, tally.path = route.host, route.path
        tally.api = self._gate.policy.api_of(route.host, route.port, route.path)
        if self._full:
            raise Refused(503, f"more than {self._gate.limits.connections} connections at once; close some")
        await Exchange(self._gate, self._client, route, request, tally).run()

    async def _answer(self, refused: Refused, method: str, *, last: bool) -> None:
        """The reason as a short text and as the reason phrase, which some clients show instead.

        `last`: the connection ends with it.
        """
        http = self._client.http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            raise ConnectionAbortedError("too late to answer: a response has begun")
        text = "".join(c if " " <= c <= "~" else "?" for c in f"ecoassist: {refused.reason}")[:500]
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(text) + 1))]
        if (
            last
            or self._full
            or http.they_are_waiting_for_100_continue
            or http.their_state not in (h11.DONE, h11.SEND_BODY)
        ):
            headers.append(("connection", "close"))
        body = [] if method == "HEAD" else [h11.Data(data=f"{text}\n".encode())]
        response = h11.Response(status_code=refused.status, headers=headers, reason=text.encode())
        await self._client.send(response, *body, h11.EndOfMessage())


def _malformed(error: h11.RemoteProtocolError) -> Refused:
    return Refused(error.error_status_hint, f"not well-formed HTTP: {error}"[:_QUOTED])
