"""Placeholders, places and what may leave, without any socket."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist.egress.places import Outgoing, fill, parse_place, placeholder
from ecoassist.egress.policy import Override, Policy, is_address, is_name
from ecoassist.errors import UsageFault
from ecoassist.types import Place, Secret

PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
KEY = "sk/l1ve+T0P&secret=99"
MARK = "PLACEHOLDERplaceholde"


def bound(*places: str) -> tuple[Secret, ...]:
    return (Secret("API_KEY", KEY, MARK, ("api.example.com",), tuple(map(parse_place, places))),)


def outgoing(target: str = "/", body: bytes = b"", **headers: str) -> Outgoing:
    named = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Outgoing("POST", target.encode(), named, body)


# ── placeholders ────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(st.text(PRINTABLE, min_size=8, max_size=80))
def test_a_placeholder_has_the_keys_length_and_needs_no_encoding(value: str) -> None:
    made = placeholder(value)

    assert len(made) == len(value)
    assert made != value
    assert quote(made, safe="") == made
    if value.strip("-_.") == value:  # else kept punctuation at an end may complete it
        assert value not in value[:-1] + made + value[1:]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("12345678", "0123456789"),
        ("0a1b2c3d4e5f", "0123456789abcdef"),
        ("0A1B2C3D4E5F", "0123456789ABCDEF"),
        ("xyz123xyz", "abcdefghijklmnopqrstuvwxyz0123456789"),
        ("XYZ123XYZ", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    ],
)
def test_a_placeholder_keeps_to_the_keys_alphabet(value: str, form: str) -> None:
    assert all(set(placeholder(value)) <= set(form) for _ in range(20))


def test_a_placeholder_keeps_the_form_of_a_uuid() -> None:
    made = placeholder("123e4567-e89b-12d3-a456-426614174000")

    assert [len(part) for part in made.split("-")] == [8, 4, 4, 4, 12]


def test_a_key_of_punctuation_is_not_its_own_placeholder() -> None:
    assert placeholder("--------") != "--------"


def test_every_placeholder_is_new() -> None:
    assert len({placeholder("abcdefgh12345678") for _ in range(50)}) == 50


def test_a_short_key_is_refused_with_the_reason_and_not_shown() -> None:
    with pytest.raises(UsageFault, match="a key of 7 characters cannot be kept secret") as caught:
        placeholder("s3cret!")

    assert "at least 8 characters" in caught.value.remedy
    assert "s3cret!" not in str(caught.value) + caught.value.remedy


@pytest.mark.parametrize("value", ["line\nbreak12", "with a space", "schlüssel-123", "tab\tin-a-key"])
def test_a_key_not_fit_for_a_header_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(UsageFault, match="a space, a line break") as caught:
        placeholder(value)

    assert value not in str(caught.value) + caught.value.remedy


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("query:key", Place("query", "key")),
        ("header:X-Api-Key", Place("header", "X-Api-Key")),
        (" bearer ", Place("bearer")),
        ("basic", Place("basic")),
        ("body:token", Place("body", "token")),
    ],
)
def test_places_are_read(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "query",
        "query:",
        "header",
        "header:a b",
        "header:Host",
        "header:content-length",
        "bearer:x",
        "cookie:x",
        "body",
    ],
)
def test_what_is_no_place_is_refused_with_the_list_of_forms(text: str) -> None:
    with pytest.raises(UsageFault) as caught:
        parse_place(text)

    assert caught.value.remedy == "write one of: query:NAME, header:NAME, bearer, basic, body:NAME"


# ── hosts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com", True),
        ("a.wild.example.org", True),
        ("a.b.wild.example.org", True),
        ("wild.example.org", False),
        ("evilwild.example.org", False),
        ("api.example.com.evil.org", False),
        ("xapi.example.com", False),
    ],
)
def test_hosts_are_matched_by_whole_labels(host: str, allowed: bool) -> None:
    assert Policy(("api.example.com", "*.wild.example.org")).allows(host) is allowed


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.com", "a.*.com", "a..b", ".a.com", "A.example.com", "a.example.com.", "a b.com", "a.com\n"],
)
@pytest.mark.parametrize("prefix", ["", "*."])
def test_a_pattern_that_names_no_host_is_refused(prefix: str, host: str) -> None:
    with pytest.raises(UsageFault, match="is not a host name"):
        Policy((prefix + host,))


@pytest.mark.parametrize("host", ["https://a.example.com", "a.example.com:443", "10.0.0.1", "::1", "a" * 64 + ".com"])
def test_a_host_is_not_a_url_nor_an_address(host: str) -> None:
    with pytest.raises(UsageFault, match="is not a host name"):
        Policy((host,))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "::1", "[::1]", "fe80::1%1"]
)
def test_every_form_of_an_address_is_an_address(text: str) -> None:
    assert is_address(text)
    assert not is_name(text)


@pytest.mark.parametrize("text", ["example.com", "1.example.com", "0x7f.example", "localhost"])
def test_a_name_is_no_address(text: str) -> None:
    assert is_name(text)


def test_a_policy_shows_no_key() -> None:
    policy = Policy(("api.example.com",), bound("bearer"), overrides={"api.example.com": Override("127.0.0.1")})

    assert KEY not in repr(policy)
    assert KEY not in repr(fill(outgoing(authorization=f"Bearer {MARK}"), policy.secrets))


def test_keys_belong_to_their_hosts() -> None:
    policy = Policy(("api.example.com", "other.example.com"), bound("bearer"))

    assert policy.secrets_of("api.example.com") == policy.secrets
    assert policy.secrets_of("other.example.com") == ()


def test_a_long_allow_list_is_shortened_in_the_refusal() -> None:
    policy = Policy(tuple(f"h{n}.example.com" for n in range(12)))

    assert policy.refusal("x.org", 443, "GET", tls=True).endswith("h7.example.com and 4 more)")


# ── putting keys in ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_goes_into_its_query_parameter_only() -> None:
    filled = fill(outgoing(f"/{MARK}?a={MARK}&key={MARK}&keys={MARK}&{MARK}=key&k%65y={MARK}"), bound("query:key"))

    key = quote(KEY, safe="")
    assert filled.target.decode() == f"/{MARK}?a={MARK}&key={key}&keys={MARK}&{MARK}=key&k%65y={key}"


def test_a_key_goes_into_its_header_only() -> None:
    filled = fill(
        outgoing(x_api_key=f"Token {MARK}", x_other=MARK, authorization=f"Bearer {MARK}"), bound("header:X-Api-Key")
    )

    assert dict(filled.headers) == {
        b"x-api-key": f"Token {KEY}".encode(),
        b"x-other": MARK.encode(),
        b"authorization": f"Bearer {MARK}".encode(),
    }


def test_a_bearer_key_goes_into_bearer_only() -> None:
    assert fill(outgoing(authorization=f"bearer {MARK}"), bound("bearer")).headers[0][1] == f"bearer {KEY}".encode()
    for other in (f"Basic {MARK}", f"Token {MARK}", MARK):
        assert fill(outgoing(authorization=other), bound("bearer")).headers[0][1] == other.encode()


def test_a_basic_key_goes_into_name_or_password() -> None:
    packed = base64.b64encode(f"me:{MARK}".encode()).decode()

    [(_, value)] = fill(outgoing(authorization=f"Basic {packed}"), bound("basic")).headers

    assert base64.b64decode(value.removeprefix(b"Basic ")).decode() == f"me:{KEY}"


@pytest.mark.parametrize("value", ["Basic !!!", "Basic", f"Basic {MARK}", "Basic bm86bmU="])
def test_a_basic_header_without_the_placeholder_stays(value: str) -> None:
    assert fill(outgoing(authorization=value), bound("basic")).headers[0][1] == value.encode()


def test_a_key_goes_into_its_json_field_only() -> None:
    body = {"token": MARK, "note": MARK, "deep": {"token": MARK}, "list": [MARK], "n": 1.5}

    filled = fill(
        outgoing(body=json.dumps(body).encode(), content_type="application/json; charset=utf-8"), bound("body:token")
    )

    assert json.loads(filled.body) == {**body, "token": KEY}


@pytest.mark.parametrize(
    "note",
    [f'"token":"{MARK}"', f'x","token":"{MARK}', f"token={MARK}", f'\\"token":"{MARK}"', f'{{"token": "{MARK}"}}'],
)
def test_text_that_looks_like_the_field_is_not_the_field(note: str) -> None:
    body = json.dumps({"note": note}).encode()

    assert fill(outgoing(body=body, content_type="application/json"), bound("body:token")).body == body


def test_a_key_goes_into_its_form_field_only() -> None:
    body = f"token={MARK}&note={MARK}".encode()

    filled = fill(outgoing(body=body, content_type="application/x-www-form-urlencoded"), bound("body:token"))

    assert filled.body.decode() == f"token={quote(KEY, safe='')}&note={MARK}"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", f'{{"token": "{MARK}"}}'),
        ("application/json", f'["token", "{MARK}"]'),
        ("application/json", f'{{"token": ["{MARK}"]}}'),
        ("application/json", f'{{"token": "{MARK}"'),
        ("application/json", f'{"[" * 100_000}"{MARK}"'),
        ("multipart/form-data; boundary=x", f"token={MARK}"),
    ],
)
def test_any_other_body_stays(kind: str, body: str) -> None:
    assert fill(outgoing(body=body.encode(), content_type=kind), bound("body:token")).body == body.encode()


def test_a_key_without_a_matching_place_goes_nowhere() -> None:
    packed = base64.b64encode(f"me:{MARK}".encode()).decode()
    request = outgoing(f"/?key={MARK}", f"token={MARK}".encode(), authorization=f"Basic {packed}", x_api_key=MARK)

    assert fill(request, bound("query:other", "header:x-other", "bearer", "body:token")) == request
