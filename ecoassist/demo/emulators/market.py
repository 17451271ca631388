"""When stock exchanges trade: the rules of the New York Stock Exchange, taken for all of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from functools import cache


def trades(day: datetime.date) -> bool:
    return day.weekday() < 5 and day not in holidays(day.year)


def trading_days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    """Latest first, both ends included."""
    for back in range((last - first).days + 1):
        day = last - datetime.timedelta(back)
        if trades(day):
            yield day


@cache
def holidays(year: int) -> frozenset[datetime.date]:
    """Full-day closings, by NYSE rule 7.2: a holiday on a Sunday closes the Monday, one on a Saturday the Friday,
    except New Year's Day."""
    fixed = [(1, 1), (7, 4), (12, 25)] + ([(6, 19)] if year >= 2022 else [])
    closed = {_weekday(year, *nth) for nth in ((1, 0, 3), (2, 0, 3), (9, 0, 1), (11, 3, 4))}
    closed.add(datetime.date(year, 5, 31) - datetime.timedelta(datetime.date(year, 5, 31).weekday()))  # Memorial Day
    closed.add(easter(year) - datetime.timedelta(2))
    for month, number in fixed:
        day = datetime.date(year, month, number)
        if day.weekday() == 6:
            closed.add(day + datetime.timedelta(1))
        elif day.weekday() < 5:
            closed.add(day)
        elif month != 1:
            closed.add(day - datetime.timedelta(1))
    return frozenset(closed)


def _weekday(year: int, month: int, weekday: int, nth: int) -> datetime.date:
    """The nth Monday (0), Tuesday (1) ... of a month."""
    first = datetime.date(year, month, 1)
    return first + datetime.timedelta((weekday - first.weekday()) % 7 + 7 * (nth - 1))


def easter(year: int) -> datetime.date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    golden, century, rest = year % 19, year // 100, year % 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * late + 114, 31)
    return datetime.date(year, month, day + 1)
