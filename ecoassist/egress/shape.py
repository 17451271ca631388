"""What a JSON response looks like: its keys and the types of its values, never a value. Pure.

Made from the beginning of a body, and only when somebody asks: a response of any size costs a copy of a few kilobytes
while it is relayed. The body is foreign: keys that look like data (dates, numbers, ids, sentences) are told as such.
"""

from __future__ import annotations

import json
import re
from itertools import islice

from .decode import Undecodable, decoder_of
from .places import Headers

HEAD = 16_384
"""Bytes of the body that are looked at, as it is sent and once it is unpacked."""
LENGTH = 400
"""Characters of a shape."""
_DEPTH, _KEYS = 6, 24
"""Levels and keys of an object that are told."""
_NESTED = 100
"""Levels of a body that is looked at."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_CLOSER = {b"[": b"]", b"{": b"}"}
_DATE = re.compile(r"\d{4}-\d\d(?:-\d\d)?(?:[T ][\d:.,Z+-]*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_NUMBER = re.compile(r"[+-]?\d[\d.,_]*")
_NAME = re.compile(r"[\w$@.:/()\[\]-]{1,32}(?: [\w.:/()-]{1,24}){0,3}")
_ID = re.compile(r"(?=.*\d)[A-Za-z0-9_.:-]{16,}|[0-9a-fA-F-]{8,}")


class Sketch:
    """The beginning of a body, fed as it is relayed; `shape` may be asked for at any time, from any thread."""

    def __init__(self, coding: str) -> None:
        """`coding`: the value of its Content-Encoding."""
        self._coding = coding
        self._head = bytearray()

    @classmethod
    def of(cls, status: int, headers: Headers) -> Sketch | None:
        """For the response that begins so; None where it is no JSON, or not what was asked for."""
        fields = {name.lower(): value.decode("latin-1") for name, value in headers}
        kind = fields.get(b"content-type", "").partition(";")[0].strip().lower()
        if status >= 400 or not (kind == "application/json" or kind.endswith(("+json", "/json"))):
            return None
        return cls(fields.get(b"content-encoding", ""))

    def feed(self, data: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]

    @property
    def shape(self) -> str:
        """Empty where it is not known."""
        try:
            return shape_of(_unpacked(bytes(self._head), self._coding))
        except Undecodable:
            return ""


def shape_of(head: bytes) -> str:
    """The shape of a body that begins with `head`; empty where that is no JSON."""
    for text in (head, _closed(head)):
        try:
            value = json.loads(text, parse_int=lambda digits: 0)  # int() refuses very long ones
        except (ValueError, RecursionError):
            continue
        drawn = (_drawn(value, depth) for depth in range(_DEPTH, 0, -1))
        shape = ""
        for shape in drawn:
            if len(shape) <= LENGTH:
                break
        return shape if len(shape) <= LENGTH else f"{shape[: LENGTH - 3]}..."
    return ""


def _unpacked(head: bytes, coding: str) -> bytes:
    decoder = decoder_of(coding, 64 * HEAD)
    if decoder is None:
        return head
    plain = b""
    try:
        for piece in decoder.feed(head, HEAD):
            plain += piece
            if len(plain) >= HEAD:
                break
    except Undecodable:
        pass
    return plain[:HEAD]


def _closed(head: bytes) -> bytes:
    """JSON that breaks off, up to its last whole element, with all brackets closed; empty where it is too deep."""
    stack: list[bytes] = []
    cut = 0
    for token in _TOKEN.finditer(head):
        mark = token[0]
        if mark in _CLOSER:
            stack.append(_CLOSER[mark])
        elif mark in (b"]", b"}"):
            if not stack or stack.pop() != mark:
                return b""
        elif mark != b",":
            continue
        if not 0 < len(stack) <= _NESTED:
            return b""
        cut = token.start() if mark == b"," else token.end()
    return head[:cut] + b"".join(reversed(stack))


def _drawn(value: object, depth: int) -> str:
    match value:
        case dict():
            return "{" + _members(value, depth) + "}"
        case list():
            first = next((item for item in value if item is not None), None)
            return "[" + (("..." if depth <= 1 else _drawn(first, depth - 1)) if value else "") + "]"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
    return "null"


def _members(members: dict[str, object], depth: int) -> str:
    """Keys that look alike as data are told once."""
    if members and depth <= 1:
        return "..."
    told: dict[str, object] = {}
    for key, value in islice(members.items(), 10 * _KEYS):
        told.setdefault(_key(key), value)
    lines = [f"{key}: {_drawn(value, depth - 1)}" for key, value in islice(told.items(), _KEYS)]
    return ", ".join([*lines, "..."] if len(told) > _KEYS else lines)


def _key(key: str) -> str:
    """A key, or what kind of data it is."""
    if _DATE.fullmatch(key):
        return "<date>"
    if _NUMBER.fullmatch(key):
        return "<number>"
    if _ID.fullmatch(key):
        return "<id>"
    return key if _NAME.fullmatch(key) else "<key>"
