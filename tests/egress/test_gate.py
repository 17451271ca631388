"""Requests through the gate with the clients that people's code uses."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Client, Net, Proxy


def test_an_allowed_request_and_its_body_go_through(net: Net, client: Client) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[b"got ", seen.body]))
    proxy = net.gate()

    answer = client(proxy, "POST", "https://api.example.com/things?a=1&b=%20", b"twelve bytes")

    assert (answer.status, answer.text) == (200, "got twelve bytes")
    assert (host.seen[0].method, host.seen[0].target) == ("POST", "/things?a=1&b=%20")
    assert host.seen[0].headers["host"] == "api.example.com"
    assert "proxy-connection" not in host.seen[0].headers
    [access] = proxy.gate.drain()
    assert (access.host, access.method, access.path) == ("api.example.com", "POST", "/things")
    assert (access.status, access.refused, access.size) == (200, "", 16)
    assert proxy.gate.drain() == ()


def test_a_refused_host_says_why_in_every_client(net: Net, client: Client) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    answer = client(proxy, "GET", "https://other.example.org/x?secret=1", None)

    assert answer.status == 403
    assert answer.text == ("ecoassist: host other.example.org is not on the allow-list (allowed: api.example.com)\n")
    assert answer.reason == answer.text.strip()
    [access] = proxy.gate.drain()
    assert (access.host, access.method, access.path, access.status) == ("other.example.org", "GET", "/x", None)
    assert access.refused == "host other.example.org is not on the allow-list (allowed: api.example.com)"


def test_a_refused_host_says_why_over_plain_http_too(net: Net, client: Client) -> None:
    answer = client(net.gate(), "GET", "http://other.example.org/", None)

    assert (answer.status, answer.text) == (
        403,
        "ecoassist: host other.example.org is not on the allow-list (it is empty)\n",
    )


def test_a_refused_post_is_told_why_and_not_cut_off(net: Net, client: Client) -> None:
    answer = client(net.gate(), "POST", "https://other.example.org/", b"x" * 3_000_000)

    assert answer.status == 403
    assert "not on the allow-list" in answer.text


def test_plain_http_to_an_allowed_host_without_a_key_passes(net: Net, client: Client) -> None:
    host = net.host("api.example.com", tls=False, plain=True)

    answer = client(net.gate(), "GET", "http://api.example.com/a?b=c", None)

    assert (answer.status, answer.text) == (200, "fine")
    assert host.seen[0].target == "/a?b=c"


def test_plain_http_to_a_host_with_a_key_becomes_tls(net: Net, client: Client, secret: Callable[..., Secret]) -> None:
    key = secret("query:key")
    host = net.host("api.example.com", tls=True, plain=False)

    answer = client(net.gate(key), "GET", f"http://api.example.com/a?key={key.placeholder}", None)

    assert (answer.status, answer.text) == (200, "fine")
    assert host.seen[0].target == "/a?key=sk-l1ve%2FT0P%2Bsecret%3D99"


def test_head_has_no_body_and_keeps_its_length(net: Net, client: Client) -> None:
    net.host("api.example.com", lambda seen: net.reply(headers={"content-length": "4711"}))

    answer = client(net.gate(), "HEAD", "https://api.example.com/", None)

    assert (answer.status, answer.text, answer.headers["content-length"]) == (200, "", "4711")


def test_204_has_no_body(net: Net, client: Client) -> None:
    net.host("api.example.com", lambda seen: net.reply(status=204))

    answer = client(net.gate(), "DELETE", "https://api.example.com/thing", None)

    assert (answer.status, answer.text) == (204, "")


def test_chunked_bodies_pass_in_both_directions(net: Net) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[b"a" * 70_000, b"b", b"c" * 70_000]))

    response = net.gate().ask("POST", "https://api.example.com/", data=iter([b"one ", b"two"]))

    assert response.content == b"a" * 70_000 + b"b" + b"c" * 70_000
    assert host.seen[0].body == b"one two"
    assert host.seen[0].headers["transfer-encoding"] == "chunked"
    assert "content-length" not in host.seen[0].headers


def test_one_connection_carries_many_requests(net: Net) -> None:
    host = net.host("api.example.com")

    with net.gate().session() as session:
        for _ in range(5):
            assert session.get("https://api.example.com/").text == "fine"

    assert [seen.connection for seen in host.seen] == [1] * 5


def test_a_kept_connection_that_the_host_closed_is_opened_again(net: Net) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(then_close=True))

    with net.gate().session() as session:
        for _ in range(3):
            assert session.get("https://api.example.com/").text == "fine"

    assert [seen.connection for seen in host.seen] == [1, 2, 3]


def test_a_tunnel_goes_on_after_a_refusal(net: Net) -> None:
    net.host("api.example.com")

    with net.gate(read_only=True).session() as session:
        assert session.post("https://api.example.com/", data=b"x").status_code == 403
        assert session.get("https://api.example.com/").text == "fine"


def test_one_plain_connection_may_speak_to_several_hosts(net: Net) -> None:
    names = ["a.example.com", "b.example.com"]
    for name in names:
        net.host(name, lambda seen: net.reply(pieces=[seen.headers["host"].encode()]), tls=False, plain=True)
    requested = b"".join(f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n".encode() for name in names)

    answer = net.gate().raw(
        requested + b"GET http://c.example.com/ HTTP/1.1\r\nHost: c.example.com\r\nConnection: close\r\n\r\n"
    )

    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"a.example.com") < answer.index(b"b.example.com") < answer.index(b"HTTP/1.1 403")


def test_a_wildcard_covers_names_below_and_not_itself(net: Net) -> None:
    net.host("a.example.com")
    net.host("example.com")
    proxy = net.gate(hosts=["*.example.com"])

    assert proxy.get("https://a.example.com/").status_code == 200
    assert proxy.get("https://example.com/").status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_read_only_gate_refuses_what_may_have_effects(net: Net, method: str) -> None:
    host = net.host("api.example.com")
    proxy = net.gate(read_only=True)

    response = proxy.ask(method, "https://api.example.com/")

    assert (response.status_code, response.text) == (403, f"ecoassist: read-only re-run: {method} is not sent again\n")
    assert host.seen == []
    assert [access.refused for access in proxy.gate.drain()] == [f"read-only re-run: {method} is not sent again"]


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "x-method-override", "X-HTTP-Method"])
def test_a_read_only_gate_refuses_a_get_that_would_be_something_else(net: Net, header: str) -> None:
    host = net.host("api.example.com")
    answer = net.gate(read_only=True).ask("GET", "https://api.example.com/", headers={header: "DELETE"})
    assert answer.status_code == 403
    assert "read-only re-run" in answer.text
    assert host.seen == []
    assert net.gate().ask("GET", "https://api.example.com/", headers={header: "DELETE"}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_only_gate_lets_readers_through(net: Net, method: str) -> None:
    net.host("api.example.com")

    assert net.gate(read_only=True).ask(method, "https://api.example.com/").status_code == 200


@pytest.mark.parametrize(
    "url",
    ["https://169.254.169.254/latest", "https://127.0.0.1/", "https://[::1]/", "http://10.0.0.1/", "http://[fd00::1]/"],
)
def test_an_address_in_place_of_a_name_is_refused(net: Net, url: str) -> None:
    proxy = net.gate()

    response = proxy.get(url)

    assert response.status_code == 403
    assert "is an IP address; only host names" in response.text
    assert len(proxy.gate.drain()) == 1


@pytest.mark.parametrize(
    "url", ["https://api.example.com:8443/", "http://api.example.com:8080/", "http://api.example.com:443/"]
)
def test_other_ports_are_refused(net: Net, url: str) -> None:
    net.host("api.example.com")

    response = net.gate().get(url)

    assert response.status_code == 403
    assert "only https on 443 and http on 80 are open" in response.text


def test_a_tunnel_that_never_speaks_tls_is_recorded(net: Net, until: Callable[..., None]) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    answer = _ssh(net, proxy)

    assert b"SSH" not in answer
    net.settle()
    [access] = proxy.gate.drain()
    assert (access.host, access.method) == ("api.example.com", "CONNECT")
    assert access.refused.startswith("port 22 of api.example.com is closed")


def _ssh(net: Net, proxy: Proxy) -> bytes:
    async def exchange() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(b"CONNECT api.example.com:22 HTTP/1.1\r\nHost: api.example.com:22\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return await asyncio.wait_for(reader.read(), 15)
        finally:
            writer.close()

    return net.run(exchange())


def test_a_client_that_does_not_trust_the_session_is_recorded(net: Net) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    with proxy.session() as session:
        session.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            session.get("https://api.example.com/")

    net.settle()
    accesses = proxy.gate.drain()
    assert accesses
    assert "it may not trust the session certificate" in accesses[0].refused


def test_the_session_certificate_passes_strict_verification(net: Net) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    async def strict() -> str | None:
        context = ssl.create_default_context(cadata=proxy.gate.ca.pem.decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await writer.start_tls(context, server_hostname="api.example.com")
            version: str = writer.get_extra_info("ssl_object").version()
            return version
        finally:
            writer.close()
            await writer.wait_closed()

    assert net.run(strict()) == "TLSv1.3"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: api.example.com:8443\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nHost: other.example.org\r\n\r\n", 400),
        (b"GET https://other.example.org/ HTTP/1.1\r\nHost: other.example.org\r\n\r\n", 400),
        (b"CONNECT other.example.org:443 HTTP/1.1\r\nHost: other.example.org\r\n\r\n", 400),
        (b"CONNECT /path HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"\x00\x01\x02 nothing like HTTP\r\n\r\n", 400),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 431),
    ],
)
def test_what_no_honest_client_sends_reaches_no_host(net: Net, sent: bytes, status: int) -> None:
    host = net.host("api.example.com")

    answer = net.gate().inside("api.example.com:443", sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))

    assert answer.startswith(b"HTTP/1.1 %d ecoassist: " % status), answer[:200]
    assert host.seen == []


def test_two_framings_of_one_body_cannot_smuggle_a_request(net: Net) -> None:
    host = net.host("api.example.com")
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n"
    smuggled = b"DELETE /all HTTP/1.1\r\nHost: api.example.com\r\n\r\n"

    body = b"Connection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer = net.gate().inside("api.example.com:443", head + body + smuggled)

    assert answer.startswith(b"HTTP/1.1 400 ecoassist: not well-formed HTTP: two ways")
    assert host.seen == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET https://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"GET ftp://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"GET http://api.example.com:99999/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"CONNECT api.example.com HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"CONNECT ../../etc:443 HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
    ],
)
def test_what_is_no_proxy_request_is_told_so(net: Net, sent: bytes) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    answer = proxy.raw(sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert answer.startswith(b"HTTP/1.1 400 ecoassist: "), answer
    assert len(proxy.gate.drain()) == 1


def test_a_client_of_http_1_0_gets_its_answer(net: Net) -> None:
    net.host("api.example.com", tls=False, plain=True)

    answer = net.gate().raw(b"GET http://api.example.com/ HTTP/1.0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nfine")


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(net: Net) -> None:
    host = net.host("api.example.com", tls=False, plain=True)
    proxy = net.gate()

    async def asking() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(_ASKING)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            return await asyncio.wait_for(reader.read(), 15)
        finally:
            writer.close()

    assert net.run(asking()).startswith(b"HTTP/1.1 200 ")
    assert host.seen[0].body == b"body"


def test_a_client_that_asks_before_it_sends_its_body_is_refused_at_once(net: Net) -> None:
    assert net.gate().raw(_ASKING).startswith(b"HTTP/1.1 403 ecoassist: host api.example.com is not")


_ASKING = (
    b"POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 4\r\n"
    b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
)


def test_a_request_body_over_the_limit_is_refused_with_413(net: Net, client: Client) -> None:
    host = net.host("api.example.com")
    proxy = net.gate(limits=Limits(request_body=1_000_000))

    answer = client(proxy, "POST", "https://api.example.com/", b"x" * 1_500_000)

    assert (answer.status, answer.text) == (413, "ecoassist: the request body is larger than 1000000 bytes\n")
    assert host.seen == []


def test_bodies_that_are_kept_whole_have_bounded_room_in_all(
    net: Net, secret: Callable[..., Secret], until: Callable[..., None]
) -> None:
    host = net.host("api.example.com")
    proxy = net.gate(secret("body:token"), limits=Limits(whole_bodies=150_000))
    url, form = "http://api.example.com/", {"Content-Type": "application/x-www-form-urlencoded"}
    head = b"POST %s HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n" % url.encode()
    with socket.create_connection(("127.0.0.1", proxy.port)) as slow:
        slow.sendall(head + b"Content-Length: 100000\r\n\r\n" + b"x" * 99_999)
        until(lambda: proxy.gate.room.held == 99_999)
        refused = proxy.ask("POST", url, data=b"x" * 60_000, headers=form)
        assert (refused.status_code, refused.text.split("have ")[1]) == (503, "more than 150000 bytes of body\n")
        assert proxy.ask("POST", url, data=b"x" * 50_000, headers=form).status_code == 200
    until(lambda: proxy.gate.room.held == 0)
    assert proxy.ask("POST", url, data=b"x" * 150_000, headers=form).status_code == 200
    assert [len(seen.body) for seen in host.seen] == [50_000, 150_000]


def test_fifty_requests_at_once(net: Net) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[seen.target.encode()] * 3, pause=0.02))
    proxy = net.gate()

    with ThreadPoolExecutor(50) as threads:
        texts = list(threads.map(lambda n: proxy.get(f"https://api.example.com/{n}").text, range(50)))

    assert texts == [f"/{n}" * 3 for n in range(50)]
    assert len(host.seen) == len(proxy.gate.drain()) == 50


def test_one_connection_too_many_is_told_so_and_the_next_one_served(net: Net) -> None:
    net.host("api.example.com")
    proxy = net.gate(limits=Limits(connections=2))

    with proxy.session() as one, proxy.session() as two:
        assert one.get("https://api.example.com/").text == two.get("https://api.example.com/").text == "fine"
        third = proxy.get("https://api.example.com/")
    assert (third.status_code, third.text) == (503, "ecoassist: more than 2 connections at once; close some\n")

    net.settle()
    assert proxy.get("https://api.example.com/").text == "fine"


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(net: Net, until: Callable[..., None]) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[b"x" * 1000] * 1000, pause=0.2))
    proxy = net.gate()

    with proxy.session() as session:
        response = session.get("https://api.example.com/", stream=True)
        assert next(response.iter_content(100))
        assert host.open == 1
        response.close()

    net.settle()
    until(lambda: host.open == 0)
    [access] = proxy.gate.drain()
    assert access.status == 200


def test_a_client_that_leaves_before_the_answer_frees_the_host(net: Net, until: Callable[..., None]) -> None:
    ended: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        ended.append(await reader.read())
        writer.close()

    net.host("api.example.com", tls=False).plain_port = net.listen(silent)
    proxy = net.gate()

    with proxy.session() as session, pytest.raises(requests.exceptions.ReadTimeout):
        session.get("http://api.example.com/", timeout=0.3)

    until(lambda: ended == [b""])
    net.settle()
    [access] = proxy.gate.drain()
    assert (access.status, access.refused) == (None, "")


def test_a_request_sent_ahead_is_answered_in_its_turn(net: Net) -> None:
    host = net.host(
        "api.example.com", lambda seen: net.reply(pieces=[b"one", b"two"], pause=0.1), tls=False, plain=True
    )
    proxy = net.gate()
    request = b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n"

    async def ahead() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            writer.write(request + b"\r\n")
            begun = await reader.readuntil(b"one")
            writer.write(request + b"Connection: close\r\n\r\n")
            return begun + await asyncio.wait_for(reader.read(), 15)
        finally:
            writer.close()

    answer = net.run(ahead())
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"one"), answer.count(b"two")) == (2, 2, 2)
    assert len(host.seen) == 2


def test_a_body_that_breaks_its_framing_reaches_no_host(net: Net) -> None:
    host = net.host("api.example.com")
    proxy = net.gate()
    head = b"POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert proxy.inside("api.example.com:443", head + b"no size\r\n").startswith(
        b"HTTP/1.1 400 ecoassist: not well-formed"
    )

    assert host.seen == []
    assert [access.method for access in proxy.gate.drain()] == ["POST"]


def test_a_tunnel_with_bytes_before_it_is_open_is_refused(net: Net) -> None:
    net.host("api.example.com")

    answer = net.gate().raw(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n\x16\x03")

    assert answer.startswith(b"HTTP/1.1 400 ecoassist: data before the tunnel was open")


def test_a_silent_client_is_let_go(net: Net) -> None:
    assert net.gate(limits=Limits(idle=0.2)).raw(b"GET http://api.ex") == b""


def test_streams_over_a_socket_pair_are_served_and_end(net: Net) -> None:
    net.host("api.example.com")
    proxy = net.gate()

    async def paired() -> bytes:
        ours, theirs = socket.socketpair()
        served = await asyncio.open_connection(sock=theirs)
        serving = asyncio.ensure_future(proxy.gate.serve(*served))
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        context = ssl.create_default_context(cadata=proxy.gate.ca.pem.decode())
        await writer.start_tls(context, server_hostname="api.example.com")
        writer.write(b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(serving, 15)
        await asyncio.wait_for(served[1].wait_closed(), 15)
        return answer

    assert net.run(paired()).startswith(b"HTTP/1.1 200 ")


def test_a_conversation_that_is_cancelled_closes_both_of_its_sides(net: Net, until: Callable[..., None]) -> None:
    host = net.host(
        "api.example.com", lambda seen: net.reply(pieces=[b"x" * 1000] * 1000, pause=0.05), tls=False, plain=True
    )
    proxy = net.gate()

    async def cancelled() -> bytes:
        ours, theirs = socket.socketpair()
        serving = asyncio.ensure_future(proxy.gate.serve(*await asyncio.open_connection(sock=theirs)))
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
        await reader.readuntil(b"xxx")
        serving.cancel()
        await asyncio.wait([serving], timeout=15)
        rest = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        return rest

    assert b"0\r\n\r\n" not in net.run(cancelled())
    until(lambda: host.open == 0)
