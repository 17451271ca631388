"""Why a program may answer its question only on the day it ran. Pure.

What a model worked out from the clock in its prompt stands in the program as if it were part of the task: the date of
"tomorrow", the number of Wednesday in a list. On another day the same program answers another question. Here doubt
means that a model is asked again.
"""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Iterator

from ecoassist.entries import Solution
from ecoassist.values.kinds import Day

from . import mentions
from .flow import called
from .moments import MONTHS, WEEKDAYS
from .source import Site, Source, source
from .words import MAX_QUERY, read, words

NEAR = datetime.timedelta(days=400)
"""How far from its run a date may lie that was worked out from it."""
_YEAR = re.compile(r"(?<![\d.,])(?:19|20)\d{2}(?!\d|[.,]\d)")
_EPOCH = re.compile(r"(?<![\w.])(\d{10}|\d{13})(?:\.\d+)?(?!\w)")
_TIME = re.compile(r"(?<![\d:])([01]?\d|2[0-3]):[0-5]\d(?!\d)")
_MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b")
_WEEKDAY = re.compile(rf"\b(?:{'|'.join(f'{name}|{name[:3]}' for name in WEEKDAYS)})\b")
_DAYS = re.compile(r"\b(?:weekend|weekday|(?:work|business|trading|bank)\s?(?:ing )?day)s\b|\bweekend\b", re.IGNORECASE)
"""What a program may name days for."""
_CLOCKS = re.compile(
    r"\b(?:now|utcnow|today)\(|\btime\.(?:time|time_ns|localtime|gmtime|ctime|strftime)\(|\bfromtimestamp\(time|"
    r"\b(?:localtime|gmtime)\(\)|\btime\(\)|['\"](?:now|today)['\"]"
)
_CALENDAR = r"weekday\(|isocalendar\(|%[aAwuU]|dayofweek|day_name|calendar\.|relativedelta|%G|BDay|bdate_range"
_AHEAD = r"\.month\b|\.year\b|%[mbBY]|relativedelta|monthrange|DateOffset|timedelta|replace\("
_RELATIVE = (
    (
        r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\bweekends?\b|"
        r"\b(?:work|business|trading|bank)\s?(?:ing )?days?\b",
        _CALENDAR,
    ),
    (
        r"\b(?:this|next|last|past|previous|coming|upcoming|following)\s+(?:\w+\s+){0,2}?(?:month|quarter|year|decade|"
        r"spring|summer|autumn|fall|winter|season|january|february|march|april|may|june|july|august|september|october|"
        r"november|december)s?\b|\b(?:month|year)s?\s+(?:ago|from now)\b|\bin\s+\w+\s+(?:month|year)s?\b",
        _AHEAD,
    ),
    (
        r"\b(?:christmas|easter|thanksgiving|new year|halloween|hanukkah|ramadan|diwali|passover|pentecost|"
        r"labou?r day|memorial day|independence day|valentine'?s?|mother'?s day|father'?s day|black friday|"
        r"holidays?)\b",
        r"\bdate\(|\bdatetime\(|easter\(|holidays\.|replace\(",
    ),
)
"""What a question says of a day, and what a program has that reckons it from the clock."""
_HOUR = re.compile(r"\b(?:now|current|currently|latest|(?:half an )?hours?|minutes?)\b", re.IGNORECASE)
_KEYS = ("hour", "hours", "day", "month", "week", "dt", "date", "weekday")
_NUMBER = re.compile(r"[0-9]{1,3}")
_END = re.compile(r"-?[0-9]{1,2}")
_SHORT = re.compile(r"\d{1,2}[-/.]\d{1,2}")
_NOW = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|current|currently|latest|recent|recently|nowadays|ago|so far|"
    r"(?:this|next|last|past|previous|coming|upcoming|following)\s+(?:\w+\s+)?(?:week|day|hour|minute|morning|afternoon|"
    r"evening|night|few)s?|from now|"
    r"(?:in|within|over)\s+(?:the\s+)?(?:next\s+)?\w+\s+(?:second|minute|hour|day|week)s?|"
    r"how old|since|up to date|to date|until|till|remaining|left|ages? of|moon|"
    r"(?:day|weekday|week|month|quarter|season|time|year)(?: number)? (?:is it|are we|do we have)|is (?:it|this) a|"
    r"(?:has|have) (?:it|there|passed|elapsed|gone)|born)\b",
    re.IGNORECASE,
)


def fixed(solution: Solution) -> str:
    """The first reason, in a few words. Empty: there is none."""
    query = read(solution.query)
    if len(query) > MAX_QUERY:
        return "its question is too long to tell"
    try:
        parsed = source(solution.program)
        if parsed is None:
            return "its program cannot be taken apart"
        asked = _Asked(query, _ran(solution.ran))
        reasons = (_dates(parsed, asked), _years(parsed, asked), _seconds(parsed, asked), _months(parsed, asked))
        more = (_weekdays(parsed, asked), _parts(parsed, asked), _offsets(parsed, asked))
        return next(filter(None, (*reasons, *more, _reckoned(parsed, asked, solution))), "")
    except RecursionError:
        return "its program is too deep to be taken apart"


class _Asked:
    """What the question says of time."""

    def __init__(self, query: str, ran: datetime.date | None) -> None:
        self.query = query
        self.ran = ran
        self.days = [mention.day for mention in mentions.said_days(query) if mention.day]
        self.said = {word.text for word in words(query)}
        self.years = {found[0] for found in _YEAR.finditer(query)}
        self.months = {found[0] for found in _MONTH.finditer(query.title())}

    def names(self, day: Day) -> bool:
        """Whether it tells a day of the program, or the month or year that it belongs to."""
        ways = [day.parts] + ([day.swapped] if day.swapped else [])
        for said in self.days:
            for year, month, number in (said.parts, *([said.swapped] if said.swapped else [])):
                if any((year, month) == way[:2] and number in (None, way[2]) for way in ways):
                    return True
        return not self.days and not self.months and str(day.year) in self.years

    def near(self, day: datetime.date) -> bool:
        return self.ran is None or abs(day - self.ran) <= NEAR


def _ran(text: str) -> datetime.date | None:
    """None: it is not known, so that every date may be near."""
    try:
        return datetime.datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _dates(parsed: Source, asked: _Asked) -> str:
    for written in parsed.days:
        day = written.day
        for year, month, number in (day.parts, *([day.swapped] if day.swapped else [])):
            exact = _exact(year if year is not None else asked.ran.year if asked.ran else None, month, number or 1)
            if (exact is None or asked.near(exact)) and not asked.names(day):
                said = written.site.text[written.start : written.end] if written.site else str(exact)
                return f"the date {said} stands in its program"
    return ""


def _exact(year: int | None, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day) if year is not None else None
    except ValueError:
        return None


def _years(parsed: Source, asked: _Asked) -> str:
    for site in parsed.sites:
        if site.node in parsed.reckoned:
            continue
        value = site.node.value
        told = (
            [value] if isinstance(value, int) else [int(found[0]) for found in _YEAR.finditer(_dateless(parsed, site))]
        )
        for year in told:
            near = 1900 <= year < 2100 and (asked.ran is None or abs(year - asked.ran.year) <= 1)
            if near and str(year) not in asked.years | {str(day.year) for day in asked.days}:
                return f"the year {year} stands in its program"
    return ""


def _dateless(parsed: Source, site: Site) -> str:
    """The text of a literal without the days in it, which are looked at by themselves."""
    text = site.text
    for written in parsed.days:
        if written.site is site:
            text = text[: written.start] + " " * (written.end - written.start) + text[written.end :]
    return text


def _seconds(parsed: Source, asked: _Asked) -> str:
    for site in parsed.sites:
        for found in _EPOCH.finditer(site.text or str(site.node.value)):
            seconds = int(found[1]) // (1000 if len(found[1]) == 13 else 1)
            if asked.near(datetime.datetime.fromtimestamp(seconds, datetime.UTC).date()):
                return f"the time {found[0]} stands in its program"
    return ""


def _months(parsed: Source, asked: _Asked) -> str:
    """The name of a month, unless it is one of a calendar."""
    told = {found[0] for site in parsed.sites for found in _MONTH.finditer(site.text) if not _verb(site, found[0])}
    strange = told - asked.months
    return f"the month {min(strange)} stands in its program" if strange and len(told) < 6 else ""


def _weekdays(parsed: Source, asked: _Asked) -> str:
    """The name of a weekday, unless it is one of a calendar."""
    if _DAYS.search(asked.query):
        return ""
    told = {(found[0], _verb(site, found[0])) for site in parsed.sites for found in _WEEKDAY.finditer(site.text)}
    strange = {
        name for name, verb in told if not verb and not any(word.startswith(name.lower()) for word in asked.said)
    }
    return (
        f"the weekday {min(strange)} stands in its program" if strange and len({name for name, _ in told}) < 5 else ""
    )


def _parts(parsed: Source, asked: _Asked) -> str:
    """A number of the day it ran, under a name that says so."""
    if asked.ran is None:
        return ""
    days = [asked.ran + datetime.timedelta(days=number) for number in (-1, 0, 1)]
    numbers = {"day": {day.day for day in days}, "month": {day.month for day in days}}
    numbers["week"] = {day.isocalendar()[1] for day in days}
    numbers["doy"] = numbers["yday"] = numbers["dayofyear"] = {day.timetuple().tm_yday for day in days}
    for site in parsed.sites:
        value = site.node.value
        told = value if isinstance(value, int) else int(site.text) if _NUMBER.fullmatch(site.text) else None
        within = numbers.get(site.key.lower().replace("_of_", "of").replace("_", ""), ())
        if told in within and site.works and site.node not in parsed.reckoned and str(told) not in asked.said:
            return f"the {site.key} {told} stands in its program"
    return ""


def _offsets(parsed: Source, asked: _Asked) -> str:
    """Hours between the clock and somebody's time, which are others in summer."""
    if not _CLOCKS.search(parsed.text) or "hour" in asked.query.casefold():
        return ""
    for site in parsed.sites:
        call = parsed.flow.parents.get(parsed.flow.parents.get(site.node, site.node), None)
        call = parsed.flow.parents.get(call, None) if isinstance(call, ast.keyword) else call
        shift = isinstance(call, ast.Call) and called(call) in ("timedelta", "Timedelta")
        if site.key == "hours" and shift and str(site.node.value) not in asked.said:
            return "an offset in hours stands in its program"
    return ""


def _verb(site: Site, month: str) -> bool:
    """Whether "May", "March", "Sun" and "Sat" may be something else."""
    return month in ("May", "March", "Sun", "Sat", "Mon", "Wed") and site.text.strip() != month


def _reckoned(parsed: Source, asked: _Asked, solution: Solution) -> str:
    clock = bool(_CLOCKS.search(parsed.text))
    for said, how in _RELATIVE:
        found = re.search(said, asked.query, re.IGNORECASE)
        if found and not (clock and re.search(how, parsed.text) and not _counted(parsed, asked)):
            return f"its program does not reckon “{found[0]}” from the clock"
    hour = _HOUR.search(asked.query)
    if hour and _counted(parsed, asked):
        return f"its program may count “{hour[0]}” from the hour it ran"
    if clock:
        return ""
    relative = _NOW.search(asked.query)
    if relative and not (_online(parsed, solution) and not any(_places(parsed, asked))):
        return f"its program does not reckon “{relative[0]}” from the clock"
    if any(asked.ran is None or _near(asked, day) for day in asked.days) and not _literal(parsed, asked):
        return "the date of its question does not stand in its program"
    return ""


def _online(parsed: Source, solution: Solution) -> bool:
    """Whether it asks somebody who has a clock."""
    return bool(solution.hosts) or any("://" in site.text for site in parsed.sites)


def _counted(parsed: Source, asked: _Asked) -> bool:
    """Whether it takes a certain place of a list, other than the first two."""
    for site in parsed.sites:
        value, parent = site.node.value, parsed.flow.parents.get(site.node)
        node: ast.AST = site.node
        if isinstance(parent, ast.UnaryOp):
            node, parent = parent, parsed.flow.parents.get(parent)
        place = isinstance(parent, ast.Subscript) and parent.slice is node
        if place and isinstance(value, int) and value > 1 and str(value) not in asked.said:
            return True
    return False


def _places(parsed: Source, asked: _Asked) -> Iterator[bool]:
    """Whether places in lists, days and times of day may have been counted from the moment it ran."""
    yield _counted(parsed, asked)
    for site in parsed.sites:
        value = site.node.value
        if site.key in _KEYS and str(value) not in asked.said:
            yield site.text.casefold() not in ("today", "now") and value != 1
        if _compared(parsed, site) and str(value).lstrip("-0") not in asked.said:
            yield True
        if _SHORT.fullmatch(site.text) or ((found := _TIME.search(site.text)) and found[0] not in asked.query):
            yield True


def _compared(parsed: Source, site: Site) -> bool:
    """Whether it may be the number of a day that is looked for: `== 22`, `.endswith("-22")`."""
    value, parent = site.node.value, parsed.flow.parents.get(site.node)
    if _END.fullmatch(site.text):
        return site.works and int(site.text.lstrip("-")) > 1
    equal = isinstance(parent, ast.Compare) and isinstance(parent.ops[0], ast.Eq)
    return equal and isinstance(value, int) and 1 < value < 32


def _near(asked: _Asked, day: Day) -> bool:
    exact = _exact(day.year, day.month, day.day or 1)
    return exact is None or asked.near(exact)


def _literal(parsed: Source, asked: _Asked) -> bool:
    return any(asked.names(written.day) for written in parsed.days)
