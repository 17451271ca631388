"""What happens between the gate and a host that is wrong, slow, too large, or not where it should be."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
import requests

from ecoassist.egress.ca import SessionCA
from ecoassist.egress.resolve import Resolver
from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Client, Net

NAME = "api.example.com"
URL = f"https://{NAME}/"
Make = Callable[..., Secret]


def answering(*addresses: str) -> Resolver:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def test_a_certificate_of_another_authority_is_502_with_the_reason(net: Net, client: Client) -> None:
    host = net.host(NAME, authority=SessionCA())

    answer = client(net.gate(), "GET", URL, None)

    assert answer.status == 502
    assert f"the certificate of {NAME} is not valid" in answer.text
    assert host.seen == []


def test_a_certificate_of_another_name_is_502_with_the_reason(net: Net) -> None:
    host = net.host(NAME, tls=False)
    host.tls_port = net.listen(host.serve, net.authority.context("other.example.com"))

    response = net.gate().get(URL)

    assert response.status_code == 502
    assert f"the certificate of {NAME} is not valid: it is for another name" in response.text


def test_plain_http_to_a_host_with_a_key_and_without_tls_is_502_with_the_reason(net: Net, secret: Make) -> None:
    host = net.host(NAME, tls=False, plain=True)
    host.tls_port = host.plain_port

    response = net.gate(secret("bearer")).get(f"http://{NAME}/")

    assert response.status_code == 502
    assert "could not be reached over TLS on port" in response.text
    assert "a host with a key is only spoken to over TLS" in response.text
    assert host.seen == []


def test_a_host_where_nobody_listens_is_502_with_the_reason(net: Net) -> None:
    net.host(NAME, tls=False)

    response = net.gate().get(URL)

    assert response.status_code == 502
    assert "could not be reached over TLS on port" in response.text


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("::ffff:127.0.0.1",),
        ("1.1.1.1", "127.0.0.1"),
        ("fe80::1%1",),
    ],
)
def test_a_name_that_resolves_into_a_private_network_is_refused(net: Net, addresses: tuple[str, ...]) -> None:
    proxy = net.gate(hosts=[NAME], resolve=answering(*addresses))

    response = proxy.get(URL)

    assert response.status_code == 403
    assert f"the name {NAME} resolves to an address that is not public" in response.text
    assert addresses[0] not in response.text
    assert proxy.gate.drain()[0].refused


def test_a_name_that_does_not_resolve_is_502(net: Net) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    response = net.gate(hosts=[NAME], resolve=resolve).get(URL)

    assert (response.status_code, response.text) == (502, f"ecoassist: the name {NAME} does not resolve\n")


def test_a_silent_host_is_504(net: Net) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    host = net.host(NAME, tls=False)
    host.plain_port = net.listen(silent)

    response = net.gate(limits=Limits(idle=0.3)).get(f"http://{NAME}/")

    assert (response.status_code, response.text) == (504, f"ecoassist: {NAME} was silent for 0.3 s\n")


def test_a_host_that_does_not_finish_its_handshake_is_504(net: Net) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    host = net.host(NAME, tls=False)
    host.tls_port = net.listen(silent)

    response = net.gate(limits=Limits(connect=0.3)).get(URL)

    assert (response.status_code, response.text) == (504, f"ecoassist: {NAME} could not be reached within 0.3 s\n")


def test_a_host_that_trickles_is_cut_off_in_the_end(net: Net) -> None:
    net.host(NAME, lambda seen: net.reply(pieces=[b"x"] * 1000, pause=0.05))
    proxy = net.gate(limits=Limits(total=0.5))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        proxy.get(URL)

    assert proxy.gate.drain()[0].refused == f"{NAME} took longer than 0.5 s"


def test_a_host_that_breaks_off_is_502(net: Net) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    host = net.host(NAME, tls=False)
    host.plain_port = net.listen(rude)

    response = net.gate().get(f"http://{NAME}/")

    assert (response.status_code, response.text) == (502, f"ecoassist: {NAME} broke off the connection\n")


def test_a_post_is_not_sent_twice_when_a_kept_connection_breaks(net: Net) -> None:
    posts: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        posts.append(await reader.read(65536))
        writer.close()

    host = net.host(NAME, tls=False)
    host.plain_port = net.listen(once)

    with net.gate().session() as session:
        assert session.get(f"http://{NAME}/").text == "ok"
        assert session.post(f"http://{NAME}/", data=b"pay").status_code == 502

    assert len(posts) == 1


@pytest.mark.parametrize("keyed", [True, False])
def test_a_response_that_is_too_large_is_broken_off(
    net: Net, secret: Make, keyed: bool, until: Callable[..., None]
) -> None:
    host = net.host(NAME, lambda seen: net.reply(pieces=[b"x" * 1000] * 500))
    proxy = net.gate(*([secret("bearer")] if keyed else []), limits=Limits(response_body=100_000))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        proxy.get(URL)

    [access] = proxy.gate.drain()
    assert access.refused == "the response is larger than 100000 bytes"
    assert access.size < 200_000
    until(lambda: host.open == 0)


def test_a_small_packed_body_that_unpacks_to_much_is_broken_off(net: Net, secret: Make) -> None:
    bomb = gzip.compress(b"\0" * 30_000_000)
    assert len(bomb) < 40_000
    net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "gzip"}, pieces=[bomb]))
    proxy = net.gate(secret("bearer"), limits=Limits(response_body=1_000_000))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        proxy.get(URL)

    [access] = proxy.gate.drain()
    assert access.refused == "the response is larger than 1000000 bytes"
    assert access.size < 1_100_000


@pytest.mark.parametrize("body", [b"never packed by anyone", gzip.compress(b"x" * 1000)[:-5]])
def test_a_damaged_packed_body_is_never_taken_for_a_whole_one(net: Net, secret: Make, body: bytes) -> None:
    net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "gzip"}, pieces=[body]))
    proxy = net.gate(secret("bearer"))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        proxy.get(URL)

    assert "compressed body" in proxy.gate.drain()[0].refused


def test_a_body_cut_short_by_the_host_is_never_taken_for_a_whole_one(net: Net, secret: Make) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        await writer.drain()
        writer.close()

    host = net.host(NAME, tls=False)
    host.plain_port = net.listen(cut)

    with pytest.raises(requests.exceptions.RequestException):
        net.gate().get(f"http://{NAME}/")


def test_early_hints_are_passed_over(net: Net) -> None:
    async def hinting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    host = net.host(NAME, tls=False)
    host.plain_port = net.listen(hinting)

    assert net.gate().get(f"http://{NAME}/").text == "ok"
