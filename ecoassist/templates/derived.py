"""What a program knows of a thing beyond its name: coordinates, a ticker, the code of a country. Pure.

The model that wrote it looked those up for one name; beside another they would be wrong. So a program that holds any
is never run for another name. What looks like such knowledge is taken for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .source import Site, Source
from .words import listed

_PLACE = r"lat|lon|lng|latitude|longitude|coord|coords|coordinates|location"
_KEYS = re.compile(
    rf"(?:^|_)(?:{_PLACE}|country|countrycode|cc|region|state|ticker|tickers|symbol|symbols|isin|cusip|iata|icao|station|"
    r"site|woeid|zip|postal|postcode|zipcode|code|codes|iso\d?|timezone|tz|qid|entity|league|team|market|exchange|"
    r"place_?id|city_?id|geoname\w*|page_?id|series_?id|coin_?id|uid|id|ids)$",
    re.IGNORECASE,
)
_HEADERS = re.compile(
    r"(?:^|[_-])(?:user.?agent|accept\S*|content.?type|authorization|encoding|format|method|mode|key|apikey|appid|token)$",
    re.IGNORECASE,
)
_NEUTRAL = listed(
    "GET HEAD POST UTC GMT JSON XML CSV TSV HTML OK NA NULL NONE NAN TRUE FALSE YES NO ON OFF AM PM KM MI USD ISO "
    "ASCII ASC DESC AND OR NOT SELECT"
)
_WORTHLESS = frozenset(
    ("", "auto", "utc", "gmt", "all", "any", "true", "false", "yes", "no", "none", "json", "distance")
)
_PAIR = re.compile(r"-?\d{1,3}\.\d+\s*(?:,|%2C)\s*-?\d{1,3}\.\d+")
_CODE = re.compile(r"\^?[A-Z]{2,6}(?:[.\-=^][A-Z0-9]{1,4})?|[A-Z]{1,3}\d{1,9}|\^[A-Z0-9]+")
_NAME = re.compile(r"[A-Z][a-zà-ÿ]+(?:[ -][A-Z][a-zà-ÿ]+)*")
_PAIRS = re.compile(r"(?:^|[?&])([\w.\[\]-]+)=([^&\s{}]*)")
_LONG, _LARGE = 10_000, 100_000
"""Whole numbers from here on may be somebody's number of the thing; below the second only those that are not round."""
_UNITS = (86_400, 604_800, 1_048_576)


def knows_more(source: Source, said: frozenset[str]) -> bool:
    """Whether the program holds such knowledge that the words of the question do not give. `said`: without case."""
    used = [
        site for site in source.sites if site.works and not (site.field and not site.maps) and not _listed(source, site)
    ]
    fractions = sum(isinstance(site.node.value, float) and _fraction(site.node.value) for site in used)
    return fractions > 1 or any(_telling(site, said) for site in used)


def _listed(source: Source, site: Site) -> bool:
    """Whether it is one of a few words that the program has a list of: what it looks for, not what it knows."""
    around = source.flow.parents.get(site.node)
    texts = [isinstance(one, ast.Constant) and isinstance(one.value, str) for one in getattr(around, "elts", ())]
    return len(texts) > 2 and all(texts)


def _fraction(number: float) -> bool:
    return abs(number) <= 180 and number != int(number)


def _telling(site: Site, said: frozenset[str]) -> bool:
    value = site.node.value
    if isinstance(value, int | float):
        return str(value) not in said and (bool(_KEYS.search(site.key)) or _long(value))
    if _PAIR.search(site.text):
        return True
    return any(_tells(key, text, said) for key, text in _pairs(site))


def _long(number: float) -> bool:
    power = number in _UNITS or str(number).strip("0") == "1"
    return not power and abs(number) >= _LONG and (number % 100 != 0 or abs(number) >= _LARGE)


def _pairs(site: Site) -> Iterator[tuple[str, str]]:
    """What is given under which name: the literal itself, and the parameters of a URL."""
    if site.whole and len(site.text) <= 60:
        yield site.key, site.text
    if "=" in site.text:
        yield from ((found[1], found[2]) for found in _PAIRS.finditer(site.text))


def _tells(key: str, value: str, said: frozenset[str]) -> bool:
    words = [word for word in re.split(r"[^\w]+|_", value.casefold()) if word]
    if not words or value.casefold() in _WORTHLESS or all(word in said for word in words):
        return False
    if _HEADERS.search(key):
        return False
    if _KEYS.search(key):
        return True
    if value.isascii() and value.isdigit():
        return len(value) > 20 or _long(int(value))
    return bool((_CODE.fullmatch(value) and value not in _NEUTRAL) or (_NAME.fullmatch(value) and not _plain(words)))


def _plain(words: list[str]) -> bool:
    """Of one word that reports nothing but whether it worked."""
    return words in (["error"], ["unknown"], ["none"], ["missing"], ["name"], ["date"], ["not", "found"])
