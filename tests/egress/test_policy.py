"""Placeholders, places and what may leave, without any socket."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist.egress.places import Outgoing, fill, parse_place, placeholder
from ecoassist.egress.policy import Door, Override, Policy, Refusal, Service, is_address, is_name
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

    assert refusal(policy, "x.org").endswith("h7.example.com and 4 more)")


# ── what may leave ──────────────────────────────────────────────────────────────────────────────────────────────────

DOOR = Door("10.1.2.3", 8001, False)
INTRA = Service("intra", door=DOOR)
INDEX = Service("", ("index.example.com",), reads=True)


def refusal(policy: Policy, host: str, port: int = 443, method: str = "GET", **more: Any) -> str:
    found = policy.refusal(host, port, method, tls=more.pop("tls", port == 443), **more)
    return found.reason if found else ""


def test_with_the_network_off_nothing_is_reachable_and_nobody_is_asked() -> None:
    policy = Policy(("api.example.com",), reach="none", services=(INTRA, INDEX))
    policy.grants.open("granted.example.com", "session")

    for host, port in (("api.example.com", 443), DOOR[:2], ("index.example.com", 443), ("granted.example.com", 443)):
        assert policy.refusal(host, port, "GET", tls=port == 443) == Refusal("the network is off: its policy is none")


def test_the_open_network_has_every_name_on_the_usual_ports_and_no_address() -> None:
    policy = Policy((), bound("bearer"), reach="open")

    assert refusal(policy, "anything.example.org") == refusal(policy, "anything.example.org", 80) == ""
    assert "port 8443" in refusal(policy, "anything.example.org", 8443, tls=True)
    assert "port 443" in refusal(policy, "anything.example.org", 443, tls=False)
    for address in ("10.0.0.1", "8.8.8.8", "::1", "127.1", "2130706433", "0x7f.1"):
        assert "is an IP address" in refusal(policy, address)
    assert refusal(policy, "not a name")
    assert policy.secrets_of("anything.example.org") == ()


def test_only_a_host_that_is_not_listed_is_blocked_and_may_be_opened() -> None:
    policy = Policy(("api.example.com",))

    def blocked(host: str, port: int = 443, *, tls: bool = True) -> bool | None:
        found = policy.refusal(host, port, "GET", tls=tls)
        return found.blocked if found else None

    assert blocked("x.org") is blocked("x.org", 80, tls=False) is True
    assert blocked("api.example.com") is None
    assert blocked("x.org", 22) is blocked("api.example.com", 22) is blocked("8.8.8.8") is False
    assert policy.readonly(()).refusal("x.org", 443, "GET", tls=True) == Refusal(
        "read-only re-run: host x.org is not one of its recorded hosts (it is empty)"
    )


def test_a_host_is_open_from_the_moment_the_person_opens_it_and_once_ends_with_the_question() -> None:
    policy = Policy()
    assert refusal(policy, "x.org")

    policy.grants.open("x.org", "once")
    policy.grants.open("y.org", "session")
    assert refusal(policy, "x.org") == refusal(policy, "y.org", 80, "POST") == ""
    assert "allowed: x.org, y.org" in refusal(policy, "z.org")

    policy.grants.begin()
    assert refusal(policy, "x.org")
    assert not refusal(policy, "y.org")


def test_a_private_api_is_its_host_its_port_and_its_scheme_and_nothing_else() -> None:
    policy = Policy(("api.example.com",), services=(INTRA, Service("wiki", door=Door("wiki.corp", 443, True))))

    assert refusal(policy, *DOOR[:2], method="POST") == refusal(policy, "wiki.corp", method="PUT") == ""
    assert policy.private(*DOOR[:2], tls=False)
    for port, tls in ((8001, True), (8002, False), (80, False), (443, True), (22, True)):
        assert "closed; open is only http on 8001" in refusal(policy, DOOR.host, port, tls=tls)
        assert not policy.private(DOOR.host, port, tls=tls)
    assert refusal(policy, "wiki.corp", 80)
    assert "is an IP address" in refusal(policy, "10.1.2.4", 8001, tls=False)
    assert refusal(policy, "other.corp", 8001, tls=False)
    assert refusal(policy, "api.example.com", 8001, tls=False)


@pytest.mark.parametrize("spelled", ["0x0a.1.2.3", "167838211", "10.1.515", "010.1.2.3", "::ffff:10.1.2.3"])
def test_a_private_address_has_one_spelling(spelled: str) -> None:
    assert "is an IP address" in refusal(Policy(services=(INTRA,)), spelled, 8001, tls=False)


@pytest.mark.parametrize("host", ["*.corp", "Wiki.corp", "0x7f.1", "127.1", "wiki.corp.", "a b", ""])
def test_an_unfit_private_host_is_refused(host: str) -> None:
    with pytest.raises(UsageFault, match="is not a host"):
        Policy(services=(Service("x", door=Door(host, 80, False)),))


def test_keys_of_private_apis_on_one_host_stay_apart_and_out_of_its_public_side() -> None:
    one, two = (Door("box.corp", port, False) for port in (8001, 8002))
    keys = [Secret(f"KEY_{door.port}", KEY, MARK, (str(door),), (Place("bearer"),)) for door in (one, two)]
    services = (Service("one", door=one), Service("two", door=two))
    policy = Policy(("box.corp",), (*keys, *bound("bearer")), services=services)

    assert policy.secrets_of("box.corp", 8001) == (keys[0],)
    assert policy.secrets_of("box.corp", 8002) == (keys[1],)
    assert policy.secrets_of("box.corp") == policy.secrets_of("box.corp", 8003) == ()
    assert policy.upstream("box.corp", 8001, tls=False) == one


def test_a_request_with_a_key_goes_over_tls() -> None:
    policy = Policy(("api.example.com", "other.example.com"), bound("bearer"))

    assert policy.upstream("api.example.com", 80, tls=False) == Door("api.example.com", 443, True)
    assert policy.upstream("other.example.com", 80, tls=False) == Door("other.example.com", 80, False)


def test_an_index_of_packages_is_only_read() -> None:
    policy = Policy(services=(INDEX, Service("", door=DOOR, reads=True)))

    assert refusal(policy, "index.example.com") == refusal(policy, *DOOR[:2], method="HEAD") == ""
    assert "for reading packages only: POST" in refusal(policy, "index.example.com", method="POST")
    assert "for reading packages only: PUT" in refusal(policy, *DOOR[:2], method="PUT")
    assert "port 22" in refusal(policy, "index.example.com", 22)


def test_of_several_apis_on_one_host_the_path_tells() -> None:
    bases = {"all": "", "data": "/data", "old": "/data/v1"}
    policy = Policy(services=tuple(Service(name, ("x.org",), base=base) for name, base in bases.items()))
    paths = {
        "/": "all",
        "/data": "data",
        "/data/": "data",
        "/database": "all",
        "/data/v1/x": "old",
        "/data/v10": "data",
    }
    assert {path: policy.api_of("x.org", 443, path) for path in paths} == paths
    alone = Policy(services=(Service("one", ("x.org",), base="/v1"),))
    assert alone.api_of("x.org", 443, "/v2") == "one"


def test_the_api_of_a_host_is_known() -> None:
    policy = Policy(services=(Service("maps", ("*.maps.example", "maps.example")), INTRA, INDEX))

    assert policy.api_of("a.maps.example") == policy.api_of("maps.example", 80) == "maps"
    assert policy.api_of(*DOOR[:2]) == "intra"
    assert policy.api_of(DOOR.host, 80) == policy.api_of("index.example.com") == policy.api_of("x.org") == ""


def test_a_re_run_reads_what_was_recorded_and_is_open_now() -> None:
    policy = Policy(("a.org", "b.org"), reach="open", services=(INTRA, INDEX))
    again = policy.readonly(("a.org", "x.org", "index.example.com", "8.8.8.8"))

    assert refusal(again, "a.org") == refusal(again, "x.org") == refusal(again, "index.example.com") == ""
    assert refusal(again, "b.org")
    assert refusal(again, "y.org")
    assert refusal(again, *DOOR[:2])
    assert not refusal(policy.readonly((DOOR.host,)), *DOOR[:2])
    assert "POST is not sent again" in refusal(again, "a.org", method="POST")
    assert "GET with a body" in refusal(again, "a.org", body=True)
    assert not refusal(policy, "a.org", body=True)
    assert refusal(Policy(("a.org",)).readonly(("x.org",)), "x.org")
    policy.grants.open("z.org", "session")
    assert refusal(again, "z.org")


@pytest.mark.parametrize(
    "target",
    [
        "/do/it",
        "/do/it?now=1",
        "/do/it/",
        "/DO/it",
        "//do///it",
        "/do/./it",
        "/x/../do/it",
        "/do%2Fit",
        "/d%6f/it",
        "/d%256f/it",
        "/do;v=1/it",
        "/do%3Bv=1/it",
        "/x/%2e%2e/do/it",
        "/do\\it",
        "/api?action=Delete&id=4",
        "/api?action=%64elete",
        "/" + "x/../" * 100 + "do/it",
    ],
)
def test_a_get_that_acts_is_not_sent_again_however_it_is_spelled(target: str) -> None:
    acting = Service("a", ("a.org",), acts=("/do/*", "/api?action=delete*"))
    policy = Policy(("a.org", "b.org"), services=(acting,))

    for method in ("GET", "HEAD"):
        assert f"this {method} changes something" in refusal(
            policy.readonly(("a.org",)), "a.org", method=method, target=target
        )
    assert not refusal(policy, "a.org", target=target)
    assert not refusal(policy.readonly(("b.org",)), "b.org", target=target)


@pytest.mark.parametrize("target", ["/", "/does/it", "/x/do/it", "/api?action=show", "/do.html", "/read?path=/do/it"])
def test_a_get_that_reads_is_sent_again(target: str) -> None:
    acting = Service("a", ("a.org",), acts=("/do/*", "/api?action=delete*", "/d[a-z]es/?t"))
    assert not refusal(Policy(("a.org",), services=(acting,)).readonly(("a.org",)), "a.org", target=target)


# ── putting keys in ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_goes_into_its_query_parameter_only() -> None:
    filled = fill(outgoing(f"/{MARK}?a={MARK}&key={MARK}&keys={MARK}&{MARK}=key&k%65y={MARK}"), bound("query:key"))

    key = quote(KEY, safe="")
    assert filled.target.decode() == f"/{MARK}?a={MARK}&key={key}&keys={MARK}&{MARK}=key&k%65y={key}"


@pytest.mark.parametrize("query", [f"key=1;note={MARK}", f"key={MARK};note={MARK}", f"a=1;key={MARK}"])
def test_a_semicolon_may_begin_another_parameter(query: str) -> None:
    assert fill(outgoing(f"/?{query}"), bound("query:key")).target.decode() == f"/?{query}"


def test_a_body_of_two_types_gets_no_key() -> None:
    form, text = b"application/x-www-form-urlencoded", b"text/plain"
    for kinds in ((text, form), (form, text), (form, form)):
        headers = tuple((b"content-type", kind) for kind in kinds)
        request = Outgoing("POST", b"/", headers, f"key={MARK}".encode())
        assert fill(request, bound("body:key")).body == request.body


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


def test_a_re_run_that_did_not_call_a_private_api_leaves_its_key_without_a_place() -> None:
    door = Door("127.0.0.1", 8001, False)
    key = Secret("INTRA_KEY", "k3y-of-the-intranet", "p1a-of-the-intranet", (str(door),), (parse_place("bearer"),))
    policy = Policy(("a.example",), (key,), services=(Service("intra", door=door),))
    again = policy.readonly(("a.example",))
    assert again.doors == ()
    assert again.secrets_of("127.0.0.1", 8001) == ()
    assert [secret.name for secret in again.secrets] == ["INTRA_KEY"]  # code finds its variable as before
    assert policy.readonly(("127.0.0.1",)).secrets_of("127.0.0.1", 8001) == (key,)
