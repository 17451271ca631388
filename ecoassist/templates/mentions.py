"""What a question names that another question might name otherwise: days, quoted texts, names, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ecoassist.similarity import FUNCTION_WORDS
from ecoassist.values.dates import days
from ecoassist.values.kinds import Day

from .figures import Figure, figure
from .moments import MONTHS, WEEKDAYS
from .words import PARTICLES, Word, cased, folded, listed

MAX_WORDS = 8
"""Of one name."""
MAX_TEXT = 200
"""Characters of one."""
_PREPOSITIONS = listed("in at near for of from to about on between around into versus vs per like")
TIMES = listed(
    "now today tonight tomorrow yesterday current currently latest recent recently soon ago next last this past coming "
    "upcoming following previous week weeks weekend weekends weekday month months year years day days hour hours "
    "minute minutes morning noon midday afternoon evening night midnight spring summer autumn fall winter season am pm "
    "easter christmas thanksgiving halloween hourly daily weekly monthly yearly annual forecast celsius fahrenheit"
) | {name.lower() for name in (*MONTHS, *WEEKDAYS)}
"""Words that are no part of a name in a question, since they change what is asked."""
_QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"\n]{1,200})\"|“([^”\n]{1,200})”|«([^»\n]{1,200})»|'([^'\n]{1,200})'(?!\w)|`([^`\n]{1,200})`)"
)
_CLOCK = re.compile(r"\s*(?:[ap]\.?m\b|o'?clock|h\b)", re.IGNORECASE)
_JOINTS = ("-", "_", "/", ".", "@", ":")
_PART = re.compile(r"\.[^\W\d]|[_/@:]\w")
"""What makes a number a part of something else, before and after it."""
_BREAK = re.compile(r"[^\s\-.'’&/]")


@dataclass(frozen=True, slots=True)
class Mention:
    kind: str
    """day, quoted, name or number."""
    start: int
    end: int
    said: str
    strict: bool = False
    """Of a name: it counts only where the program has it as a literal of its own that begins with a capital."""
    day: Day | None = None
    figure: Figure | None = None


def said_days(query: str) -> list[Mention]:
    """Days, and months of a year. One of which nothing is left open."""
    found = [(start, end, day) for start, end, day in days(query, None) if day.year is not None]
    return [Mention("day", start, end, query[start:end], day=day) for start, end, day in sorted(found, key=_place)]


def _place(found: tuple[int, int, Day]) -> tuple[int, int]:
    return found[:2]


def said_quoted(query: str) -> list[Mention]:
    spans = [found.span(found.lastindex or 0) for found in _QUOTED.finditer(query)]
    return [Mention("quoted", *span, query[slice(*span)]) for span in spans if query[slice(*span)].strip()]


def said_numbers(query: str, words: tuple[Word, ...]) -> list[Mention]:
    """Those without a sign; times of day and parts of a file's name are none."""
    found = []
    for before, word in zip((None, *words), words, strict=False):
        read = figure(query[word.start : word.end])
        part = query[word.start - 1 : word.start] in _JOINTS or _PART.match(query, word.end)
        if read and not part and not (before and before.text == "-") and not _CLOCK.match(query, word.end):
            found.append(Mention("number", word.start, word.end, query[word.start : word.end], figure=read))
    return found


def names(query: str, words: tuple[Word, ...]) -> Iterator[list[Mention]]:
    """For each word that may begin a name the names that it may begin, longest first."""
    telling = cased(query, words)
    for at, first in enumerate(words):
        if not first.text[0].isalpha() or _common(first.text) or figure(first.text):
            continue
        starts = _starts(query, first)
        capital = telling and query[first.start].isupper()
        if not capital and not (at and words[at - 1].text in _PREPOSITIONS):
            continue
        if capital and at and _joined(query, words[at - 1], first) and not _starts(query, words[at - 1]):
            continue
        ends = range(min(len(words), at + MAX_WORDS), at, -1)
        spans = [
            words[at:end]
            for end in ends
            if _one_name(query, words[at:end], capital)
            and not (capital and end < len(words) and _joined(query, words[end - 1], words[end]))
        ]
        yield [
            Mention("name", span[0].start, span[-1].end, query[span[0].start : span[-1].end], not capital or starts)
            for span in spans
        ]


def _starts(query: str, word: Word) -> bool:
    """Whether it begins a sentence, so that its capital says nothing."""
    before = query[: word.start].rstrip(" \"'“‘(")
    return not before or before[-1] in ".?!:\n"


def _joined(query: str, one: Word, other: Word) -> bool:
    """Whether two words with capitals belong together, so that neither is a name by itself."""
    gap = query[one.end : other.start]
    capitals = query[one.start].isupper() and _capital(query, other)
    return capitals and len(gap) <= 2 and not _BREAK.search(gap)


def _common(word: str) -> bool:
    return word in FUNCTION_WORDS or word in TIMES


def _one_name(query: str, span: tuple[Word, ...], capital: bool) -> bool:
    """Whether words in a row may be one name; in lower case, of three words at most."""
    if not capital and len(span) > 3:
        return False
    if _common(span[-1].text) or (capital and not _capital(query, span[-1])):
        return False
    for one, other in pairwise(span):
        gap = query[one.end : other.start]
        if len(gap) > 3 or (_BREAK.search(gap) and gap != ", ") or _common(other.text):
            return False
        if capital and not (_capital(query, other) or other.text in PARTICLES or other.text in ("&", "s", "t")):
            return False
    return True


def _capital(query: str, word: Word) -> bool:
    return query[word.start].isupper() or query[word.start].isdigit()


def known(query: str, words: tuple[Word, ...]) -> frozenset[str]:
    """The words of a question, folded."""
    return frozenset(folded(word.text) for word in words) | frozenset(re.findall(r"[^\W_]+", folded(query)))
