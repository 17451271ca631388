"""The gate under load: what it took, it gives back."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from typing import TYPE_CHECKING

from tests.egress.conftest import trusting, until

if TYPE_CHECKING:
    from tests.egress.conftest import Net, Proxy

NAME = "api.example.com"
REQUESTS = 10_000
TUNNELS = 200


async def _quick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A host that costs little, so that the gate is what is measured."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
    except (asyncio.IncompleteReadError, OSError):
        pass


async def _plain(proxy: Proxy, count: int) -> int:
    """Requests one after the other on one connection. Returns how many were answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    answered = 0
    for _ in range(count):
        writer.write(f"GET http://{NAME}/ HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        answered += head.startswith(b"HTTP/1.1 200") and await reader.readexactly(4) == b"fine"
    writer.close()
    return answered


async def _tunnel(proxy: Proxy, context: ssl.SSLContext, all_open: asyncio.Barrier) -> int:
    """Three requests inside a tunnel, which is open together with all the others."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    await writer.start_tls(context, server_hostname=NAME)
    await all_open.wait()
    answered = 0
    for _ in range(3):
        writer.write(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        answered += head.startswith(b"HTTP/1.1 200") and await reader.readexactly(4) == b"fine"
    await all_open.wait()
    writer.close()
    await writer.wait_closed()
    return answered


def _left(net: Net) -> tuple[int, int, int]:
    """Open files, tasks and objects, when everything has ended; what a loop is about to close is among them."""

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    net.settle()
    gc.collect()
    return len(os.listdir("/proc/self/fd")), net.run(tasks()), len(gc.get_objects())


def test_ten_thousand_requests_leave_nothing_behind(net: Net) -> None:
    net.host(NAME, tls=False).plain_port = net.listen(_quick)
    proxy = net.gate()

    async def load(clients: int, each: int) -> int:
        return sum(await asyncio.gather(*(_plain(proxy, each) for _ in range(clients))))

    assert net.run(load(10, 10)) == 100
    assert len(proxy.gate.drain()) == 100
    files, tasks, objects = _left(net)
    for _ in range(4):  # each within the time that one call may take
        assert net.run(load(20, REQUESTS // 80)) == REQUESTS // 4
        assert len(proxy.gate.drain()) == REQUESTS // 4
    until(lambda: _left(net)[0] <= files and _left(net)[1] <= tasks)
    assert _left(net)[2] - objects < REQUESTS // 5
    assert proxy.gate.room.held == len(proxy.gate.pool) == 0


def test_two_hundred_tunnels_at_once_leave_nothing_behind(net: Net) -> None:
    host = net.host(NAME, tls=False)
    host.tls_port = net.listen(_quick, net.authority.context(NAME))
    proxy = net.gate()

    async def load(tunnels: int) -> int:
        context, all_open = trusting(proxy.gate.ca.pem), asyncio.Barrier(tunnels)
        return sum(await asyncio.gather(*(_tunnel(proxy, context, all_open) for _ in range(tunnels))))

    assert net.run(load(TUNNELS)) == 3 * TUNNELS
    assert len(proxy.gate.drain()) == 3 * TUNNELS
    files, tasks, objects = _left(net)
    assert net.run(load(TUNNELS)) == 3 * TUNNELS
    assert len(proxy.gate.drain()) == 3 * TUNNELS
    until(lambda: _left(net)[0] <= files and _left(net)[1] <= tasks)
    assert _left(net)[2] - objects < TUNNELS


def test_few_connections_to_a_host_serve_many_clients(net: Net) -> None:
    host = net.host(NAME)
    proxy = net.gate()

    for _ in range(10):
        assert proxy.get(f"https://{NAME}/").text == "fine"  # each on a connection of its own

    assert {seen.connection for seen in host.seen} == {1}
    assert len(proxy.gate.pool) == 1
