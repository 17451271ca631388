"""Requests that two readers may read differently, and what the gate does not speak: each is refused with a reason."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ecoassist.egress.policy import Door, Override, Policy, Service
from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Net, Proxy

NAME = "api.example.com"
INSIDE = f"{NAME}:443"
CLOSE = b"Connection: close\r\n\r\n"
Make = Callable[..., Secret]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400, b"two ways to tell where the body ends"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400, b"two ways to tell where the body ends"),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 400, b"conflicting Content-Length"),
        (b"Content-Length: 3, 4\r\n", 400, b"conflicting Content-Length"),
        (b"Content-Length: +3\r\n", 400, b"bad Content-Length"),
        (b"Content-Length: 0x3\r\n", 400, b"bad Content-Length"),
        (b"Content-Length: 111111111111111111111\r\n", 400, b"bad Content-Length"),
        (b"Content-Length: -1\r\n", 400, b"bad Content-Length"),
        (b"Content-Length : 3\r\n", 400, b"illegal header line"),
        (b" Content-Length: 3\r\n", 400, b"not well-formed"),
        (b"X: a\r\n folded: b\r\n", 400, b"a folded line"),
        (b"X: a\r\n\tfolded: b\r\n", 400, b"a folded line"),
        (b"X: a\nY: b\r\n", 400, b"a lone line end"),
        (b"X: a\n\r\n", 400, b"a lone line end"),
        (b"X: a\rY: b\r\n", 400, b"illegal header line"),
        (b"X: a\x00b\r\n", 400, b"illegal header line"),
        (b"X\x00: a\r\n", 400, b"illegal header line"),
        (b": a\r\n", 400, b"illegal header line"),
        (b"Host: other.example.com\r\n", 400, b"multiple Host"),
        (b"Host: api.example.com\r\n", 400, b"multiple Host"),
        (b"Transfer-Encoding: identity\r\n", 501, b"Only Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked, chunked\r\n", 501, b"Only Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: xchunked\r\n", 501, b"Only Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400, b"illegal header line"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 501, b"multiple Transfer-Encoding"),
        (b"X: y\r\n" * 200, 431, b"a request may have 128 headers"),
        (b"X: " + b"y" * 65_600 + b"\r\n", 431, b""),
    ],
)
@pytest.mark.parametrize("tunnel", [True, False])
def test_a_head_that_two_readers_may_read_differently_reaches_no_host(
    net: Net, tunnel: bool, headers: bytes, status: int, reason: bytes
) -> None:
    host = net.host(NAME, plain=True)
    target = b"/" if tunnel else f"http://{NAME}/".encode()

    answer = _send(net.gate(), tunnel, b"POST %s HTTP/1.1\r\nHost: %s\r\n" % (target, NAME.encode()) + headers + CLOSE)

    assert answer.startswith(b"HTTP/1.1 %d ecoassist: " % status), answer[:200]
    assert reason in answer
    assert host.seen == []


def _send(proxy: Proxy, tunnel: bool, sent: bytes) -> bytes:
    return proxy.inside(INSIDE, sent) if tunnel else proxy.raw(sent)


@pytest.mark.parametrize(
    "line",
    [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET / HTTP/1.1\n",
        b" GET / HTTP/1.1",
        b"\r\nGET / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET / HTTP/01.1",
        b"GET /\x01 HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GET / http/1.1",
        b"GET /",
        b"GET / HTTP/3.0",
        b"GET / HTTP/0.9",
    ],
)
def test_a_first_line_of_another_form_reaches_no_host(net: Net, line: bytes) -> None:
    host = net.host(NAME)

    answer = net.gate().inside(INSIDE, line + b"\r\nHost: api.example.com\r\n" + CLOSE)

    assert answer.startswith((b"HTTP/1.1 400 ecoassist: ", b"HTTP/1.1 505 ecoassist: ")), answer[:200]
    assert host.seen == []


def test_an_old_client_cannot_frame_its_body_as_a_new_one_does(net: Net) -> None:
    host = net.host(NAME)
    head = b"POST / HTTP/1.0\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    assert b"two ways to tell where the body ends" in net.gate().inside(INSIDE, head)
    assert host.seen == []


@pytest.mark.parametrize(
    ("tunnel", "target", "host"),
    [
        (True, "https://other.example.com/", "other.example.com"),
        (True, f"https://{NAME}/", NAME),
        (True, "http://other.example.com/", NAME),
        (True, "//other.example.com/", "other.example.com"),
        (True, "/", "other.example.com"),
        (True, "/", f"{NAME}@other.example.com"),
        (True, "/", "other.example.com#" + NAME),
        (False, f"http://{NAME}/", "other.example.com"),
        (False, f"http://{NAME}@other.example.com/", NAME),
        (False, "http://other.example.com/", NAME),
    ],
)
def test_a_request_that_names_two_hosts_reaches_neither(net: Net, tunnel: bool, target: str, host: str) -> None:
    hosts = [net.host(name, plain=True) for name in (NAME, "other.example.com")]

    answer = _send(net.gate(), tunnel, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n".encode() + CLOSE)

    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 421"), answer[:200]
    assert [seen for host in hosts for seen in host.seen] == []


@pytest.mark.parametrize(
    "body",
    [
        b"3;\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-1\r\nabc\r\n0\r\n\r\n",
        b"3 ;x\r\nabc\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_chunks_of_another_form_are_refused_and_end_both_connections(
    net: Net, body: bytes, until: Callable[..., None]
) -> None:
    host = net.host(NAME)
    proxy = net.gate()
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = proxy.inside(INSIDE, head + body)

    assert answer.startswith(b"HTTP/1.1 400 ecoassist: not well-formed HTTP"), answer[:200]
    assert host.seen == []
    until(lambda: host.open == 0)
    assert len(proxy.gate.pool) == 0


def test_chunk_extensions_and_trailers_go_no_further(net: Net) -> None:
    host = net.host(NAME)
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    net.gate().inside(INSIDE, head + b"3;x=y\r\nabc\r\n0;z\r\nX-HTTP-Method-Override: DELETE\r\n\r\n")

    assert host.seen[0].body == b"abc"
    assert "override" not in host.seen[0].text().lower()


@pytest.mark.parametrize("extension", [50_000, 5_000])
def test_a_flood_of_chunk_extensions_is_a_body_that_is_too_large(net: Net, extension: int) -> None:
    net.host(NAME)
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    flood = b"1;" + b"x" * extension + b"\r\na\r\n"

    answer = net.gate(limits=Limits(request_body=100_000)).inside(
        INSIDE, head + flood * (400_000 // extension) + b"0\r\n\r\nGET / HTTP/1.1\r\nHost: api.example.com\r\n" + CLOSE
    )

    assert answer.startswith(b"HTTP/1.1 413 ecoassist: "), answer[:200]


# ── what is not spoken ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tunnel", [True, False])
def test_http_2_without_negotiation_is_refused_in_words(net: Net, tunnel: bool) -> None:
    net.host(NAME)

    answer = _send(net.gate(), tunnel, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 505 ecoassist: HTTP/2 is not supported; speak HTTP/1.1"), answer[:200]


def test_an_offer_of_http_2_is_passed_over(net: Net) -> None:
    host = net.host(NAME, tls=False, plain=True)

    offer = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    assert net.gate().get(f"http://{NAME}/", headers=offer).text == "fine"

    assert not {"upgrade", "http2-settings"} & host.seen[0].headers.keys()


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu/s3/aws4_request, Signature=fe5f80",
        'Signature keyId="k",signature="abc"',
    ],
)
def test_request_signing_is_refused_in_words_where_there_is_a_key(net: Net, secret: Make, header: str) -> None:
    host = net.host(NAME)

    answer = net.gate(secret("bearer")).get(f"https://{NAME}/", headers={"Authorization": header})

    assert (answer.status_code, "request signing is not supported" in answer.text) == (501, True)
    assert host.seen == []
    assert net.gate().get(f"https://{NAME}/", headers={"Authorization": header}).status_code == 200


def test_a_signed_url_is_refused_in_words_where_there_is_a_key(net: Net, secret: Make) -> None:
    net.host(NAME)

    assert net.gate(secret("bearer")).get(f"https://{NAME}/x?X-Amz-Signature=abc").status_code == 501


def test_a_refusal_to_a_head_request_has_no_body_and_the_tunnel_goes_on(net: Net) -> None:
    net.host(NAME)

    with net.gate().session() as session:
        refused = session.head("https://other.example.org/")
        assert (refused.status_code, refused.content) == (403, b"")
        assert "not on the allow-list" in refused.reason
        assert session.get("https://other.example.org/").text.startswith("ecoassist: host other.example.org")


# ── tunnels ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tunnelled(proxy: Proxy, target: str, sent: bytes, asked: str | None = None, *, tls: bool = True) -> bytes:
    """What is answered inside a tunnel to `target`, by a client that verifies nothing and asks TLS for `asked`."""

    async def exchange() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            if tls:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                await writer.start_tls(context, server_hostname=asked)
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), 15)
        finally:
            writer.close()

    return proxy.net.run(exchange())


@pytest.mark.parametrize("keyed", [True, False])
def test_a_handshake_that_asks_for_another_host_is_refused(net: Net, secret: Make, keyed: bool) -> None:
    host, other = net.host(NAME), net.host("other.example.com")
    proxy = net.gate(*([secret("bearer")] if keyed else []))
    get = f"GET / HTTP/1.1\r\nHost: {NAME}\r\n".encode() + CLOSE

    answer = _tunnelled(proxy, INSIDE, get, "other.example.com")

    assert answer.startswith(b"HTTP/1.1 421 ecoassist: the TLS handshake asked for another host than api.example.com")
    assert host.seen == other.seen == []
    assert "another host" in proxy.gate.drain()[0].refused
    assert _tunnelled(proxy, INSIDE, get, "API.example.com").startswith(b"HTTP/1.1 200")
    assert _tunnelled(proxy, INSIDE, get, None).startswith(b"HTTP/1.1 200")


def test_a_tunnel_to_port_80_carries_plain_http(net: Net) -> None:
    host = net.host(NAME, tls=False, plain=True)
    get = f"GET /a?b HTTP/1.1\r\nHost: {NAME}\r\n".encode()

    answer = _tunnelled(net.gate(), f"{NAME}:80", get + b"\r\n" + get + CLOSE, tls=False)

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert [(seen.target, seen.headers["host"]) for seen in host.seen] == [("/a?b", NAME)] * 2


def test_a_tunnel_to_port_80_of_a_host_with_a_key_leads_to_tls(net: Net, secret: Make) -> None:
    key = secret("query:key", value="abcdefgh12345678")
    host = net.host(NAME)
    get = f"GET /?key={key.placeholder} HTTP/1.1\r\nHost: {NAME}\r\n".encode()

    assert b" 200 " in _tunnelled(net.gate(key), f"{NAME}:80", get + CLOSE, tls=False)
    assert host.seen[0].target == "/?key=abcdefgh12345678"


def test_a_tunnel_to_port_80_of_a_closed_host_says_why(net: Net) -> None:
    get = b"GET / HTTP/1.1\r\nHost: other.example.org\r\n" + CLOSE
    proxy = net.gate()

    answer = _tunnelled(proxy, "other.example.org:80", get, tls=False)

    assert answer.startswith(b"HTTP/1.1 403 ecoassist: host other.example.org is not on the allow-list")
    assert [access.blocked for access in proxy.gate.drain()] == [True]


def test_a_tunnel_to_a_private_api_of_plain_http_carries_plain_http(net: Net) -> None:
    host = net.host("10.1.2.3", tls=False, plain=True)
    proxy = net.gate(hosts=[])
    door = Door("10.1.2.3", host.plain_port, tls=False)
    policy = Policy(services=(Service("inner", door=door),), overrides={"10.1.2.3": Override("127.0.0.1")})
    inner = net.gate(policy=policy)

    get = f"GET / HTTP/1.1\r\nHost: {door}\r\n".encode() + CLOSE
    assert b" 200 " in _tunnelled(inner, str(door), get, tls=False)
    assert host.seen[0].headers["host"] == str(door)
    assert _tunnelled(proxy, f"{door.host}:80", get.replace(str(door).encode(), b"10.1.2.3"), tls=False).startswith(
        b"HTTP/1.1 403 "
    )


def test_a_tunnel_inside_a_tunnel_is_refused(net: Net) -> None:
    net.host(NAME, plain=True)
    connect = f"CONNECT {INSIDE} HTTP/1.1\r\nHost: {INSIDE}\r\n".encode() + CLOSE

    assert _tunnelled(net.gate(), f"{NAME}:80", connect, tls=False).startswith(
        b"HTTP/1.1 400 ecoassist: inside a tunnel"
    )


# ── slow ones ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tunnel", [True, False])
def test_a_head_that_comes_byte_by_byte_has_a_deadline(net: Net, tunnel: bool) -> None:
    net.host(NAME, plain=True)
    proxy = net.gate(limits=Limits(head_seconds=0.4, idle=15))

    async def trickle() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        if tunnel:
            writer.write(f"CONNECT {NAME}:80 HTTP/1.1\r\nHost: {NAME}:80\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(b"G")
            await asyncio.wait([ended], timeout=0.05)
        writer.close()
        return ended.result() if not ended.exception() else b""

    assert proxy.net.run(asyncio.wait_for(trickle(), 15)) == b""
    net.settle()


def test_a_handshake_that_is_never_made_has_a_deadline(net: Net) -> None:
    net.host(NAME)
    proxy = net.gate(limits=Limits(connect=0.3))

    async def silent() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"CONNECT {INSIDE} HTTP/1.1\r\nHost: {INSIDE}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x16\x03\x01\x02")
        try:
            return await reader.read()
        except OSError:
            return b""
        finally:
            writer.close()

    assert proxy.net.run(asyncio.wait_for(silent(), 15)) == b""
    net.settle()
