"""Keys out of bytes: every form of a key that is known is replaced, wherever chunks are cut. Pure.

Best effort: whoever knows a key can write it reversed, hashed or encrypted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote


class Masks:
    """Finds keys as they are, percent-encoded once or twice (in part or whole), JSON-escaped, and in base64."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        """`pairs`: each key and what stands in its place."""
        self._placeholders: dict[str, bytes] = {}
        self._encoded: dict[bytes, bytes] = {}
        branches = []
        for index, (key, stand_in) in enumerate(sorted(pairs, key=lambda pair: -len(pair[0]))):
            value, mask = key.encode(), stand_in.encode()
            self._placeholders[f"key{index}"] = mask
            branches.append(b"(?P<key%d>" % index + b"".join(map(_any_form, value)) + b")")
            self._encoded.update(_in_base64(value, mask))
        branches += map(re.escape, sorted(self._encoded, key=len, reverse=True))
        self._pattern = re.compile(b"|".join(branches))
        self.longest = max((_LONGEST_FORM * len(key) for key, _ in pairs), default=0)
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
