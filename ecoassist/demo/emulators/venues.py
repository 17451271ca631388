"""Invented places: a name, an address and opening hours for "the n-th X around here". Brands keep their name; phone
numbers are of the 555-01xx range reserved for fiction, web sites under the reserved domain .example."""

from __future__ import annotations

import base64
import datetime
import json
import math
import re
from dataclasses import dataclass, fields
from typing import Any

from .chance import between, pick, unit
from .gazetteer import metres, words

# words that ask for it | type | names, {} being a word of _PROPER
_KINDS = """
mcdonald|restaurant|McDonald's
starbucks|cafe|Starbucks
imax|movie_theater|{} IMAX|{} Cinema IMAX
italian|restaurant|Trattoria {}|Osteria {}|{} Italian Kitchen
seafood|restaurant|{} Oyster House|{} Fish Grill|The {} Catch
vegetarian, vegan|restaurant|{} Garden Kitchen|Green {}|{} Plant Table
taco, mexican|restaurant|{} Tacos|Taqueria {}
restaurant, food, dinner, lunch|restaurant|{} Grill|The {} Table|{} Bistro
coffee, cafe|cafe|{} Coffee|Cafe {}
bar, pub|bar|{} Bar|The {} Taproom|The {} Arms
bookstore, bookshop, book|book_store|{} Books|The {} Bookshop
museum|museum|{} Museum|Museum of {}
gallery, galleries|art_gallery|{} Gallery|{} Fine Art
library|library|{} Public Library|{} Branch Library
wedding|point_of_interest|{} Gardens|The {} Estate|{} Pavilion
landmark, historical, attraction|tourist_attraction|{} Monument|{} Gate|Old {} Tower
parking|parking|{} Parking Garage|{} Street Parking
taxi|point_of_interest|{} Taxi|{} Cab Company
post office|post_office|{} Post Office
grocery, supermarket|grocery_or_supermarket|{} Market|{} Grocers
farmers market|point_of_interest|{} Farmers Market
pharmacy, drugstore|pharmacy|{} Pharmacy|{} Drugs
convenience|convenience_store|{} Mart|{} Corner Store
hotel|lodging|Hotel {}|The {} Inn
gym|gym|{} Gym|{} Fitness
hospital|hospital|{} General Hospital|{} Medical Center
movie, cinema|movie_theater|{} Cinema|{} Theater
park|park|{} Park|{} Green
pet|pet_store|{} Pets
hair, hairstylist, salon|hair_care|{} Hair Studio|Salon {}
"""
_PROPER = (
    *("Harbor", "Juniper", "Cedar", "Bluebird", "Lantern", "Marble", "Copper", "Willow", "Summit", "Crescent"),
    *("Ivory", "Saffron", "Maple", "Orchard", "Granite", "Meadow", "Anchor", "Violet", "Compass", "Amber"),
    *("Sparrow", "Linden", "Coral", "Beacon", "Clover", "Heron", "Quarry", "Bramble", "Silver", "Tidewater"),
    *("Falcon", "Olive", "Prairie", "Sundial", "Laurel", "Pebble", "Aurora"),
)
MOST = len(_PROPER)
"""A prime, so that stepping through it gives every place of a list a name of its own."""
_STREETS = ("Main Street", "Market Street", "Station Road", "Church Street", "Park Avenue", "Mill Lane", "Harbour Road")
_FILLER = """
a an and any are around at best by can close closest famous find for good great has have in is large list live me near
nearby nearest of offer offering offers on open place places popular recommended rated some that the there to top with
"""


@dataclass(frozen=True, slots=True)
class Venue:
    """One place, wholly fixed by what its id holds."""

    what: str
    town: str
    country: str
    lat: float
    lng: float
    """Of the centre that was searched around."""
    radius: float
    """Metres."""
    number: int

    @property
    def id(self) -> str:
        return "ChIJ" + _pack([getattr(self, field.name) for field in fields(self)])

    @property
    def _seed(self) -> tuple[object, ...]:
        return self.what, self.town, self.lat, self.lng, self.number

    @property
    def kind(self) -> tuple[str, list[str]]:
        """Its type and the patterns of its name."""
        padded = f" {self.what} "
        for line in _KINDS.strip().splitlines():
            asked, kind, *patterns = line.split("|")
            if any(f" {word} " in padded or f" {word}s " in padded for word in asked.split(", ")):
                return kind, patterns
        return "point_of_interest", ["{} " + self.what.title()]

    @property
    def name(self) -> str:
        first, step = int(MOST * unit("first", self.what, self.town)), 1 + int((MOST - 1) * unit("step", self.what))
        return pick(self.kind[1], "name", *self._seed).replace("{}", _PROPER[(first + step * self.number) % MOST])

    @property
    def vicinity(self) -> str:
        street = pick(_STREETS, "street", *self._seed)
        return f"{int(between(1, 990, 'house', *self._seed))} {street}" + (f", {self.town}" if self.town else "")

    @property
    def address(self) -> str:
        return ", ".join(filter(None, (self.vicinity, self.country)))

    @property
    def point(self) -> tuple[float, float]:
        """Latitude and longitude, within the radius."""
        away = self.radius * math.sqrt(unit("away", *self._seed)) / 111_320
        angle = 2 * math.pi * unit("angle", *self._seed)
        east = away * math.sin(angle) / max(0.1, math.cos(math.radians(self.lat)))
        return round(self.lat + away * math.cos(angle), 6), round(self.lng + east, 6)

    @property
    def rating(self) -> float | None:
        """One to five; some parks, garages and the like have none."""
        eats = self.kind[0] in ("restaurant", "bar", "cafe", "lodging")
        return round(between(3.4, 4.9, "rating", *self._seed), 1) if eats or unit("rated", *self._seed) > 0.08 else None

    @property
    def ratings(self) -> int:
        return int(10 ** between(1, 3.7, "ratings", *self._seed)) if self.rating else 0

    @property
    def phone(self) -> str:
        area, line = int(between(201, 989, "area", self.town)), int(between(100, 200, "line", *self._seed))
        return f"({area}) 555-{line:04d}"

    @property
    def website(self) -> str:
        return f"https://{words(self.name.replace(chr(39), '')).replace(' ', '-')}.example/"

    @property
    def hours(self) -> list[tuple[int, int] | None]:
        """Opening and closing hour of Monday to Sunday; None: closed."""
        opens, closes = int(between(7, 12, "opens", *self._seed)), int(between(17, 23, "closes", *self._seed))
        closed = 0 if unit("rests", *self._seed) < 0.3 else None
        return [None if weekday == closed else (opens, closes) for weekday in range(7)]

    def opening_hours(self, now: datetime.datetime) -> dict[str, Any]:
        names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        today = self.hours[now.weekday()]
        texts = [
            f"{name}: " + (f"{_clock(at[0])} – {_clock(at[1])}" if at else "Closed")
            for name, at in zip(names, self.hours, strict=True)
        ]
        periods = [
            {
                "open": {"day": (weekday + 1) % 7, "time": f"{at[0]:02d}00"},  # the service's week starts on Sunday
                "close": {"day": (weekday + 1) % 7, "time": f"{at[1]:02d}00"},
            }
            for weekday, at in enumerate(self.hours)
            if at
        ]
        return {"open_now": bool(today and today[0] <= now.hour < today[1]), "periods": periods, "weekday_text": texts}


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked for and where; its token is a page token."""

    what: str
    town: str
    country: str
    lat: float
    lng: float
    radius: float
    """Metres."""
    by_distance: bool = False

    @property
    def token(self) -> str:
        return _pack([getattr(self, field.name) for field in fields(self)])

    def venues(self) -> list[Venue]:
        """As many as the thing is common there, the most prominent or the nearest first."""
        what = essence(self.what, f"{self.town} {self.country}")
        count = int(between(6, MOST, "count", what, self.town))
        found = [Venue(what, self.town, self.country, self.lat, self.lng, self.radius, n) for n in range(count)]
        if self.by_distance:
            return sorted(found, key=lambda venue: metres(self.lat, self.lng, *venue.point))
        return sorted(found, key=lambda venue: -(venue.rating or 0) * math.log(1 + venue.ratings))


def venue_of(token: str) -> Venue | None:
    """The venue with this id."""
    try:
        what, town, country, lat, lng, radius, number = _unpack(token.removeprefix("ChIJ"))
        return Venue(str(what), str(town), str(country), float(lat), float(lng), float(radius), int(number))
    except (TypeError, ValueError):
        return None


def search_of(token: str) -> Search | None:
    """The search with this page token."""
    try:
        what, town, country, lat, lng, radius, by_distance = _unpack(token)
        return Search(str(what), str(town), str(country), float(lat), float(lng), float(radius), bool(by_distance))
    except (TypeError, ValueError):
        return None


def essence(what: str, where: str = "") -> str:
    """What is searched, without the filler and the words of `where`."""
    gone = {*_FILLER.split(), *words(where).split()}
    plain = re.sub(r"\b(mcdonald) s\b", r"\1", words(what))
    return " ".join(word for word in plain.split() if word not in gone) or "point of interest"


def _pack(values: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _unpack(token: str) -> list[Any]:
    """Raises ValueError for what _pack() did not write."""
    values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    if not isinstance(values, list):
        raise ValueError(token)
    return values


def _clock(hour: int) -> str:
    return f"{(hour - 1) % 12 + 1}:00 {'AM' if hour < 12 else 'PM'}"
