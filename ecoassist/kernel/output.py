"""Text of any length, kept in bounded memory."""

from __future__ import annotations

import re

HALF = 2_000
"""Characters kept of each end."""
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
        tail = self._tail + text[room:]
        self._tail = tail[-self._half :]
        self.omitted += len(tail) - len(self._tail)

    def __str__(self) -> str:
        if not self.omitted:
            return self._head + self._tail
        return f"{self._head}\n... {self.omitted:,} characters left out ...\n{self._tail}"


def both_ends(text: str, half: int = HALF) -> str:
    ends = Ends(half)
    ends.add(text)
    return str(ends)


def without_ansi(text: str) -> str:
    return ANSI.sub("", text)
