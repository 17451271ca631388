"""An OpenAPI document -> the settings of an API: its hosts, its keys, what it can be asked.

What is deprecated, or cannot be called through the gate, is left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ecoassist.errors import UsageFault

from .document import read
from .schemas import MOST_FIELDS, Schemas
from .security import Needs, Schemes, variables
from .servers import Servers
from .tree import Clean, Tree, checked

MOST_OPERATIONS = 5_000
METHODS = ("get", "post", "put", "patch", "delete")
PATH = re.compile(r"/[^\s?#\\\x00-\x20]{0,300}")
LONGEST_NAME, LONGEST_SUMMARY, LONGEST_PURPOSE, LONGEST_TERMS = 60, 160, 400, 300
BY_HTTP_ITSELF = ("accept", "content-type", "authorization")
"""Header parameters that OpenAPI tells to ignore."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a document says about an API."""

    settings: dict[str, Any]
    """In the form of an ApiConfig."""
    schemes: tuple[str, ...]
    """The document's names for its keys, in the order of the settings'."""
    notes: tuple[str, ...]
    """For the person: what was decided or left out."""


@dataclass(frozen=True, slots=True)
class _Call:
    """An operation of the document."""

    method: str
    path: str
    node: dict[str, Any]
    needs: Needs
    base: str
    """Of its own; empty: the API's."""
    shared: dict[str, Any]
    """The path that it belongs to."""


def describe(
    name: str,
    content: bytes,
    found: str,
    clean: Clean,
    *,
    base: str = "",
    places: Sequence[str] | None = None,
    private: bool = False,
) -> Described:
    """The settings of the API called `name`.

    found: where the document is from. base: its URL, in place of the document's. places: of its keys, likewise.
    Raises UsageFault for a document that is none, or of which nothing can be used.
    """
    tree = Tree(read(content, found), clean)
    servers, schemes = Servers(tree, found, private=private), Schemes(tree)
    url = base or servers.main()
    notes = list(servers.notes)
    calls = list(_calls(tree, servers, schemes, notes))
    if not calls:
        raise UsageFault("the document describes no operation that can be called", "check that it has paths")
    used, keys = calls, {f"{number}": place for number, place in enumerate(places or ())}
    if places is None:
        used = [call for call in calls if schemes.usable(call.needs)]
        if not used:
            raise schemes.refusal([call.needs for call in calls])
        security = schemes.choose(call.needs for call in used)
        keys, notes = security.places, [*notes, *security.notes]
        if len(used) < len(calls):
            why = schemes.refusal([call.needs for call in calls if not schemes.usable(call.needs)])
            notes.append(f"{len(calls) - len(used)} of {len(calls)} operations are left out: {why}")
    reader = _Reader(tree, url, set(keys.values()))
    settings = _about(tree) | {"url": url, "operations": [reader.operation(call) for call in used]}
    own = urlsplit(url).hostname
    hosts = dict.fromkeys(host for call in used if (host := urlsplit(call.base).hostname) and host != own)
    if hosts:
        settings["hosts"] = list(hosts)
        notes.append("some of its operations are on other hosts: " + ", ".join(hosts))
    names = variables(name, list(keys))
    return Described(settings | _keyed(names, list(keys.values())), tuple(keys), tuple(notes))


def _keyed(names: Sequence[str], places: Sequence[str]) -> dict[str, Any]:
    """Settings for keys and their places."""
    pairs = list(zip(names, places, strict=True))
    if not pairs:
        return {}
    (secret, place), *more = pairs
    return {"secret": secret, "place": place} | ({"secrets": dict(more)} if more else {})


def _about(tree: Tree) -> dict[str, Any]:
    """Purpose and terms."""
    node = tree.under(tree.root, "info")
    title = tree.text(node.get("title"), 100)
    first = node.get("description") if isinstance(node.get("description"), str) else node.get("summary")
    said = tree.text(_first_words(first), LONGEST_PURPOSE)
    card = said if not title or said.lower().startswith(title.lower()) else f"{title}: {said}" if said else title
    licence = tree.text(tree.under(node, "license").get("name"), 100)
    terms = ", ".join(filter(None, [tree.text(node.get("termsOfService"), LONGEST_TERMS), licence]))
    return {key: text for key, text in (("card", card), ("terms", terms)) if text}


def _first_words(text: object) -> str:
    """The first paragraph that is not a heading, without the marks of Markdown and HTML."""
    if not isinstance(text, str):
        return ""
    bare = re.sub(r"<[^<>]{0,200}>|[*`_]{1,3}(?=\S)|(?<=\S)[*`]{1,3}", " ", text[:4_000])
    bare = re.sub(r"!?\[([^\[\]]{0,200})\]\([^()]{0,400}\)", r"\1", bare)
    blocks = (block.strip() for block in re.split(r"\n\s*\n", bare))
    return next((block for block in blocks if block and not block.startswith("#")), "")


def _calls(tree: Tree, servers: Servers, schemes: Schemes, notes: list[str]) -> Iterator[_Call]:
    """Every operation that is not deprecated and has a path."""
    needed = schemes.needs(tree.root, ())
    known = unfit = 0
    for path, item in tree.under(tree.root, "paths").items():
        shared = tree.follow(item)
        for method in METHODS:
            node = tree.follow(shared.get(method))
            if not isinstance(shared.get(method), dict) or node.get("deprecated") is True:
                continue
            known += 1
            if not PATH.fullmatch(path) or tree.clean(path) != path:
                unfit += 1
            elif known - unfit <= MOST_OPERATIONS:
                base = servers.of(node) or servers.of(shared)
                yield _Call(method.upper(), path, node, schemes.needs(node, needed), base, shared)
    if unfit:
        notes.append(f"{unfit} of {known} operations are left out: their paths are not well formed")
    if known - unfit > MOST_OPERATIONS:
        notes.append(f"only the first {MOST_OPERATIONS:,} of {known:,} operations are kept")


class _Reader:
    """Operations in the words of a prompt. `key_places`: parameters that need not be told, the key is."""

    def __init__(self, tree: Tree, url: str, key_places: set[str]) -> None:
        self._tree, self._url = tree, url
        self._schemas = Schemas(tree)
        self._keys = {place.lower() for place in key_places}

    def operation(self, call: _Call) -> dict[str, Any]:
        node, text = call.node, self._tree.text
        summary = text(node.get("summary"), LONGEST_SUMMARY) or text(
            _first_words(node.get("description")), LONGEST_SUMMARY
        )
        elsewhere = call.base and call.base != self._url
        told = {
            "method": call.method,
            "path": call.base + call.path if elsewhere else call.path,
            "summary": summary or text(node.get("operationId"), LONGEST_NAME),
            "parameters": self._parameters(call),
            "fields": list(self._schemas.fields(self._response(node))),
        }
        return {key: value for key, value in told.items() if value}

    def _parameters(self, call: _Call) -> list[str]:
        """Required ones first; those of the operation replace those of its path."""
        nodes = [*self._tree.each(call.shared, "parameters"), *self._tree.each(call.node, "parameters")]
        found = {}
        for node in nodes:
            one = checked(self._tree.models.Parameter, {key: node[key] for key in node.keys() & _PARAMETER})
            if one is not None:
                found[(str(one.param_in), one.name)] = (node, one)
        named = [words for node, one in found.values() if (words := self._parameter(node, one))]
        named += self._body(call.node)
        return sorted(named, key=lambda words: not words.endswith("*"))[:MOST_FIELDS]

    def _parameter(self, node: dict[str, Any], one: Any) -> str:
        where, name = str(getattr(one.param_in, "value", one.param_in)), one.name
        hidden = one.deprecated or (where == "header" and name.lower() in BY_HTTP_ITSELF)
        if hidden or f"{where}:{name}".lower() in self._keys or self._tree.text(name, LONGEST_NAME) != name:
            return ""
        schema = node.get("schema") or next(
            (media.get("schema") for media in map(self._tree.follow, self._tree.under(node, "content").values())), None
        )
        said = self._schemas.fits(schema)
        if where == "path":  # the path shows it, and that it is required
            return f"{name}({said})*" if said else ""
        prefix = "" if where == "query" else f"{where}."
        listed = self._tree.follow(schema).get("type") == "array" and one.explode is False
        said = ", ".join(filter(None, [said, "comma-separated" if listed else ""]))
        return f"{prefix}{name}" + (f"({said})" if said else "") + ("*" if one.required else "")

    def _body(self, node: dict[str, Any]) -> list[str]:
        """Fields of a JSON body, or of a form."""
        content = self._tree.under(self._tree.under(node, "requestBody"), "content")
        for media, prefix in (("json", "body"), ("x-www-form-urlencoded", "form"), ("multipart/form-data", "form")):
            for kind, one in content.items():
                if media not in kind.lower():
                    continue
                schema = self._tree.follow(one).get("schema")
                names = self._schemas.body(schema)
                return [f"{prefix}{'' if name.startswith('[') else '.'}{name}" for name in names] or [prefix]
        return ["body"] if content else []

    def _response(self, node: dict[str, Any]) -> object:
        """The schema of what comes back when all is well."""
        responses = self._tree.under(node, "responses")
        codes = sorted(code for code in responses if re.fullmatch(r"2(\d\d|XX)", code, re.IGNORECASE))
        for code in codes:
            content = self._tree.under(self._tree.follow(responses[code]), "content")
            for kind, one in content.items():
                if "json" in kind.lower() or kind == "*/*":
                    return self._tree.follow(one).get("schema")
        return None


_PARAMETER = frozenset({"name", "in", "required", "deprecated", "explode"})
"""What is read of a parameter; its schema is read by itself."""
