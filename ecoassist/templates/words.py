"""A question as words, so that two that mean the same compare equal and others do not. Pure.

Stricter than similarity.same(), since what is equal here is answered by a stored program: signs, decimals and symbols
that change a question ("-40", "C++", "5 %") are words of their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ecoassist.similarity import FUNCTION_WORDS

MAX_QUERY = 2_000
"""Characters of a question that is taken apart; a longer one is only ever equal to itself."""


def listed(words: str) -> frozenset[str]:
    """The words of a vocabulary."""
    return frozenset(words.split())


PARTICLES = listed("of de da do dos das del della di du des d la le el al van von der den upon sur")
"""Lower-case words inside a name."""
QUOTES = {'"': '"', "“": "”", "«": "»", "‘": "’", "'": "'", "`": "`"}
_WORD = re.compile(r"(?<![\w)\]])[-−–](?=[\d.$€£¥])|\w+(?:(?<=\d)[.,:](?=\d)\w+)*|[^\w\s]")
_MEANT = frozenset("#%&@*/\\-^")
_FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_RAISED = re.compile(rf"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+|[{_FRACTIONS}]")


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    """Without case."""
    start: int
    end: int


def read(query: str) -> str:
    """The form in which a question is taken apart: of characters that look alike, the plain one."""
    return unicodedata.normalize("NFKC", _RAISED.sub(_power, query))


def _power(found: re.Match[str]) -> str:
    """A fraction beside a number is no digit of it, nor is a power."""
    return f" {found[0]} " if found[0] in _FRACTIONS else f"^{found[0]}"


def words(text: str) -> tuple[Word, ...]:
    """Words, numbers, and symbols that mean something, in order."""
    return tuple(
        Word(found[0].casefold().replace("−", "-").replace("–", "-"), *found.span())
        for found in _WORD.finditer(text)
        if found[0][0].isalnum() or found[0][0] == "_" or _meant(found[0], text, found.start())
    )


def _meant(symbol: str, text: str, at: int) -> bool:
    if symbol in "-−–":
        joins = at > 0 and (text[at - 1].isalnum() or text[at - 1] in ")]")
        return not joins and not text[at + 1 : at + 2].isspace()
    return symbol in _MEANT or unicodedata.category(symbol) in ("Sc", "Sm", "So")


def plain(text: str) -> tuple[str, ...]:
    """The words alone; equal for two spellings of the same."""
    return tuple(word.text for word in words(read(text)))


def folded(text: str) -> str:
    """Without case and accents, character by character: places in it are places in `text`."""
    return "".join(_folded(character) for character in text)


def _folded(character: str) -> str:
    if character.isascii():
        return character.lower()
    base = unicodedata.normalize("NFD", character)[0].lower()
    return base if len(base) == 1 else character


def cased(text: str, found: tuple[Word, ...]) -> bool:
    """Whether capitals tell names from other words: some are there, and small words such as "in" are without."""
    letters = [(word.text, text[word.start]) for word in found if text[word.start].isalpha()]
    small = [letter for word, letter in letters[1:] if word in FUNCTION_WORDS and word != "i"]
    others = small or [letter for _, letter in letters]
    lower = sum(letter.islower() for letter in others)
    return any(letter.isupper() for _, letter in letters) and lower * 2 >= len(small) and lower > 0
