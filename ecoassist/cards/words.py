"""Content words: what questions and descriptions of APIs are compared by. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

STOP_WORDS = """
a about after again all also am an and any api are as at base be been before being between both but by can could did
do does during each endpoint every few field fields find for from get give had has have help her here him his how i if
in into is it its json just key know let like list looking many me more most much my name need no not of off on once
one only or other our out over parameter parameters please provide query recommend request response returns same she
should show since so some such suggest tell than that the their them then there these they this those to too under
until up url use value very want was we were what when where whether which while who why will with would you your
"""
STOP = frozenset(STOP_WORDS.split())

EVERYDAY_WORDS = """
condition current data date dates day days file first high hour hours last latest line list local low next now number
numbers open result results series text time times today tomorrow week world year years
"""
"""Words of many cards that say nothing about what a question needs."""


@lru_cache(maxsize=16_384)
def words(text: str) -> frozenset[str]:
    """Content words, lower-cased and stripped of common English endings, so that "rains" meets "rain".

    What is written as one word, "maxTemp", counts as a whole and in its parts.
    """
    plain = re.sub(r"https?://\S+", " ", text).replace("_", " ")
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    found = re.findall(r"[^\W\d_]{3,}", plain if parts == plain else f"{plain} {parts}")
    return frozenset(_stem(word.lower()) for word in found if word.lower() not in STOP)


def _stem(word: str) -> str:
    if word.endswith("est") and len(word) >= 7:  # warmest, nearest; latest and forest stay
        return word[:-3]
    for ending in ("ings", "ing", "ies", "es", "ed", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


EVERYDAY = words(EVERYDAY_WORDS)

KINDS = {
    "weather forecast": (
        "climate cloudy cold cool drizzle fog freezing frost hot humid humidity jacket pressure rain shower "
        "snow snowfall storm sunny thunderstorm umbrella visibility warm wet wind windy"
    ),
    "temperature": "celsius cold cool fahrenheit freezing heat hot warm",
    "precipitation": "drizzle rain rainfall shower snow snowfall storm thunderstorm wet",
    "sunrise sunset": "dawn daylight dusk sun",
    "places": (
        "airport attraction bakery bank bar beach bookstore cafe café church cinema clinic dentist gallery "
        "garden gym hairdresser hospital hotel landmark laundromat library mall market museum nightclub "
        "office park pharmacy playground pub restaurant salon school shop sight spa stadium station store "
        "supermarket theater theatre venue zoo"
    ),
    "route directions": "bike commute drive travel walk",
    "coordinates geocoding": "address latitude longitude",
    "exchange rate currency": "convert dollar euro franc pound rupee yen yuan",
    "stock price": "dividend nasdaq share shareholder ticker traded trading",
    "earthquake": "magnitude quake seismic tremor",
    "paper article": "citation doi journal publication research scientific study",
    "book": "author isbn novel",
    "word definition": "mean meaning phonetic synonym",
    "holiday": "bank christmas easter vacation",
    "country population": "capital inhabitant nation",
    "package": "dependency library npm pypi release version",
    "encyclopaedia article": "biography born died founded history invented",
}
"""What things are called -> what they may be called by, for the words of a question."""


@lru_cache(maxsize=256)
def kin(asked: frozenset[str]) -> frozenset[str]:
    """Content words that a description may use for what is asked with these."""
    near = {word for kind, examples in KINDS.items() if asked & words(examples) for word in words(kind)}
    return frozenset(near) - asked
