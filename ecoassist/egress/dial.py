"""A new connection to a real host: to a checked address, over verified TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence

import h11

from .policy import Door, Policy
from .resolve import Resolver, public
from .wire import Limits, Refused, Wire


class Dialer:
    """Opens connections. Every failure is Refused with the reason."""

    def __init__(
        self, policy: Policy, context: Callable[[], ssl.SSLContext], resolve: Resolver, limits: Limits
    ) -> None:
        self._policy, self._context, self._resolve, self._limits = policy, context, resolve, limits

    async def open(self, door: Door) -> Wire:
        """Tries every address; the last failure counts. Raises Refused."""
        host, port, tls = door
        try:
            async with asyncio.timeout(self._limits.connect):
                addresses, port = await self._addresses(door)
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
            upgraded = tls and self._policy.secrets_of(host, door.port)
            keyed = "; a host with a key is only spoken to over TLS" if upgraded else ""
            how = f"over TLS on port {port}" if tls else f"on port {port}"
            raise Refused(502, f"{host} could not be reached {how} ({_words(error)}){keyed}") from None

    async def _connect(self, address: str, port: int, host: str, tls: bool, seconds: float) -> Wire:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                address, port, ssl=self._context() if tls else None, server_hostname=host if tls else None
            )
        return Wire(reader, writer, h11.CLIENT, self._limits.idle)

    async def _addresses(self, door: Door) -> tuple[Sequence[str], int]:
        """All of them public, or none is used: one bad answer among good ones is how DNS rebinding begins.

        A private API alone may be anywhere.
        """
        host, port, tls = door
        private = self._policy.private(host, port, tls=tls)
        if override := self._policy.overrides.get(host):
            return [override.address], port if private else override.tls_port if tls else override.plain_port
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            addresses = []
        if not addresses:
            raise Refused(502, f"the name {host} does not resolve")
        if not private and not all(map(public, addresses)):
            raise Refused(403, f"the name {host} resolves to an address that is not public")
        return addresses, port


def _words(error: OSError) -> str:
    """Without numbers and addresses, which say something about the person's network."""
    return (error.reason if isinstance(error, ssl.SSLError) else None) or type(error).__name__
