"""How a program spells a text that the question says otherwise, and another text spelled so. Pure.

A spelling is told in words: "lower", "upper" or "title" for the case, "plain" for no accents, and what stands between
the words. An empty one: as it was said.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product
from urllib.parse import quote

from .words import folded

_BETWEEN = r"(?:%2C%20|%20|,\+|[\s,_+.&/'’\-]{1,3})"
_GAPS = {
    "": (", ", " "),
    "close": (",", " "),
    "spaced": (" ", " "),
    "hyphened": ("-", "-"),
    "underscored": ("_", "_"),
    "underscored,": (",_", "_"),
    "plus": (",+", "+"),
    "plus-only": ("+", "+"),
    "escaped": (",%20", "%20"),
    "escaped,": ("%2C%20", "%20"),
}
"""What a program writes for a comma with its space, and for a space."""
_CASES, _ACCENTS = ("", "title", "lower", "upper"), ("", "plain")


def pattern(said: str) -> re.Pattern[str] | None:
    """Finds `said` in a folded text, whatever its case, accents and gaps. None: it has no word."""
    parts = [re.escape(part) for part in re.split(r"[\W_]+", folded(said)) if part]
    return re.compile(rf"(?<![^\W_]){_BETWEEN.join(parts)}(?![^\W_])") if parts else None


def spelling(said: str, written: str) -> str | None:
    """How `written` spells `said`. None: in no way that another text could be spelled."""
    for how in product(_CASES, _ACCENTS, _GAPS):
        told = " ".join(part for part in how if part)
        if spelled(said, told) == written:
            return told
    return None


def spelled(said: str, how: str, *, url: bool = False) -> str:
    """`said` in a spelling; in a `url` percent-encoded."""
    marks = how.split()
    text = " ".join(said.split())
    if "plain" in marks:
        text = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    text = _cased(text, marks)
    gap = next((name for name in _GAPS if name in marks), "escaped" if url else "")
    if url:
        text = quote(text, safe=" ,")
    comma, space = _GAPS[gap]
    return comma.join(part.replace(" ", space) for part in re.split(r", ?", text)) if gap else text


def _cased(text: str, marks: list[str]) -> str:
    if "title" in marks:
        return (
            re.sub(r"[^\s-]+", lambda word: word[0][:1].upper() + word[0][1:], text) if text == text.lower() else text
        )
    return text.lower() if "lower" in marks else text.upper() if "upper" in marks else text
