"""The gate itself: an HTTP proxy that runs on the streams it is handed and listens nowhere.

CONNECT is accepted for any target and refused inside the tunnel, because clients throw away the body of a refused
CONNECT, and the code in the sandbox should learn why.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import cached_property

import h11

from ecoassist.masks import Masks
from ecoassist.types import Access, Secret

from .ca import SessionCA
from .dial import Dialer
from .places import Outgoing, fill
from .policy import Policy
from .proxies import Proxies
from .record import Record, Tally
from .relay import relay
from .resolve import Resolver, lookup
from .route import Route, check, has_body, request_headers, route_of, tunnel_of
from .trust import verifying
from .upstream import Upstream
from .wire import Limits, Refused, Wire

OVERRIDING = frozenset((b"x-http-method", b"x-http-method-override", b"x-method-override"))
"""Headers by which some frameworks take a GET for another method."""
_DISCARDED = 8
"""A refused body is read up to this many times the limit: clients read no answer before they have sent everything."""


class Gate:
    """One session's way out. `serve` is called once per client connection, always on the same event loop."""

    def __init__(
        self,
        policy: Policy,
        ca: SessionCA,
        upstream: ssl.SSLContext | None = None,
        *,
        resolve: Resolver = lookup,
        limits: Limits | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """`upstream`: verifies the real hosts; by default with the system's roots. `proxies`: this machine's own."""
        self.policy, self.ca, self.resolve, self.limits = policy, ca, resolve, limits or Limits()
        self._upstream = upstream
        self.dialer = Dialer(policy, lambda: self.upstream, resolve, self.limits, proxies)
        self.record = Record(policy.secrets)
        self._masks: dict[tuple[Secret, ...], Masks] = {}
        self.holding = 0
        """Bytes of request bodies."""
        self._serving = 0

    @cached_property
    def upstream(self) -> ssl.SSLContext:
        """Made on first use: reading the roots takes 20 ms."""
        return self._upstream or verifying()

    @property
    def variables(self) -> dict[str, str]:
        """For the environment of the sandbox: the names of the keys, with their placeholders."""
        return {secret.name: secret.placeholder for secret in self.policy.secrets}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client connection until either side ends it."""
        self._serving += 1
        try:
            await Conversation(self, reader, writer, full=self._serving > self.limits.connections).run()
        finally:
            self._serving -= 1

    def drain(self) -> tuple[Access, ...]:
        """What happened since the last drain, oldest first. May be called from any thread."""
        return self.record.drain()

    def masks(self, secrets: tuple[Secret, ...]) -> Masks | None:
        if secrets and secrets not in self._masks:
            self._masks[secrets] = Masks([(secret.value, secret.placeholder) for secret in secrets])
        return self._masks.get(secrets)


class Conversation:
    """One client connection: its requests in order, its tunnel, and the upstream connection it keeps."""

    def __init__(self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, full: bool) -> None:
        self._gate, self._full = gate, full
        self._client = Wire(reader, writer, h11.SERVER, gate.limits.idle)
        self._upstream = Upstream(gate.dialer, gate.limits)
        self._tunnel: tuple[str, int] | None = None
        self._untold: Tally | None = None
        """Of a tunnel that is refused, until a request inside it has been told so."""
        self._held = 0
        """Our part of what the gate holds."""

    async def run(self) -> None:
        try:
            while await self._turn():
                pass
        except OSError:  # the client is gone or silent, or its response broke off: no polite goodbye, it is not whole
            self._client.writer.transport.abort()
        finally:
            if self._untold:
                self._gate.record.note(self._untold)
            try:
                await self._upstream.close()
            finally:
                await self._client.close()

    async def _turn(self) -> bool:
        """One request and its answer. Returns whether the connection goes on."""
        try:
            request = await self._client.receive()
        except h11.RemoteProtocolError as error:
            await self._answer(Refused(error.error_status_hint, f"not well-formed HTTP: {error}"))
            return False
        if not isinstance(request, h11.Request):
            return False
        tally = Tally(self._tunnel[0] if self._tunnel else "", request.method.decode("ascii"))
        try:
            if tally.method == "CONNECT" and not self._tunnel:
                return await self._open_tunnel(request, tally)
            self._untold = None
            await self._serve(request, tally)
        except Refused as refused:
            tally.refused, tally.blocked = refused.reason, refused.blocked
            self._gate.record.note(tally)
            await self._upstream.close()
            await self._answer(refused)
        except h11.RemoteProtocolError as error:
            tally.refused = f"not well-formed HTTP: {error}"
            self._gate.record.note(tally)
            await self._answer(Refused(error.error_status_hint, tally.refused))
        finally:
            self._gate.holding, self._held = self._gate.holding - self._held, 0
            tally.ended = time.monotonic()
            if tally.refused or tally.path:  # a tunnel that is open is told of by its requests
                self._gate.record.note(tally)
        return self._client.next_cycle()

    async def _open_tunnel(self, request: h11.Request, tally: Tally) -> bool:
        host, port = tunnel_of(bytes(request.target))
        tally.host = host
        if not isinstance(await self._client.receive(), h11.EndOfMessage) or self._client.http.trailing_data[0]:
            raise Refused(400, "data before the tunnel was open")
        if refusal := self._gate.policy.refusal(host, port, "CONNECT", tls=True):
            self._untold = Tally(host, "CONNECT", refused=refusal.reason, blocked=refusal.blocked)
        await self._client.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        try:
            self._client = await self._client.secured(self._gate.ca.context(host), self._gate.limits.connect)
        except OSError:
            if not self._untold:
                tally.refused = "the client broke off the TLS handshake; it may not trust the session certificate"
            raise
        self._tunnel = (host, port)
        return True

    async def _serve(self, request: h11.Request, tally: Tally) -> None:
        route = route_of(request, self._tunnel)
        tally.host, tally.path = route.host, route.path
        tally.api = self._gate.policy.api_of(route.host, route.port)
        try:
            self._admit(route, request)
        except Refused:
            with suppress(Refused):
                await self._body(wanted=False)
            raise
        body = await self._body()
        try:
            async with asyncio.timeout(self._gate.limits.total) as deadline:
                await self._unless_gone(self._exchange(route, request, body, tally))
        except TimeoutError:
            if deadline.expired():
                raise Refused(504, f"{route.host} took longer than {self._gate.limits.total:g} s") from None
            raise

    def _admit(self, route: Route, request: h11.Request) -> None:
        if self._full:
            raise Refused(503, f"more than {self._gate.limits.connections} connections at once; close some")
        if refusal := self._gate.policy.refusal(
            *(route.host, route.port, route.method),
            tls=route.tls,
            target=route.target.decode("latin-1"),
            body=has_body(tuple(request.headers)),
        ):
            raise Refused(403, refusal.reason, blocked=refusal.blocked)
        if self._gate.policy.read_only and (named := OVERRIDING & dict(request.headers).keys()):
            raise Refused(403, f"read-only re-run: {min(named).decode()} could make it another method")
        check(route, tuple(request.headers))

    async def _body(self, *, wanted: bool = True) -> bytes:
        if self._client.http.they_are_waiting_for_100_continue:
            if not wanted:
                return b""
            await self._client.send(h11.InformationalResponse(status_code=100, headers=[]))
        body, size, limit = bytearray(), 0, self._gate.limits.request_body
        crowded = False
        while isinstance(event := await self._client.receive(), h11.Data):
            size += len(event.data)
            if size > limit * _DISCARDED:
                break
            if wanted and size <= limit and not (crowded := crowded or self._crowded(len(event.data))):
                body += event.data
        if size > limit:
            raise Refused(413, f"the request body is larger than {limit} bytes")
        if crowded:
            room = self._gate.limits.request_bodies
            raise Refused(503, f"the requests under way have more than {room} bytes of body")
        return bytes(body)

    def _crowded(self, size: int) -> bool:
        """Whether there is no room for `size` more bytes; else they are counted until the end of the request."""
        if self._gate.holding + size > self._gate.limits.request_bodies:
            return True
        self._gate.holding, self._held = self._gate.holding + size, self._held + size
        return False

    async def _exchange(self, route: Route, request: h11.Request, body: bytes, tally: Tally) -> None:
        secrets = self._gate.policy.secrets_of(route.host, route.port)
        headers = request_headers(route, tuple(request.headers), keyed=bool(secrets))
        outgoing = fill(Outgoing(route.method, route.target, headers, body), secrets)
        door = self._gate.policy.upstream(route.host, route.port, tls=route.tls)
        response = await self._upstream.ask(door, outgoing)
        tally.status = response.status_code
        self._gate.record.note(tally)
        limit = self._gate.limits.response_body
        await relay(response, self._upstream, self._client, self._gate.masks(secrets), limit, tally)

    async def _unless_gone(self, work: Coroutine[None, None, None]) -> None:
        """Does the work; it is cancelled when the client goes away meanwhile."""
        working, watching = asyncio.ensure_future(work), asyncio.ensure_future(self._client.gone())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ConnectionResetError("the client is gone")
            working.result()
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _answer(self, refused: Refused) -> None:
        """The reason as a short text and as the reason phrase, which some clients show instead."""
        http = self._client.http
        if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            raise ConnectionAbortedError("too late to answer: a response has begun")
        text = "".join(c if " " <= c <= "~" else "?" for c in f"ecoassist: {refused.reason}")[:500]
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(text) + 1))]
        if self._full or http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        await self._client.send(
            h11.Response(status_code=refused.status, headers=headers, reason=text.encode()),
            h11.Data(data=f"{text}\n".encode()),
            h11.EndOfMessage(),
        )
