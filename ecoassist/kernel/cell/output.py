"""Text of any length, kept in bounded memory."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress

HALF = 2_000
"""Characters kept of each end."""
IN_MEMORY = 1 << 20
"""Bytes of a spool that need no file."""
CHUNK = 64 << 10
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")


class Ends:
    """Keeps the first and the last `half` characters of what is added: errors stand at either end of long output."""

    def __init__(self, half: int = HALF) -> None:
        self._half = half
        self._head = ""
        self._tail = ""
        self.omitted = 0
        """How many characters between the ends were let go."""

    def add(self, text: str) -> None:
        room = self._half - len(self._head)
        self._head += text[:room]
        rest = max(0, len(text) - room)
        length = len(self._tail) + rest
        # no copy of the middle, which may be megabytes
        self._tail = (self._tail + text[len(text) - min(rest, self._half) :] if rest else self._tail)[-self._half :]
        self.omitted += length - len(self._tail)

    def __str__(self) -> str:
        if not self.omitted:
            return self._head + self._tail
        return f"{self._head}\n... {self.omitted:,} characters left out ...\n{self._tail}"


class Spool:
    """Keeps the beginning of what is added, `most` bytes as UTF-8, mostly in a file without a name. `close` it."""

    def __init__(self, most: int) -> None:
        self._room = most
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - close() is below
        self.failed = ""
        """Why not all of it is there; empty while it is."""

    def add(self, text: str) -> None:
        if self._room <= 0:
            return
        data = text.encode("utf-8", "replace")
        left = self._room - len(data)
        if left < 0:  # half a character at the end would make all of it unreadable
            data = data[:left].decode("utf-8", "ignore").encode()
        try:
            self._file.write(data)
            self._room = left
        except OSError as error:
            self.failed, self._room = str(error), 0

    def chunks(self) -> Iterator[bytes]:
        """Raises OSError."""
        if self.failed:
            raise OSError(self.failed)
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk

    def close(self) -> None:
        with suppress(OSError):  # what a full disk did not take before, it does not take now
            self._file.close()


def both_ends(text: str, half: int = HALF) -> str:
    ends = Ends(half)
    ends.add(text)
    return str(ends)


def without_ansi(text: str) -> str:
    return ANSI.sub("", text)
