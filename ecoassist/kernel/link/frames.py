"""The link's frames, without any input or output. Whatever the sandbox sends is hostile until it passed here.

A frame is: type (1 byte), channel (4), length (4), payload; sandbox/relay/ lists the types. What comes back from an
attached container is wrapped once more by the engine: stream (1 byte), 3 zeros, length (4).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

HEADER = struct.Struct("!cII")
ATTACH_HEADER = struct.Struct("!BxxxI")
MAX_FRAME = 128 * 1024
CHUNK = 64 * 1024
"""The most data that we send in one frame."""
WINDOW = 256 * 1024
"""Bytes that a channel's sender may have under way."""
MAX_CONTROL = 16 * 1024
"""The largest frame that is read as JSON."""
MAX_CHANNELS = 352
MAX_PROXIED = 320
"""So many of them the sandbox may take: what it opens must not keep us from its kernel. Each costs one of our
process's files towards its host, of which it may have 1,024, and up to half a megabyte. The relay opens 264 at a time;
those that it has closed count until the gate is done with them. The gate serves 256 and tells others why not."""
FIRST_OF_PEER = 0x80000000
"""Channels that the sandbox opens have this bit set."""
FROM_PEER = b"ODCWGXL"


class Violation(Exception):
    """The peer broke the protocol: the link is closed."""


class Frame(NamedTuple):
    kind: bytes
    channel: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class KernelExit:
    """How the kernel process ended."""

    code: int
    """The exit code; negative for a signal."""
    oom: bool
    """It was ended for lack of memory."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How the sandbox is confined, as seen from inside before any code ran there. None: not told, or not limited."""

    seccomp: int | None = None
    """The mode of PID 1; 2: a filter is on."""
    no_new_privs: bool | None = None
    capabilities: int | None = None
    """Those that any process there could have, as a mask."""
    memory: int | None = None
    """Bytes, swap included where the engine counts it."""
    pids: int | None = None
    cpus: float | None = None
    interfaces: tuple[str, ...] | None = None
    """Names of network interfaces."""


class Started(NamedTuple):
    """The answer to a start."""

    error: str
    """Why the kernel was not started; empty where it was. Foreign text."""
    facts: Facts


def pack(kind: bytes, channel: int = 0, payload: bytes | memoryview = b"") -> bytes:
    if len(payload) > MAX_FRAME:
        raise ValueError(f"a frame of {len(payload)} bytes")
    return HEADER.pack(kind, channel, len(payload)) + payload


class Frames:
    """Takes bytes as they come, returns complete frames. Holds one frame at most.

    Raises Violation for an unknown type or an oversized frame as soon as its header is there.
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._rest += data
        at = 0
        with memoryview(self._rest) as rest:
            while len(rest) - at >= HEADER.size:
                kind, channel, size = HEADER.unpack_from(rest, at)
                if kind not in FROM_PEER:
                    raise Violation(f"unknown frame type {kind!r}")
                if size > MAX_FRAME:
                    raise Violation(f"a frame of {size} bytes")
                end = at + HEADER.size + size
                if len(rest) < end:
                    break
                payload, at = bytes(rest[at + HEADER.size : end]), end
                yield Frame(kind, channel, payload)
        del self._rest[:at]


class Attached:
    """Takes an attached container apart: yields (True, bytes of its stdout) and (False, bytes of its stderr)."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        at = 0  # never a copy of what is left: a trickle of single bytes comes in as many small parts
        while at < len(data):
            if not self._missing:
                lacking = ATTACH_HEADER.size - len(self._header)
                self._header += data[at : at + lacking]
                at += lacking
                if len(self._header) < ATTACH_HEADER.size:
                    return
                self._stream, self._missing = ATTACH_HEADER.unpack(self._header)
                self._header.clear()
                if self._stream not in (1, 2, 3):  # 3: the engine's own errors
                    raise Violation(f"not the stream of an attached container: {self._stream}")
            piece = data[at : at + self._missing]
            self._missing -= len(piece)
            at += len(piece)
            if piece:
                yield self._stream == 1, piece


def window_of(payload: bytes) -> int:
    """The bytes that a W frame grants. Raises Violation."""
    if len(payload) != 4 or payload == b"\0\0\0\0":
        raise Violation("not a window")
    return int.from_bytes(payload, "big")


def exit_of(payload: bytes) -> KernelExit:
    """What an X frame tells. Raises Violation."""
    body = _object(payload)
    code, oom = body.get("code"), body.get("oom")
    if type(code) is not int or not -64 <= code <= 255 or type(oom) is not bool:
        raise Violation("not a kernel's exit")
    return KernelExit(code, oom)


def started_of(payload: bytes) -> Started:
    """What a G frame tells. Raises Violation."""
    body = _object(payload)
    error, facts = body.get("error", ""), body.get("facts", {})
    if not isinstance(error, str) or not isinstance(facts, dict):
        raise Violation("not an answer to a start")
    return Started(readable(error[:500]), _facts(facts))


def readable(text: str) -> str:
    """Half surrogate pairs, which JSON can hold and no stream can encode, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _facts(told: dict[str, object]) -> Facts:
    flag, names = told.get("no_new_privs"), told.get("interfaces")
    if not isinstance(flag, bool | None) or not isinstance(names, list | None):
        raise Violation("not the facts of a sandbox")
    cpus = told.get("cpus")
    if not isinstance(cpus, float):
        cpus = _count(told, "cpus")
    elif not (math.isfinite(cpus) and cpus >= 0):
        raise Violation("not a number of processors")
    for name in names or ():
        if not isinstance(name, str) or not 0 < len(name) <= 15 or not name.isascii() or not name.isprintable():
            raise Violation("not a network interface")
    return Facts(
        seccomp=_count(told, "seccomp"),
        no_new_privs=flag,
        capabilities=_count(told, "capabilities"),
        memory=_count(told, "memory"),
        pids=_count(told, "pids"),
        cpus=cpus,
        interfaces=None if names is None else tuple(names),
    )


def _count(told: dict[str, object], name: str) -> int | None:
    value = told.get(name)
    if value is None or (type(value) is int and 0 <= value < 1 << 64):
        return value
    raise Violation(f"{name!r} is not a count")


def _object(payload: bytes) -> dict[str, object]:
    body = parsed(payload, MAX_CONTROL)
    if not isinstance(body, dict):
        raise Violation("not a JSON object")
    return body


def parsed(payload: bytes, most: int) -> object:
    """JSON of at most `most` bytes. Raises Violation."""
    if len(payload) > most:
        raise Violation(f"{len(payload)} bytes of JSON")
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Violation("not JSON") from error
