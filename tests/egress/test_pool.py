"""Connections that wait for their next request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Net

NAME = "api.example.com"
URL = f"http://{NAME}/"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Make = Callable[..., Secret]


def test_no_more_are_kept_than_the_limit_and_none_for_long(net: Net, until: Callable[..., None]) -> None:
    host = net.host(NAME, lambda seen: net.reply(pieces=[b"x"] * 3, pause=0.1), tls=False, plain=True)
    proxy = net.gate(limits=Limits(kept=2, kept_seconds=1.0))

    with ThreadPoolExecutor(6) as threads:
        assert [answer.status_code for answer in threads.map(lambda n: proxy.get(URL), range(6))] == [200] * 6

    assert host.connections >= 3
    assert len(proxy.gate.pool) <= 2
    until(lambda: host.open == 0)
    assert len(proxy.gate.pool) == 0


def test_a_gate_shares_its_connections_with_no_other(net: Net) -> None:
    host = net.host(NAME)

    for proxy in (net.gate(), net.gate(read_only=True), net.gate()):
        proxy.get(f"https://{NAME}/")

    assert [seen.connection for seen in host.seen] == [1, 2, 3]


def test_plain_and_secured_connections_to_one_host_are_kept_apart(net: Net) -> None:
    host = net.host(NAME, plain=True)
    proxy = net.gate()

    for url in (f"https://{NAME}/", URL, f"https://{NAME}/", URL):
        proxy.get(url)

    assert [seen.connection for seen in host.seen] == [1, 2, 1, 2]


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_nobody_asked_for_is_given_to_nobody(net: Net, late: bool) -> None:
    connections = 0

    async def forging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK if late else OK + forged)
                await writer.drain()
                if late:
                    await asyncio.sleep(0.1)
                    writer.write(forged)
        except (asyncio.IncompleteReadError, OSError):
            pass

    net.host(NAME, tls=False).plain_port = net.listen(forging)
    proxy = net.gate()

    async def pause() -> None:
        await asyncio.sleep(0.3)

    for _ in range(3):
        assert proxy.get(URL).text == "ok"
        net.run(pause())
    assert connections == 3


@pytest.mark.parametrize("status", [204, 304])
def test_a_body_where_none_belongs_is_given_to_nobody(net: Net, status: int) -> None:
    async def forging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 38\r\n\r\n" % status)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    net.host(NAME, tls=False).plain_port = net.listen(forging)
    proxy = net.gate()

    with proxy.session() as session:
        assert [session.get(URL).status_code for _ in range(3)] == [status] * 3


def _dying(net: Net, seen: list[bytes]) -> None:
    """A host that closes a kept connection just when it gets the next request."""

    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        seen.append(await reader.read(1 << 20))

    net.host(NAME, tls=False).plain_port = net.listen(dying)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_has_no_effect_is_asked_again_when_a_kept_connection_dies(net: Net, method: str) -> None:
    seen: list[bytes] = []
    _dying(net, seen)

    with net.gate().session() as session:
        assert [session.request(method, URL).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("size", [0, 3, 200_000])
def test_what_may_have_an_effect_is_never_sent_twice(net: Net, size: int) -> None:
    seen: list[bytes] = []
    _dying(net, seen)

    with net.gate().session() as session:
        assert session.get(URL).text == "ok"
        assert session.post(URL, data=b"x" * size).status_code == 502

    assert len([head for head in seen if head.startswith(b"POST")]) == 1


def test_the_pool_ends_with_the_loop_that_it_lives_on(net: Net, until: Callable[..., None]) -> None:
    host = net.host(NAME)
    proxy = net.gate()
    assert proxy.get(f"https://{NAME}/").text == "fine"
    assert len(proxy.gate.pool) == 1

    async def end() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()} - net.handling:
            task.cancel()

    net.run(end())

    until(lambda: host.open == 0)
    assert len(proxy.gate.pool) == 0
