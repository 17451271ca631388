"""When a tier makes no progress. Pure."""

from __future__ import annotations

import re
from collections import Counter

from ecoassist.programs import normalised
from ecoassist.types import Turn

from .obstacle import settled

_SAME: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S++"), "U"),
    (re.compile(r"(?<!\w)'[^'\n]*+'|\"[^\"\n]*+\"|`[^`\n]*+`"), "Q"),
    (re.compile(r"(?:\b[A-Za-z]:)?(?<![\w.])[\w.~-]{0,80}(?:[/\\][\w.~@%+=,-]*+)+"), "P"),
    (re.compile(r"\b0x[0-9a-f]++\b|\b(?=[a-f-]*+[0-9])[0-9a-f]{6,}+(?:-[0-9a-f]{2,}+)*+\b", re.I), "N"),
    (
        re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*+\b", re.I),
        "N",
    ),
    (re.compile(r"[+-]?\d[\d:.,_T+-]*+(?:\s?[ap]m\b|Z\b)?|\bN(?:[\s,]++N\b)++", re.I), "N"),
    (re.compile(r"N(?:[\s,:.+-]*+N)*+"), "N"),
    (re.compile(r"\s++"), " "),
)
"""What differs between two messages of one failure: addresses of the web, quoted text, paths, addresses in memory and
ids, names of days and months, numbers and times, white space."""
_LONGEST = 2_000
"""Characters of a message that count."""
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(\w*)")


class Guard:
    """Counts identical failures of one attempt: the second changes the instruction, the third ends the tier.

    Other failures in between forget nothing (interleaving resets naive counters: peers' most costly loops).
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._again = False

    @property
    def again(self) -> bool:
        """Whether the last failure was seen before."""
        return self._again

    def stuck(self, turn: Turn) -> bool:
        """Records a turn. True at the third identical failure. What the person has mended is none."""
        self._again = False
        if turn.fault is None or settled(turn):
            return False
        key = fingerprint(turn)
        self._seen[key] += 1
        self._again = self._seen[key] == 2
        return self._seen[key] >= 3


def fingerprint(turn: Turn) -> tuple[str, str, str]:
    """Equal for the same failure: the code without its layout, the kind of fault, the shape of the message.

    A reply that could not be read has its own shape in place of code: it fails by its form, whatever it says.
    """
    kind, detail = (turn.fault.kind, turn.fault.detail) if turn.fault else ("", "")
    if turn.code is not None:
        return normalised(turn.code), kind, shape(detail)
    return "" if turn.reply.finish == "length" else outline(turn.reply.text), kind, shape(detail)


def shape(message: str) -> str:
    """A message without what differs from one time to the next."""
    text = message[:_LONGEST]
    for pattern, mark in _SAME:
        text = pattern.sub(mark, text)
    return text.strip()


def outline(text: str) -> str:
    """The form of a reply: its fences, tags and braces in order, whatever stands between them."""
    marks: list[str] = []
    for line in text[:20_000].splitlines():
        bare = line.strip()
        fence = _FENCE.match(line)
        mark = f"{fence[1][0]}{fence[2]}" if fence else bare[:1] if bare[:1] in "<{[" else "w"
        if bare and marks[-1:] != [mark]:
            marks.append(mark)
    return " ".join(marks[:20])
