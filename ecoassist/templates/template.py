"""A question and its program with slots: what of the question may differ, and where the program writes it. Pure."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field, replace

from ecoassist.entries import ParameterKind
from ecoassist.values.kinds import Day

from . import derived, mentions
from .figures import Figure
from .mentions import Mention
from .source import Source, source
from .spots import CALL, Spot, of_day, of_number, of_text
from .words import MAX_QUERY, Word, listed, plain, read, words

MAX_SLOTS, MAX_PLACES = 8, 4
"""Of a question, and of one slot in it."""


@dataclass(frozen=True, slots=True)
class Slot:
    kind: ParameterKind
    said: str
    places: tuple[tuple[int, int], ...]
    """In the question; more than one where it says the same thing twice."""
    spots: tuple[Spot, ...]
    """In the program."""
    day: Day | None = None
    figure: Figure | None = None
    quoted: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    query: str
    words: tuple[Word, ...]
    source: Source
    slots: tuple[Slot, ...]
    """In the order of the question."""


@dataclass(slots=True)
class _Draft:
    """A template in the making."""

    query: str
    words: tuple[Word, ...]
    source: Source
    slots: list[Slot] = field(default_factory=list)
    taken: list[Spot] = field(default_factory=list)
    """Of the program, what belongs to a mention already, be it a slot or not."""
    passed: list[tuple[int, int]] = field(default_factory=list)
    """Of the question, the same."""

    def free(self, mention: Mention) -> bool:
        return not any(start < mention.end and mention.start < end for start, end in self.passed)

    def add(self, slot: Slot) -> None:
        self.slots.append(slot)
        self.taken += slot.spots
        self.passed += slot.places


def template(query: str, program: str) -> Template | None:
    """None: the program cannot be taken apart, or the question is too long."""
    query = read(query)
    if len(query) > MAX_QUERY or (parsed := source(program)) is None:
        return None
    draft = _Draft(query, words(query), parsed)
    _days(draft)
    _texts(draft)
    _numbers(draft)
    slots = sorted((slot for slot in draft.slots if len(slot.places) <= MAX_PLACES), key=lambda slot: slot.places)
    return Template(query, draft.words, parsed, _named(draft.source, slots[:MAX_SLOTS]))


def _days(draft: _Draft) -> None:
    """A day that the program names and the question does not closes all: it may have been reckoned from those."""
    said = mentions.said_days(draft.query)
    named = [day for one in said if (day := one.day)]
    spots = {one: of_day(draft.source, _meant(draft.source, day)) for one in said if (day := one.day)}
    told = {day.parts for day in named} | {day.swapped for day in named}
    strange = any(not {written.day.parts, written.day.swapped} & told - {None} for written in draft.source.days)
    for mention in said:
        found = spots[mention]
        day = _meant(draft.source, mention.day) if mention.day else None
        if day and not day.swapped and not strange and _works(found) and draft.free(mention):
            same = [one for one in said if one.day and mention.day and one.day.parts == mention.day.parts]
            draft.add(Slot("date", mention.said, tuple((one.start, one.end) for one in same), found, day))
        draft.passed.append((mention.start, mention.end))
    draft.taken += [Spot(written.site, written.start, written.end) for written in draft.source.days if written.site]


def _meant(parsed: Source, day: Day) -> Day:
    """Of a day that can be read in two ways the one that the program writes."""
    if day.swapped is None:
        return day
    other = Day(*day.swapped)
    ways = [one for one in (replace(day, swapped=None), other) if any(w.day.parts == one.parts for w in parsed.days)]
    return ways[0] if len(ways) == 1 else day


def _texts(draft: _Draft) -> None:
    known = mentions.known(draft.query, draft.words)
    if derived.knows_more(draft.source, known):
        return
    for mention in mentions.said_quoted(draft.query):
        found = of_text(draft.source, mention.said, known, draft.taken) if draft.free(mention) else ()
        if _works(found):
            draft.add(Slot("text", mention.said, _same(draft, mention), found, quoted=True))
        draft.passed.append((mention.start, mention.end))
    for longest_first in mentions.names(draft.query, draft.words):
        for mention in filter(draft.free, longest_first):
            found = of_text(draft.source, mention.said, known, draft.taken)
            if _works(found) and (not mention.strict or any(map(_capital, found))):
                draft.add(Slot("text", mention.said, _same(draft, mention), found))
                break


def _capital(spot: Spot) -> bool:
    """A literal of its own, or the value in a URL, that begins with a capital."""
    site = spot.site
    whole = spot.whole or (site and (parameter := site.parameter(spot.start)) and not parameter[1])
    return bool(site and site.works and whole and site.text[spot.start].isupper())


def _same(draft: _Draft, mention: Mention) -> tuple[tuple[int, int], ...]:
    """All places of the question that say the same words."""
    said = plain(mention.said)
    runs = [draft.words[at : at + len(said)] for at in range(len(draft.words) - len(said) + 1)]
    return tuple((run[0].start, run[-1].end) for run in runs if tuple(word.text for word in run) == said)


def _numbers(draft: _Draft) -> None:
    said = mentions.said_numbers(draft.query, draft.words)
    values = frozenset(float(one.figure.value) for one in said if one.figure)
    for mention in said:
        if not draft.free(mention) or mention.figure is None:
            continue
        found = of_number(draft.source, mention.figure, values, draft.taken)
        same = [one for one in said if one.figure and one.figure.value == mention.figure.value and draft.free(one)]
        places = tuple((one.start, one.end) for one in same)
        alike = len({one.figure for one in same}) == 1
        if alike and _works(found):
            draft.add(Slot(_number_kind(found), mention.said, places, found, figure=mention.figure))
        draft.passed += places


def _number_kind(spots: tuple[Spot, ...]) -> ParameterKind:
    fractional = all(spot.site and isinstance(spot.site.node.value, float) for spot in spots if spot.works)
    return "number" if fractional else "integer"


def _works(spots: tuple[Spot, ...]) -> bool:
    """What the program only prints is not what it works with: its answer would be another name on the same value."""
    return any(spot.works for spot in spots)


# ── names of slots ──────────────────────────────────────────────────────────────────────────────────────────────────


def _named(parsed: Source, slots: list[Slot]) -> tuple[Slot, ...]:
    """As the program calls them, each another."""
    taken: set[str] = set()
    named = []
    for slot in slots:
        base = next((name for spot in slot.spots if (name := _name(parsed, spot))), _DEFAULTS[slot.kind])
        name = next(name for name in (base, *(f"{base}_{number}" for number in range(2, 99))) if name not in taken)
        taken.add(name)
        named.append(replace(slot, name=name))
    return tuple(named)


_DEFAULTS = {"text": "name", "integer": "number", "number": "number", "date": "date"}
_VAGUE = listed("query text url key value result input_value params data string the_name endpoint address_url")


def _name(parsed: Source, spot: Spot) -> str:
    if spot.form == CALL or spot.site is None:
        return ""
    parameter = spot.site.parameter(spot.start)
    key = parameter[0] if parameter else spot.site.key if spot.whole or not spot.site.text else ""
    name = re.sub(r"\W+|_+", "_", key).strip("_").lower()[:30]
    vague = len(name) < 3 or name in _VAGUE or keyword.iskeyword(name) or not name.isidentifier()
    return "" if vague else name
