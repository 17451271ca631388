"""Bodies on their way through the gate, in both directions: of any size, at anybody's pace, ended by either side."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
import requests

from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Handler, Net, Proxy

NAME = "api.example.com"
URL = f"http://{NAME}/"
MB = 1 << 20
Make = Callable[..., Secret]
Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


def post(*headers: bytes) -> bytes:
    return b"\r\n".join([f"POST {URL} HTTP/1.1\r\nHost: {NAME}".encode(), *headers, b"", b""])


def speaking(net: Net, handler: Handler) -> None:
    net.host(NAME, tls=False).plain_port = net.listen(handler)


def talk(proxy: Proxy, client: Client) -> object:
    async def talking() -> object:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            async with asyncio.timeout(20):
                return await client(reader, writer)
        finally:
            writer.close()

    return proxy.net.run(talking())


# ── going up ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_passes_without_being_kept(net: Net, chunked: bool) -> None:
    size, piece = 48 * MB, b"0123456789abcdef" * 16_384
    counted = hashlib.sha256(piece * (size // len(piece))).hexdigest()

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert (b"transfer-encoding: chunked" in head.lower()) is chunked
        found, left = hashlib.sha256(), size
        while left:
            if chunked:
                length = int(await reader.readline(), 16)
                found.update(await reader.readexactly(length))
                await reader.readexactly(2)
            else:
                data = await reader.read(1 << 18)
                length = len(data)
                found.update(data)
            left -= length
        digest = found.hexdigest().encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + digest)
        await writer.drain()

    speaking(net, counting)
    proxy = net.gate()
    pieces = (piece for _ in range(size // len(piece)))
    headers = {} if chunked else {"Content-Length": str(size)}

    response = proxy.ask("POST", URL, data=pieces if chunked else _Sized(pieces, size), headers=headers)

    assert response.text == counted
    assert proxy.gate.room.held == 0


class _Sized:
    """An upload of a known length that is made as it goes."""

    def __init__(self, pieces: object, size: int) -> None:
        self._pieces, self._size = pieces, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> object:
        return self._pieces


def test_a_host_that_does_not_read_holds_the_client_back(net: Net, until: Callable[..., None]) -> None:
    go = asyncio.Event()
    sent = 0

    async def lazy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        left = 64 * MB
        while left:
            left -= len(await reader.read(1 << 18))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def pushing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        nonlocal sent
        writer.write(post(b"Content-Length: %d" % (64 * MB), b"Connection: close"))
        stalled = False
        while sent < 64 * MB:
            writer.write(b"x" * MB)
            sent += MB
            try:
                async with asyncio.timeout(None if stalled else 1.0):
                    await writer.drain()
            except TimeoutError:
                stalled = True
                go.set()
        assert stalled, "64 MB went into a host that does not read"
        return await reader.read()

    speaking(net, lazy)
    answer = talk(net.gate(), pushing)

    assert isinstance(answer, bytes)
    assert answer.endswith(b"ok")


def test_a_host_that_answers_early_is_heard_while_the_client_still_sends(net: Net) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much")
        await writer.drain()

    async def sending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"Content-Length: %d" % (40 * MB)))
        begun = await reader.readuntil(b"too much")  # with the body still to come
        for _ in range(40):
            writer.write(b"x" * MB)
            await writer.drain()
        writer.write(post(b"Content-Length: 0", b"Connection: close"))
        return begun + await reader.read()

    speaking(net, hasty)
    answer = talk(net.gate(), sending)

    assert isinstance(answer, bytes)
    assert answer.count(b"HTTP/1.1 413 Too Large") == 2


def test_a_client_that_hears_nothing_before_it_has_sent_all_gets_the_early_answer(net: Net) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much")
        await writer.drain()

    speaking(net, hasty)

    response = net.gate().ask("POST", URL, data=b"x" * 30 * MB)

    assert (response.status_code, response.text) == (413, "too much")


@pytest.mark.parametrize("headers", [(b"Content-Length: 9000000",), (b"Transfer-Encoding: chunked",)])
def test_a_client_that_goes_away_in_its_body_ends_the_upstream(net: Net, headers: tuple[bytes, ...]) -> None:
    ended: list[bool] = []

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(MB):
                pass
        except OSError:
            pass
        ended.append(True)

    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(post(*headers) + b"5\r\nhello\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)

    speaking(net, waiting)
    proxy = net.gate()
    talk(proxy, leaving)

    net.settle()
    assert ended == [True]
    assert len(proxy.gate.pool) == 0


def test_a_chunked_body_over_the_limit_is_told_so(net: Net) -> None:
    async def reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(MB):
            pass

    speaking(net, reading)

    response = net.gate(limits=Limits(request_body=MB)).ask("POST", URL, data=iter([b"x" * 300_000] * 10))

    assert (response.status_code, response.text) == (413, "ecoassist: the request body is larger than 1048576 bytes\n")


def test_only_a_body_that_may_get_a_key_is_kept_whole(net: Net, secret: Make) -> None:
    key = secret("body:token")
    host = net.host(NAME)
    proxy = net.gate(key, limits=Limits(whole_body=100_000))
    large = b"x" * 200_000

    assert proxy.ask("POST", f"https://{NAME}/", json={"a": "x" * 200_000}).status_code == 413
    assert proxy.ask("POST", f"https://{NAME}/", files={"file": large}).status_code == 200
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert proxy.ask("POST", f"https://{NAME}/", data=large, headers=packed).status_code == 200

    assert [len(seen.body) >= 200_000 for seen in host.seen] == [True, True]


def test_a_placeholder_in_a_multipart_body_stays_one(net: Net, secret: Make) -> None:
    key = secret("body:token")
    host = net.host(NAME)

    net.gate(key).ask("POST", f"https://{NAME}/", files={"token": (None, key.placeholder)})

    assert key.placeholder.encode() in host.seen[0].body
    assert key.value.encode() not in host.seen[0].body


# ── 100 Continue ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_host_decides_whether_a_client_goes_on(net: Net) -> None:
    order: list[bytes] = []

    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"expect: 100-continue" in head.lower()
        order.append(b"asked")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        order.append(await reader.readexactly(4))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"Content-Length: 4", b"Expect: 100-continue", b"Connection: close"))
        told = await reader.readuntil(b"\r\n\r\n")
        order.append(told)
        writer.write(b"body")
        return await reader.read()

    speaking(net, asked)
    answer = talk(net.gate(), asking)

    assert order == [b"asked", b"HTTP/1.1 100 Continue\r\n\r\n", b"body"]
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_host_that_wants_no_body_is_heard_before_it_is_sent(net: Net) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        assert await reader.read() == b""

    async def asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(post(b"Content-Length: 4", b"Expect: 100-continue"))
        return await reader.read()

    speaking(net, refusing)
    answer = talk(net.gate(), asking)

    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized")
    assert b"connection: close" in answer.lower()
    net.settle()


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_informational_answers_nobody_asked_for_are_passed_over(net: Net, version: bytes) -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    speaking(net, chatty)

    get = b"GET %s HTTP/%s\r\nHost: %s\r\nConnection: close\r\n\r\n"
    answer = net.gate().raw(get % (URL.encode(), version, NAME.encode()))

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_host_that_switches_protocols_unasked_is_502(net: Net) -> None:
    async def switching(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nnot http")
        await writer.drain()

    speaking(net, switching)
    proxy = net.gate()

    assert proxy.get(URL).status_code == 502
    assert len(proxy.gate.pool) == 0


# ── coming down ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_every_event_of_a_stream_arrives_before_the_next_is_sent(
    net: Net, secret: Make, keyed: bool, coding: str
) -> None:
    heard = asyncio.Event()
    events = [b'data: {"n": %d}\n\n' % n for n in range(20)]
    packer = zlib.compressobj(wbits=31)

    async def telling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        packed = b"Content-Encoding: gzip\r\n" if coding else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + packed + b"\r\n")
        for event in events:
            data = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if coding else event
            writer.write(data)
            await asyncio.wait_for(heard.wait(), 10)
            heard.clear()
        writer.write(packer.flush() if coding else b"")
        await writer.drain()

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.write(f"GET {URL} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        unpacker, text, count = zlib.decompressobj(31), b"", 0
        await reader.readuntil(b"\r\n\r\n")
        while count < len(events):
            length = int(await reader.readline(), 16)
            data = (await reader.readexactly(length + 2))[:-2]
            text += unpacker.decompress(data) if coding and not keyed else data
            while events[count : count + 1] and text.count(b"\n\n") > count:
                count += 1
                heard.set()
        return count

    host = net.host(NAME, tls=False)
    context = net.authority.context(NAME) if keyed else None
    port = net.listen(telling, context)
    host.tls_port = host.plain_port = port
    proxy = net.gate(*([secret("bearer")] if keyed else []))

    assert talk(proxy, listening) == len(events)


def test_trailers_of_a_response_pass_masked_and_without_what_would_change_it(net: Net, secret: Make) -> None:
    key = secret("bearer", value="abcdefgh12345678")

    async def trailing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        writer.write(b"X-Sum: abcdefgh12345678\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()

    net.host(NAME, tls=False).tls_port = net.listen(trailing, net.authority.context(NAME))
    answer = net.gate(key).raw(f"GET {URL} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())

    body = answer.partition(b"\r\n\r\n")[2]
    assert body == b"2\r\nok\r\n0\r\nx-sum: %s\r\n\r\n" % key.placeholder.encode()


def test_a_client_that_does_not_read_holds_the_host_back_and_is_let_go(net: Net) -> None:
    sent = 0
    ended: list[bool] = []

    async def pouring(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (512 * MB))
        try:
            while sent < 512 * MB:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        except OSError:
            pass
        ended.append(True)

    async def idling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(f"GET {URL} HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        deadline = time.monotonic() + 15
        while not ended and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return bool(ended)

    speaking(net, pouring)

    assert talk(net.gate(limits=Limits(idle=0.5)), idling)
    assert sent < 64 * MB


def test_a_host_without_a_length_that_closes_gives_a_whole_body(net: Net) -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")
        await writer.drain()

    speaking(net, old)
    proxy = net.gate()

    with proxy.session() as session:
        assert [session.get(URL).text for _ in range(2)] == ["all of it"] * 2
    assert len(proxy.gate.pool) == 0


def test_a_host_that_states_two_lengths_or_two_framings_garbles_nothing(net: Net) -> None:
    heads = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ]

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(heads.pop(0))
        await writer.drain()

    speaking(net, odd)
    proxy = net.gate()

    first, second = proxy.get(URL), proxy.get(URL)
    assert (first.status_code, "not well-formed HTTP" in first.text) == (502, True)
    assert (second.status_code, second.text) == (200, "ok")


def test_a_range_of_a_host_without_a_key_passes(net: Net) -> None:
    part = {"content-range": "bytes 2-4/10", "content-length": "3"}
    host = net.host(NAME, lambda seen: net.reply(status=206, headers=part, pieces=[b"cde"]), tls=False, plain=True)

    response = net.gate().get(URL, headers={"Range": "bytes=2-4", "If-Range": '"x"'})

    assert (response.status_code, response.content, response.headers["content-range"]) == (206, b"cde", "bytes 2-4/10")
    assert host.seen[0].headers["if-range"] == '"x"'


def test_a_body_that_unpacks_to_far_more_than_it_was_is_broken_off(net: Net, secret: Make) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "gzip"}, pieces=[bomb]))
    proxy = net.gate(secret("bearer"), limits=Limits(unpacked=1_000_000, expansion=100))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        proxy.get(f"https://{NAME}/")

    [access] = proxy.gate.drain()
    assert access.refused == "the response unpacks to more than 100 times its size"
    assert access.size < 4_000_000
