"""The words for an API: a head of ours, and a card whose text is foreign where the API was described by others. Pure.

    - weather (https://api.weatherapi.com/v1; params={"key": os.environ["WEATHERAPI_KEY"]})
    Weather forecasts worldwide.
    GET /forecast.json?q*&days(1-14) -> location.name, forecast.forecastday[].day.maxtemp_c # Forecast of a place

A key is shown as the argument that HTTP clients of Python take, so that its place cannot be mistaken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from ecoassist.types import Api, Operation

MAX_CARD, MAX_PURPOSE, MAX_LINE, MAX_ENTRY = 2_000, 400, 500, 1_000
"""Characters: of a card without operations, of the words before operations, of an operation in a prompt and in the
listing."""
MAX_LISTING = 2_000_000
"""Characters of the listing."""
CUT = " ..."


def head(api: Api) -> str:
    """Name, base URL and key: all that is ours. A host that is its own name is said once."""
    if api.name == api.host and not api.url and not api.variable:
        return f"- {_plain(api.name, 200)}"
    told = [_plain(api.url, 300) or f"https://{api.host}", *_auth(api)]
    if 0 < len(api.operations) < api.known:
        told.append(f"{len(api.operations)} of {api.known} operations")
    return f"- {_plain(api.name, 200)} ({'; '.join(told)})"


def card(api: Api) -> str:
    """What it is for, then its operations, one on each line; empty where nothing is known. Foreign."""
    return "\n".join(card_lines(api))


def card_lines(api: Api) -> Iterator[str]:
    """The same, piece by piece."""
    if said := _text(api.card, MAX_PURPOSE if api.operations else MAX_CARD):
        yield said
    for operation in api.operations:
        yield line(operation)


def line(operation: Operation, most: int = MAX_LINE) -> str:
    """One operation. In what has no room, the required parameters stay, and the first fields."""
    path, parameters = _path(operation)
    summary = f" # {operation.summary}" if operation.summary else ""
    fields = _some(operation.fields, most * 2 // 5)
    asked = _parameters(_fitting(parameters, most // 2), "&" if "?" in path else "?")
    return _plain(f"{operation.method} {path}{asked}{f' -> {fields}' if fields else ''}{summary}", most)


def names(apis: Sequence[Api]) -> tuple[str, ...]:
    """Of APIs that are only named."""
    return tuple(_plain(api.name, 60) for api in apis)


def listing(apis: Sequence[Api]) -> str:
    """All that is known of all of them for code to search; every line begins with the API's name. Foreign."""
    kept, room = [], MAX_LISTING
    for entry in _entries(apis):
        room -= len(entry) + 1
        if room < 0:
            kept.append("(the rest was left out)")
            break
        kept.append(entry)
    return "\n".join([*kept, ""])


def _entries(apis: Sequence[Api]) -> Iterator[str]:
    for api in apis:
        name = _plain(api.name, 60)
        yield f"{name}: {_plain(head(api)[2:], MAX_ENTRY)}"
        for said in _text(api.card, MAX_CARD).splitlines():
            yield f"{name}: {_plain(said, MAX_ENTRY)}"
        for operation in api.operations:
            yield f"{name}: {line(operation, MAX_ENTRY)}"


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _auth(api: Api) -> list[str]:
    """Where the keys go, in the words of requests and httpx. Two of "basic" are a name and its password."""
    variables = [name for name in api.variable.split(",") if name]
    places = api.place.split(";") if api.place else []
    keys = list(zip(variables, [*places, *["bearer"] * len(variables)], strict=False))
    basic = [_value(name) for name, place in keys if place.strip() == "basic"]
    if len(basic) == 2:
        keys = [(name, place) for name, place in keys if place.strip() != "basic"]
    told = [" or ".join(_argument(name, part.strip()) for part in place.split(",")) for name, place in keys]
    return [f"auth=({', '.join(basic)})", *told] if len(basic) == 2 else told


def _argument(variable: str, place: str) -> str:
    kind, _, name = place.partition(":")
    value, quoted = _value(variable), json.dumps(_plain(name, 100))
    if kind == "query":
        return f"params={{{quoted}: {value}}}"
    if kind == "header":
        return f"headers={{{quoted}: {value}}}"
    if kind == "body":
        return f"json={{{quoted}: {value}}}"
    if kind == "basic":
        return f'headers={{"Authorization": "Basic " + base64.b64encode({value}.encode()).decode()}}'
    return f'headers={{"Authorization": "Bearer " + {value}}}'


def _value(variable: str) -> str:
    return f'os.environ["{variable}"]'


# ── parameters and fields ───────────────────────────────────────────────────────────────────────────────────────────


def _parameters(given: Sequence[str], mark: str) -> str:
    """As they stand in a request: "?q*&days", headers, a JSON body. `mark` begins those of the query."""
    parts: dict[str, list[str]] = {"": [], "header": [], "cookie": [], "body": [], "form": []}
    for parameter in given:
        kind, name = kind_of(parameter)
        parts[kind].append(name)
    said = [f"{mark}{'&'.join(parts[''])}"] if parts[""] else [""]
    for kind, word in (("header", "headers"), ("cookie", "cookies")):
        said += [f"{word} {', '.join(parts[kind])}"] if parts[kind] else []
    for kind, word in (("body", "JSON"), ("form", "form")):
        said += [f"{word} {{{', '.join(filter(None, parts[kind]))}}}"] if parts[kind] else []
    return " ".join(said)


def kind_of(parameter: str) -> tuple[str, str]:
    """ "body.name" is ("body", "name"); of the query and the path the first is empty. "body" alone is any body."""
    parts = re.fullmatch(r"(header|cookie|body|form)(?:\.(.+)|(\[.*))", parameter, re.S)
    if parts:
        return parts[1], parts[2] or parts[3]
    return (parameter, "") if parameter in ("body", "form") else ("", parameter)


def _path(operation: Operation) -> tuple[str, list[str]]:
    """Its path with what fits into it, "/items/{id: integer}", and the other parameters."""
    path, others = operation.path, []
    for parameter in operation.parameters:
        name, _, fits = parameter.removesuffix("*").partition("(")
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", f"{{{name}: {fits.removesuffix(')')}}}") if fits else path
        else:
            others.append(parameter)
    return path, others


def _fitting(parameters: Sequence[str], room: int) -> list[str]:
    """The required ones, then the others, as far as they have room; in their order."""
    needed = [one for one in parameters if "*" in one]
    kept = set()
    for parameter in (*needed, *(one for one in parameters if one not in needed)):
        if len(parameter) < room:
            room -= len(parameter) + 1
            kept.add(parameter)
    return [one for one in parameters if one in kept] + (["..."] if len(kept) < len(set(parameters)) else [])


def _some(texts: Sequence[str], room: int) -> str:
    joined = ", ".join(texts)
    if len(joined) <= room:
        return joined
    return joined[:room].rpartition(", ")[0] + CUT


# ── foreign text ────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(text: str, most: int) -> str:
    """On one line, harmless, and of at most `most` characters."""
    return _cut(" ".join(_harmless(text[: 2 * most]).split()), most)


def _text(text: str, most: int) -> str:
    """On its own lines, harmless, and of at most `most` characters."""
    return _cut(_harmless(text[: 2 * most]).strip(), most)


def _harmless(text: str) -> str:
    """Without control characters, and without what would close a data mark."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() or character == "\n" else " " for character in text)
    return re.sub(r"(?:<\s*)+(?=/)", "", text) if "<" in text else text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(CUT)] + CUT
