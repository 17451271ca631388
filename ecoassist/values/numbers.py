"""Numbers as people and programs write them, with what they measure. Pure.

A comma before exactly three digits separates thousands, as in English; a point before three digits does so only where
another separator leaves no doubt ("1.234.567", "1.234,5"). Whoever means it otherwise gets a difference of a thousand,
which is never taken for agreement.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

from .kinds import Quantity, Unit
from .units import BEFORE, CODES, DOLLARS, SCALES, unit_of

TOLERANCE = 0.005
"""Two numbers that differ by this part of the larger one are the same."""

_SPACE = "[ \u00a0\u2009\u202f]"
DIGITS = (
    rf"(?:\d{{1,3}}(?:{_SPACE}\d{{3}}(?!\d))+(?:[.,]\d+)?"  # 1 234,5
    r"|\d{1,3}(?:(?P<mark>[,.'’_])\d{3}(?!\d))(?:(?P=mark)\d{3}(?!\d))*(?:[.,]\d+)?"  # 1,234.5  1.234,5  1'234
    r"|\d{1,2}(?:,\d{2}){1,6},\d{3}(?:\.\d+)?"  # 12,34,567
    r"|\d+(?:[.,]\d+)?|\.\d+)(?:[eE][+-]?\d{1,3}(?!\d))?"
)
SIGN = r"[-+−–]"
_CURRENCY = "|".join([*map(re.escape, BEFORE), *(rf"{code}\.?{_SPACE}*(?![a-z])" for code in CODES)])
_ROUGHLY = re.compile(
    r"(?:about|approx(?:imately|\.)?|around|roughly|nearly|almost|ca\.?|circa|exactly|~|≈|=)\s*", re.IGNORECASE
)
_QUANTITY = re.compile(
    rf"(?P<sign>{SIGN}?)\s?(?P<before>{_CURRENCY})?\s?(?P<inner>{SIGN}?)(?P<digits>{DIGITS})(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_MINUS = re.compile(rf"(?<!\w)(?:minus|negative)\s+(?=[$€£]?{DIGITS})", re.IGNORECASE)
_FRACTION = re.compile(rf"({SIGN}?)(\d{{1,9}})/(\d{{1,9}})")
_PART = re.compile(rf"({DIGITS})\s*([^\W\d_]+|[′″'\"])[\s,]*(?:and\s+)?")
_SCALE = re.compile(rf"(\s*)({'|'.join(sorted(SCALES, key=len, reverse=True))})\b\.?", re.IGNORECASE)
_NOUN = re.compile(r"[^\W\d_][\w'’-]*(?:\s+[^\W\d_][\w'’-]*){0,3}")
_BEFORE_CHRIST = ("bc", "bce")
SHORT_UNIT = 4
"""Letters up to which a noun may be a unit that is not known here, and upper case counts: Mb and MB."""
_LIMIT = re.compile(r"(?:below|above|or|and|plus|minus)\b", re.IGNORECASE)
"""What follows a number and is not what it counts."""
_FEET = {"'": "ft", '"': "in", "′": "ft", "″": "in"}


def of_number(number: int | float) -> Quantity | None:
    """A number of JSON. None: it is none, or too large to be measured."""
    try:
        value = float(number)
    except OverflowError:
        return None
    if not math.isfinite(value) or abs(value) > 1e300:
        return None
    if isinstance(number, int):
        return Quantity(value, 1.0, year=1000 <= number <= 2199)
    decimals = repr(number).lower().partition("e")[0].partition(".")[2] if abs(number) < 1e15 else ""
    power = int(repr(number).partition("e")[2] or 0)
    return Quantity(value, min(1.0, 10.0 ** max(-300, power - len(decimals))))


def quantity(text: str) -> Quantity | None:
    """All of `text` as a number, with or without what it measures or counts. None: it is something else."""
    text = signed(text.strip())
    if roughly := _ROUGHLY.match(text):
        text = text[roughly.end() :]
    if fraction := _FRACTION.fullmatch(text):
        under = int(fraction[3])
        over = int(fraction[2]) * (1 if fraction[1] in ("", "+") else -1)
        return Quantity(over / under, 0.0) if under else None
    return _sum(text) or _single(text)


def signed(text: str) -> str:
    """`text` with "minus 5" as -5."""
    return _MINUS.sub("-", text)


def _single(text: str) -> Quantity | None:
    found = _QUANTITY.fullmatch(text)
    if found is None or (read := number(found["digits"])) is None:
        return None
    value, step = read
    negative = (found["sign"] in ("-", "−", "–")) != (found["inner"] in ("-", "−", "–"))
    rest = found["rest"]
    unit = unit_of(found["before"].strip(" .")) if found["before"] else None
    if scale := _scale(rest, money=unit is not None):
        factor, rest = scale
        value, step = value * factor, step * factor
    rest = rest.strip().rstrip(".").strip()
    year = bool(re.fullmatch(r"1\d{3}|2[01]\d{2}", text))
    value = -value if negative else value
    if not rest:
        return Quantity(value, step, unit, year=year)
    if own := unit_of(rest):
        fits = unit in (None, own) or (found["before"].strip() == "$" and own.dimension in DOLLARS)
        return Quantity(value, step, own) if fits else None
    head, _, tail = rest.rpartition(" ")
    if unit is None and len(head) > 1 and head.lower() != "in" and tail.isalpha() and (own := unit_of(head)):
        return Quantity(value, step, own)  # 21 °C outside
    if unit is None and _NOUN.fullmatch(rest) and not _LIMIT.match(rest):
        era = rest.casefold() in (*_BEFORE_CHRIST, "ad", "ce")
        noun = rest.casefold() if era else " ".join(rest.split())
        return Quantity(value, step, noun=noun, year=era and step == 1)
    return None


def _sum(text: str) -> Quantity | None:
    """5 ft 11 in, 2 hours 30 minutes: parts of one dimension, each smaller than the one before."""
    parts: list[tuple[float, float, Unit]] = []
    end = 0
    while part := _PART.match(text, end):
        name, read = _FEET.get(part[3], part[3]), number(part[1])
        minutes = name == "m" and bool(parts) and parts[-1][2].dimension == "duration"  # 2h30m
        unit = unit_of("min" if minutes else name)
        if unit is None or read is None or unit.offset:
            return None
        parts.append((*read, unit))
        end = part.end()
    units = [unit for _, _, unit in parts]
    falling = all(one.factor > other.factor for one, other in pairwise(units))
    if end < len(text) or len(parts) < 2 or len({unit.dimension for unit in units}) > 1 or not falling:
        return None
    last = units[-1]
    return Quantity(sum(value * unit.factor for value, _, unit in parts) / last.factor, parts[-1][1], last)


def number(digits: str) -> tuple[float, float] | None:
    """(value, one in its last printed digit). None: it is a label that begins with a zero, or too large."""
    mantissa, found, exponent = re.sub(rf"{_SPACE}|['’_]", "", digits.lower()).partition("e")
    if re.fullmatch(r"0\d+", mantissa):
        return None
    whole, decimals = _split(mantissa)
    power = int(exponent) if found else 0
    try:
        value = float(f"{whole or 0}.{decimals or 0}e{power}")
    except ValueError:
        return None
    step = min(10.0 ** max(-300, min(300, power - len(decimals))), 1.0)
    return (value, step) if math.isfinite(value) and abs(value) <= 1e300 else None


def _split(mantissa: str) -> tuple[str, str]:
    """Digits before and after the decimal mark."""
    marks = [character for character in mantissa if character in ".,"]
    if not marks:
        return mantissa, ""
    last = marks[-1]
    before, _, after = mantissa.rpartition(last)
    only = marks.count(last) == 1
    decimal = only and (len(marks) > 1 or last == "." or len(after) != 3 or before in ("", "0"))
    whole = before if decimal else mantissa
    return re.sub("[.,]", "", whole), after if decimal else ""


def _scale(rest: str, *, money: bool) -> tuple[float, str] | None:
    """What the word or letter at the beginning of `rest` multiplies by, and what follows. None: there is none.

    A letter has to touch the number; "m" and "b" are a million and a billion of money only.
    """
    found = _SCALE.match(rest)
    if found is None:
        return None
    word = found[2]
    letter = len(word) == 1
    if letter and (found[1] or (word in ("m", "b", "B") and not money)):
        return None
    return SCALES[word.lower()], rest[found.end() :]


def close(one: Quantity, other: Quantity) -> bool | None:
    """Whether two quantities are the same. None: equal numbers of what may be different things."""
    if one.year and other.year:
        return (None if _different(one, other) else True) if one.number == other.number else False
    if one.unit and other.unit:
        return one.unit.dimension == other.unit.dimension and _near(*_based(one), *_based(other))
    near = _near(one.number, one.step, other.number, other.step)
    for part, whole in ((one, other), (other, one)):
        if part.unit and part.unit.dimension == "ratio":  # 45 % and 45, 45 % and 0.45
            if near and 0 < abs(whole.number) < 1 and not _near(part.number, 0, whole.number, 0):
                return None  # 1 % and 0.5, which may be a half of all, or of one in a hundred
            near = near or _near(*_based(part), whole.number, whole.step)
    return (None if _different(one, other) else True) if near else False


def _different(one: Quantity, other: Quantity) -> bool:
    """Whether equal numbers may be of different things: 5 wins and 5 losses, 5 MW and 5 mW, 5 km and 5 people."""
    if one.noun in _BEFORE_CHRIST or other.noun in _BEFORE_CHRIST:
        return (one.noun in _BEFORE_CHRIST) != (other.noun in _BEFORE_CHRIST)
    if one.noun and other.noun:
        kinds = [noun if len(noun) <= SHORT_UNIT else noun.casefold() for noun in (one.noun, other.noun)]
        return kinds[0].rstrip("s") != kinds[1].rstrip("s")
    for noun, unit in ((one.noun, other.unit), (other.noun, one.unit)):
        if noun and unit and not (unit.dimension == "temperature" and noun.startswith("degree")):
            return True
    return False


def _based(quantity: Quantity) -> tuple[float, float]:
    """Number and step in the base of its dimension."""
    unit = quantity.unit
    if unit is None:
        return quantity.number, quantity.step
    return quantity.number * unit.factor + unit.offset, quantity.step * unit.factor


def _near(one: float, step: float, other: float, other_step: float) -> bool:
    """Within the tolerance, or within half of the coarser last digit."""
    room = max(abs(one), abs(other)) * TOLERANCE
    coarser = max(step, other_step) / 2
    return abs(one - other) <= max(room, coarser) * (1 + 1e-9)
