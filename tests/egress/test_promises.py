"""What the gate promises: this module is the list. Each row is an attack, by code in the sandbox or by a host.

The key is bound to one host and to two places in its requests. An attack has succeeded when the key reaches any other
place, when the sandbox sees any form of it, when a request reaches a host that the policy does not name, or when the
gate holds on to something. tests/egress/test_dial.py has the addresses that a name may lead to.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import brotli
import h11
import pytest

from ecoassist.egress.places import parse_place, placeholder
from ecoassist.egress.relay import masked
from ecoassist.egress.wire import Limits, Turns
from ecoassist.masks import MaskedStream, Masks
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Host, Net

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NAME, OTHER, FOREIGN = "api.example.com", "other.example.com", "evil.example.org"
KEY = "sk-l1ve/T0P+secret=99"
MARK = placeholder(KEY)
SECRET = Secret("API_KEY", KEY, MARK, (NAME,), (parse_place("query:key"), parse_place("header:X-Api-Key")))
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


def forms(key: str) -> dict[str, bytes]:
    """How a key may be written so that anybody can read it."""
    raw = key.encode()
    escaped = "".join(f"\\u{ord(c):04x}" for c in key)
    return {
        "itself": raw,
        "percent": quote(key, safe="").encode(),
        "percent in small letters": re.sub("%..", lambda code: code[0].lower(), quote(key, safe="")).encode(),
        "percent twice": quote(quote(key, safe=""), safe="").encode(),
        "every byte percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "a JSON text": json.dumps(key).strip('"').encode(),
        "JSON with escaped slashes": json.dumps(key).strip('"').replace("/", "\\/").encode(),
        "JSON escapes": escaped.encode(),
        "JSON escapes in capitals": escaped.upper().replace("\\U", "\\u").encode(),
        "hexadecimal": raw.hex().encode(),
        "hexadecimal in capitals": raw.hex().upper().encode(),
        "base64": base64.b64encode(raw),
        "base64, one byte on": base64.b64encode(b"x" + raw),
        "base64, two bytes on": base64.b64encode(b"xy" + raw + b"z"),
        "base64 for URLs": base64.urlsafe_b64encode(raw),
        "base64 of percent": base64.b64encode(quote(key, safe="").encode()),
        "HTML": key.replace("/", "&#x2F;").replace("+", "&#43;").encode(),
    }


def shows(text: bytes) -> list[str]:
    """The forms of the key in `text`."""
    found = [name for name, form in forms(KEY).items() if form in text]
    inner = [base64.b64encode(b"\0" * n + KEY.encode())[-(-8 * n // 6) : 8 * (n + len(KEY)) // 6] for n in range(3)]
    return found + [f"inside base64, {n} on" for n, part in enumerate(inner) if part in text]


def read(answer: bytes, method: bytes = b"GET") -> tuple[int, bytes, bytes]:
    """Of a response: its status, everything but its body, its body."""
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"x")]))
    http.receive_data(answer)
    http.receive_data(b"")
    status, around, body = 0, b"", b""
    while not isinstance(event := http.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
        if isinstance(event, h11.Response | h11.InformationalResponse):
            status = event.status_code
            around += bytes(event.reason) + b"\n" + b"\n".join(b": ".join(pair) for pair in event.headers.raw_items())
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    if isinstance(event, h11.EndOfMessage):
        around += b"".join(name + value for name, value in event.headers)
    return status, around, body


def get(path: str = "/", *headers: str, method: str = "GET", host: str = NAME, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


# ── the key goes to its place, and to no other ──────────────────────────────────────────────────────────────────────

NESTED = json.dumps({"key": {"key": MARK}, "list": [MARK]}).encode()
MULTIPART = f'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\n{MARK}\r\n--b--\r\n'.encode()
JSON, FORM = "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"
PARTS = "Content-Type: multipart/form-data; boundary=b"


def chunks(body: str, extension: str = "", trailer: str = "") -> bytes:
    head = get("/", "Transfer-Encoding: chunked", method="POST").decode()
    return f"{head}{len(body):x}{extension}\r\n{body}\r\n0\r\n{trailer}\r\n".encode()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(get(f"/{MARK}"), id="path"),
        pytest.param(get(f"/?other={MARK}"), id="another parameter"),
        pytest.param(get(f"/?key[]={MARK}&KEY={MARK}&ke%79s={MARK}&;key={MARK}"), id="parameters like it"),
        pytest.param(get(f"/?x=key={MARK}"), id="inside another parameter"),
        pytest.param(get(f"/?{MARK}=1"), id="name of a parameter"),
        pytest.param(get("/", f"X-Other: {MARK}"), id="another header"),
        pytest.param(get("/", f"X-{MARK}: 1"), id="name of a header"),
        pytest.param(get("/", f"Cookie: key={MARK}"), id="cookie"),
        pytest.param(get("/", f"Referer: https://{NAME}/?key={MARK}"), id="referer"),
        pytest.param(get("/", f"Authorization: Bearer {MARK}"), id="bearer, where a header is declared"),
        pytest.param(get("/", f"Authorization: Basic {base64.b64encode(MARK.encode()).decode()}"), id="basic"),
        pytest.param(get("/", f"User-Agent: {MARK}"), id="user agent"),
        pytest.param(get("/", JSON, method="POST", body=json.dumps({"key": MARK}).encode()), id="JSON body"),
        pytest.param(get("/", JSON, method="POST", body=NESTED), id="nested JSON body"),
        pytest.param(get("/", FORM, method="POST", body=f"key={MARK}".encode()), id="form"),
        pytest.param(
            get("/", "Content-Type: multipart/form-data; boundary=b", method="POST", body=MULTIPART),
            id="multipart body",
        ),
        pytest.param(get("/", method="POST", body=MARK.encode()), id="plain body"),
        pytest.param(chunks(MARK), id="chunked body"),
        pytest.param(chunks("x", f";key={MARK}"), id="chunk extension"),
        pytest.param(chunks("x", trailer=f"X-Api-Key: {MARK}\r\n"), id="trailer"),
    ],
)
def test_a_placeholder_anywhere_else_stays_one(net: Net, sent: bytes) -> None:
    host = net.host(NAME)

    answer = net.gate(SECRET).inside(f"{NAME}:443", sent)

    assert shows(answer) == []
    assert [shows(seen.text().encode()) for seen in host.seen] in ([], [[]])
    if answer.startswith(b"HTTP/1.1 200"):
        assert len(host.seen) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(get("/", host=f"{NAME}.{MARK[:20]}.example.com"), 421, id="host header"),
        pytest.param(get("/", host=MARK), 421, id="nothing but it in the host header"),
        pytest.param(get(f"http://{MARK}@{NAME}/"), 400, id="user info"),
        pytest.param(get(f"/#key={MARK}"), 200, id="fragment"),
    ],
)
def test_a_placeholder_in_what_names_the_place_reaches_nobody(net: Net, sent: bytes, status: int) -> None:
    host = net.host(NAME)

    assert net.gate(SECRET).inside(f"{NAME}:443", sent).startswith(b"HTTP/1.1 %d" % status)
    assert not any(shows(seen.text().encode()) for seen in host.seen)


def test_a_placeholder_in_the_user_info_of_a_plain_url_reaches_nobody(net: Net) -> None:
    host = net.host(NAME)

    net.gate(SECRET).raw(get(f"http://me:{MARK}@{NAME}/?x=1"))

    assert not any(shows(seen.text().encode()) for seen in host.seen)


def test_the_key_of_one_host_is_a_placeholder_at_every_other(net: Net) -> None:
    net.host(NAME)
    other = net.host(OTHER)
    proxy = net.gate(SECRET)

    proxy.get(f"https://{OTHER}/?key={MARK}", headers={"X-Api-Key": MARK})

    assert MARK in other.seen[0].target
    assert MARK in str(other.seen[0].headers)
    assert shows(other.seen[0].text().encode()) == []


def test_the_key_never_travels_in_the_clear(net: Net) -> None:
    plain = net.host(NAME, tls=False, plain=True)

    answer = net.gate(SECRET).get(f"http://{NAME}/?key={MARK}")

    assert answer.status_code == 502
    assert plain.seen == []


# ── the key does not come back ──────────────────────────────────────────────────────────────────────────────────────

RESPONSES: dict[str, bytes] = {
    **{
        f"body, as {name}": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(form) + form
        for name, form in forms(KEY).items()
    },
    **{
        f"header, as {name}": b"HTTP/1.1 200 OK\r\nX-Echo: a" + b" " + form + b"\r\nContent-Length: 0\r\n\r\n"
        for name, form in forms(KEY).items()
    },
    "set-cookie": f"HTTP/1.1 200 OK\r\nSet-Cookie: k={quote(KEY)}; Path=/\r\nSet-Cookie: j={KEY}\r\n\r\n".encode(),
    "location": f"HTTP/1.1 302 Found\r\nLocation: /?key={quote(KEY, safe='')}\r\nContent-Length: 0\r\n\r\n".encode(),
    "link to the next page": f"HTTP/1.1 200 OK\r\nLink: </?key={KEY}>; rel=next\r\nContent-Length: 0\r\n\r\n".encode(),
    "etag of 304": f'HTTP/1.1 304 Not Modified\r\nETag: "{KEY}"\r\n\r\n'.encode(),
    "challenge": f'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer error="{KEY}"\r\nContent-Length: 0\r\n\r\n'.encode(),
    "reason phrase": f"HTTP/1.1 403 {KEY} is no key\r\nContent-Length: 0\r\n\r\n".encode(),
    "error page": f"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n<h1>bad key {KEY}</h1>".encode(),
    "early hints": f"HTTP/1.1 103 Hints\r\nLink: <{KEY}>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".encode(),
    "name of a header": b"HTTP/1.1 200 OK\r\nX-" + KEY.encode().hex().encode() + b": 1\r\nContent-Length: 0\r\n\r\n",
    "chunks of one byte": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"1\r\n%c\r\n" % byte for byte in KEY.encode())
    + b"0\r\n\r\n",
    "chunk extension": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;k={KEY}\r\nok\r\n0\r\n\r\n".encode(),
    "trailer": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-End: {KEY}\r\n\r\n".encode(),
    "no HTTP": f"220 hello {KEY}\r\n".encode(),
    "broken header": f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(),
    "cut off": f"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{KEY[:-1]}".encode(),
    "unknown coding": f"HTTP/1.1 200 OK\r\nContent-Encoding: {KEY[:14]}\r\nContent-Length: 1\r\n\r\nx".encode(),
}


def packed(coding: str, body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)) + body
    )


TEXT = f"bad key {KEY}!".encode() * 3
RESPONSES |= {
    "gzip": packed("gzip", gzip.compress(TEXT)),
    "gzip in several members": packed("gzip", gzip.compress(TEXT[:15]) + gzip.compress(TEXT[15:])),
    "deflate": packed("deflate", zlib.compress(TEXT)),
    "brotli": packed("br", brotli.compress(TEXT)),
    "zstd": packed("zstd", zstd.compress(TEXT)),
    "gzip in brotli": packed("gzip, br", brotli.compress(gzip.compress(TEXT))),
    "plain, though it says gzip": packed("gzip", TEXT),
    "gzip with the key after its end": packed("gzip", gzip.compress(b"ok") + TEXT),
}


def saying(answer: bytes) -> Handler:
    """A host that answers anything with these bytes, one piece after the other, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


def host_saying(net: Net, answer: bytes) -> Host:
    return hosted(net, saying(answer))


def hosted(net: Net, serve: Handler, name: str = NAME) -> Host:
    host = net.host(name, tls=False)
    host.tls_port = net.listen(serve, net.authority.context(name))
    return host


HEADS = tuple(
    case for case in RESPONSES if case.startswith(("header", "set-cookie", "location", "reason", "challenge"))
)


@pytest.mark.parametrize(
    ("method", "case"), [*(("GET", case) for case in RESPONSES), *(("HEAD", case) for case in HEADS)]
)
def test_an_echo_of_the_key_does_not_reach_the_sandbox(net: Net, method: str, case: str) -> None:
    host_saying(net, RESPONSES[case])
    proxy = net.gate(SECRET)

    answer = proxy.inside(f"{NAME}:443", get("/", f"X-Api-Key: {MARK}", method=method))

    assert answer
    assert shows(answer) == []
    with suppress(h11.RemoteProtocolError):  # a response that broke off
        _, around, body = read(answer, method.encode())
        assert shows(around) == shows(body) == []
    assert shows(repr(proxy.gate.drain()).encode()) == []


def test_an_echo_is_masked_wherever_the_pieces_are_cut(net: Net) -> None:
    body = b"x" * 50 + KEY.encode() + b"y" * 50
    net.host(NAME, lambda seen: net.reply(pieces=[body[: int(seen.target[1:])], body[int(seen.target[1:]) :]]))
    proxy = net.gate(SECRET)

    with proxy.session() as session:
        told = {session.get(f"https://{NAME}/{cut}", timeout=30).content for cut in range(48, 75)}

    assert told == {body.replace(KEY.encode(), MARK.encode())}


def test_half_a_key_per_request_is_not_to_be_had(net: Net) -> None:
    host = net.host(NAME, lambda seen: net.reply(pieces=[KEY.encode()]))
    ranges = {"Range", "If-Range", "Request-Range"}

    answer = net.gate(SECRET).get(f"https://{NAME}/", headers=dict.fromkeys(ranges, "bytes=0-9"))

    assert not ranges & {name.title() for name in host.seen[0].headers}
    assert answer.text == MARK


# ── no other place is reached ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("port", [443, 80])
@pytest.mark.parametrize(
    "host",
    [FOREIGN, "127.0.0.1", "[::1]", "169.254.169.254", "2130706433", "0x7f.1", "0", f"{NAME}.evil.org", f"x.{NAME}"],
)
def test_what_is_not_listed_is_refused_and_told_why(net: Net, host: str, port: int) -> None:
    net.host(NAME)
    proxy = net.gate(SECRET)

    answer = proxy.get(f"{'https' if port == 443 else 'http'}://{host}/?key={MARK}", verify=False)

    assert answer.status_code == 403
    assert answer.text.startswith("ecoassist: ")
    assert [access.status for access in proxy.gate.drain()] == [None]


@pytest.fixture(autouse=True)
def _quiet_about_certificates() -> None:
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


@pytest.mark.parametrize("port", [22, 25, 53, 3306, 5432, 8443, 65535])
def test_other_ports_of_a_listed_host_are_closed(net: Net, port: int) -> None:
    host = net.host(NAME)

    assert net.gate(SECRET).get(f"https://{NAME}:{port}/").status_code == 403
    assert host.connections == 0


def test_a_redirect_to_a_foreign_host_takes_no_key_along_and_ends_at_the_gate(net: Net) -> None:
    target = f"https://{FOREIGN}/?key={KEY}"
    net.host(NAME, lambda seen: net.reply(302, {"location": target, "content-length": "0"}, ()))
    foreign = net.host(FOREIGN)

    answer = net.gate(SECRET, hosts=[NAME]).get(f"https://{NAME}/?key={MARK}")

    assert answer.status_code == 403
    assert f"host {FOREIGN} is not on the allow-list" in answer.text
    assert shows(str(answer.history[0].headers).encode()) == []
    assert foreign.connections == 0


def test_another_server_name_in_the_handshake_is_refused(net: Net) -> None:
    keyed, other = net.host(NAME), net.host(OTHER)
    proxy = net.gate(SECRET)

    async def exchange(target: str, named: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"CONNECT {target}:443 HTTP/1.1\r\nHost: {target}:443\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        context = _careless()
        await writer.start_tls(context, server_hostname=named)
        writer.write(get(f"/?key={MARK}", host=target))
        answer = await asyncio.wait_for(reader.read(), 15)
        writer.transport.abort()
        return answer

    assert net.run(exchange(OTHER, NAME)).startswith(b"HTTP/1.1 421")
    assert net.run(exchange(NAME, OTHER)).startswith(b"HTTP/1.1 421")
    assert keyed.seen == other.seen == []


def _careless() -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="ssh"),
        pytest.param(b"\x05\x01\x00", id="socks"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http/2"),
        pytest.param(b"EHLO me\r\nMAIL FROM:<a@b>\r\n\r\n", id="smtp"),
        pytest.param(b"*1\r\n$4\r\nPING\r\n\r\n", id="redis"),
        pytest.param(b"\x16\x03\x01\x00\x05hello\r\n\r\n", id="tls"),
        pytest.param(get(f"ftp://{NAME}/"), id="ftp"),
        pytest.param(get(f"gopher://{NAME}/_x"), id="gopher"),
        pytest.param(get("file:///etc/passwd"), id="file"),
        pytest.param(get("/"), id="no proxy request"),
        pytest.param(get("*", method="OPTIONS"), id="the proxy itself"),
        pytest.param(b"CONNECT :443 HTTP/1.1\r\nHost: x\r\n\r\n", id="connect to nothing"),
        pytest.param(b"CONNECT api.example.com:443@evil.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", id="two authorities"),
        pytest.param(b"CONNECT api.example.com\t:443 HTTP/1.1\r\nHost: x\r\n\r\n", id="a tab"),
    ],
)
def test_another_protocol_gets_nowhere(net: Net, sent: bytes) -> None:
    host = net.host(NAME, plain=True)

    answer = net.gate(SECRET, limits=Limits(head_seconds=0.5, idle=0.5)).raw(sent)

    assert answer == b"" or int(answer.split(b" ")[1]) in range(400, 506)
    assert host.connections == 0


def test_a_websocket_is_refused_in_clear_words(net: Net) -> None:
    host = net.host(NAME)

    answer = net.gate(SECRET).inside(f"{NAME}:443", get("/", "Upgrade: websocket", "Sec-WebSocket-Version: 13"))

    assert answer.startswith(b"HTTP/1.1 501 ecoassist: protocol upgrades and websockets are not supported")
    assert host.seen == []


# ── a request means one thing ───────────────────────────────────────────────────────────────────────────────────────

INNER = "DELETE /all HTTP/1.1\r\nHost: api.example.com\r\n\r\n"


def post(*headers: str, body: str = "", version: str = "1.1", host: str = f"Host: {NAME}") -> bytes:
    return "\r\n".join([f"POST /first HTTP/{version}", host, *headers, "Connection: close", "", body]).encode()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(post("Content-Length: 6", "Transfer-Encoding: chunked", body=f"0\r\n\r\n{INNER}"), id="CL.TE"),
        pytest.param(post("Transfer-Encoding: chunked", "Content-Length: 4", body=f"0\r\n\r\n{INNER}"), id="TE.CL"),
        pytest.param(post("Content-Length: 0", "Content-Length: 50", body=INNER), id="two lengths"),
        pytest.param(post("Content-Length: 0, 50", body=INNER), id="two lengths in one"),
        pytest.param(post("Content-Length: +5", body="hello"), id="a signed length"),
        pytest.param(post("Content-Length: -5", body=INNER), id="a negative length"),
        pytest.param(post("Content-Length: 0x5", body="hello"), id="a hexadecimal length"),
        pytest.param(post("Content-Length: 5_0", body=INNER), id="a Python length"),
        pytest.param(post("Transfer-Encoding: xchunked", body=f"0\r\n\r\n{INNER}"), id="no known framing"),
        pytest.param(post("Transfer-Encoding: chunked, identity", body=f"0\r\n\r\n{INNER}"), id="two framings"),
        pytest.param(post("Transfer-Encoding: identity", "Transfer-Encoding: chunked", body="0\r\n\r\n"), id="TE.TE"),
        pytest.param(post("Transfer-Encoding : chunked", body=f"0\r\n\r\n{INNER}"), id="a space before the colon"),
        pytest.param(post("Transfer-Encoding:\x0bchunked", body=f"0\r\n\r\n{INNER}"), id="a vertical tab"),
        pytest.param(post("X: y", " Transfer-Encoding: chunked", body=f"0\r\n\r\n{INNER}"), id="a folded line"),
        pytest.param(post("X: y\n Transfer-Encoding: chunked", body=f"0\r\n\r\n{INNER}"), id="a lone line feed"),
        pytest.param(post("X: y\rTransfer-Encoding: chunked", body=f"0\r\n\r\n{INNER}"), id="a lone return"),
        pytest.param(post("X: y\0", body=INNER), id="a NUL"),
        pytest.param(post("Transfer-Encoding: chunked", version="1.0", body=f"0\r\n\r\n{INNER}"), id="HTTP/1.0"),
        pytest.param(post(host=f"Host: {NAME}\r\nHost: {FOREIGN}"), id="two hosts"),
        pytest.param(post(host=f"Host: {NAME}, {FOREIGN}"), id="two hosts in one"),
        pytest.param(post(host=f"Host: {FOREIGN}"), id="another host"),
        pytest.param(post(host="X-Host: none"), id="no host"),
        pytest.param(post(host=f"Host: {NAME}:8443"), id="another port"),
        pytest.param(post(host=f"Host: {NAME}@{FOREIGN}"), id="an authority"),
        pytest.param(post("Transfer-Encoding: chunked", body="zz\r\nhello\r\n0\r\n\r\n"), id="no chunk size"),
        pytest.param(post("Transfer-Encoding: chunked", body="f" * 30 + "\r\nhello\r\n0\r\n\r\n"), id="a huge chunk"),
        pytest.param(post("Transfer-Encoding: chunked", body="-1\r\nhello\r\n0\r\n\r\n"), id="a negative chunk"),
        pytest.param(post("Transfer-Encoding: chunked", body=f"5\r\nhelloX\r\n0\r\n\r\n{INNER}"), id="a long chunk"),
        pytest.param(get(f"http://{FOREIGN}/first"), id="an absolute form with another host"),
        pytest.param(get(f"https://{FOREIGN}/first", host=FOREIGN), id="the same over TLS"),
        pytest.param(get(f"//{FOREIGN}/first").replace(b"GET //", b"GET http://"), id="a relative scheme"),
        pytest.param(b"GET /first HTTP/1.1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n", id="two versions"),
        pytest.param(b"GET /first\r\nHost: api.example.com\r\n\r\n", id="no version"),
        pytest.param(b"GET /first HTTP/9.9\r\nHost: api.example.com\r\n\r\n", id="an unknown version"),
        pytest.param(b"GE(T /first HTTP/1.1\r\nHost: api.example.com\r\n\r\n", id="no method"),
    ],
)
def test_a_request_that_two_readers_may_read_differently_is_never_two(net: Net, sent: bytes) -> None:
    host, foreign = net.host(NAME), net.host(FOREIGN, plain=True)
    proxy = net.gate(SECRET, limits=Limits(idle=0.5, head_seconds=0.5))

    answer = proxy.inside(f"{NAME}:443", sent)

    assert answer == b"" or int(answer.split(b" ")[1]) in (400, 421, 431, 501, 505)
    assert [seen.target for seen in host.seen] in ([], ["/first"])
    assert all(INNER not in str(seen.body) for seen in host.seen)
    assert foreign.connections == 0


def test_what_a_host_sends_beyond_its_answer_is_not_taken_for_the_next(net: Net) -> None:
    async def poisoning(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(one + b"fine" + one + b"evil")
        writer.close()

    hosted(net, poisoning)

    with net.gate(SECRET).session() as session:
        assert {session.get(f"https://{NAME}/{n}", timeout=30).text for n in range(5)} == {"fine"}


# ── nobody is held up, and nothing piles up ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET http://api.example.com/ HTTP/1.1\r\nX: ", id="a head"),
        pytest.param(
            b"POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 99999999\r\n\r\n",
            id="a body",
        ),
        pytest.param(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n", id="a handshake"),
    ],
)
def test_a_client_that_trickles_is_let_go(net: Net, sent: bytes, until: Callable[..., None]) -> None:
    net.host(NAME, plain=True)
    proxy = net.gate(SECRET, limits=Limits(idle=0.5, head_seconds=0.5, connect=0.5, total=1.0))

    async def trickle() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(sent)
        with suppress(OSError):
            async with asyncio.timeout(15):
                while not reader.at_eof():
                    if sent and not sent.startswith(b"CONNECT"):
                        writer.write(b"x")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            await reader.read(100)
        assert reader.at_eof() or reader.exception()
        writer.transport.abort()

    net.run(trickle())
    net.settle()


class Crowd:
    """Somebody else on the gate's loop, who wants to do something at every turn."""

    turns = 0

    async def beside(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.ensure_future(work)
        while not working.done():
            self.turns += 1
            await asyncio.sleep(0)
        await working


def test_requests_sent_ahead_leave_others_their_turn(net: Net) -> None:
    proxy, crowd = net.gate(hosts=[]), Crowd()

    async def ahead() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n" * 1000 + get("http://a/", host="a"))
        assert (await asyncio.wait_for(reader.read(), 15)).count(b"HTTP/1.1 403") == 1001
        writer.close()

    net.run(crowd.beside(ahead()))

    assert crowd.turns > 1000


SMALL_CHUNKS = b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_body_of_tiny_chunks_leaves_others_their_turn(net: Net, way: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + SMALL_CHUNKS
    host = net.host(NAME, tls=False)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        last = b"" if way == "up" else SMALL_CHUNKS
        while not last.endswith(b"0\r\n\r\n"):
            last = last[-4:] + await reader.read(1 << 16)
        writer.write(answer + (b"\r\n" if way == "up" else chunked))
        await writer.drain()
        writer.close()

    host.plain_port = net.listen(serve)
    proxy, crowd = net.gate(limits=Limits(response_body=1 << 20)), Crowd()
    head = f"GET http://{NAME}/ HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n".encode()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(head.replace(b"GET", b"POST") + chunked if way == "up" else head + b"\r\n")
        while await asyncio.wait_for(reader.read(1 << 20), 15):
            pass
        writer.close()

    net.run(crowd.beside(ask()), 60)

    [access] = proxy.gate.drain()
    assert (access.status, access.refused) == (200, "")
    assert crowd.turns > 60


def test_a_body_that_is_hard_to_search_leaves_others_their_turn() -> None:
    masks = Masks([("a" * 30 + "b", "c" * 31)])
    crowd, given = Crowd(), []

    async def search() -> None:
        given.append(await masked(MaskedStream(masks), b"a" * 100_000, Turns(0)))

    asyncio.run(crowd.beside(search()))

    assert given[0] == b"a" * len(given[0])
    assert crowd.turns > 10


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(get("http://a/", method="G" * 60_000, host="a"), id="method"),
        pytest.param(get(f"http://{'1' * 60_000}/"), id="host"),
        pytest.param(get(f"http://{'x' * 60_000}.5/"), id="address"),
        pytest.param(get(f"{'1' * 60_000}:443", method="CONNECT"), id="tunnel"),
        pytest.param(get(f"[fe80::1%{'1' * 60_000}]:443", method="CONNECT"), id="zone"),
        pytest.param(get(f"http://{OTHER}/{'x' * 60_000}"), id="path"),
        pytest.param(get(f"http://{NAME}/", host="x" * 60_000), id="host header"),
        pytest.param(
            get(f"http://{NAME}/", "Content-Type: text/plain", "Transfer-Encoding: chunked", method="POST")
            + b"z" * 60_000
            + b"\r\n",
            id="chunk size",
        ),
    ],
)
def test_nothing_of_a_refused_request_is_kept_at_its_length(net: Net, sent: bytes) -> None:
    net.host(NAME, plain=True)
    proxy = net.gate()

    proxy.raw(sent)

    assert all(len(repr(access)) < 2000 for access in proxy.gate.drain())


TRICKLES = {
    "the head": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "hints": (b"", b"HTTP/1.1 103 Hints\r\n\r\n"),
    "the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"x"),
    "chunk sizes": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "a packed body": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\0"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("case", TRICKLES)
def test_a_host_that_trickles_is_let_go(net: Net, case: str) -> None:
    begin, more = TRICKLES[case]

    async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        with suppress(OSError):
            while not writer.is_closing() and not reader.at_eof():
                writer.write(more)
                await writer.drain()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await reader.read(1)
        writer.close()

    hosted(net, trickling)
    proxy = net.gate(SECRET, limits=Limits(idle=0.7, total=1.0))

    proxy.inside(f"{NAME}:443", get())

    assert proxy.gate.drain()[-1].refused
    net.settle()


FLOODS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 10_000 + b"\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 10_000),
    "hints": (b"", b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" * 300),
    "a chunk extension": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"y" * 10_000),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"y" * 10_000 + b"\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 10_000),
    "gzip of nothing": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 500),
    "gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(bytes(10_000_000))),
    "brotli": (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", brotli.compress(bytes(300_000_000), quality=5)),
    "zstd": (b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", zstd.compress(bytes(10_000_000))),
    "gzip in gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n",
        gzip.compress(gzip.compress(bytes(100_000_000))),
    ),
}


@pytest.mark.parametrize("case", FLOODS)
def test_a_flood_from_a_host_ends_and_takes_no_memory(net: Net, case: str) -> None:
    begin, more = FLOODS[case]

    async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(more * (1 + 65536 // len(more)))
                await writer.drain()
                await asyncio.sleep(0)  # others have their turn on this loop
        writer.close()

    async def discarding() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(_careless(), server_hostname=NAME)
        writer.write(get())
        with suppress(OSError):
            async with asyncio.timeout(15):
                while await reader.read(1 << 16):
                    pass
        writer.transport.abort()

    hosted(net, flooding)
    limits = Limits(idle=2, total=4.0, response_body=3_000_000, unpacked=2_000_000)
    proxy = net.gate(SECRET, limits=limits)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    net.run(discarding())

    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert proxy.gate.drain()[-1].refused
    assert peak < 12_000_000
    net.settle()


def test_the_key_is_in_nothing_that_tells_of_the_gate(net: Net) -> None:
    net.host(NAME, lambda seen: net.reply(500, pieces=[KEY.encode()]))
    proxy = net.gate(SECRET)
    proxy.get(f"https://{NAME}/{KEY}?key={MARK}")
    told = [repr(proxy.gate), repr(proxy.gate.policy), str(vars(proxy.gate)), repr(proxy.gate.drain()), repr(SECRET)]

    assert [shows(text.encode()) for text in told] == [[]] * len(told)
