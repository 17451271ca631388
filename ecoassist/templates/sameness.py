"""Whether two questions are one, but for what nobody means: case, spaces, the marks between sentences. Pure.

What is the same here is answered by a stored program. So all that may change a question counts: what stands between
quotation marks, letter for letter; brackets, signs and the marks of formulas; the case of units ("Mb" and "MB"). In
doubt two questions are two.
"""

from __future__ import annotations

import re

from ecoassist.similarity import FUNCTION_WORDS

from .mentions import said_quoted
from .words import plain, read

_TOKEN = re.compile(r"(?<![\w.])\.\d\w*|\w+(?:(?<=\d)[.,:](?=\d)\w+)*|[^\w\s]")
_UNIT = re.compile(r"[^\W\d_]|[^\W\d_][A-Z]|(?=.{0,4}[a-z])\w[a-z]{0,2}[A-Z]\w{0,2}")
"""Letters, and short words with a capital inside: "mW", "MB", "MWh"."""
_FACTORIAL = re.compile(r"(?:\d|\b\w)\)?$")
_DASHES, _QUOTES, _LOOSE = "-−–", "'\"’‘“”«»`", ",;—…¿¡"
_LETTERS = re.compile(
    r"\b(?:hashlib|base64|binascii|zlib|codecs|hmac)\b|\bord\(|\.(?:count|index|find|encode|isupper|islower|swapcase)\("
)
"""In a program whose answer may hang on the case of letters."""


def alike(one: str, other: str, program: str = "") -> bool:
    """`program`: what answers the one."""
    if one.strip() == other.strip():
        return True
    return plain(one) == plain(other) and exact(one, program) == exact(other, program)


def exact(query: str, program: str = "") -> tuple[str, ...]:
    """What counts of a question, in order."""
    cased = bool(_LETTERS.search(program))
    told: list[str] = []
    at = 0
    for quoted in said_quoted(query):
        told += [*_told(read(query[at : quoted.start]), not at, cased), f"“{quoted.said}”"]
        at = quoted.end
    return (*told, *_told(read(query[at:]), not at, cased))


def _told(text: str, begins: bool, cased: bool) -> list[str]:
    """`begins`: the question begins with it."""
    told: list[str] = []
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token[-1].isalnum() or token[-1] == "_":
            first = begins and not told
            told.append(token if not first and (cased or _unit(token, told)) else token.casefold())
        elif _counts(token, text, found.start()):
            told.append("-" if token in _DASHES else token)
    return told


def _unit(word: str, before: list[str]) -> bool:
    """Whether its case may mean something."""
    if word.casefold() in FUNCTION_WORDS and len(word) > 1:
        return False
    counted = bool(before) and before[-1][-1].isdigit() and len(word) <= 3
    return word not in "iI" and (counted or bool(_UNIT.fullmatch(word)))


def _counts(mark: str, text: str, at: int) -> bool:
    """Whether a mark means something where it stands."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if mark in _LOOSE:
        return False
    if mark in _DASHES:
        return _minus(text, at, before, after)
    if mark in _QUOTES:
        return before.isdigit() or after == "("
    if mark in ".:?":
        return bool(before and after) and _word(before) and _word(after)
    if mark == "!":
        return after == "=" or bool(_FACTORIAL.search(text[max(0, at - 20) : at]))
    return True


def _minus(text: str, at: int, before: str, after: str) -> bool:
    """Whether a dash is a sign or stands between two numbers, and joins no words."""
    if not (before.isalnum() or before in (")", "]")) or not before:
        return True
    left, right = text[max(0, at - 5) : at].rstrip()[-1:], text[at + 1 : at + 6].lstrip()[:1]
    return (left.isdigit() or left in (")", "]")) and (right.isdigit() or right in ("(", ".", "["))


def _word(character: str) -> bool:
    return character.isalnum() or character == "_"
