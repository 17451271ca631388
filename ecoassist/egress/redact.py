"""Keys out of responses: every echo of a key becomes its placeholder again, wherever chunks are cut.

Best effort: a host can return a key reversed, hashed or encrypted. The declared places are the guard.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from ecoassist.types import Secret


class Masks:
    """Finds keys as they are, percent-encoded once or twice (in part or whole), JSON-escaped, and in base64."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._placeholders: dict[str, bytes] = {}
        self._encoded: dict[bytes, bytes] = {}
        branches = []
        for index, secret in enumerate(sorted(secrets, key=lambda secret: -len(secret.value))):
            value, mask = secret.value.encode(), secret.placeholder.encode()
            self._placeholders[f"key{index}"] = mask
            branches.append(b"(?P<key%d>" % index + b"".join(map(_any_form, value)) + b")")
            self._encoded.update(_in_base64(value, mask))
        branches += map(re.escape, sorted(self._encoded, key=len, reverse=True))
        self._pattern = re.compile(b"|".join(branches))
        self.longest = max((_LONGEST_FORM * len(secret.value) for secret in secrets), default=0)
        """Bytes that an echo can have at most."""

    def cover(self, text: bytes) -> bytes:
        """All of `text`, masked."""
        return self._pattern.sub(self._mask, text)

    def cover_from(self, text: bytes, limit: int) -> tuple[bytes, int]:
        """Masks what begins before `limit`. Returns it, and how much of `text` it stands for (at least `limit`)."""
        done, parts = 0, []
        for match in self._pattern.finditer(text):
            if match.start() >= limit:
                break
            parts += [text[done : match.start()], self._mask(match)]
            done = match.end()
        stop = max(done, limit)
        return b"".join([*parts, text[done:stop]]), stop

    def _mask(self, match: re.Match[bytes]) -> bytes:
        return self._placeholders[match.lastgroup] if match.lastgroup else self._encoded[match.group()]


class MaskedStream:
    """Masks a body piece by piece: a place is decided only when the longest echo that could begin there has arrived."""

    def __init__(self, masks: Masks) -> None:
        self._masks, self._held = masks, b""

    def feed(self, data: bytes) -> bytes:
        text = self._held + data
        covered, stop = self._masks.cover_from(text, max(0, len(text) - self._masks.longest + 1))
        self._held = text[stop:]
        return covered

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return self._masks.cover(held)


_LONGEST_FORM = 6
"""Bytes that stand for one byte of a key: \\u002f."""


def _any_form(byte: int) -> bytes:
    """A pattern for one byte of a key: itself, %2f, %252f, \\u002f, or, for punctuation, behind a backslash."""
    code = b"".join(b"[%c%c]" % (digit, digit ^ 32) if digit > 57 else b"%c" % digit for digit in b"%02x" % byte)
    raw = (b"" if chr(byte).isalnum() else b"\\\\?") + re.escape(b"%c" % byte)
    return b"(?:" + raw + b"|%(?:25)?" + code + b"|\\\\u00" + code + b")"


def _in_base64(value: bytes, mask: bytes) -> Iterator[tuple[bytes, bytes]]:
    """At each of the three alignments: the characters that the key alone decides, and the placeholder's for them."""
    for form in {value, quote(value, safe="").encode()}:
        stand_in = (mask * (len(form) // len(mask) + 1))[: len(form)]
        for before in range(3):
            first, last = -(-8 * before // 6), 8 * (before + len(form)) // 6
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                yield encode(bytes(before) + form)[first:last], encode(bytes(before) + stand_in)[first:last]


class Inflate:
    """Decodes gzip and deflate in pieces of bounded size."""

    codings = ("gzip", "x-gzip", "deflate")

    def __init__(self, coding: str) -> None:
        self._gzip = "gzip" in coding
        self._decoder = zlib.decompressobj(31 if self._gzip else 15)
        self._begun = False

    def feed(self, data: bytes, piece: int = 65536) -> Iterator[bytes]:
        """Raises zlib.error where the data is not what it says."""
        if data and not self._begun:
            self._begun = True
            if not self._gzip and not _has_zlib_header(data):
                self._decoder = zlib.decompressobj(-15)  # many servers mean raw deflate
        more = False
        while data or more:
            if self._decoder.eof:
                if not self._gzip:
                    raise zlib.error("data after the end")
                self._decoder = zlib.decompressobj(31)
            plain = self._decoder.decompress(data, piece)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            more = len(plain) == piece and not self._decoder.eof
            yield plain

    @property
    def complete(self) -> bool:
        """Whether the data could end here."""
        return self._decoder.eof or not self._begun


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
