"""Numbers and names of an answer that appear in nothing that was seen. Pure.

That is a remark for whoever judges and never a no by itself: answers add up, count and know things. A number counts as
seen if it is what a number in the outputs, in the conversation or in the date becomes by rounding to as many digits as
the answer prints, by separators of thousands, as a percentage, or in thousands, millions or billions.
"""

from __future__ import annotations

import bisect
import calendar
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecoassist.types import Answer, Attempt, Task

MOST = 5
"""Things that are told."""
LONGEST = 400_000
"""Characters of each output that are looked at, from both ends."""
LONGEST_ANSWER = 20_000
"""Characters of an answer whose numbers and names are looked for."""
FACTORS = (1.0, 100.0, 1e-3, 1e-6, 1e-9)
"""What a number seen may be multiplied by: a share is told as a percentage, 1,234,567 as 1.2 million."""

_GROUPED = r"\d{1,3}(?:[,\u202f\u00a0'\u2019 ]\d{3})+(?!\d)"
_NUMBER = re.compile(rf"(?<![\w.])[-+\u2212]?({_GROUPED}|\d+)([.,]\d+)?(?:e([-+]?\d{{1,3}}))?", re.I)
_WORD = re.compile(r"[^\W\d_][\w\u2019'-]*")
_CAPITAL = r"[A-Z\u00c0-\u00de][^\W\d_]"
_NAMED = re.compile(rf"(?<=[\w,;:)\"\u201d\u2019'] )({_CAPITAL}{{3,}}(?: {_CAPITAL}{{2,}})*)")
"""Words with a capital that do not begin a sentence."""
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|ein|eine)\b")
"""There every noun has a capital."""
_CALENDAR = frozenset(
    name.casefold() for names in (calendar.month_name, calendar.day_name, calendar.month_abbr) for name in names
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands in texts, to be looked up quickly."""

    numbers: Sequence[float]
    """In order."""
    words: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Seen:
        numbers: set[float] = set()
        words: set[str] = set()
        for text in texts:
            for one in _NUMBER.finditer(text):
                numbers |= {abs(value) for value, _ in _readings(one)}
            words |= {_folded(word) for word in _WORD.findall(text)}
        return cls(sorted(numbers), frozenset(words))

    def has(self, value: float, digits: int) -> bool:
        """Whether a number seen becomes `value` when it is rounded to `digits` after the point."""
        reach = 0.5 * 10.0**-digits * (1 + 1e-9) + abs(value) * 1e-12
        for factor in FACTORS:
            low, high = sorted(((abs(value) - reach) / factor, (abs(value) + reach) / factor))
            at = bisect.bisect_left(self.numbers, low)
            if at < len(self.numbers) and self.numbers[at] <= high:
                return True
        return False


def untraced(task: Task, attempt: Attempt) -> tuple[str, ...]:
    """The first of those numbers and names, as the answer has them; none where no code ran.

    Takes time that grows linearly with outputs of any size, of which the middle is left out beyond LONGEST.
    """
    if attempt.answer is None or not attempt.results:
        return ()
    outputs = [text for result in attempt.results for text in (result.text, result.value)]
    seen = Seen.of(map(_ends, [*outputs, *_talk(task)]))
    missing = (one[0] for one in _numbers(_said(attempt.answer)) if not _has(seen, one))
    return _first([*missing, *_names(attempt.answer.text[:LONGEST_ANSWER], seen)])


def written(task: Task, attempt: Attempt) -> tuple[str, ...]:
    """The first numbers of the answer that the code states itself, though nobody had named them before.

    Printing what one believes makes an output, and no evidence.
    """
    if attempt.answer is None or not attempt.results:
        return ()
    stated, talk = Seen.of(_ends(turn.code or "") for turn in attempt.turns), Seen.of(map(_ends, _talk(task)))
    return _first(one[0] for one in _numbers(_said(attempt.answer)) if _has(stated, one) and not _has(talk, one))


def _talk(task: Task) -> list[str]:
    """What was said before anything ran."""
    return [task.query, task.now, *(text for one in task.history for text in (one.query, one.answer))]


def _said(answer: Answer) -> str:
    value = json.dumps(answer.value, ensure_ascii=False)[:2_000] if answer.value is not None else ""
    return f"{answer.text[:LONGEST_ANSWER]}\n{value}"


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip()[:60] for one in found))[:MOST]


def _numbers(answer: str) -> Iterable[re.Match[str]]:
    """Those of an answer, without small whole ones: "the 3 nearest" was counted, not found."""
    for one in _NUMBER.finditer(answer):
        if not all(value < 10 and not digits for value, digits in _readings(one)):
            yield one


def _has(seen: Seen, number: re.Match[str]) -> bool:
    return any(seen.has(value, digits) for value, digits in _readings(number))


def _names(answer: str, seen: Seen) -> Iterable[str]:
    if _GERMAN.search(answer):
        return
    for one in _NAMED.finditer(answer):
        words = [_folded(word) for word in one[1].split()]
        if not any(word in seen.words or word in _CALENDAR for word in words):
            yield one[1]


def _readings(number: re.Match[str]) -> list[tuple[float, int]]:
    """What a number may mean, with its digits after the point: "1,234" is a thousand or, elsewhere, one and a bit."""
    whole, rest, exponent = number[1], number[2] or "", number[3]
    grouped = re.sub(r"[^\d]", "", whole)
    if exponent:
        return [(float(f"{grouped}{rest.replace(',', '.')}e{exponent}"), max(0, len(rest) - 1 - int(exponent)))]
    readings = [(float(f"{grouped[:300]}{rest.replace(',', '.')}"), max(0, len(rest) - 1))]
    if grouped != whole and not rest and whole.count(",") == 1:
        readings.append((float(whole.replace(",", ".")), 3))
    return readings


def _folded(word: str) -> str:
    """Small letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


def _ends(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
