"""Keys on their way out and back, through a real gate."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Client, Net, Reply, Seen

KEY = "sk-l1ve/T0P+secret=99"
ENCODED = quote(KEY, safe="")
NAME = "api.example.com"
Make = Callable[..., Secret]


def test_the_key_is_put_into_the_query(net: Net, client: Client, secret: Make) -> None:
    key = secret("query:key")
    host = net.host(NAME)

    answer = client(net.gate(key), "GET", f"https://{NAME}/a?key={key.placeholder}&q=x", None)

    assert answer.status == 200
    assert host.seen[0].target == f"/a?key={ENCODED}&q=x"


@pytest.mark.parametrize(
    ("place", "sent", "arrived"),
    [
        ("header:X-Api-Key", {"X-Api-Key": "{}"}, KEY),
        ("bearer", {"Authorization": "Bearer {}"}, f"Bearer {KEY}"),
        ("header:Authorization", {"Authorization": "Token {}"}, f"Token {KEY}"),
    ],
)
def test_the_key_is_put_into_a_header(net: Net, secret: Make, place: str, sent: dict[str, str], arrived: str) -> None:
    key = secret(place)
    host = net.host(NAME)

    net.gate(key).get(f"https://{NAME}/", headers={name: text.format(key.placeholder) for name, text in sent.items()})

    assert host.seen[0].headers[next(iter(sent)).lower()] == arrived


def test_the_key_is_put_into_basic_authorization(net: Net, secret: Make) -> None:
    key = secret("basic")
    host = net.host(NAME)

    net.gate(key).get(f"https://{NAME}/", auth=("me", key.placeholder))

    assert base64.b64decode(host.seen[0].headers["authorization"].removeprefix("Basic ")).decode() == f"me:{KEY}"


def test_the_key_is_put_into_a_body_field_and_the_length_fits(net: Net, secret: Make) -> None:
    key = secret("body:token")
    host = net.host(NAME)
    proxy = net.gate(key)

    proxy.ask("POST", f"https://{NAME}/", json={"token": key.placeholder, "note": key.placeholder})
    proxy.ask("POST", f"https://{NAME}/", data={"token": key.placeholder, "note": key.placeholder})

    assert json.loads(host.seen[0].body) == {"token": KEY, "note": key.placeholder}
    assert host.seen[1].body.decode() == f"token={ENCODED}&note={key.placeholder}"
    assert [int(seen.headers["content-length"]) for seen in host.seen] == [len(seen.body) for seen in host.seen]


def test_the_key_goes_to_no_other_host_and_no_other_place(net: Net, secret: Make) -> None:
    key = secret("query:key", "bearer")
    mark = key.placeholder
    bound, other = net.host(NAME), net.host("other.example.com")
    proxy = net.gate(key)

    proxy.ask("POST", f"https://{NAME}/{mark}?note={mark}", headers={"X-Note": mark}, data=f"key={mark}")
    proxy.ask("POST", f"https://other.example.com/?key={mark}", headers={"Authorization": f"Bearer {mark}"}, data=mark)

    for seen in (*bound.seen, *other.seen):
        assert mark in seen.target
        assert KEY not in seen.text()
        assert ENCODED not in seen.text()


def test_the_environment_of_the_sandbox_names_the_placeholder(net: Net, secret: Make) -> None:
    key = secret("bearer", name="WEATHER_KEY")
    net.host(NAME)

    assert net.gate(key).gate.variables == {"WEATHER_KEY": key.placeholder}


# ── echoes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ECHOES: dict[str, Callable[[Net], Reply]] = {
    "plain": lambda net: net.reply(pieces=[f"<{KEY}>".encode()]),
    "with a length": lambda net: net.reply(headers={"content-length": str(len(KEY) + 2)}, pieces=[f"<{KEY}>".encode()]),
    "percent-encoded": lambda net: net.reply(pieces=[f"<{ENCODED}>".encode()]),
    "in JSON": lambda net: net.reply(pieces=[json.dumps(f"<{KEY}>").replace("/", "\\/").encode()]),
    "in single bytes": lambda net: net.reply(pieces=[bytes([byte]) for byte in f"<{KEY}>".encode()]),
    "percent-encoded in single bytes": lambda net: net.reply(
        pieces=[bytes([byte]) for byte in f"<{ENCODED}>".encode()]
    ),
    "in gzip": lambda net: net.reply(headers={"content-encoding": "gzip"}, pieces=[gzip.compress(f"<{KEY}>".encode())]),
    "in deflate": lambda net: net.reply(
        headers={"content-encoding": "deflate"}, pieces=[zlib.compress(f"<{KEY}>".encode())]
    ),
    "in raw deflate": lambda net: net.reply(
        headers={"content-encoding": "deflate"}, pieces=[raw_deflate(f"<{KEY}>".encode())]
    ),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_an_echo_becomes_the_placeholder_again(net: Net, secret: Make, echo: str) -> None:
    key = secret("query:key")
    net.host(NAME, lambda seen: ECHOES[echo](net))

    response = net.gate(key).get(f"https://{NAME}/?key={key.placeholder}")

    assert response.text.strip('"') == f"<{key.placeholder}>"


def test_an_echo_in_a_long_body_leaves_the_rest_as_it_was(net: Net, secret: Make) -> None:
    key = secret("query:key")
    parts = [b"a" * 65_530, KEY.encode(), b"b" * 200_000, ENCODED.encode(), b"c" * 65_536]
    net.host(NAME, lambda seen: net.reply(pieces=[b"".join(parts)]))

    content = net.gate(key).get(f"https://{NAME}/?key={key.placeholder}").content

    mark = key.placeholder.encode()
    assert content == b"a" * 65_530 + mark + b"b" * 200_000 + mark + b"c" * 65_536


def test_an_echo_in_base64_is_masked(net: Net, secret: Make) -> None:
    key = secret("basic")
    net.host(NAME, lambda seen: net.reply(pieces=[seen.headers["authorization"].encode()]))

    text = net.gate(key).get(f"https://{NAME}/", auth=("someone", key.placeholder)).text

    plain = base64.b64decode(text.removeprefix("Basic "))
    assert plain.startswith(b"someone:")
    assert KEY[1:-1].encode() not in plain


def test_echoes_in_headers_are_masked(net: Net, client: Client, secret: Make) -> None:
    key = secret("query:key")
    echoes = {"x-echo": KEY, "set-cookie": f"k={ENCODED}", "x-packed": base64.b64encode(KEY.encode()).decode()}
    net.host(NAME, lambda seen: net.reply(headers=echoes))

    answer = client(net.gate(key), "GET", f"https://{NAME}/?key={key.placeholder}", None)

    assert (answer.headers["x-echo"], answer.headers["set-cookie"]) == (key.placeholder, f"k={key.placeholder}")
    assert KEY not in str(answer)
    assert echoes["x-packed"] not in str(answer)


def test_a_redirect_to_a_foreign_host_carries_the_placeholder_and_ends_at_the_gate(net: Net, secret: Make) -> None:
    key = secret("query:key")

    def away(seen: Seen) -> Reply:
        return net.reply(status=302, headers={"location": f"https://evil.example.org{seen.target}"}, pieces=[])

    net.host(NAME, away)
    proxy = net.gate(key)

    response = proxy.get(f"https://{NAME}/x?key={key.placeholder}")

    assert response.url == f"https://evil.example.org/x?key={key.placeholder}"
    assert (response.status_code, "evil.example.org is not on the allow-list" in response.text) == (403, True)
    assert [(access.host, access.status) for access in proxy.gate.drain()] == [(NAME, 302), ("evil.example.org", None)]


def test_a_redirect_to_an_allowed_host_without_the_key_gets_the_placeholder(net: Net, secret: Make) -> None:
    key = secret("query:key")
    location = {"location": f"https://other.example.com/?key={ENCODED}"}
    net.host(NAME, lambda seen: net.reply(status=302, headers=location, pieces=[]))
    other = net.host("other.example.com")

    net.gate(key).get(f"https://{NAME}/?key={key.placeholder}")

    assert other.seen[0].target == f"/?key={key.placeholder}"


def test_a_host_with_a_key_is_asked_for_whole_plain_bodies(net: Net, secret: Make) -> None:
    host = net.host(NAME)

    net.gate(secret("bearer")).get(f"https://{NAME}/", headers={"Range": "bytes=0-9", "Accept-Encoding": "br, gzip"})

    assert host.seen[0].headers["accept-encoding"] == "identity"
    assert "range" not in host.seen[0].headers


def test_a_host_without_a_key_may_pack_and_part_its_bodies(net: Net) -> None:
    packed = gzip.compress(b"packed")
    host = net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "gzip"}, pieces=[packed]))

    response = net.gate().get(f"https://{NAME}/", headers={"Range": "bytes=0-9", "Accept-Encoding": "gzip"})

    assert response.text == "packed"
    assert response.headers["content-encoding"] == "gzip"
    assert (host.seen[0].headers["accept-encoding"], host.seen[0].headers["range"]) == ("gzip", "bytes=0-9")


def test_a_body_that_cannot_be_searched_is_refused(net: Net, client: Client, secret: Make) -> None:
    net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "compress"}, pieces=[KEY.encode()]))

    answer = client(net.gate(secret("bearer")), "GET", f"https://{NAME}/", None)

    assert answer.status == 502
    assert "encoded as compress, which cannot be searched for keys" in answer.text


def test_the_key_is_in_no_record_and_no_representation(net: Net, secret: Make) -> None:
    key = secret("query:key", "bearer")
    net.host(NAME, lambda seen: net.reply(headers={"content-encoding": "compress"}))
    proxy = net.gate(key)

    proxy.get(
        f"https://{NAME}/{key.placeholder}?key={key.placeholder}",
        headers={"Authorization": f"Bearer {key.placeholder}"},
    )
    proxy.get(f"https://nowhere.example.org/?key={key.placeholder}")

    told = f"{proxy.gate.drain()} {proxy.gate!r} {proxy.gate.policy!r} {proxy.gate.variables!r}"
    assert key.placeholder in told
    assert KEY not in told
    assert ENCODED not in told
