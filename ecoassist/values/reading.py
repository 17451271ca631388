"""What a value of JSON is: its kind, and for text what it says. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecoassist.types import JSON

from .dates import moment
from .kinds import Missing, Name, Prose, Record, Several, TooMuch, Truth, Value
from .numbers import of_number, quantity

MOST_PARTS, DEPTH = 300, 12
"""Values within a value, and levels of them, up to which it is compared part by part."""
MOST_TEXT = 4_000
"""Characters of a text that are read: its end."""
NAME_WORDS, NAME_LENGTH = 8, 100
"""Words and characters that a name has at most; more is prose."""
NOTHING = frozenset(
    [
        *("null", "none", "nil", "nan", "undefined", "unknown", "missing", "n/a", "na", "?", "-", "--"),
        *("not available", "not applicable", "not found", "no data", "no answer", "no result", "no results"),
    ]
)
"""What is written where there is no value."""
_NOTHING_SAID = re.compile(
    r"(?:(?:i|we|it|this|that)(?:\s+(?:am|are|is|was)|['’]m|['’]re)?\s+)?"
    r"(?:(?:do(?:es)?\s*n[o'’]t|did\s*n[o'’]t|can\s*n?[o'’]t|could\s*n[o'’]t)\s+"
    r"(?:know|tell|say|answer|find|determine|help|be\s+\w+)|"
    r"not\s+(?:enough|sufficient|known|available|possible|sure)|no(?:ne)?\s+(?:data|information|answer|value|found|available)|"
    r"sorry|unable|insufficient|undetermined|indeterminate|inconclusive|unclear|unavailable|tbd|error|failed)\b",
    re.IGNORECASE,
)
"""How a few words begin that say there is no value."""
_FAILURE = frozenset(("error", "message", "status", "code", "detail", "reason"))
"""Keys of an object that tells of a failure and of nothing else."""
YES, NO = frozenset(("yes", "true", "y", "yeah", "yep")), frozenset(("no", "false", "n", "nope"))
_MONTH_FIRST = re.compile(r"\b(?:(m{1,2}|month)[/. -](?:d{1,2}|day)|(?:d{1,2}|day)[/. -](?:m{1,2}|month))\b", re.I)
_NEAREST = re.compile(r"\b(?:nearest|closest)\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“'‘«]([^\"”'’»]*)[\"”'’»]")
_LEAD = re.compile(
    r"(?:(?:the\s+)?(?:final\s+)?answer\s*(?:is|:)|(?:it|this|that)(?:\s+(?:is|was|will\s+be)|['’]s))\s+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question says of how its answer is to be read."""

    month_first: bool | None = None
    """In dates like 03/04/2021; None: it says nothing."""
    first_only: bool = False
    """Of a list only the first counts: the nearest."""

    @classmethod
    def by(cls, query: str) -> Asked:
        order = _MONTH_FIRST.search(query)
        return cls(bool(order[1]) if order else None, bool(_NEAREST.search(query)))


def read(value: JSON, asked: Asked, depth: int = 0) -> Value:
    """A value with all its parts. Any JSON is fine, and so are numbers that JSON cannot hold."""
    if depth == 0 and _large(value):
        return TooMuch(_digest(value))
    if value is None:
        return Missing()
    if isinstance(value, bool):
        return Truth(value)
    if isinstance(value, int | float):
        return of_number(value) or _unmeasured(value)
    if isinstance(value, str):
        return of_text(value, asked)
    if isinstance(value, Mapping):
        return _record(value, asked, depth)
    return several([read(item, asked, depth + 1) for item in value])


def of_text(text: str, asked: Asked) -> Value:
    """A text as what it says as a whole."""
    text = text.strip()[-MOST_TEXT:].strip("*_`").strip()
    text = quoted[1].strip() if (quoted := _QUOTED.fullmatch(text)) else text
    text = _LEAD.sub("", text, count=1) if _LEAD.match(text) else text
    bare = text.rstrip(".!").strip().casefold()
    if not bare or bare in NOTHING or (len(bare) <= NAME_LENGTH and _NOTHING_SAID.match(bare)):
        return Missing()
    if bare in YES or bare in NO:
        return Truth(bare in YES)
    if inner := _bracketed(text):
        return several([of_text(part, asked) for part in inner])
    if len(text) <= NAME_LENGTH and (said := moment(text, asked.month_first) or quantity(text)):
        return said
    words = plain(text)
    sentences = len(re.findall(r"[.!?](?:\s|$)", text)) > 1 or "\n" in text
    long = len(text) > NAME_LENGTH or len(words.split()) > NAME_WORDS or sentences
    return Prose(words, text) if long else Name(words, text)


def plain(text: str) -> str:
    """Words without case, accents, punctuation and a leading article."""
    spelled = unicodedata.normalize("NFKD", text.casefold()).replace("&", " and ")
    bare = "".join(character for character in spelled if not unicodedata.combining(character))
    words = re.sub(r"[^\w]|_", " ", re.sub(r"['’.](?=\w)(?<!\d.)", "", bare)).split()
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words) or text.casefold()


def several(items: Sequence[Value]) -> Value:
    """A list, without what stands in it twice; empty, it is no value."""
    kept = tuple(dict.fromkeys(item for item in items if not isinstance(item, Missing)))
    return Several(kept) if kept else Missing()


def _bracketed(text: str) -> list[str]:
    """The parts of a list as Python prints one: ['a', 'b']."""
    if not (text.startswith("[") and text.endswith("]")) or len(text) < 3 or "[" in text[1:]:
        return []
    return [part.strip().strip("'\"") for part in re.split(r",\s+|,(?=['\"])", text[1:-1])]


def _record(value: Mapping[str, JSON], asked: Asked, depth: int) -> Value:
    fields = {plain(name): read(item, asked, depth + 1) for name, item in value.items()}
    number, unit = value.get("value"), value.get("unit", value.get("units"))
    if len(value) == 2 and isinstance(unit, str) and isinstance(number, int | float | str):
        whole = quantity(f"{number} {unit}") if not isinstance(number, bool) else None
        if whole is not None:
            return whole
    told = {name: item for name, item in fields.items() if not isinstance(item, Missing)}
    if not told or ("error" in told and _FAILURE.issuperset(told)):
        return Missing()
    return Record(tuple(sorted(told.items(), key=lambda field: field[0])))


def _unmeasured(number: int | float) -> Value:
    """What is not a number after all, or larger than can be measured."""
    if isinstance(number, float):
        return Missing()
    return Name(f"{number:x}", f"{number:x}")


def _large(value: JSON) -> bool:
    """Whether it has too many parts, or too deep ones. Looks at no more than it has to."""
    level: list[JSON] = [value]
    parts = 0
    for _ in range(DEPTH):
        parts += len(level)
        if parts > MOST_PARTS:
            return True
        inner: list[JSON] = []
        for item in level:
            if isinstance(item, Mapping):
                inner += item.values()
            elif isinstance(item, list | tuple):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def _digest(value: JSON) -> str:
    """Equal for equal values."""
    try:
        return json.dumps(value, sort_keys=True)
    except (ValueError, TypeError, RecursionError):
        return ""
