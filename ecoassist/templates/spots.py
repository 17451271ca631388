"""Where a program writes what its question names, and how. Pure.

Each of the three answers with every such place, or with nothing where one of them could not be written for another
value: a program is never half changed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ecoassist.similarity import FUNCTION_WORDS
from ecoassist.values.kinds import Day

from .figures import Figure
from .flow import called
from .moments import form_of
from .source import Site, Source
from .spelling import pattern, spelling
from .words import folded, listed

CALL = "call"
"""The form of a day that is three numbers of a call."""
_SETTINGS = listed(
    "timeout indent decimals ndigits width retries attempts delay pause precision round sleep zfill rjust ljust "
    "status_code max_retries chunk_size"
)
"""Keywords, functions and attributes whose numbers are the program's own business."""
_FACTORS = (7, 12, 24, 30, 52, 60, 365, 1000, 1024, 1440, 3600, 86_400)
"""Days of a week, months of a year, metres of a kilometre and the like."""
_LARGE = 10
"""From here on its root and half are told from the numbers that any program has."""
_HOST = re.compile(r"^[a-z]+://[^/?#]*$", re.IGNORECASE)
_TOLD = re.compile(r"\d{3,}|\d+\.\d+")
_CODE_LIKE = re.compile(r"[\W_]*(?:select|insert|update|delete|create|import|def|function|curl)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    site: Site | None
    start: int = 0
    end: int = 0
    form: str = ""
    """Of a text its spelling, of a day its form; see there."""
    url: bool = False
    call: ast.Call | None = None
    outer: ast.expr | None = None
    """What is written anew when a call changes."""

    @property
    def holder(self) -> ast.expr | None:
        return self.site.holder if self.site else self.outer

    @property
    def works(self) -> bool:
        return self.site is None or self.site.works

    @property
    def whole(self) -> bool:
        """It is a literal of its own."""
        site = self.site
        return site is None or (site.whole and self.start == 0 and self.end == len(site.text))

    def covers(self, site: Site, start: int, end: int) -> bool:
        return self.site is site and self.start < end and start < self.end


def _free(site: Site, start: int, end: int, taken: Sequence[Spot]) -> bool:
    return not any(spot.covers(site, start, end) for spot in taken)


# ── names and other texts ───────────────────────────────────────────────────────────────────────────────────────────


def of_text(source: Source, said: str, known: frozenset[str], taken: Sequence[Spot]) -> tuple[Spot, ...]:
    """`known`: words of the question, folded: what else stands beside the name has to be among them."""
    find = pattern(said)
    if find is None or find.search(folded(source.fixed)):
        return ()
    found: list[Spot] = []
    for site, text in source.folded:
        for match in find.finditer(text):
            start, end = match.span()
            if not _free(site, start, end, taken):
                continue
            spot = _text(site, start, end, said)
            if spot is None or site.maps or _more(site, start, end, known):
                return ()
            found.append(spot)
    return tuple(found)


def _text(site: Site, start: int, end: int, said: str) -> Spot | None:
    if _HOST.fullmatch(site.before + site.text[:start]):
        return None
    url = site.parameter(start) is not None or site.address(start)
    how = spelling(said, site.text[start:end])
    if how is None or (site.works and not url and _CODE_LIKE.match(site.before + site.text)):
        return None
    return Spot(site, start, end, how, url)


def _more(site: Site, start: int, end: int, known: frozenset[str]) -> bool:
    """Whether more stands with this name than the question tells: "Chicago, Illinois", "Paris has 2.1 million"."""
    before, after = site.text[:start], site.text[end:]
    if _beside(before, after, known):
        return True
    if site.address(start) or site.parameter(start):
        return False
    if not site.works:
        return any(number not in known for number in _TOLD.findall(f"{before} {after}"))
    opening = re.match(r"\W*[^\W\d_]+", before)
    rest = before[opening.end() :] if opening and len(before) - opening.end() > 1 else before
    others = re.findall(r"(?<!\w)(?:[^\W\d_]\w*|\d{3,})", f"{rest} \0 {after}")
    return any((word[0].isupper() or word[0].isdigit()) and folded(word) not in known for word in others)


def _beside(before: str, after: str, known: frozenset[str]) -> bool:
    """Whether the name goes on: a word after a comma that the question does not tell, or another with a capital."""
    if (more := re.match(r"(?:,|%2C)(?:%20|[\s+])?(\w+)", after)) and folded(more[1]) not in known:
        return True
    one, other = re.search(r"(?:^|\W)(\w+)[ _-]$", before), re.match(r"[ _-](\w+)", after)
    first = one is not None and not before[: one.start(1)].strip()
    return any(
        found is not None and found[1][0].isupper() and folded(found[1]) not in FUNCTION_WORDS
        for found in (None if first else one, other)
    )


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_number(source: Source, said: Figure, others: frozenset[float], taken: Sequence[Spot]) -> tuple[Spot, ...]:
    """`others`: numbers of the question. One beside it that is not among them may have been counted from it."""
    found: list[Spot] = []
    near = frozenset(_reckoned(said)) - others
    for site in source.sites:
        if _own_business(source, site) or site.node in source.reckoned:
            continue
        value = site.node.value
        if isinstance(value, int | float):
            if value in near:
                return ()
            if value == said.value:
                found.append(Spot(site))
            continue
        spots = _numbers(site, said, taken)
        if spots is None or (not site.field and any(_mentions(site, number, taken) for number in near)):
            return ()
        found += spots
    return tuple(found) if said.value > 1 else ()


def _reckoned(said: Figure) -> Iterator[float]:
    """What a program may have worked out from a number: the ones beside it, root, half, share, in other units."""
    number = said.value
    yield from (number - 1, number + 1)
    if not said.year and not said.ordinal and isinstance(number, int) and number >= _LARGE:
        root = math.isqrt(number)
        yield from (root, root + 1, number // 2, number // 2 + 1, number * 2, number * number)
    if not said.year:
        yield from (number / 100, *(number * factor for factor in _FACTORS))


def _own_business(source: Source, site: Site) -> bool:
    if site.key in _SETTINGS:
        return True
    parent = source.flow.parents.get(site.node)
    if isinstance(parent, ast.Call):
        return called(parent) in _SETTINGS
    if isinstance(parent, ast.Compare):
        return any(
            isinstance(side, ast.Attribute) and side.attr in _SETTINGS for side in (parent.left, *parent.comparators)
        )
    return False


def _find(site: Site, number: float, taken: Sequence[Spot]) -> list[tuple[int, int]]:
    digits = re.escape(f"{number:g}" if number < 1e6 else str(number))
    found = re.finditer(rf"(?<![\w.])(?<!\d,){digits}(?!\w|[.,:]\d)", site.text)
    return [match.span() for match in found if _free(site, *match.span(), taken)]


def _mentions(site: Site, number: float, taken: Sequence[Spot]) -> bool:
    """Whether a working text gives a number as a value."""
    spans = _find(site, number, taken) if site.works and number > 1 else []
    return any((start, end) == (0, len(site.text)) or site.parameter(start) or number > 1000 for start, end in spans)


def _numbers(site: Site, said: Figure, taken: Sequence[Spot]) -> list[Spot] | None:
    """None: it stands where nobody can tell what it is for."""
    found: list[Spot] = []
    for start, end in _find(site, said.value, taken):
        parameter = site.parameter(start)
        spot = Spot(site, start, end, url=parameter is not None)
        year = said.year and not site.address(start)
        if not site.works or (parameter and not parameter[1]) or (spot.whole and not site.field) or year:
            found.append(spot)
        elif not site.field:
            return None
    return found


# ── days ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_day(source: Source, said: Day) -> tuple[Spot, ...]:
    found: list[Spot] = []
    for written in source.days:
        if written.day.parts != said.parts and written.day.swapped != said.parts:
            continue
        if written.call:
            found.append(Spot(None, form=CALL, call=written.call, outer=written.holder))
        elif site := written.site:
            form = form_of(site.text[written.start : written.end], said)
            if form is None:
                return ()
            found.append(Spot(site, written.start, written.end, form, site.parameter(written.start) is not None))
    return tuple(found)
