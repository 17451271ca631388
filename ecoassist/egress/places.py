"""Keys and their places: a placeholder for the sandbox, and the key put in where it belongs. Pure.

A key is bound to hosts and to places in a request. Bound to hosts alone, code could post the placeholder into a public
note on the key's own host and read the real key back; the declared place is the guard, masking is only best effort.
"""

from __future__ import annotations

import base64
import json
import re
import secrets as random
import string
from dataclasses import dataclass, replace
from typing import get_args
from urllib.parse import quote, unquote_plus

from ecoassist.errors import UsageFault
from ecoassist.masks import SHORTEST_KEY
from ecoassist.types import Place, PlaceKind, Secret

PLACE_FORMS = ("query:NAME", "header:NAME", "bearer", "basic", "body:NAME")
_OF_THE_CONNECTION = {"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"}
_POOLS = (
    string.digits,
    string.digits + "abcdef",
    string.digits + "ABCDEF",
    string.digits + string.ascii_lowercase,
    string.digits + string.ascii_uppercase,
)

Headers = tuple[tuple[bytes, bytes], ...]


def placeholder(value: str) -> str:
    """Random text of the key's length and alphabet, with its -, _ and . in place: checks of the form still pass.

    It needs no percent-encoding, and cannot complete a piece of the key that stands next to it.
    Raises UsageFault for a value too short to be masked or not fit for a header.
    """
    if len(value) < SHORTEST_KEY:
        raise UsageFault(
            f"a key of {len(value)} characters cannot be kept secret",
            f"keys need at least {SHORTEST_KEY} characters: shorter ones cannot be told from other text in a response",
        )
    if not all("!" <= character <= "~" for character in value):
        raise UsageFault(
            "the key holds a space, a line break or a character outside ASCII",
            "check how it was copied: no key has those",
        )
    core = re.sub("[-_.]", "", value)
    kept = "-_." if len(core) >= SHORTEST_KEY else ""
    pool = next((pool for pool in _POOLS if set(core) <= set(pool)), string.ascii_letters + string.digits)
    while True:
        made = "".join(character if character in kept else random.choice(pool) for character in value)
        if not _overlap(made, value):
            return made


def _overlap(made: str, value: str) -> bool:
    """Whether an end of one is a beginning of the other (or they are equal): side by side they could spell the key."""
    lengths = range(1, len(value) + 1)
    # An end of kept punctuation can only be a key that ends in it too; such an overlap is not avoidable.
    return any(
        (made.startswith(value[-n:]) and value[-n:].strip("-_."))
        or (made.endswith(value[:n]) and value[:n].strip("-_."))
        for n in lengths
    )


def parse_place(text: str) -> Place:
    """Reads "query:key", "header:X-Api-Key", "bearer", "basic" or "body:token". Raises UsageFault."""
    kind, _, name = text.strip().partition(":")
    named = kind in ("query", "header", "body")
    well_named = re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) if kind == "header" else name
    if kind not in get_args(PlaceKind) or bool(name) != named or (named and not well_named):
        raise UsageFault(f"{text!r} is not a place for a key", "write one of: " + ", ".join(PLACE_FORMS))
    if kind == "header" and name.lower() in _OF_THE_CONNECTION:
        raise UsageFault(f"the header {name} cannot carry a key", "write one of: " + ", ".join(PLACE_FORMS))
    return Place(next(known for known in get_args(PlaceKind) if known == kind), name)


# ── putting keys in ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)  # once filled, it holds keys
class Outgoing:
    method: str
    target: bytes
    """In origin form: path and query."""
    headers: Headers
    """Names in lower case."""
    body: bytes = b""


def fill(request: Outgoing, secrets: tuple[Secret, ...]) -> Outgoing:
    """The request with keys in place of placeholders, only in the declared places. `secrets`: those of its host."""
    for secret in secrets:
        old, new = secret.placeholder.encode(), secret.value.encode()
        for place in secret.places:
            if place.kind == "query":
                path, mark, query = request.target.partition(b"?")
                request = replace(request, target=path + mark + _in_fields(query, place.name, old, new))
            elif place.kind == "body":
                request = replace(request, body=_in_body(request, place.name, old, new))
            else:
                headers = ((name, _in_header(name, text, place, old, new)) for name, text in request.headers)
                request = replace(request, headers=tuple(headers))
    return request


def fills_body(headers: Headers, secrets: tuple[Secret, ...]) -> bool:
    """Whether fill() may change the body of such a request: only then has it to be known whole."""
    return bool(_fillable(headers)) and any(place.kind == "body" for secret in secrets for place in secret.places)


def _fillable(headers: Headers) -> bytes:
    """The media type of a form or of JSON; empty for any other, for two of them, and for a body that is packed."""
    fields = dict(headers)
    if [name for name, _ in headers].count(b"content-type") > 1:  # the host may believe the other one
        return b""
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    fit = kind in (b"application/x-www-form-urlencoded", b"application/json") or kind.endswith(b"+json")
    return kind if fit and b"content-encoding" not in fields else b""


def _in_header(name: bytes, text: bytes, place: Place, old: bytes, new: bytes) -> bytes:
    if place.kind == "header":
        return text.replace(old, new) if name == place.name.lower().encode() else text
    scheme, _, rest = text.partition(b" ")
    if name != b"authorization" or scheme.lower() != place.kind.encode():
        return text
    if place.kind == "bearer":
        return text.replace(old, new)
    try:
        plain = base64.b64decode(rest.strip(), validate=True)
    except ValueError:
        return text
    return scheme + b" " + base64.b64encode(plain.replace(old, new)) if old in plain else text


def _in_fields(text: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """For the form name=value&name=value, of queries and of form bodies."""

    def filled(part: bytes) -> bytes:
        key, equals, value = part.partition(b"=")
        if unquote_plus(key.decode("latin-1")) != name or b";" in value:  # where some hosts begin another field
            return part
        return key + equals + value.replace(old, quote(new, safe="").encode())

    return b"&".join(map(filled, text.split(b"&")))


def _in_body(request: Outgoing, name: str, old: bytes, new: bytes) -> bytes:
    """In a field of a form, or in a text at the top level of a JSON object; any other body stays as it is."""
    kind = _fillable(request.headers)
    if old not in request.body or not kind:
        return request.body
    if kind == b"application/x-www-form-urlencoded":
        return _in_fields(request.body, name, old, new)
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return request.body
    if not isinstance(content, dict) or not isinstance(content.get(name), str) or old.decode() not in content[name]:
        return request.body
    content[name] = content[name].replace(old.decode(), new.decode())
    return json.dumps(content).encode()
