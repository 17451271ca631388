"""Which of the enabled APIs belong to a question: those whose card shares content words with it. Pure.

One word is enough for a card to be shown: that costs a few tokens. To say that a question cannot be answered without
the API takes more: "the capital city of France" shares a word with a card that speaks of any city.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .types import Api

STOP_WORDS = """
a about an and any api are as at base be by can could do does endpoint field fields find for from get give has have how
i if in into is it its json key list many me much my name of on one or out parameter parameters please query request
response returns show tell than that the their them there these this to url use value was we what when where which who
why will with would you your
"""
STOP = frozenset(STOP_WORDS.split())

EVERYDAY_WORDS = """
condition data date dates day days file first high hour hours last latest line list low next now number numbers open
result results series text time times today tomorrow week world year years
"""
"""Words of many cards that say nothing about what a question needs."""


def belonging(query: str, apis: Sequence[Api]) -> tuple[Api, ...]:
    """The APIs whose name or card has a content word in common with `query`, most words first."""
    asked = words(query)
    scored = [(len(asked & words(f"{api.name} {api.card}")), api) for api in apis]
    return tuple(api for score, api in sorted(scored, key=lambda pair: -pair[0]) if score)


def demanded(query: str, apis: Sequence[Api]) -> tuple[Api, ...]:
    """Those without which `query` can hardly be answered: two words in common that are not everyday words."""
    asked = words(query) - EVERYDAY
    return tuple(api for api in apis if len(asked & words(f"{api.name} {api.card}")) >= 2)


def words(text: str) -> frozenset[str]:
    """Content words, lower-cased and stripped of common English endings, so that "rains" meets "rain"."""
    found = re.findall(r"[a-zA-Z]{3,}", re.sub(r"https?://\S+", " ", text).replace("_", " "))
    return frozenset(_stem(word.lower()) for word in found if word.lower() not in STOP)


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ies", "es", "ed", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


EVERYDAY = words(EVERYDAY_WORDS)
