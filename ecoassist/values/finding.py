"""The value that a text speaks of, where no ANSWER line states it. Pure."""

from __future__ import annotations

import re
from functools import cache

from ecoassist.types import JSON, Answer

from .dates import dates, limited, without_dates
from .kinds import Missing, Name, Prose, Quantity
from .numbers import DIGITS, SIGN, close, quantity, signed
from .reading import MOST_TEXT, Asked, read
from .units import UNITS

_FAILED = re.compile(
    r"\b(?:could(?:\s+not|n['’]t)|can\s*not|can['’]t|unable|did(?:\s+not|n['’]t)|do(?:es)?(?:\s+not|n['’]t)|failed|"
    r"no\s+(?:data|answer|result|information)|not\s+(?:available|found|possible|known)|unavailable)\b",
    re.IGNORECASE,
)
_STRONG = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_YES_NO = re.compile(r"\W*(yes|no)\b\s*[,.;:!—–-]", re.IGNORECASE)
_NUMBERING = re.compile(r"^[ \t]*\d{1,3}[.)][ \t]", re.MULTILINE)

BARE = 3
"""Words of a text that can be nothing but the value itself; of a longer one a piece may be."""


def value_of(answer: Answer | None) -> JSON:
    """See the package."""
    stated = said_of(answer)
    whole = read(stated, Asked())
    if answer is None or isinstance(whole, Missing):
        return None
    if isinstance(whole, Prose):
        return _piece(whole.text)
    sentence = isinstance(whole, Name) and answer.value is None and len(whole.words.split()) > BARE
    return _piece(answer.text) or stated if sentence else stated


def said_of(answer: Answer | None) -> JSON:
    """See the package."""
    if answer is None or answer.none:
        return None
    if answer.value is not None:
        return answer.value
    text = answer.text[-MOST_TEXT:]
    return None if _FAILED.search(text) else text


def _piece(text: str) -> JSON:
    strong = set(_STRONG.findall(text))
    if len(strong) == 1 and not isinstance(read(piece := strong.pop(), Asked()), Missing | Prose):
        return str(piece)
    if said := yes_or_no(text):
        return said
    numbers: list[JSON] = [*numbers_in(text)]
    return last[-1] if (last := dates(text)) else numbers[0] if len(numbers) == 1 else None


def yes_or_no(text: str) -> str:
    """The word that a text begins with, if it is one of them."""
    found = _YES_NO.match(text)
    return found[1].lower() if found else ""


def numbers_in(text: str, like: Quantity | None = None) -> list[str]:
    """The different numbers of a text as written, without its dates; only those that measure what `like` does."""
    found: list[tuple[str, Quantity]] = []
    text = signed(_NUMBERING.sub(" ", without_dates(text)))
    for match in _number().finditer(text):
        one = quantity(match[0])
        if one is None or (like and like.unit and (not one.unit or one.unit.dimension != like.unit.dimension)):
            continue
        if not any(close(one, other) for _, other in found):
            found.append((limited(text, *match.span()).strip(), one))
    return [text for text, _ in found]


@cache
def _number() -> re.Pattern[str]:
    """Compiled when first needed: there are many units."""
    units = "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True))
    return re.compile(
        rf"(?<![\w.,])(?:{SIGN}(?=[\d$€£]))?(?:[$€£¥₹]|\b(?:USD|EUR|GBP|JPY)\s?)?{DIGITS}"
        rf"(?:\s?(?:thousand|million|billion|trillion)\b)?(?:\s?(?:{units})(?!\w))?(?!\w|[.,]\d)",
        re.IGNORECASE,
    )
