"""Numbers and names of a text, and whether they stand in another. Pure.

A number counts as seen if it is what a number seen becomes by rounding to as many digits as are printed, by separators
of thousands, as a percentage, or in thousands, millions or billions.
"""

from __future__ import annotations

import bisect
import calendar
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ecoassist.types import Answer

LONGEST = 400_000
"""Characters of each output that are looked at, from both ends."""
LONGEST_ANSWER = 20_000
"""Characters of an answer whose numbers and names are looked for."""
LONGEST_PIECE, MOST_PIECES = 60, 12
"""Characters of what an answer took from the outputs, and how many such pieces are told."""
FACTORS = (1.0, 100.0, 1e-3, 1e-6, 1e-9)
"""What a number seen may be multiplied by: a share is told as a percentage, 1,234,567 as 1.2 million."""

_GROUPED = r"\d{1,3}(?:[,\u202f\u00a0'\u2019 ]\d{3})+(?!\d)"
_NUMBER = re.compile(rf"(?<![\w.])[-+\u2212]?({_GROUPED}|\d+)([.,]\d+)?(?:e([-+]?\d{{1,3}}))?", re.I)
_WORD = re.compile(r"[^\W\d_][\w\u2019'-]*")
_CAPITAL = r"[A-Z\u00c0-\u00de][^\W\d_]"
_NAMED = re.compile(rf"(?<=[\w,;:)\"\u201d\u2019'] )({_CAPITAL}{{3,}}(?: {_CAPITAL}{{2,}})*)")
"""Words with a capital that do not begin a sentence."""
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|ein|eine)\b")
"""There every noun has a capital."""
_CALENDAR = frozenset(
    name.casefold() for names in (calendar.month_name, calendar.day_name, calendar.month_abbr) for name in names
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands in texts, to be looked up quickly."""

    numbers: Sequence[float]
    """In order."""
    words: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Seen:
        """Of texts of any size, of which the middle is left out beyond LONGEST."""
        numbers: set[float] = set()
        words: set[str] = set()
        for text in map(_ends, texts):
            for one in _NUMBER.finditer(text):
                numbers |= {abs(value) for value, _ in _readings(one)}
            words |= {folded(word) for word in _WORD.findall(text)}
        return cls(sorted(numbers), frozenset(words))

    def has(self, value: float, digits: int) -> bool:
        """Whether a number seen becomes `value` when it is rounded to `digits` after the point."""
        reach = 0.5 * 10.0**-digits * (1 + 1e-9) + abs(value) * 1e-12
        for factor in FACTORS:
            low, high = sorted(((abs(value) - reach) / factor, (abs(value) + reach) / factor))
            at = bisect.bisect_left(self.numbers, low)
            if at < len(self.numbers) and self.numbers[at] <= high:
                return True
        return False

    def number(self, text: str) -> bool:
        """Whether the number that `text` writes was seen."""
        found = _NUMBER.search(text)
        return found is not None and any(self.has(value, digits) for value, digits in _readings(found))

    def holds(self, piece: str) -> bool:
        """Whether all words of a piece were seen, or the number that it is."""
        if _NUMBER.fullmatch(piece):
            return self.number(piece)
        words = _WORD.findall(piece)
        return bool(words) and all(folded(word) in self.words for word in words)


def said(answer: Answer) -> str:
    """An answer's words, and the value that it states."""
    value = json.dumps(answer.value, ensure_ascii=False)[:2_000] if answer.value is not None else ""
    return f"{answer.text[:LONGEST_ANSWER]}\n{value}"


def numbers(text: str) -> Iterator[str]:
    """Those of an answer, without small whole ones: "the 3 nearest" was counted, not found."""
    for one in _NUMBER.finditer(text):
        if not all(value < 10 and not digits for value, digits in _readings(one)):
            yield one[0]


def names(text: str) -> Iterator[str]:
    """Those of an answer, as far as capitals tell; without days and months."""
    for one in _NAMED.finditer(text) if not _GERMAN.search(text) else ():
        if not any(folded(word) in _CALENDAR for word in one[1].split()):
            yield one[1]


def taken(answer: Answer, outputs: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The first numbers and names of an answer that stand in `outputs`, and not in what was `known` before."""
    value = answer.value
    stated = [str(value)] if isinstance(value, int | float | str) and not isinstance(value, bool) else []
    text = said(answer)
    pieces = [piece.strip()[:LONGEST_PIECE] for piece in (*stated, *numbers(text), *names(text))]
    shown, before = Seen.of(outputs), Seen.of(known)
    return tuple(one for one in dict.fromkeys(pieces) if shown.holds(one) and not before.holds(one))[:MOST_PIECES]


def _readings(number: re.Match[str]) -> list[tuple[float, int]]:
    """What a number may mean, with its digits after the point: "1,234" is a thousand or, elsewhere, one and a bit."""
    whole, rest, exponent = number[1], number[2] or "", number[3]
    grouped = re.sub(r"[^\d]", "", whole)
    if exponent:
        return [(float(f"{grouped}{rest.replace(',', '.')}e{exponent}"), max(0, len(rest) - 1 - int(exponent)))]
    readings = [(float(f"{grouped[:300]}{rest.replace(',', '.')}"), max(0, len(rest) - 1))]
    if grouped != whole and not rest and whole.count(",") == 1:
        readings.append((float(whole.replace(",", ".")), 3))
    return readings


def folded(word: str) -> str:
    """Small letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def _ends(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
