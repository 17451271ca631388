"""The link's frames, without any input or output. Whatever the sandbox sends is hostile until it passed here.

A frame is: type (1 byte), channel (4), length (4), payload; sandbox/relay.py lists the types. What comes back from an
attached container is wrapped once more by the engine: stream (1 byte), 3 zeros, length (4).
"""

from __future__ import annotations

import json
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
MAX_CHANNELS = 256
MAX_PROXIED = 240
"""So many of them the sandbox may take: what it opens must not keep us from its kernel."""
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


def pack(kind: bytes, channel: int = 0, payload: bytes = b"") -> bytes:
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
        while len(self._rest) >= HEADER.size:
            kind, channel, size = HEADER.unpack_from(self._rest)
            if kind not in FROM_PEER:
                raise Violation(f"unknown frame type {kind!r}")
            if size > MAX_FRAME:
                raise Violation(f"a frame of {size} bytes")
            end = HEADER.size + size
            if len(self._rest) < end:
                return
            payload = bytes(self._rest[HEADER.size : end])
            del self._rest[:end]
            yield Frame(kind, channel, payload)


class Attached:
    """Takes an attached container apart: yields (True, bytes of its stdout) and (False, bytes of its stderr)."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        while data:
            if not self._missing:
                lacking = ATTACH_HEADER.size - len(self._header)
                self._header += data[:lacking]
                data = data[lacking:]
                if len(self._header) < ATTACH_HEADER.size:
                    return
                self._stream, self._missing = ATTACH_HEADER.unpack(self._header)
                self._header.clear()
                if self._stream not in (1, 2, 3):  # 3: the engine's own errors
                    raise Violation(f"not the stream of an attached container: {self._stream}")
            piece, data = data[: self._missing], data[self._missing :]
            self._missing -= len(piece)
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


def error_of(payload: bytes) -> str:
    """Why the kernel was not started, from a G frame; empty where it was. Raises Violation."""
    error = _object(payload).get("error", "")
    if not isinstance(error, str):
        raise Violation("not an answer to a start")
    return error[:500]


def _object(payload: bytes) -> dict[str, object]:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Violation("not JSON") from error
    if not isinstance(body, dict):
        raise Violation("not a JSON object")
    return body
