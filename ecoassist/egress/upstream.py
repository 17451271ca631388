"""The connection to the real host: to a checked address, over verified TLS, kept for the client's next request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import h11

from .policy import Outgoing, Policy
from .resolve import Resolver, public
from .wire import Limits, Refused, Wire

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})


class Upstream:
    """At most one connection at a time. Every failure is Refused with the reason."""

    def __init__(self, policy: Policy, context: ssl.SSLContext, resolve: Resolver, limits: Limits) -> None:
        self._policy, self._context, self._resolve, self._limits = policy, context, resolve, limits
        self._wire: Wire | None = None
        self._to: tuple[str, bool] | None = None

    async def ask(self, host: str, request: Outgoing, *, tls: bool) -> h11.Response:
        """Sends the request; returns the head of the response. Its body is read with piece()."""
        kept = self._wire if self._to == (host, tls) else None
        if kept and kept.ready:
            try:
                return await self._send(kept, request)
            except (OSError, h11.RemoteProtocolError) as error:
                # The host may have closed it in the meantime. Only it knows whether it saw the request.
                if isinstance(error, TimeoutError) or request.method not in _REPEATABLE:
                    raise self._failed(host, error) from None
        await self.close()
        self._wire, self._to = await self._open(host, tls), (host, tls)
        try:
            return await self._send(self._wire, request)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._failed(host, error) from None

    async def piece(self) -> bytes:
        """The next piece of the body; empty at its end, after which the connection is kept if the host agrees."""
        wire, (host, _) = self._wire, self._to or ("", False)
        assert wire, "ask() comes first"
        try:
            while not isinstance(event := await wire.receive(), h11.EndOfMessage):
                if isinstance(event, h11.Data) and event.data:
                    return bytes(event.data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._failed(host, error) from None
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

    async def _open(self, host: str, tls: bool) -> Wire:
        """Tries every address; the last failure counts."""
        try:
            async with asyncio.timeout(self._limits.connect):
                addresses, port = await self._addresses(host, tls)
                for address in addresses[:-1]:
                    try:
                        return await self._connect(address, port, host, tls, self._limits.connect / len(addresses))
                    except OSError:
                        continue
                return await self._connect(addresses[-1], port, host, tls, self._limits.connect)
        except ssl.SSLCertVerificationError as error:
            raise Refused(502, f"the certificate of {host} is not valid: {error.verify_message}") from None
        except TimeoutError:
            raise Refused(504, f"{host} could not be reached within {self._limits.connect:g} s") from None
        except OSError as error:
            keyed = "; a host with a key is only spoken to over TLS" if self._policy.secrets_of(host) else ""
            how = f"over TLS on port {port}" if tls else f"on port {port}"
            raise Refused(502, f"{host} could not be reached {how} ({_words(error)}){keyed}") from None

    async def _connect(self, address: str, port: int, host: str, tls: bool, seconds: float) -> Wire:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                address, port, ssl=self._context if tls else None, server_hostname=host if tls else None
            )
        return Wire(reader, writer, h11.CLIENT, self._limits.idle)

    async def _addresses(self, host: str, tls: bool) -> tuple[Sequence[str], int]:
        """All of them public, or none is used: one bad answer among good ones is how DNS rebinding begins."""
        if override := self._policy.overrides.get(host):
            return [override.address], override.tls_port if tls else override.plain_port
        port = 443 if tls else 80
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            addresses = []
        if not addresses:
            raise Refused(502, f"the name {host} does not resolve")
        if not all(map(public, addresses)):
            raise Refused(403, f"the name {host} resolves to an address that is not public")
        return addresses, port

    def _failed(self, host: str, error: Exception) -> Refused:
        if isinstance(error, TimeoutError):
            return Refused(504, f"{host} was silent for {self._limits.idle:g} s")
        return Refused(502, f"{host} broke off the connection")


def _words(error: OSError) -> str:
    """Without numbers and addresses, which say something about the person's network."""
    return (error.reason if isinstance(error, ssl.SSLError) else None) or type(error).__name__
