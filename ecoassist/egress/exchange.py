"""One request on its way to its host, and the response on its way back."""

from __future__ import annotations

import asyncio

import h11

from .beside import Beside
from .cache import Asked, Recording
from .common import Common
from .places import Outgoing, fill, fills_body
from .policy import READ_ONLY
from .record import Tally
from .relay import Delivery, relay
from .route import Route, check, has_body, request_headers
from .upload import Upload
from .upstream import Call
from .wire import Refused, Wire

_OVERRIDING = frozenset((b"x-http-method", b"x-http-method-override", b"x-method-override"))
"""Headers by which some frameworks take a GET for another method."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, section 9.2.1."""
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
_UNWATCHED = 0.05
"""Seconds that a host may take before anybody looks whether the client is still there."""


class Exchange:
    """run() is called once. What it raises was not answered; the response may have begun."""

    def __init__(self, gate: Common, client: Wire, route: Route, request: h11.Request, tally: Tally) -> None:
        self._gate, self._client, self._route, self._tally = gate, client, route, tally
        self._headers = tuple(request.headers)
        self._secrets = gate.policy.secrets_of(route.host, route.port)
        self._upload = Upload(client, request, gate.limits)
        door = gate.policy.upstream(route.host, route.port, tls=route.tls)
        self._recording: Recording | None = None
        self._call = Call(door, gate.dialer, gate.pool, gate.limits)

    async def run(self) -> None:
        """Raises Refused, h11.RemoteProtocolError for a malformed body of the request, and OSError."""
        total = self._gate.limits.total
        try:
            self._admit()
            async with asyncio.timeout(total) as deadline:
                if not await self._again():
                    await self._run()
        except TimeoutError:
            if deadline.expired():
                raise Refused(504, f"{self._route.host} took longer than {total:g} s") from None
            raise
        finally:
            if self._recording:
                self._recording.drop()
            self._call.close()
            self._upload.leave(self._gate.room)

    def _admit(self) -> None:
        """Raises Refused."""
        route, policy = self._route, self._gate.policy
        target, body = route.target.decode("latin-1"), has_body(self._headers)
        if refusal := policy.refusal(route.host, route.port, route.method, tls=route.tls, target=target, body=body):
            raise Refused(403, refusal.reason, blocked=refusal.blocked)
        if policy.read_only and (named := _OVERRIDING & dict(self._headers).keys()):
            raise Refused(403, f"{READ_ONLY}: {min(named).decode()} could make it another method")
        check(route, self._headers, keyed=bool(self._secrets))
        self._upload.check()

    async def _again(self) -> bool:
        """Whether the run was answered this before, and the client is now; else the response will be kept if it can."""
        seen, asked = self._gate.seen(), self._asked()
        if seen and self._changes():
            seen.changes(self._route.host)
        if not seen or not asked:
            return False
        if (kept := seen.find(asked)) is None:
            self._recording = seen.recording(asked)
            return False
        await self._upload.whole(self._gate.room)
        self._tally.status, self._tally.cached = 200, True
        self._gate.record.note(self._tally)
        await Delivery(self._client, self._gate.limits, self._tally).again(kept)
        return True

    def _asked(self) -> Asked | None:
        """None where the request may be more than a question."""
        route = self._route
        if route.method != "GET" or has_body(self._headers) or self._changes():
            return None
        return Asked(route.host, route.port, route.tls, route.target, self._headers)

    def _changes(self) -> bool:
        """Whether the request may change something at its host."""
        route, target = self._route, self._route.target.decode("latin-1")
        overrides = _OVERRIDING & dict(self._headers).keys()
        return bool(route.method not in _SAFE or overrides or self._gate.policy.acts(route.host, route.port, target))

    async def _run(self) -> None:
        if fills_body(self._headers, self._secrets) or self._upload.small:
            body = await self._upload.whole(self._gate.room)
            await self._call.ask(self._outgoing(body), streamed=False)
            beside = Beside(self._client.gone, _UNWATCHED)
        else:
            await self._call.ask(self._outgoing(None), streamed=True)
            beside = Beside(self._send_up, 0)
        async with beside:
            response = await self._call.response(self._upload.go_on)
            self._tally.status = response.status_code
            self._gate.record.note(self._tally)
            delivery = Delivery(self._client, self._gate.limits, self._tally, self._recording)
            masks = self._gate.masks(self._secrets)
            await relay(response, self._call, delivery, masks, self._gate.limits, self._tally)

    def _outgoing(self, body: bytes | None) -> Outgoing:
        """`body` None: it follows."""
        headers = request_headers(self._route, self._headers, keyed=bool(self._secrets))
        if body is None:
            expect = ((b"expect", b"100-continue"),) if self._upload.awaits_word else ()
            return self._filled(
                Outgoing(self._route.method, self._route.target, (*headers, *self._upload.framing, *expect))
            )
        filled = self._filled(Outgoing(self._route.method, self._route.target, headers, body))
        framing = self._upload.framing_of(filled.body)
        return Outgoing(filled.method, filled.target, (*filled.headers, *framing), filled.body)

    def _filled(self, request: Outgoing) -> Outgoing:
        """With keys in their places, which is recorded: whose fault a 401 is depends on it."""
        filled = fill(request, self._secrets)
        self._tally.key = "sent" if filled != request else "unsent" if self._secrets else ""
        return filled

    async def _send_up(self) -> None:
        await self._upload.into(self._call)
        await self._client.gone()
