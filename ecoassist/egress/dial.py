"""A new connection to a real host: to a checked address, over verified TLS, through this machine's proxy if it has one.

Where a proxy leads out, names may not resolve here. A host that the person listed then goes by its name, and the proxy
finds the address; one that is merely not forbidden has to resolve to public addresses here. What resolves here to any
other address is refused in either case. Overridden hosts and private APIs never go through the proxy.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence

import h11

from .policy import Door, Policy
from .proxies import Hop, Proxies, Unusable
from .race import Streams, reached, secured
from .resolve import Resolver, public
from .trust import unfit, words
from .wire import Limits, Refused, Wire

_PATIENCE = 3.0
"""Seconds for a look-up that the proxy can do without."""
_REMEMBERED = 60.0
"""Seconds for which a name that does not resolve here is not looked up again where a proxy leads out."""
_NAMES = 256


class Dialer:
    """Opens connections. Every failure is Refused with the reason."""

    def __init__(
        self,
        policy: Policy,
        context: Callable[[], ssl.SSLContext],
        resolve: Resolver,
        limits: Limits,
        proxies: Proxies | None = None,
    ) -> None:
        self._policy, self._context, self._resolve, self._limits = policy, context, resolve, limits
        self._proxies = proxies or Proxies()
        self._nameless: dict[str, float] = {}
        """Names that did not resolve, and when."""

    async def open(self, door: Door) -> Wire:
        """Raises Refused."""
        host, port, tls = door
        try:
            async with asyncio.timeout(self._limits.connect):
                return await self._open(door)
        except Unusable as error:
            raise Refused(502, str(error)) from None
        except ssl.SSLCertVerificationError as error:
            raise Refused(502, f"the certificate of {host} is not valid: {unfit(error)}") from None
        except TimeoutError:
            raise Refused(504, f"{host} could not be reached within {self._limits.connect:g} s") from None
        except OSError as error:
            upgraded = tls and self._policy.secrets_of(host, port)
            keyed = "; a host with a key is only spoken to over TLS" if upgraded else ""
            how = f"over TLS on port {port}" if tls else f"on port {port}"
            raise Refused(502, f"{host} could not be reached {how} ({words(error)}){keyed}") from None

    async def _open(self, door: Door) -> Wire:
        host, port, tls = door
        private = self._policy.private(host, port, tls=tls)
        if override := self._policy.overrides.get(host):
            there = port if private else override.tls_port if tls else override.plain_port
            return await self._direct(door, [override.address], there)
        if private:
            return await self._direct(door, await self._looked_up(door), port)
        proxied = self._proxies.hop(host, port, (), tls=tls) is not None
        addresses = await (self._known(door) if proxied else self._looked_up(door))
        # All of them public, or none is used: one bad answer among good ones is how DNS rebinding begins.
        if not all(map(public, addresses)):
            raise Refused(403, f"the name {host} resolves to an address that is not public")
        if hop := self._proxies.hop(host, port, addresses, tls=tls):
            return await self._through(hop, door, named=bool(addresses))
        return await self._direct(door, addresses, port)

    async def _looked_up(self, door: Door) -> Sequence[str]:
        try:
            return await self._resolve(door.host, door.port)
        except (OSError, UnicodeError):
            return ()

    async def _known(self, door: Door) -> Sequence[str]:
        """Quickly, or not at all."""
        host = door.host
        if time.monotonic() - self._nameless.get(host, -_REMEMBERED) < _REMEMBERED:
            return ()
        try:
            async with asyncio.timeout(_PATIENCE):
                addresses = await self._looked_up(door)
        except TimeoutError:
            addresses = ()
        if not addresses:
            if len(self._nameless) >= _NAMES:
                self._nameless.clear()
            self._nameless[host] = time.monotonic()
        return addresses

    async def _direct(self, door: Door, addresses: Sequence[str], port: int) -> Wire:
        if not addresses:
            raise Refused(502, f"the name {door.host} does not resolve")
        context = self._context() if door.tls else None
        streams = await reached(addresses, port, context, door.host, self._limits.connect)
        return Wire(*streams, h11.CLIENT, self._limits.idle)

    # ── through a proxy ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _through(self, hop: Hop, door: Door, *, named: bool) -> Wire:
        """`named`: whether the name resolves here."""
        host, port, tls = door
        if not named and not self._policy.listed(host):
            raise Refused(
                502, f"the name {host} does not resolve here, and only a listed host goes unresolved to a proxy"
            )
        if not tls and not self._policy.listed(host):  # the proxy resolves it again, and no certificate says to what
            raise Refused(
                403, f"{host} is reached through a proxy here, and without TLS only a listed host is; use https"
            )
        streams = await self._to_proxy(hop)
        if not tls:
            return _Forwarded(*streams, self._limits.idle, _authority(host, port, 80), hop.authorization)
        try:
            await self._tunnelled(streams, hop, _authority(host, port))
            upper = await secured(streams, self._context(), host, self._limits.connect)
        except BaseException:
            streams[1].transport.abort()
            raise
        return _Tunnelled(*upper, self._limits.idle, streams)

    async def _to_proxy(self, hop: Hop) -> Streams:
        try:
            context = self._context() if hop.tls else None
            return await reached(await self._resolve(hop.host, hop.port), hop.port, context, hop.host, 0)
        except ssl.SSLCertVerificationError as error:
            raise Refused(502, f"the certificate of this machine's proxy is not valid: {unfit(error)}") from None
        except TimeoutError:
            raise
        except (OSError, UnicodeError) as error:
            said = words(error) if isinstance(error, OSError) else "its name is not one"
            raise Refused(502, f"this machine's proxy could not be reached ({said})") from None

    async def _tunnelled(self, streams: Streams, hop: Hop, authority: bytes) -> None:
        wire = Wire(*streams, h11.CLIENT, self._limits.idle)
        headers = [(b"host", authority), *_credentials(hop.authorization)]
        await wire.send(h11.Request(method=b"CONNECT", target=authority, headers=headers), h11.EndOfMessage())
        try:
            while isinstance(event := await wire.receive(), h11.InformationalResponse):
                pass
        except h11.RemoteProtocolError:
            event = h11.ConnectionClosed()
        if not isinstance(event, h11.Response):
            raise Refused(502, "this machine's proxy did not answer as a proxy")
        if not 200 <= event.status_code < 300:
            raise _refused_by_proxy(event.status_code)
        if wire.http.trailing_data[0]:
            raise Refused(502, "this machine's proxy sent something before the host could")


class _Tunnelled(Wire):
    """TLS inside a connection to a proxy."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle: float, beneath: Streams
    ) -> None:
        super().__init__(reader, writer, h11.CLIENT, idle)
        self._beneath = beneath
        """A stream that nobody holds closes its connection."""


class _Forwarded(Wire):
    """Plain HTTP through a proxy, which has to be told the whole URL."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        idle: float,
        authority: bytes,
        authorization: bytes,
    ) -> None:
        super().__init__(reader, writer, h11.CLIENT, idle)
        self._authority, self._authorization = authority, authorization

    async def send(self, *events: h11.Event) -> None:
        await super().send(*(self._told(event) if isinstance(event, h11.Request) else event for event in events))

    async def receive(self) -> h11.Event:
        event = await super().receive()
        if isinstance(event, h11.Response) and event.status_code == 407:
            raise _refused_by_proxy(407)
        return event

    def _told(self, request: h11.Request) -> h11.Request:
        headers = [*request.headers, *_credentials(self._authorization)]
        target = b"http://" + self._authority + bytes(request.target)
        return h11.Request(method=request.method, target=target, headers=headers)


def _authority(host: str, port: int, usual: int = 0) -> bytes:
    name = f"[{host}]" if ":" in host else host
    return name.encode() if port == usual else f"{name}:{port}".encode()


def _credentials(authorization: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"proxy-authorization", authorization)] if authorization else []


def _refused_by_proxy(status: int) -> Refused:
    if status == 407:
        told = "wants a user and a password, or others than those in its URL"
    elif status in (502, 503, 504):
        told = "could not reach the host"
    else:
        told = "refused to let it through"
    return Refused(502, f"this machine's proxy {told} ({status})")
