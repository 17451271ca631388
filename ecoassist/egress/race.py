"""The first of several addresses that answers, as RFC 8305 has it: one that is silent holds nothing up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from itertools import chain, zip_longest

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

STAGGER = 0.25
"""Seconds after which the next address is tried beside those before it."""
BUFFER = 1 << 18
"""Bytes read ahead of whoever reads: what asyncio takes from a socket at once."""
GOODBYE = 1.0
"""Seconds a host gets to answer the end of TLS."""


async def reached(
    addresses: Sequence[str], port: int, context: ssl.SSLContext | None, name: str, seconds: float
) -> Streams:
    """Connected to exactly one of `addresses`, with TLS for `name` if there is a context.

    An address where TLS fails is given up for the others, unless its certificate is wrong. `seconds`: for all of them
    together; the caller keeps the time, and here it is shared out among those that remain. Raises OSError.
    """
    left = list(interleaved(addresses))
    while True:
        connected = await _first(left, port)
        share = seconds / (len(left) + 1) if left and seconds else None
        try:
            async with asyncio.timeout(share):
                return await _streams(connected, context, name)
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            if not left:
                raise


def interleaved(addresses: Sequence[str]) -> tuple[str, ...]:
    """IPv6 and IPv4 in turn, beginning with the kind that the resolver prefers."""
    kinds = [":" in address for address in addresses]
    first = [address for address, kind in zip(addresses, kinds, strict=True) if kind == kinds[0]]
    second = [address for address, kind in zip(addresses, kinds, strict=True) if kind != kinds[0]]
    return tuple(filter(None, chain.from_iterable(zip_longest(first, second))))


async def _first(left: list[str], port: int) -> socket.socket:
    """Takes the address that answered, and those that failed, out of `left`. Raises OSError where none answers."""
    waiting, tasks = list(left), dict[asyncio.Task[socket.socket], str]()
    try:
        while True:
            if waiting:
                address = waiting.pop(0)
                tasks[asyncio.create_task(_connected(address, port))] = address
            pause = STAGGER if waiting else None
            done, _ = await asyncio.wait(tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                left.remove(tasks.pop(task))
                if not task.exception() or not (tasks or waiting):
                    return task.result()  # or its failure, which is the last
    finally:
        for task in tasks:
            task.cancel()
            task.add_done_callback(_unwanted)


def _unwanted(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and not task.exception():
        task.result().close()


async def _connected(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


async def _streams(connected: socket.socket, context: ssl.SSLContext | None, name: str) -> Streams:
    if not context:
        return await asyncio.open_connection(sock=connected, limit=BUFFER)
    return await asyncio.open_connection(
        sock=connected, ssl=context, server_hostname=name, ssl_shutdown_timeout=GOODBYE, limit=BUFFER
    )


async def secured(streams: Streams, context: ssl.SSLContext, name: str, seconds: float) -> Streams:
    """TLS inside a connection, as its client. The streams beneath have to be kept as long as those above."""
    loop, beneath = asyncio.get_running_loop(), streams[1].transport
    reader = asyncio.StreamReader(BUFFER)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = await loop.start_tls(
        beneath,
        protocol,
        context,
        server_hostname=name,
        ssl_handshake_timeout=seconds,
        ssl_shutdown_timeout=GOODBYE,
    )
    if transport is None:
        raise ConnectionResetError("closed during the handshake")
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
