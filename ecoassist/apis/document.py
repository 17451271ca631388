"""An OpenAPI document as data: JSON or YAML, of bounded size, depth and number of parts. Its author is a stranger.

YAML is built from its events, here: a loader recurses once per level, and in libyaml's that ends the process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import yaml

from ecoassist.errors import UsageFault

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml: ten times slower
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

MOST_BYTES = 10 << 20
DEEPEST = 100
"""Levels of nesting."""
MOST_PARTS = 1_000_000
"""Values in all, those that YAML aliases repeat counted every time."""
NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,3})?")
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
"""Of YAML 1.2. In 1.1 the country code NO and the operation "on" would be booleans."""


def read(content: bytes, name: str) -> dict[str, Any]:
    """The document at `name`. Raises UsageFault for what is not a mapping in JSON or YAML, or is too large."""
    if len(content) > MOST_BYTES:
        raise UsageFault(f"{name} has more than {MOST_BYTES >> 20} MB", "take a document with fewer operations")
    try:
        text = content.decode("utf-8-sig")
        data = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())[:200]
        raise UsageFault(
            f"{name} cannot be read as JSON or YAML: {why}", "check that it is the document itself"
        ) from error
    if not isinstance(data, dict):
        raise UsageFault(f"{name} is not an OpenAPI document", "name one that begins with openapi: 3.")
    return data


def _json(text: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    data: object = json.loads(text, parse_constant=refuse)
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(TOO_DEEP)
        level = [child for node in level for child in _children(node)]
    return data


def _children(node: object) -> Iterable[object]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


class _Part:
    """A mapping or list that is not complete yet."""

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        self.value, self.anchor = value, anchor
        self.key: str | None = None
        self.merged: list[dict[str, Any]] = []
        self.size = 1

    def take(self, value: Any, text: str | None) -> None:
        """The next key, value or item; `text`: how a scalar is written."""
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            if text is None:
                raise ValueError("a key is not a text")
            self.key = text
        elif self.key == "<<" and text is None:
            bases = value if isinstance(value, list) else [value]
            self.merged += [base for base in bases if isinstance(base, dict)]
            self.key = None
        else:
            self.value[self.key], self.key = value, None

    def complete(self) -> None:
        """What is merged into a mapping does not replace what it says itself."""
        for base in self.merged:
            for key, value in base.items():
                self.value.setdefault(key, value)  # type: ignore[union-attr]


def _yaml(text: str) -> object:
    """Without tags: of the types of YAML only those of JSON matter here."""
    building = _Building()
    for event in yaml.parse(text, Loader=Loader):
        building.take(event)
    if len(building.roots) > 1:
        raise ValueError("it holds several documents")
    return building.roots[0] if building.roots else None


class _Building:
    """What has been read of a YAML stream. Raises ValueError where it grows too large or too deep."""

    def __init__(self) -> None:
        self.roots: list[object] = []
        self._open: list[_Part] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        """What an alias stands for, and how many values that is."""

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), 1, event.anchor, event.value)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise ValueError(f"the alias {event.anchor} refers to nothing, or to itself")
            self._add(*self._anchors[event.anchor], None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) == DEEPEST:
                raise ValueError(TOO_DEEP)
            self._open.append(_Part({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            part = self._open.pop()
            part.complete()
            self._add(part.value, part.size, part.anchor)

    def _add(self, value: Any, size: int, anchor: str | None, written: str | None = None) -> None:
        """`written`: the text of a scalar."""
        if anchor is not None:
            self._anchors[anchor] = value, size
        if not self._open:
            self.roots.append(value)
            return
        self._open[-1].size += size
        if self._open[-1].size > MOST_PARTS:
            raise ValueError(f"it has more than {MOST_PARTS:,} parts")
        self._open[-1].take(value, written)


def _scalar(event: yaml.ScalarEvent) -> str | float | bool | None:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text.lower() in WORDS and (text.islower() or text in ("", "~") or text in ("Null", "NULL", "True", "False")):
        return WORDS[text.lower()]
    found = NUMBER.fullmatch(text)
    if not found:
        return text
    return int(text) if text.lstrip("-+").isdecimal() else float(text)
