"""Whether a question is another one with other values, and which. Pure.

Everything outside the slots has to be the same, word for word, and there may be one way only to read the rest into the
slots. What stands in a slot has to be of its kind and no more than that: in "weather in Oslo tomorrow" the last word
is no part of a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecoassist.similarity import FUNCTION_WORDS
from ecoassist.values.kinds import Day

from .figures import figure, like
from .mentions import MAX_TEXT, MAX_WORDS, TIMES, said_quoted
from .moments import whole
from .sameness import exact
from .template import Slot, Template
from .words import MAX_QUERY, PARTICLES, QUOTES, Word, cased, listed, plain, read, words

Value = str | int | float | Day
_Element = str | int
"""A word, or the number of a slot."""
_MARKS = re.compile(r"[^\w\s.,'’&/\-]")
_SPLIT = re.compile(r"[?!;:\n\t]|\w{4,}\.\s")
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,5}")
_BLANK = "0"
"""Stands for a value: what stands beside a number may change it."""
_CHANGES = listed(
    "except excluding excl without minus plus including incl only non never neither nor versus vs per unlike besides "
    "kelvin rankine kilometers kilometres km miles feet meters metres inches degrees percent average median total"
)
"""Words that are no name, whatever their capitals."""
_MANNERS = listed(
    "detail details general short brief words numbers figures order metric imperial dollars euros pounds json csv "
    "english french german spanish italian portuguese dutch norwegian swedish danish polish russian chinese japanese"
)
"""Words that are none in a question without capitals: they tell how it is to be answered."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question that may be another one with other values."""

    text: str
    words: tuple[Word, ...]
    telling: bool
    """Its capitals tell names from other words."""


_Reading = tuple[tuple[int, int], ...]
"""For each slot, as often as it is said, its first word and the one after its last."""


def values(template: Template, query: str) -> tuple[Value, ...] | None:
    """What `query` has in the slots, in their order. None: it is another question, or can be read in two ways."""
    raw, query = query, read(query)
    if len(query) > MAX_QUERY or not _storable(query) or _literal(raw) != _literal(query):
        return None
    found = words(query)
    asked, elements = _Asked(query, found, cased(query, found)), _elements(template)
    readings: dict[int, list[_Reading]] = {0: [()]}
    for element in elements:
        readings = _further(template, asked, element, readings)
    whole_ones = readings.get(len(found), [])
    if len(whole_ones) != 1 or not _alike(template, asked, whole_ones[0]):
        return None
    return _read(template, asked, elements, whole_ones[0])


def _literal(query: str) -> list[str]:
    """What stands between quotation marks: a program could be given no other spelling of it."""
    return [mention.said for mention in said_quoted(query)]


def _alike(template: Template, asked: _Asked, reading: _Reading) -> bool:
    """Whether the rest is the same to the mark, and not to the word alone."""
    places = [place for slot in template.slots for place in slot.places]
    spans = [(asked.words[at].start, asked.words[end - 1].end) for at, end in reading]
    program = template.source.text
    return exact(_blank(template.query, places), program) == exact(_blank(asked.text, spans), program)


def _blank(query: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        query = query[:start] + _BLANK + query[end:]
    return query


def _further(
    template: Template, asked: _Asked, element: _Element, readings: dict[int, list[_Reading]]
) -> dict[int, list[_Reading]]:
    """The readings of so many words, with one element more; of those that end alike, two are enough to tell doubt."""
    following: dict[int, list[_Reading]] = {}
    for at, so_far in readings.items():
        if isinstance(element, str):
            if at < len(asked.words) and asked.words[at].text == element:
                following[at + 1] = so_far
            continue
        for end in range(at + 1, min(len(asked.words), at + MAX_WORDS) + 1):
            if _value(template.slots[element], asked, at, end) is not None:
                following[end] = [*following.get(end, ()), *((*one, (at, end)) for one in so_far)][:2]
    return following


def _storable(query: str) -> bool:
    """Whether it has no half of a character, which no program could hold."""
    return not any("\ud800" <= character <= "\udfff" for character in query)


def _elements(template: Template) -> list[_Element]:
    """The words of the stored question, with the number of a slot for those in it."""
    inside = {place: number for number, slot in enumerate(template.slots) for place in slot.places}
    elements: list[_Element] = []
    for word in template.words:
        place = next((place for place in inside if place[0] <= word.start and word.end <= place[1]), None)
        if place is None:
            elements.append(word.text)
        elif word.start == min(one.start for one in template.words if place[0] <= one.start):
            elements.append(inside[place])
    return elements


def _read(template: Template, asked: _Asked, elements: list[_Element], reading: _Reading) -> tuple[Value, ...] | None:
    """The values in order; None where the question says two things in what is one."""
    told: dict[int, list[Value]] = {}
    numbers = [element for element in elements if isinstance(element, int)]
    for number, (at, end) in zip(numbers, reading, strict=True):
        value = _value(template.slots[number], asked, at, end)
        if value is not None:
            told.setdefault(number, []).append(value)
    if len(told) < len(template.slots) or any(_key(one) != _key(same[0]) for same in told.values() for one in same):
        return None
    return tuple(told[number][0] for number in range(len(template.slots)))


def _key(value: Value) -> object:
    return plain(value) if isinstance(value, str) else value


def _value(slot: Slot, asked: _Asked, at: int, end: int) -> Value | None:
    """What the words from `at` to `end` are in a slot. None: nothing that it takes."""
    span = asked.words[at:end]
    raw = asked.text[span[0].start : span[-1].end]
    if slot.day:
        return _day(slot, raw)
    if slot.figure:
        return _number(slot, raw) if len(span) == 1 else None
    if slot.quoted:
        return _quoted(asked, at, end)
    return _name(slot, raw, span, asked.telling)


def _day(slot: Slot, raw: str) -> Day | None:
    """A day told as fully; one that can be read in two ways only if it is written as the stored one is."""
    old = slot.day
    day = whole(raw)
    if day is None or old is None or (day.day is None) != (old.day is None):
        return None
    if day.swapped is None:
        return day
    if re.sub(r"\d+", "0", raw) != re.sub(r"\d+", "0", slot.said):
        return None
    first = re.match(r"\d+", slot.said)
    if first is None or old.month == old.day or int(first[0]) not in (old.month, old.day):
        return None
    return replace(day, swapped=None) if int(first[0]) == old.month else Day(*day.swapped)


def _number(slot: Slot, raw: str) -> int | float | None:
    new = figure(raw)
    if new is None or slot.figure is None or not like(new, slot.figure) or new.value <= 0:
        return None
    return None if slot.kind == "integer" and not isinstance(new.value, int) else new.value


def _quoted(asked: _Asked, at: int, end: int) -> str | None:
    """All that stands between two quotation marks of a kind."""
    first, last = asked.words[at].start, asked.words[end - 1].end
    before = asked.words[at - 1].end if at else 0
    after = asked.words[end].start if end < len(asked.words) else len(asked.text)
    for mark, match in QUOTES.items():
        start, stop = asked.text.find(mark, before, first), asked.text.find(match, last, after)
        if start < 0 or stop < 0:
            continue
        text = asked.text[start + 1 : stop]
        if mark not in text and match not in text and text.isprintable() and len(text) <= MAX_TEXT:
            return text
    return None


def _name(slot: Slot, raw: str, span: tuple[Word, ...], telling: bool) -> str | None:
    """Words that can only be a name: with capitals where the question has any, else a single one."""
    if len(raw) > MAX_TEXT or _MARKS.search(raw) or _SPLIT.search(raw) or raw.count(",") > slot.said.count(","):
        return None
    inner = plain(slot.said)
    for number, word in enumerate(span):
        if word.text in TIMES or (word.text in _CHANGES and word.text not in inner):
            return None
        if not telling and word.text in _MANNERS and word.text not in inner:
            return None
        if word.text in FUNCTION_WORDS and word.text not in PARTICLES and word.text not in inner:
            return None
        if word.text.isdigit() and not any(character.isdigit() for character in slot.said):
            return None
        begins = raw[word.start - span[0].start]
        joins = 0 < number < len(span) - 1 and (word.text in PARTICLES or word.text == "&")
        if telling and not (begins.isupper() or joins or (number and (begins.isdigit() or word.text in ("s", "t")))):
            return None
    if not telling and len(span) > 1 and len(span) != len(inner):
        return None
    if _CODE.fullmatch(slot.said):
        return raw.upper() if _CODE.fullmatch(raw if telling else raw.upper()) else None
    return raw
