"""How much an operation of an API has to do with a question. Pure.

The words they share count: rare ones more than common ones, those of the path and the summary more than those of
parameters and fields, and those of an API's card for each of its operations. What a good match requires is looked for
in others: a forecast that needs latitude and longitude brings in what finds them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ecoassist.types import Api, Operation

from .lines import kind_of
from .words import EVERYDAY, kin, words

WEAK, CARD, EVERYDAY_WORTH, KIN = 0.5, 0.8, 0.25, 0.5
"""What a word counts among parameters and fields, in the card, as an everyday word, and as kin of a word asked with."""
HELPED, HELP, HELPERS = 3, 0.6, 2
"""The first so many operations are helped; what a helper scores, as a part of that one's score; how many help one."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An operation, or the whole card of an API without any."""

    api: int
    operation: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Matter:
    """The words of an operation."""

    strong: frozenset[str]
    weak: frozenset[str]
    required: frozenset[str]


def rank(query: str, apis: Sequence[Api]) -> tuple[Ranked, ...]:
    """Whatever there is, best first; at the end what shares no word with `query`, some of every API at first."""
    asked = words(query)
    alike = kin(asked)
    about = [words(f"{api.name} {api.card}") for api in apis]
    rare_about = _rarity(about)
    rare = _rarity([m.strong | m.weak for api in apis for m in map(matter, api.operations)])

    def worth(text: frozenset[str], rarity: Mapping[str, float]) -> float:
        return _worth(asked & text, rarity) + KIN * _worth(alike & text, rarity)

    found = []
    for number, api in enumerate(apis):
        base = CARD * worth(about[number], rare_about)
        if not api.operations:
            found.append(Ranked(number, None, base / CARD))
        for place, operation in enumerate(api.operations):
            one = matter(operation)
            found.append(
                Ranked(number, place, base + worth(one.strong, rare) + WEAK * worth(one.weak - one.strong, rare))
            )
    return tuple(_helped(sorted(found, key=_best_first), apis, about))


def _best_first(one: Ranked) -> tuple[float, int, int]:
    return -one.score, one.operation or 0, one.api


@lru_cache(maxsize=16_384)
def matter(operation: Operation) -> Matter:
    path = operation.path.replace("://", " ")  # of an operation at another host
    weak = words(" ".join((*operation.parameters, *operation.fields)))
    needed = [re.split(r"[(*]", kind_of(one)[1])[0] for one in operation.parameters if "*" in one]
    required = words(" ".join((*needed, *re.findall(r"\{(\w+)\}", operation.path))))
    return Matter(words(f"{path} {operation.summary}"), weak, required)


def _rarity(texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """For each word how much it says: less, the more texts have it."""
    often = Counter(word for text in texts for word in text)
    return {word: math.log1p(len(texts) / number) for word, number in often.items()}


def _worth(shared: frozenset[str], rare: Mapping[str, float]) -> float:
    return sum(rare[word] * (EVERYDAY_WORTH if word in EVERYDAY else 1) for word in shared)


def _helped(found: list[Ranked], apis: Sequence[Api], about: Sequence[frozenset[str]]) -> list[Ranked]:
    """With the scores raised of what gives the first ones what they require."""
    raised: dict[tuple[int, int | None], float] = {}
    for one in found[:HELPED]:
        needed = _matter(one, apis).required - EVERYDAY
        helpers = [
            other
            for other in found
            if needed and not needed & _matter(other, apis).required and needed <= _offer(other, apis, about)
        ]
        for helper in helpers[:HELPERS]:
            raised.setdefault((helper.api, helper.operation), HELP * one.score)
    scored = [
        Ranked(one.api, one.operation, max(one.score, raised.get((one.api, one.operation), 0.0))) for one in found
    ]
    return sorted(scored, key=_best_first)


def _matter(one: Ranked, apis: Sequence[Api]) -> Matter:
    none: frozenset[str] = frozenset()
    return matter(apis[one.api].operations[one.operation]) if one.operation is not None else Matter(none, none, none)


def _offer(one: Ranked, apis: Sequence[Api], about: Sequence[frozenset[str]]) -> frozenset[str]:
    """What it seems to give: fields alone are not enough, half of all responses hold an id or coordinates."""
    return _matter(one, apis).strong | about[one.api]
