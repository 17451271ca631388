"""Days as programs write them: which form a piece of text has, and another day in that form. Pure.

Forms are those of strftime, with "%-d" and "%-m" for figures without a leading zero and "%o" for "st" to "th". The
names of months and weekdays are the English ones, whatever the machine's language.
"""

from __future__ import annotations

import datetime
import re

from ecoassist.values.dates import days
from ecoassist.values.kinds import Day

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PIECES = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]+")
_CONNECTED = ("of", "the", "T")


def whole(text: str, month_first: bool | None = None) -> Day | None:
    """All of `text` as a day, or as a month of a year. None: it is neither."""
    for start, end, day in days(text, month_first):
        if not text[:start].strip() and not text[end:].strip(" .,") and day.year is not None:
            return day
    return None


def form_of(text: str, day: Day) -> str | None:
    """How `text` writes `day`. None: in a way that is not known, or in one of two that cannot be told apart."""
    pieces = _PIECES.findall(text)
    spelled = any(piece in MONTHS or piece in [name[:3] for name in MONTHS] for piece in pieces)
    small = [piece for piece in pieces if piece.isdigit() and len(piece) <= 2]
    order = _order(small, day, spelled, bool(pieces) and len(pieces[0]) == 4)
    if order is None:
        return None
    padded = any(piece[0] == "0" for piece in small) or not (spelled or any(len(piece) == 1 for piece in small))
    form = ""
    for piece in pieces:
        if piece.isdigit() and len(piece) <= 2:
            form += f"%{'' if padded else '-'}{order.pop(0)}"
        elif (named := _directive(piece, day)) is not None:
            form += named
        else:
            return None
    return form if rendered(form, day) == text else None


def _order(small: list[str], day: Day, spelled: bool, year_first: bool) -> list[str] | None:
    """What each of the figures of one or two digits is: "m", "d"."""
    if len(small) > 2 or (spelled and len(small) > 1):
        return None
    if len(small) < 2:
        return [] if not small else ["d"] if spelled else ["m"] if day.day is None else None
    if year_first:
        return ["m", "d"]
    first, second = (int(piece) for piece in small)
    if first == second:
        return None
    return ["m", "d"] if (first, second) == (day.month, day.day) else ["d", "m"]


def _directive(piece: str, day: Day) -> str | None:
    month = MONTHS[day.month - 1]
    exact = _date(day)
    weekday = WEEKDAYS[exact.weekday()] if exact else ""
    known = {month: "%B", month[:3]: "%b", weekday: "%A", weekday[:3]: "%a", str(day.year): "%Y"}
    if month == "May":
        known["May"] = "%B"
    if exact:
        known |= {exact.strftime("%Y%m%d"): "%Y%m%d", _suffix(exact.day): "%o"}
    if piece in known and piece:
        return known[piece]
    return piece if piece in _CONNECTED or not piece[0].isalnum() else None


def rendered(form: str, day: Day) -> str | None:
    """`day` in `form`. None: the form tells more than is known of it."""
    exact = _date(day)
    if exact is None and re.search("%-?[daAo]", form):
        return None
    told = exact or datetime.date(day.year or 1, day.month, 1)
    said = {
        "%Y": f"{told.year:04}",
        "%m": f"{told.month:02}",
        "%-m": str(told.month),
        "%d": f"{told.day:02}",
        "%-d": str(told.day),
        "%B": MONTHS[told.month - 1],
        "%b": MONTHS[told.month - 1][:3],
        "%A": WEEKDAYS[told.weekday()],
        "%a": WEEKDAYS[told.weekday()][:3],
        "%o": _suffix(told.day),
    }
    return re.sub("%-?[A-Za-z]", lambda found: said[found[0]], form)


def _date(day: Day) -> datetime.date | None:
    if day.year is None or day.day is None:
        return None
    try:
        return datetime.date(day.year, day.month, day.day)
    except ValueError:
        return None


def _suffix(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
