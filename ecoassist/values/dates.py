"""Days and times of day in the forms people and programs write. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import replace

from .kinds import Clock, Day, Moment

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTH = rf"(?P<name>{_MONTHS}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
_WEEKDAY = rf"(?:(?:{_WEEKDAYS}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?,?\s+(?:the\s+)?)?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_EDGE, _END = r"(?<![\w.,/-])", r"(?!(?!T\d)[\w/]|[.,-]\d)"
_DATES = tuple(
    re.compile(_EDGE + pattern + _END, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}})",
        r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
        rf"{_YEAR},?[\s-]+{_MONTH}[\s-]+{_DAY}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?",
        rf"{_WEEKDAY}{_DAY}(?:\s+of)?[\s-]+{_MONTH}(?:,?[\s-]+{_YEAR})?",
        rf"{_MONTH},?\s+{_YEAR}",
        rf"{_YEAR}-(?P<month>\d{{2}})",
        r"(?P<year>19\d{2}|20\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>[0-2]\d|3[01])",
    )
)
_TIME = re.compile(
    r"(?<![\w:.-])(?:(?P<hour>\d{1,2})(?::|h)(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?\s*(?P<half>[ap]\.?m\.?)?"
    r"|(?P<sharp>\d{1,2})\s*(?P<half2>[ap]\.?m\.?)|(?P<word>noon|midnight)\b)"
    r"(?:\s?(?P<zone>Z\b|UTC\b|GMT\b|[+-]\d{2}:?\d{2}\b)|\s\(?(?P<place>[A-Z]{2,5})\)?(?![\w]))?(?![\w:])",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"(?:\b(?:not|never|no|over|under|above|below|before|after|until|(?:up|down)(?:\sto)?|at\s(?:least|most)|"
    r"(?:less|fewer|more|greater|higher|lower|earlier|later|other)\sthan)\s|[<>≤≥≠]=?\s?)(?:the\s)?$",
    re.IGNORECASE,
)
_BEYOND = re.compile(r"(?:\s\w+)?\s(?:below\szero|or\s(?:more|less|fewer|later|earlier))\b|\+(?!\w)", re.IGNORECASE)
"""What makes a bound of a number or a day, or denies it."""
_JOINT = re.compile(r"[\s,T]*(?:at|@|by|on)?\s*", re.IGNORECASE)


def moment(text: str, month_first: bool | None = None) -> Moment | None:
    """All of `text` as a day, a time of day, or both. None: it is neither.

    `month_first`: what the question says of dates like 03/04/2021.
    """
    text = text.strip().rstrip(".").strip()
    if not re.search(r"\d|noon|midnight", text, re.IGNORECASE) or len(text) > 80:
        return None
    for start, end, day in days(text, month_first):
        rest = text[:start] + text[end:]
        if start and end < len(text):
            continue
        clock = _clock(_JOINT.sub("", rest, count=1) if not start else rest.rstrip(" ,").removesuffix(" on"))
        if not rest.strip(" ,()") or clock:
            return Moment(day, clock)
    clock = _clock(text)
    return Moment(None, clock) if clock else None


def dates(text: str) -> list[str]:
    """The days that a text names, in order and as written."""
    return [limited(text, start, end) for start, end, _ in sorted(days(text, None), key=_where)]


def limited(text: str, start: int, end: int) -> str:
    """A piece of `text` with what makes it a bound, or denies it: "more than 5" is not 5."""
    before, after = _BOUND.search(text[max(0, start - 20) : start]), _BEYOND.match(text, end)
    return (before[0] if before else "") + text[start : after.end() if after else end]


def without_dates(text: str) -> str:
    """`text` without the days and times in it, whose digits are no numbers."""
    for start, end, _ in sorted(days(text, None), key=_where, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    return _TIME.sub(" ", text)


def weekday(text: str) -> str:
    """The first letters of the day of the week that a text is. Empty: it is something else."""
    found = re.fullmatch(rf"\W*(?:{_WEEKDAYS}|mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\W*", text, re.IGNORECASE)
    return found[0].strip(" .,;:!*_\"'")[:3].lower() if found else ""


def _where(found: tuple[int, int, Day]) -> tuple[int, int]:
    return found[:2]


def days(text: str, month_first: bool | None) -> Iterator[tuple[int, int, Day]]:
    """Where days are written; of forms that overlap, the first and fullest."""
    taken: list[tuple[int, int]] = []
    for pattern in _DATES:
        for found in pattern.finditer(text):
            start, end = found.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if day := _day(found.groupdict(), month_first):
                taken.append((start, end))
                yield start, end, replace(day, weekday=weekday(re.split(r"[\s,.]", found[0], maxsplit=1)[0]))


def _day(parts: dict[str, str | None], month_first: bool | None) -> Day | None:
    said = {name: int(text) for name, text in parts.items() if text and text.isdigit()}
    year, day = said.get("year"), said.get("day")
    if year is not None and len(parts["year"] or "") == 2:
        year += 2000 if year < 70 else 1900
    if "first" in said:
        return _numeric(year, said["first"], said["second"], parts["mark"] == ".", month_first)
    name = (parts.get("name") or "").lower()[:3]
    month = [full[:3] for full in _MONTHS.split("|")].index(name) + 1 if name else said["month"]
    return Day(year, month, day) if _exists(year, month, day) else None


def _numeric(year: int | None, first: int, second: int, points: bool, month_first: bool | None) -> Day | None:
    """Of "03/04/2021": month first unless the question or the figures say otherwise; with points the day is first."""
    american, european = (year, first, second), (year, second, first)
    if points:
        month_first = False
    real = [parts for parts in (american, european) if _exists(*parts)]
    if len(real) < 2 or first == second:
        return Day(*real[0]) if real else None
    if month_first is None:
        return Day(*american, swapped=european)
    return Day(*(american if month_first else european))


def _exists(year: int | None, month: int, day: int | None) -> bool:
    try:
        datetime.date(year if year is not None else 2000, month, day if day is not None else 1)
    except ValueError:
        return False
    return True


def _clock(text: str) -> Clock | None:
    found = _TIME.fullmatch(text.strip(" ,()"))
    if found is None:
        return None
    if found["word"]:
        return Clock(12 * 3600 if found["word"].lower() == "noon" else 0, 60)
    hour, minute = int(found["hour"] or found["sharp"]), int(found["minute"] or 0)
    second = int(found["second"] or 0)
    half = (found["half"] or found["half2"] or "").lower()[:1]
    if minute > 59 or second > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    step, place = 1 if found["second"] else 60, (found["place"] or "").upper()
    return Clock(hour * 3600 + minute * 60 + second, step, _offset(found["zone"]), place)


def _offset(zone: str | None) -> int | None:
    if not zone:
        return None
    digits = zone[1:].replace(":", "")
    if not digits.isdigit():
        return 0
    return (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if zone[0] == "-" else 1)


def same_moment(one: Moment, other: Moment) -> bool | None:
    """Whether two are the same as far as both are told. None: one does not say enough, or may be read in two ways."""
    if (first := _instant(one)) and (second := _instant(other)) and one.clock and other.clock:
        return abs((first - second).total_seconds()) < max(one.clock.step, other.clock.step)
    both = one.day is not None and other.day is not None
    day = _same_day(one.day, other.day) if one.day and other.day else None
    clock = _same_clock(one.clock, other.clock) if one.clock and other.clock else None
    if day is False or clock is False:
        return False
    if one.clock and other.clock and clock is None:
        return None
    return day if both else clock


def _instant(moment: Moment) -> datetime.datetime | None:
    """Where day, time and zone are all told, and the day beyond doubt."""
    day, clock = moment.day, moment.clock
    if not day or not clock or clock.offset is None or day.year is None or day.day is None or day.swapped:
        return None
    midnight = datetime.datetime(day.year, day.month, day.day)
    try:
        return midnight + datetime.timedelta(seconds=clock.seconds, minutes=-clock.offset)
    except OverflowError:
        return None


def _same_day(one: Day, other: Day) -> bool | None:
    if one.swapped and other.swapped:  # written alike, so read alike
        return one.parts == other.parts
    if one.swapped or other.swapped:
        ways = {one.parts, one.swapped} & {other.parts, other.swapped} - {None}
        return None if ways else False
    years = one.year is None or other.year is None or one.year == other.year
    if not years or one.month != other.month:
        return False
    if (one.day is None) != (other.day is None):
        return None
    if one.day == other.day and one.weekday and other.weekday and one.weekday != other.weekday:
        return None
    return one.day == other.day


def _same_clock(one: Clock, other: Clock) -> bool | None:
    zones = [clock.zone or clock.offset for clock in (one, other)]
    if None not in zones and zones[0] != zones[1] and any(clock.zone for clock in (one, other)):
        return None  # how far apart "EST" and "CET" are is not known here
    apart = abs(_universal(one, other) - _universal(other, one))
    return min(apart, 86_400 - apart) < max(one.step, other.step)


def _universal(clock: Clock, beside: Clock) -> int:
    """Seconds of the day; in UTC where both say how far ahead they are."""
    ahead = clock.offset * 60 if clock.offset is not None and beside.offset is not None else 0
    return (clock.seconds - ahead) % 86_400
