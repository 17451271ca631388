"""Later attempts and the re-run see what a run's earlier attempts were answered: over real HTTP, without the host."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from ecoassist.egress.cache import Asked, Cache
from ecoassist.egress.policy import Service
from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Client, Host, Net, Proxy, Reply, Seen

URL = "https://api.example.com/count"


@pytest.fixture
def counter(net: Net) -> Host:
    """A host that never says the same twice."""
    numbers = itertools.count(1)
    return net.host("api.example.com", lambda seen: net.reply(pieces=[f"number {next(numbers)}".encode()]), plain=True)


def behind(net: Net, cache: Cache, *secrets: Secret) -> Proxy:
    """The gate of a conversation's kernel in the first attempt of a run."""
    proxy = net.gate(*secrets)
    proxy.gate.seen = lambda: cache
    cache.begin_attempt()
    return proxy


def again(net: Net, cache: Cache, *secrets: Secret) -> Proxy:
    """The gate of a re-run."""
    proxy, seen = net.gate(*secrets, read_only=True), cache.rerun()
    proxy.gate.seen = lambda: seen
    return proxy


def switch_off(net: Net, host: Host) -> None:
    """Nothing listens there any more, and no connection is kept."""
    net.settle()
    for server in net.servers:
        if server.sockets and server.sockets[0].getsockname()[1] in (host.tls_port, host.plain_port):
            net.run(_closed(server))


async def _closed(server: object) -> None:
    server.close()  # type: ignore[attr-defined]


def test_two_attempts_and_the_re_run_see_one_value_and_the_host_one_request(
    net: Net, counter: Host, client: Client
) -> None:
    proxy = behind(net, cache := Cache())
    assert client(proxy, "GET", URL, None).text == "number 1"
    cache.begin_attempt()
    assert client(proxy, "GET", URL, None).text == "number 1"
    switch_off(net, counter)
    assert client(again(net, cache), "GET", URL, None).text == "number 1"
    assert len(counter.seen) == 1


def test_within_an_attempt_a_program_may_wait_for_a_change(net: Net, counter: Host) -> None:
    proxy = behind(net, cache := Cache())
    assert [proxy.get(URL).text for _ in range(2)] == ["number 1", "number 2"]
    cache.begin_attempt()
    assert [proxy.get(URL).text for _ in range(3)] == ["number 1", "number 2", "number 3"]
    switch_off(net, counter)
    assert [again(net, cache).get(URL).text for _ in range(2)] == ["number 1", "number 1"]
    rerun = again(net, cache)
    assert [rerun.get(URL).text for _ in range(4)] == ["number 1", "number 2", "number 3", "number 3"]


def test_what_came_from_memory_is_told_so_with_status_and_size(net: Net, counter: Host) -> None:
    proxy = behind(net, cache := Cache())
    proxy.get(URL)
    cache.begin_attempt()
    proxy.get(URL)
    live, kept = proxy.gate.drain()
    assert (live.cached, live.status, live.size) == (False, 200, 8)
    assert (kept.cached, kept.status, kept.size, kept.answered) == (True, 200, 8, True)
    assert (kept.host, kept.method, kept.path) == ("api.example.com", "GET", "/count")


def test_the_next_question_of_a_conversation_goes_to_the_host(net: Net, counter: Host) -> None:
    proxy = behind(net, Cache())
    assert proxy.get(URL).text == "number 1"
    following = Cache()
    proxy.gate.seen = lambda: following
    following.begin_attempt()
    following.begin_attempt()
    assert proxy.get(URL).text == "number 2"


def test_without_a_run_every_call_goes_to_the_host(net: Net, counter: Host) -> None:
    proxy = net.gate(read_only=True)
    assert [proxy.get(URL).text for _ in range(2)] == ["number 1", "number 2"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_no_other_method_is_answered_from_memory(net: Net, counter: Host, method: str) -> None:
    proxy = behind(net, cache := Cache())
    proxy.ask(method, URL)
    cache.begin_attempt()
    proxy.ask(method, URL)
    assert [seen.method for seen in counter.seen] == [method] * 2
    assert cache.held == 0


def test_a_get_with_a_body_or_that_would_be_something_else_is_not_answered_from_memory(net: Net, counter: Host) -> None:
    proxy = behind(net, cache := Cache())
    for _ in range(2):
        proxy.ask("GET", URL, data=b"search")
        proxy.get(URL, headers={"X-HTTP-Method-Override": "DELETE"})
        cache.begin_attempt()
    assert len(counter.seen) == 4
    assert cache.held == 0


def test_a_get_that_acts_is_done_each_time_and_never_in_a_re_run(net: Net, counter: Host) -> None:
    cache = Cache()
    proxy, rerun = behind(net, cache), again(net, cache)
    for one in (proxy, rerun):
        service = Service("counter", ("api.example.com",), acts=("/count",))
        one.gate.policy = one.gate.policy.__class__(
            one.gate.policy.hosts,
            read_only=one.gate.policy.read_only,
            overrides=one.gate.policy.overrides,
            services=(service,),
        )
    assert proxy.get(URL).text == "number 1"
    cache.begin_attempt()
    assert proxy.get(URL).text == "number 2"
    assert rerun.get(URL).status_code == 403


@pytest.mark.parametrize(
    ("method", "headers", "changes"),
    [
        ("POST", {}, True),
        ("DELETE", {}, True),
        ("GET", {"X-HTTP-Method-Override": "PUT"}, True),
        ("HEAD", {}, False),
        ("OPTIONS", {}, False),
    ],
)
def test_what_is_read_after_a_change_is_not_what_was_read_before_it(
    net: Net, counter: Host, method: str, headers: dict[str, str], changes: bool
) -> None:
    proxy = behind(net, cache := Cache())
    assert proxy.get(URL).text == "number 1"
    cache.begin_attempt()
    proxy.ask(method, "https://api.example.com/other", headers=headers)
    assert proxy.get(URL).text == ("number 3" if changes else "number 1")


def test_the_same_path_over_http_is_another_question(net: Net, counter: Host) -> None:
    proxy = behind(net, cache := Cache())
    proxy.get(URL)
    cache.begin_attempt()
    assert proxy.get("http://api.example.com/count").text == "number 2"
    assert proxy.get(URL).text == "number 1"


@pytest.mark.parametrize("status", [203, 302, 404, 500])
def test_what_did_not_succeed_is_asked_again(net: Net, status: int) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(status=status, headers={"location": "/x"}))
    proxy = behind(net, cache := Cache())
    proxy.get(URL, allow_redirects=False)
    cache.begin_attempt()
    proxy.get(URL, allow_redirects=False)
    assert len(host.seen) == 2


def test_a_body_that_breaks_off_is_asked_for_again(net: Net) -> None:
    asked = itertools.count()

    async def half_then_whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"whole" if next(asked) else b"half"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)
        await writer.drain()

    net.host("api.example.com").tls_port = net.listen(half_then_whole, net.authority.context("api.example.com"))
    proxy = behind(net, cache := Cache())
    with pytest.raises(requests.RequestException):
        proxy.get(URL)
    assert cache.held == 0
    cache.begin_attempt()
    assert proxy.get(URL).text == "whole"
    assert next(asked) == 2


def test_a_body_too_large_for_the_memory_comes_through_whole_each_time(net: Net) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[b"x" * 65_536] * 32))
    proxy = behind(net, cache := Cache(most_of_one=1 << 20))
    for _ in range(2):
        assert len(proxy.get(URL).content) == 2 << 20
        cache.begin_attempt()
    assert len(host.seen) == 2
    assert cache.held == 0


def test_a_large_body_comes_from_memory_in_order(net: Net, client: Client) -> None:
    body = b"".join(b"%07d\n" % number for number in range(400_000))
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[body]))
    proxy = behind(net, cache := Cache())
    proxy.get(URL, headers={"accept-encoding": ""})
    cache.begin_attempt()
    assert client(proxy, "GET", URL, None).text.encode() == body
    assert len(host.seen) == 1


def test_a_packed_body_is_unpacked_by_the_client_as_at_first(net: Net) -> None:
    packed = gzip.compress(b"plain words")
    headers = {"content-encoding": "gzip", "vary": "Accept-Encoding", "content-length": str(len(packed))}
    host = net.host("api.example.com", lambda seen: net.reply(headers=headers, pieces=[packed]))
    proxy = behind(net, cache := Cache())
    assert proxy.get(URL).text == "plain words"
    cache.begin_attempt()
    assert proxy.get(URL).text == "plain words"
    assert len(host.seen) == 1
    proxy.get(URL, headers={"accept-encoding": "identity"})
    assert len(host.seen) == 2


def test_two_cookies_and_the_reason_come_back_as_they_were(net: Net) -> None:
    net.host("api.example.com", lambda seen: net.reply(headers={"Set-Cookie": "a=1", "set-cookie": "b=2", "x-y": "z"}))
    proxy = behind(net, cache := Cache())
    request = b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    first = proxy.inside("api.example.com:443", request)
    cache.begin_attempt()
    assert proxy.inside("api.example.com:443", request) == first
    assert first.lower().count(b"set-cookie") == 2


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_is_no_key_in_what_is_kept(net: Net, secret: Callable[..., Secret]) -> None:
    key = secret("query:key", "header:X-Key", "bearer")

    def echo(seen: Seen) -> Reply:
        said = json.dumps([seen.target, seen.headers, quote(key.value, safe=""), key.value.encode().hex()])
        return net.reply(headers={"x-echo": seen.headers.get("x-key", "")}, pieces=[said.encode()])

    host = net.host("api.example.com", echo)
    proxy = behind(net, cache := Cache(), key)
    sent = {"params": {"key": key.placeholder}, "headers": {"X-Key": key.placeholder}}
    first = proxy.get(URL, **sent)
    assert key.value in host.seen[0].headers["x-key"], "the host did get the key"
    cache.begin_attempt()
    second = again(net, cache, key).get(URL, **sent)
    assert (second.text, second.headers["x-echo"]) == (first.text, first.headers["x-echo"])
    assert len(host.seen) == 1
    held = repr(
        [
            (asked, [(e.kept.headers, e.kept.reason, e.kept.body) for e in entries])
            for asked, entries in cache._entries.items()
        ]
    )
    for form in (key.value, quote(key.value, safe=""), json.dumps(key.value)[1:-1], key.value.encode().hex()):
        assert form not in held
    assert key.placeholder in held


def test_another_key_or_authorization_is_another_question(
    net: Net, counter: Host, secret: Callable[..., Secret]
) -> None:
    one, two = secret("header:X-Key", "bearer"), secret("header:X-Key", "bearer", name="OTHER", value="other-k3y-99")
    proxy = behind(net, cache := Cache(), one, two)
    asked = [
        {"X-Key": one.placeholder},
        {"X-Key": two.placeholder},
        {"Authorization": f"Bearer {one.placeholder}"},
        {"Authorization": f"Bearer {two.placeholder}"},
        {},
    ]
    first = [proxy.get(URL, headers=headers).text for headers in asked]
    assert len(set(first)) == 5
    cache.begin_attempt()
    assert [proxy.get(URL, headers=headers).text for headers in reversed(asked)] == first[::-1]
    assert len(counter.seen) == 5


# ── what a re-run may not do, also from memory ──────────────────────────────────────────────────────────────────────


def test_a_re_run_gets_nothing_from_memory_that_it_may_not_reach(net: Net, counter: Host) -> None:
    behind(net, cache := Cache()).get(URL)
    proxy = net.gate(read_only=True, hosts=("other.example.org",))
    proxy.gate.seen = cache.rerun
    assert proxy.get(URL).status_code == 403
    assert again(net, cache).ask("POST", URL).status_code == 403


def test_a_re_run_asks_the_host_for_what_the_run_never_got(net: Net, counter: Host) -> None:
    behind(net, cache := Cache()).get(URL)
    rerun = again(net, cache)
    assert rerun.get(f"{URL}?page=2").text == "number 2"
    assert [access.cached for access in rerun.gate.drain()] == [False]
    assert rerun.get(f"{URL}?page=2").text == "number 3", "a re-run adds nothing"


def test_a_late_response_stays_in_the_memory_of_its_own_run(net: Net, until: Callable[..., None]) -> None:
    net.host("api.example.com", lambda seen: net.reply(pieces=[b"a", b"b"], pause=0.3))
    first, following = Cache(), Cache()
    asked = Asked("api.example.com", 443, True, b"/count", ())
    proxy = behind(net, first)
    with proxy.session() as session, session.get(URL, stream=True, timeout=30) as response:
        proxy.gate.seen = lambda: following
        assert response.text == "ab"
    until(lambda: first.rerun().find(asked))
    assert following.held == 0


def test_many_clients_at_once_are_served_from_memory_in_full(net: Net) -> None:
    host = net.host("api.example.com", lambda seen: net.reply(pieces=[seen.target.encode() * 1_000]))
    proxy = net.gate(limits=Limits(connections=64))
    cache = Cache()
    proxy.gate.seen = lambda: cache
    targets = [f"/{number}" for number in range(20)]
    with ThreadPoolExecutor(10) as pool:
        for _ in range(2):
            texts = list(pool.map(lambda target: proxy.get(f"https://api.example.com{target}").text, targets))
            assert texts == [target * 1_000 for target in targets]
            cache.begin_attempt()
    assert len(host.seen) == 20
