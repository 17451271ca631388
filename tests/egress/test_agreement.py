"""What clients get with the gate and without it: the same, whatever the test server of an HTTP library offers.

Without the gate means through a proxy that does nothing but pass bytes on, so that the clients are set up alike. A host
without keys is left alone but for what belongs to a connection. A host with keys is asked for nothing packed and
nothing partial, so that what it sends can be searched; MASKED says how its responses differ.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from urllib3 import encode_multipart_formdata
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from ecoassist.egress.places import parse_place, placeholder
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Net, Proxy

KEYLESS, KEYED, OLD = "httpbin.example.com", "keyed.example.com", "old.example.com"
KEY = "sk-th1s-key-is-n0where"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "proxy-authenticate", "date"}
"""And the time, which differs between two requests."""
MADE_UP = {"etag", "last-modified"}
"""What httpbin's /cache draws anew for each request."""
MASKED = {"content-length", "content-encoding"}
"""Headers that the response of a host with keys loses; its body comes unpacked, in chunks."""
ASKED = {"Accept-Encoding", "Range", "If-Range"}
"""Headers that a host with keys does not see as they were."""
FRAMING = {"Content-Length"}
"""A body sent in chunks may be handed on as one."""
BIG = bytes(range(256)) * 12_000


@dataclass(frozen=True)
class Ask:
    """A request, as requests and httpx take it."""

    method: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = "+".join(self.options)
        return f"{self.method} {self.path[:60]}{' ' + told if told else ''}"


def asked(method: str, path: str, **options: Any) -> Ask:
    return Ask(method, path, options)


def multipart(fields: Mapping[str, Any]) -> Ask:
    body, kind = encode_multipart_formdata(fields, boundary="--b0undary")
    return asked("POST", "/post", data=body, headers={"Content-Type": kind})


METHODS = [
    asked(method, path)
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
    for path in ("/anything/a/b?c=d&c=e&f=%20%2F%C3%A9", "/status/204", "/gzip")
]
BODIES = [
    asked("POST", "/post", data={"a": "1", "b": "ü & ="}),
    asked("POST", "/post", json={"a": [1, {"b": "é\u0000"}]}),
    asked("PUT", "/put", data=b"\x00\xff\r\n\r\n0\r\n\r\n"),
    asked("PATCH", "/patch", data="schöne Grüße".encode()),
    asked("DELETE", "/delete", data=b"with a body"),
    asked("POST", "/post", data=b""),
    asked("POST", "/post", data=BIG),
    asked("POST", "/post", chunks=[b"one", b"two" * 1000, b"3"]),
    asked("POST", "/post", chunks=[]),
    multipart({"file": ("name ü.bin", BIG[:70_000], "application/x-thing")}),
    multipart({"a": ("a.txt", b"text"), "b": ("b.txt", b""), "with": "a field"}),
    asked("POST", "/post", data=b"expected", headers={"Expect": "100-continue"}),
]
ENCODINGS = [
    asked("GET", path, headers={"Accept-Encoding": accepted})
    for path in ("/gzip", "/deflate", "/brotli", "/encoding/utf8", "/json")
    for accepted in ("gzip, deflate, br, zstd", "identity", "*")
]
REDIRECTS = [
    asked("GET", "/redirect/3"),
    asked("GET", "/absolute-redirect/2"),
    asked("GET", "/relative-redirect/4"),
    asked("GET", "/redirect/1", allow_redirects=False),
    asked("GET", "/absolute-redirect/1", allow_redirects=False),
    *(
        asked(method, f"/redirect-to?url=/anything&status_code={status}", data=b"x" * 10)
        for method in ("GET", "POST", "PUT")
        for status in (301, 302, 303, 307, 308)
    ),
]
STREAMS = [
    asked("GET", "/stream/20"),
    asked("GET", "/stream-bytes/100000?seed=1&chunk_size=999"),
    asked("GET", "/bytes/100000?seed=1"),
    asked("GET", "/drip?numbytes=5&duration=0.5&delay=0"),
    asked("GET", "/drip?numbytes=5&duration=0.2&code=500"),
    asked("GET", "/delay/0.3"),
    asked("GET", "/links/10/3"),
    asked("GET", "/base64/aGVsbG8gd29ybGQ="),
]
RANGES = [
    asked("GET", "/range/2600"),
    *(
        asked("GET", "/range/2600", headers={"Range": value})
        for value in ("bytes=0-99", "bytes=100-", "bytes=-10", "bytes=5000-", "bytes=2-1")
    ),
    asked("GET", "/range/100?chunk_size=7&duration=0"),
]
CONDITIONS = [
    asked("GET", "/cache"),
    asked("GET", "/cache/60"),
    asked("GET", "/cache", headers={"If-None-Match": "x"}),
    asked("GET", "/cache", headers={"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}),
    asked("GET", "/etag/abc", headers={"If-None-Match": '"abc"'}),
    asked("GET", "/etag/abc", headers={"If-None-Match": '"other", "abc"'}),
    asked("GET", "/etag/abc", headers={"If-Match": '"other"'}),
    asked("HEAD", "/etag/abc"),
]
STATUSES = [
    asked("GET", f"/status/{status}", allow_redirects=False)
    for status in (200, 201, 202, 203, 205, 206, 300, 301, 304, 307, 400, 401, 402, 404, 406, 407, 410, 418, 429)
] + [asked("GET", f"/status/{status}") for status in (500, 501, 502, 503, 504, 599)]
WHO = [
    asked("GET", "/basic-auth/me/secret", auth=("me", "secret")),
    asked("GET", "/basic-auth/me/secret", auth=("me", "wrong")),
    asked("GET", "/basic-auth/me/secret"),
    asked("GET", "/hidden-basic-auth/me/secret", auth=("me", "secret")),
    asked("GET", "/bearer", headers={"Authorization": "Bearer abc"}),
    asked("GET", "/bearer"),
]
HEADERS = [
    asked("GET", "/headers", headers={"X-Odd": 'a, b;c="d"', "X-Empty": "", "Accept-Language": "de, en;q=0.5"}),
    asked("GET", "/response-headers?X-One=1&X-One=2&X-Two=%C3%BC&ETag=%22q%22"),
    asked("GET", "/cookies/set?a=1&b=2"),
    asked("GET", "/cookies/set?a=1&b=2", allow_redirects=False),
    asked("GET", "/cookies/delete?a", headers={"Cookie": "a=1; b=2"}),
    asked("GET", "/user-agent"),
    asked("GET", "/ip"),
]
DOCUMENTS = [
    asked("GET", path)
    for path in (
        *("/html", "/xml", "/json", "/robots.txt", "/deny", "/encoding/utf8", "/forms/post", "/nowhere"),
        *("/image/png", "/image/jpeg", "/image/webp", "/image/svg", "/anything/ü%2F%3F/.././x"),
    )
] + [asked("GET", "/image", headers={"Accept": "image/webp"}), asked("GET", "/image", headers={"Accept": "text/plain"})]
ALL = [
    *(METHODS + BODIES + ENCODINGS + REDIRECTS + STREAMS),
    *(RANGES + CONDITIONS + STATUSES + WHO + HEADERS + DOCUMENTS),
]


@dataclass
class Got:
    """What a client was told at each step of the way."""

    statuses: list[tuple[int, str]]
    headers: list[list[tuple[str, str]]]
    body: bytes
    cookies: dict[str, str | None]

    def without(self, *names: str) -> list[list[tuple[str, str]]]:
        return [[(name, value) for name, value in step if name not in names] for step in self.headers]


Fetch = Callable[["Proxy | Straight", str, Ask], Got]


def by_requests(way: Proxy | Straight, host: str, ask: Ask) -> Got:
    options = dict(ask.options)
    if "chunks" in options:
        options["data"] = iter(options.pop("chunks"))
    with way.session() as session:
        answer = session.request(ask.method, f"https://{host}{ask.path}", timeout=30, **options)
        steps = [*answer.history, answer]
        return Got(
            [(step.status_code, step.reason) for step in steps],
            [sorted((name.lower(), value) for name, value in step.raw.headers.items()) for step in steps],
            answer.content,
            dict(session.cookies),
        )


def by_httpx(way: Proxy | Straight, host: str, ask: Ask) -> Got:
    options = dict(ask.options)
    follow = options.pop("allow_redirects", True)
    if "chunks" in options:
        options["content"] = iter(options.pop("chunks"))
    elif isinstance(options.get("data"), bytes):
        options["content"] = options.pop("data")
    trusted = ssl.create_default_context(cafile=way.pem)
    client = httpx.Client(proxy=way.url, verify=trusted, trust_env=False, timeout=30, follow_redirects=follow)
    with client:
        answer = client.request(ask.method, f"https://{host}{ask.path}", **options)
        steps = [*answer.history, answer]
        return Got(
            [(step.status_code, step.reason_phrase) for step in steps],
            [sorted((name.lower(), value) for name, value in step.headers.multi_items()) for step in steps],
            answer.content,
            dict(client.cookies),
        )


# ── the servers ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        pass


def of_the_request(environ: dict[str, Any], start: Any) -> Any:
    """httpbin, which tells what it was sent, but not what belongs to the connection alone."""
    import httpbin

    for name in ("HTTP_CONNECTION", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"):
        environ.pop(name, None)
    return httpbin.app(environ, start)


class OldStyle(http.server.SimpleHTTPRequestHandler):
    """Of the standard library: HTTP/1.0, bodies that end with the connection."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Straight:
    """A proxy that passes bytes on."""

    ports: Mapping[str, int]
    net: Net
    pem: Any
    port: int = 0

    def __post_init__(self) -> None:
        self.port = self.net.listen(self.serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"https": self.url}
        session.verify = str(self.pem)
        return session

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host = head.split(b" ")[1].decode().partition(":")[0]
        above, below = await asyncio.open_connection("127.0.0.1", self.ports[host])
        writer.write(b"HTTP/1.1 200 Fine\r\n\r\n")
        await asyncio.gather(_pipe(reader, below), _pipe(above, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Ways:
    straight: Straight
    gate: Proxy


@pytest.fixture(scope="module")
def ways(lasting_net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    logging.disable(logging.ERROR)  # it reports what a client did wrong, which is the point here
    net, served = lasting_net, tmp_path_factory.mktemp("served")
    (served / "page.html").write_text("<p>an old page</p>")
    (served / "big.bin").write_bytes(BIG)
    context: Callable[[str], Any] = net.authority.context
    servers: dict[str, BaseWSGIServer | http.server.HTTPServer] = {
        host: make_server("127.0.0.1", 0, of_the_request, True, request_handler=Quiet, ssl_context=context(host))
        for host in (KEYLESS, KEYED)
    }
    old = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(OldStyle, directory=str(served)))
    old.socket = context(OLD).wrap_socket(old.socket, server_side=True)
    servers[OLD] = old
    threads = [threading.Thread(target=server.serve_forever) for server in servers.values()]
    for thread in threads:
        thread.start()
    ports = {host: int(server.server_address[1]) for host, server in servers.items()}
    for host, port in ports.items():
        net.host(host, tls=False).tls_port = port
    pem = net.folder / "authority.pem"
    pem.write_bytes(net.authority.pem)
    key = Secret("API_KEY", KEY, placeholder(KEY), (KEYED,), (parse_place("header:x-key"),))
    try:
        yield Ways(Straight(ports, net, pem), net.gate(key))
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
        logging.disable(logging.NOTSET)


# ── the same with the gate and without it ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fetch", [by_requests, by_httpx], ids=["requests", "httpx"])
@pytest.mark.parametrize("ask", ALL, ids=str)
def test_a_host_without_keys_answers_as_it_does_without_the_gate(ways: Ways, ask: Ask, fetch: Fetch) -> None:
    without, within = fetch(ways.straight, KEYLESS, ask), fetch(ways.gate, KEYLESS, ask)

    hidden = FRAMING if "chunks" in ask.options else set()
    assert within.statuses == without.statuses
    assert _as_seen(within.body, hidden) == _as_seen(without.body, hidden)
    assert within.cookies == without.cookies
    gone = HOP_BY_HOP | {name.lower() for name in hidden} | (MADE_UP if ask.path == "/cache" else set())
    assert within.without(*gone) == without.without(*gone)


@pytest.mark.parametrize("ask", [ask for ask in ALL if ask not in RANGES], ids=str)
def test_a_host_with_keys_answers_as_it_does_without_the_gate_but_unpacked(ways: Ways, ask: Ask) -> None:
    without, within = by_requests(ways.straight, KEYED, ask), by_requests(ways.gate, KEYED, ask)

    assert within.statuses == without.statuses
    assert _as_seen(within.body, ASKED | FRAMING) == _as_seen(without.body, ASKED | FRAMING)
    assert within.cookies == without.cookies
    gone = HOP_BY_HOP | MASKED | (MADE_UP if ask.path == "/cache" else set())
    assert within.without(*gone) == without.without(*gone)


@pytest.mark.parametrize("ask", RANGES, ids=str)
def test_a_host_with_keys_is_asked_for_the_whole(ways: Ways, ask: Ask) -> None:
    whole = by_requests(ways.straight, KEYED, Ask(ask.method, ask.path))
    within = by_requests(ways.gate, KEYED, ask)

    assert within.statuses == whole.statuses == [(200, "OK")]
    assert within.body == whole.body


@pytest.mark.parametrize(
    "ask",
    [
        asked("GET", "/page.html"),
        asked("GET", "/big.bin"),
        asked("GET", "/"),
        asked("HEAD", "/page.html"),
        asked("GET", "/nowhere"),
        asked("POST", "/page.html", data=b"not taken"),
        asked("GET", "/page.html", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ],
    ids=str,
)
def test_a_server_of_http_1_0_answers_as_it_does_without_the_gate(ways: Ways, ask: Ask) -> None:
    without, within = by_requests(ways.straight, OLD, ask), by_requests(ways.gate, OLD, ask)

    assert within.statuses == without.statuses
    assert within.body == without.body
    assert within.without(*HOP_BY_HOP) == without.without(*HOP_BY_HOP)


def test_the_packed_bytes_of_a_host_without_keys_are_not_touched(ways: Ways) -> None:
    def raw(way: Proxy | Straight) -> bytes:
        with way.session() as session, session.get(f"https://{KEYLESS}/brotli", stream=True, timeout=30) as answer:
            return answer.raw.read(decode_content=False)

    packed = raw(ways.gate)

    assert b"brotli" not in packed
    assert len(packed) == len(raw(ways.straight))


def _as_seen(body: bytes, hidden: set[str]) -> Any:
    """The body, without what httpbin tells of headers that it does not see as they were."""
    return [_told(text, hidden) for text in (body.splitlines() if body.startswith(b'{"url"') else [body])]


def _told(text: bytes, hidden: set[str]) -> Any:
    try:
        told = json.loads(text) if hidden else None
    except ValueError:
        return text
    if not isinstance(told, dict) or not isinstance(told.get("headers"), dict):
        return text
    return told | {"headers": {name: value for name, value in told["headers"].items() if name not in hidden}}
