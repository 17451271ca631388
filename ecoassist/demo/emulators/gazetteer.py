"""Where things are: a few well-known towns by name; every other name gets a fixed point on the globe."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache

from .chance import between

# name | region | country | latitude | longitude
_TOWNS = """
Amsterdam|North Holland|Netherlands|52.37|4.89
Anchorage|Alaska|United States of America|61.22|-149.90
Athens|Attica|Greece|37.98|23.73
Atlanta|Georgia|United States of America|33.75|-84.39
Auckland|Auckland|New Zealand|-36.87|174.77
Austin|Texas|United States of America|30.27|-97.74
Bangalore|Karnataka|India|12.98|77.58
Bangkok|Krung Thep|Thailand|13.75|100.52
Barcelona|Catalonia|Spain|41.38|2.18
Beijing|Beijing|China|39.93|116.39
Berlin|Berlin|Germany|52.52|13.40
Boston|Massachusetts|United States of America|42.36|-71.06
Brooklyn|New York|United States of America|40.65|-73.95
Buenos Aires|Distrito Federal|Argentina|-34.59|-58.67
Cairo|Al Qahirah|Egypt|30.05|31.25
Cancun|Quintana Roo|Mexico|21.17|-86.83
Cape Town|Western Cape|South Africa|-33.92|18.42
Chicago|Illinois|United States of America|41.85|-87.65
Denver|Colorado|United States of America|39.74|-104.98
Dubai|Dubai|United Arab Emirates|25.25|55.28
Dublin|Dublin|Ireland|53.33|-6.25
Honolulu|Hawaii|United States of America|21.31|-157.86
Hong Kong|Hong Kong|China|22.28|114.15
Houston|Texas|United States of America|29.76|-95.36
Istanbul|Istanbul|Turkey|41.02|28.96
Kathmandu|Bagmati|Nepal|27.72|85.32
Kyoto|Kyoto|Japan|35.00|135.75
Las Vegas|Nevada|United States of America|36.17|-115.14
Lisbon|Lisboa|Portugal|38.72|-9.13
London|City of London, Greater London|United Kingdom|51.52|-0.11
Los Angeles|California|United States of America|34.05|-118.24
Madrid|Madrid|Spain|40.40|-3.68
Mexico City|Ciudad de Mexico|Mexico|19.43|-99.13
Miami|Florida|United States of America|25.77|-80.19
Montreal|Quebec|Canada|45.50|-73.58
Moscow|Moscow City|Russia|55.75|37.62
Mumbai|Maharashtra|India|18.98|72.83
New Delhi|Delhi|India|28.60|77.20
New Orleans|Louisiana|United States of America|29.95|-90.07
New York|New York|United States of America|40.71|-74.01
Paris|Ile-de-France|France|48.87|2.33
Phuket|Phuket|Thailand|7.89|98.40
Portland|Oregon|United States of America|45.52|-122.68
Quebec City|Quebec|Canada|46.81|-71.21
Reykjavik|Gullbringusysla|Iceland|64.15|-21.95
Rio de Janeiro|Rio de Janeiro|Brazil|-22.90|-43.23
Rome|Lazio|Italy|41.90|12.48
San Diego|California|United States of America|32.72|-117.16
San Francisco|California|United States of America|37.78|-122.42
Santa Monica|California|United States of America|34.02|-118.49
Seattle|Washington|United States of America|47.61|-122.33
Seoul|Seoul|South Korea|37.57|127.00
Singapore|Singapore|Singapore|1.29|103.86
Stockholm|Stockholms Lan|Sweden|59.33|18.05
Sydney|New South Wales|Australia|-33.88|151.22
Tokyo|Tokyo|Japan|35.69|139.69
Toronto|Ontario|Canada|43.67|-79.42
Vancouver|British Columbia|Canada|49.25|-123.12
Vienna|Wien|Austria|48.20|16.37
Washington|District of Columbia|United States of America|38.90|-77.04
Zurich|Zurich|Switzerland|47.37|8.55
"""


@dataclass(frozen=True, slots=True)
class Spot:
    """A named point."""

    name: str
    region: str
    country: str
    lat: float
    """Degrees, north positive."""
    lng: float
    """Degrees, east positive."""


def words(text: str) -> str:
    """Lower case without accents and punctuation, single spaces."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or text
    return " ".join(re.findall(r"[^\W_]+", plain.casefold()))


@cache
def towns() -> tuple[Spot, ...]:
    rows = (line.split("|") for line in _TOWNS.strip().splitlines())
    return tuple(Spot(name, region, country, float(lat), float(lng)) for name, region, country, lat, lng in rows)


def mentioned(text: str) -> Spot | None:
    """The known town that `text` names; else one in the region or country that it names."""
    padded = f" {words(text)} "
    for field in ("name", "region", "country"):
        names = {town: words(getattr(town, field)) for town in towns()}
        found = [town for town, name in names.items() if f" {name} " in padded]
        if found:  # "Seattle, Washington" is in Seattle
            return min(found, key=lambda town: (padded.index(f" {names[town]} "), -len(names[town])))
    return None


def coordinates(text: str) -> tuple[float, float] | None:
    """Latitude and longitude out of "48.85,2.35"; None for any other text."""
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*", text)
    if match is None:
        return None
    lat, lng = float(match[1]), float(match[2])
    return (lat, lng) if abs(lat) <= 90 and abs(lng) <= 180 else None


def metres(lat: float, lng: float, other_lat: float, other_lng: float) -> float:
    """Distance on a flat map: right enough within a town, and to compare."""
    east = (other_lng - lng + 180) % 360 - 180
    return 111_320 * math.hypot(other_lat - lat, east * math.cos(math.radians(lat)))


def nearest(lat: float, lng: float) -> Spot:
    return min(towns(), key=lambda town: metres(lat, lng, town.lat, town.lng))


def locate(text: str) -> Spot | None:
    """The place that `text` asks for: coordinates, a known town, or any other name or five-digit postcode, which gets
    a fixed point of its own. None for what cannot be a name: no letters, or letters without a single vowel."""
    point = coordinates(text)
    if point:
        return replace(nearest(*point), lat=point[0], lng=point[1])
    name = " ".join(text.split(",")[0].split())
    town = mentioned(text)
    if town:
        return town if mentioned(name) == town and words(town.name) in words(name) else replace(town, name=name)
    plain = words(text)
    if not re.search(r"[aeiouy]|[^\x00-\x7f]", plain) and not re.fullmatch(r"\d{5}", plain):
        return None
    country = text.rpartition(",")[2].strip() if "," in text else ""
    lat, lng = between(-45, 60, "lat", plain), between(-180, 180, "lng", plain)
    return Spot(name.title(), "", country, round(lat, 2), round(lng, 2))
