"""Whether two values are the same. Pure."""

from __future__ import annotations

import re

from ecoassist.types import JSON

from .dates import dates, same_moment, weekday
from .finding import numbers_in, yes_or_no
from .kinds import Missing, Moment, Name, Prose, Quantity, Record, Several, TooMuch, Truth, Value
from .numbers import close
from .reading import Asked, of_text, plain, read

LIKENESS = 0.5
"""The share of what either of two lists of names holds that both have to hold (Jaccard)."""
SHORTEST_LINE = 7
"""Digits of a telephone number, at least."""
_MEASURED = Truth | Quantity | Moment
_SEPARATOR = re.compile(r"\s*(?:;|\n|,(?!\d)|\band\b)\s*")
_BULLET = re.compile(r"^(?:[-*•]|\d{1,3}[.)])\s+")
_SIGNS = re.compile(r"[+#♯♭<>≤≥≠]|(?<!\w)[-−](?=\d)|(?<=\b[A-Z])[-−](?!\w)")
"""What words without punctuation lose, and tells them apart: C++, C#, A-, x = -3."""
_WHAT_IT_IS = ("answer", "value", "result", "name", "title")


def same(one: JSON, other: JSON, query: str = "") -> bool | None:
    """See the package."""
    asked = Asked.by(query)
    return _alike(read(one, asked), read(other, asked), asked)


def _alike(one: Value, other: Value, asked: Asked) -> bool | None:
    match one, other:
        case (Missing(), _) | (_, Missing()):
            return None
        case (TooMuch(), _) | (_, TooMuch()):
            return True if one == other and one != TooMuch("") else None
        case Record(), Record():
            return _records(dict(one.fields), dict(other.fields), asked)
        case (Record() as record, plainer) | (plainer, Record() as record):
            inner = _what_it_is(dict(record.fields))
            return None if inner is None else _alike(inner, plainer, asked)
        case (Several(), _) | (_, Several()):
            return _lists(_items(one, asked), _items(other, asked), asked)
        case Name() | Prose(), Name() | Prose():
            return _texts(one, other)
        case (Name() | Prose() as text, measured) | (measured, Name() | Prose() as text):
            return _in_text(text, measured, asked)
    return _measures(one, other)


def _measures(one: Value, other: Value) -> bool | None:
    """Of what is no text and has no parts; of different kinds they are not the same."""
    match one, other:
        case Quantity(), Quantity():
            return close(one, other)
        case Moment(), Moment():
            return same_moment(one, other)
        case (Quantity(number=year, year=True), Moment(day=day)) | (Moment(day=day), Quantity(number=year, year=True)):
            return None if day and day.year == year else False
    return one == other


def _texts(one: Name | Prose, other: Name | Prose) -> bool | None:
    if one.words == other.words:
        line = one.words.replace(" ", "").isdigit()
        return True if line or _SIGNS.findall(one.text) == _SIGNS.findall(other.text) else None
    if isinstance(one, Prose) or isinstance(other, Prose):
        return None
    closed, twin = (text.words.replace(" ", "") for text in (one, other))
    if closed.isdigit() and twin.isdigit():
        return _same_line(closed, twin)
    if closed == twin and not re.search(r"\d", closed):
        return True
    parts, others = ({plain(part) for part in _split(text.text)} for text in (one, other))
    if len(parts) > 2 and parts == others:
        return True
    within = f" {one.words} " in f" {other.words} " or f" {other.words} " in f" {one.words} "
    return None if within else False


def _same_line(one: str, other: str) -> bool:
    """Of telephone numbers, one of which may have the country before it."""
    long, short = sorted((one, other), key=len, reverse=True)
    return long == short or (len(short) >= SHORTEST_LINE and len(long) - len(short) <= 3 and long.endswith(short))


def _in_text(text: Name | Prose, measured: Value, asked: Asked) -> bool | None:
    """Compared with what the text says of that kind, if that is one thing only."""
    closed = text.words.replace(" ", "")
    match measured:
        case Quantity(unit=None, number=number) if closed.isdigit() and len(closed) >= SHORTEST_LINE:
            return _same_line(closed, f"{number:.0f}")
        case Quantity():
            said = numbers_in(text.text, measured)
            piece = said[0] if len(said) == 1 else ""
        case Moment(day=day) if day and (name := weekday(text.text)):
            return None if day.weekday in ("", name) else False
        case Moment():
            said = dates(text.text)
            piece = (
                said[-1] if len(said) == 1 or (said and isinstance(text, Prose)) else ""
            )  # prose reasons towards its end
        case _:
            said = [word] if (word := yes_or_no(text.text)) else []
            piece = word
    if not piece:
        return None if said or isinstance(text, Prose) else False
    found = of_text(piece, asked)
    return _alike(found, measured, asked) if isinstance(found, _MEASURED) else None


def _lists(one: tuple[Value, ...], other: tuple[Value, ...], asked: Asked) -> bool | None:
    if not one or not other:
        return None
    if asked.first_only:
        return _alike(one[0], other[0], asked)
    pairs = [[_alike(each, twin, asked) for twin in other] for each in one]
    items = (*one, *other)
    measured = all(isinstance(item, _MEASURED) for item in items)
    named = all(isinstance(item, Name | Prose) for item in items)
    shared = _shared(pairs, (True,))
    if shared >= (LIKENESS if named else 1.0):
        return True
    if shared >= LIKENESS and not measured:  # names and figures together, of which some differ
        return None
    return None if _shared(pairs, (True, None)) >= (1.0 if measured else LIKENESS) else False


def _shared(pairs: list[list[bool | None]], counts: tuple[bool | None, ...]) -> float:
    """The share that two lists have in common, of all that is in either."""
    rows = sum(any(pair in counts for pair in row) for row in pairs)
    columns = sum(any(row[column] in counts for row in pairs) for column in range(len(pairs[0])))
    both = min(rows, columns)
    return both / (len(pairs) + len(pairs[0]) - both)


def _items(value: Value, asked: Asked) -> tuple[Value, ...]:
    """The things of a list, or of a text that enumerates some. Of prose that does not, there are none."""
    if isinstance(value, Several):
        return value.items
    parts = _split(value.text) if isinstance(value, Name | Prose) else []
    items = tuple(dict.fromkeys(of_text(part, asked) for part in parts)) if len(parts) > 1 else (value,)
    return () if isinstance(value, Prose) and any(isinstance(item, Prose) for item in items) else items


def _split(text: str) -> list[str]:
    return [part for piece in _SEPARATOR.split(text)[:100] if (part := _BULLET.sub("", piece).strip())]


def _records(one: dict[str, Value], other: dict[str, Value], asked: Asked) -> bool | None:
    """By key: what both tell must be the same, and be at least half of what either tells."""
    both = [_alike(one[name], other[name], asked) for name in one if name in other]
    if False in both:
        return False
    enough = len(both) >= LIKENESS * len(one.keys() | other.keys())
    return True if enough and None not in both else None


def _what_it_is(fields: dict[str, Value]) -> Value | None:
    """The one value of an object that is compared with a plain value. None: it has several."""
    if len(fields) == 1:
        return next(iter(fields.values()))
    return next((fields[name] for name in _WHAT_IT_IS if name in fields), None)
