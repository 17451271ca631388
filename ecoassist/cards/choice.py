"""Which APIs and operations a prompt tells of, within a number of tokens. Pure.

One shared word is enough to be shown: that costs a few tokens. To say that a question cannot be answered without an API
takes more: "the capital city of France" shares a word with a card that speaks of any city.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ecoassist.types import Api

from .lines import card, card_lines, head, line, names
from .ranking import Ranked, matter, rank
from .tokens import count_tokens
from .words import EVERYDAY, words

SHORT_CARDS = 350
"""Tokens: APIs that do not seem to belong to a question are shown as well up to this many in all."""
TAIL, MARKS, COUNT = 90, 12, 10
"""Tokens kept free: for the heading and how to look up what is not shown; for the data marks of a card; for how many of
an API's operations are shown."""
FAINT = 0.25
"""What scores less than this part of the best has little to do with the question."""
LEAST = 8
"""Tokens that no operation does with less."""
NAMES = 4
"""The part of the budget that names of other APIs may take: one in so many."""
Choice = tuple[tuple[Api, ...], tuple[Api, ...]]


def choose(query: str, apis: Sequence[Api], budget: int) -> Choice:
    """Those to be shown, with the operations that are, and those to be named; all of it within `budget` tokens.

    Where there is no room for a name, the API is in neither.
    """
    ranked = rank(query, apis)
    least = FAINT * ranked[0].score if ranked else 0
    near = list(dict.fromkeys(one.api for one in ranked if one.score and one.score >= least))
    far = [number for number in range(len(apis)) if number not in near]
    room = budget - TAIL
    wholes = [_whole(api, budget) for api in apis]
    if sum(wholes) <= room and sum(wholes[number] for number in far) <= SHORT_CARDS:
        return tuple(_counted(apis[number]) for number in (*near, *far)), ()
    named = [apis[number] for number in far]
    if near and sum(wholes[number] for number in near) + _named(named) <= room:
        return tuple(_counted(apis[number]) for number in near), tuple(named)
    return _filled(apis, ranked, room, min(_named(apis), budget // NAMES))


def hides(apis: Sequence[Api]) -> bool:
    """Whether there are so many that a prompt may leave some out."""
    left = SHORT_CARDS
    for api in apis:
        left -= _whole(api, left)
        if left < 0:
            return True
    return False


def demanded(query: str, apis: Sequence[Api]) -> tuple[Api, ...]:
    """Those without which `query` can hardly be answered: two words in common that are not everyday words.

    Of an API with operations, its purpose counts together with the best of them; of the purpose, one word has to be
    there: among 300 operations there is one for any two words.
    """
    asked = words(query) - EVERYDAY
    return tuple(api for api in apis if _needs(asked, api))


def _needs(asked: frozenset[str], api: Api) -> bool:
    if not api.operations:
        return len(asked & words(f"{api.name} {api.card}")) >= 2
    about = asked & words(f"{api.name} {api.card.strip().partition(chr(10))[0]}")
    return len(about) >= 2 or any(about and asked & matter(one).strong - about for one in api.operations)


def _filled(apis: Sequence[Api], ranked: Sequence[Ranked], room: int, reserved: int) -> Choice:
    """The best first, as long as there is room; then names. `reserved`: tokens of `room` that are for names."""
    shown: dict[int, Api] = {}
    left = room - reserved
    for one in ranked:
        if left < LEAST:
            break
        api, known = apis[one.api], shown.get(one.api)
        if one.operation is None:
            grown = _trimmed(api, left)
            price = _whole(grown)
        else:
            operation = api.operations[one.operation]
            grown = replace(known or api, operations=(*(known.operations if known else ()), operation))
            price = count_tokens(line(operation)) + 1 if known else _whole(grown)
        if price <= left:
            left -= price
            shown[one.api] = _counted(grown, len(api.operations))
    rest = [
        number for number in dict.fromkeys([*(one.api for one in ranked), *range(len(apis))]) if number not in shown
    ]
    return tuple(shown.values()), _nameable([apis[number] for number in rest], left + reserved)


def _trimmed(api: Api, room: int) -> Api:
    """With no more of its card than `room` tokens: the first lines."""
    kept = card(api)
    while kept and _whole(replace(api, card=kept)) > room:
        kept = kept.rpartition("\n")[0]
    return replace(api, card=kept)


def _whole(api: Api, enough: int | None = None) -> int:
    """Tokens of its head and its card, counted until there are more than `enough`."""
    counted = count_tokens(head(api)) + 1 + (COUNT if api.operations else 0)
    for number, said in enumerate(card_lines(api)):
        counted += count_tokens(said) + 1 + (0 if number else MARKS)
        if enough is not None and counted > enough:
            break
    return counted


def _counted(api: Api, known: int = 0) -> Api:
    return replace(api, known=max(api.known, known, len(api.operations)))


def _named(apis: Sequence[Api]) -> int:
    return sum(map(_name, apis))


def _name(api: Api) -> int:
    return count_tokens(names([api])[0]) + 1


def _nameable(apis: Iterable[Api], room: int) -> tuple[Api, ...]:
    """The first of them whose names have room."""
    kept = []
    for api in apis:
        room -= _name(api)
        if room < 0:
            break
        kept.append(api)
    return tuple(kept)
