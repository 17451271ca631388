"""Numbers as questions say them: 5, 1,000, 2.5, three, 4th, fourth. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DIGITS = 15
_CARDINALS = {
    word: at
    for at, word in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty",
        )
    )
} | {word: 10 * at for at, word in enumerate(("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 3)}
_ORDINALS = {
    word: at
    for at, word in enumerate(
        re.findall(r"\w+", "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"), 1
    )
}
_FIGURES = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_ORDINAL = re.compile(r"(\d{1,6})(?:st|nd|rd|th)")
YEARS = range(1000, 3000)


@dataclass(frozen=True, slots=True)
class Figure:
    value: int | float
    ordinal: bool = False
    year: bool = False
    """Written as years are."""


def figure(word: str) -> Figure | None:
    """A word of a question as a number. None: it is none, or too long for one."""
    word = word.casefold()
    if len(word) > MAX_DIGITS:
        return None
    if word in _CARDINALS:
        return Figure(_CARDINALS[word])
    if word in _ORDINALS:
        return Figure(_ORDINALS[word], ordinal=True)
    if found := _ORDINAL.fullmatch(word):
        return Figure(int(found[1]), ordinal=True)
    if not word.isascii() or not _FIGURES.fullmatch(word) or (len(word) > 1 and word[0] == "0" and word[1] != "."):
        return None
    digits = word.replace(",", "")
    year = len(word) == 4 and word.isdigit() and int(word) in YEARS
    return Figure(float(digits) if "." in digits else int(digits), year=year)


def like(new: Figure, old: Figure) -> bool:
    """Whether one may stand where the other stood: a count is no rank and no year."""
    return new.ordinal == old.ordinal and new.year == old.year and (isinstance(new.value, int) or not old.ordinal)
