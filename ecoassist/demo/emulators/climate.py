"""The weather of any place at any hour: latitude and season set the level, chance the rest."""

from __future__ import annotations

import datetime
import math
from typing import Any

from .chance import between, unit
from .gazetteer import Spot
from .sky import day_length

_COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_CODES = {
    "Sunny": 1000,
    "Clear": 1000,
    "Partly cloudy": 1003,
    "Cloudy": 1006,
    "Overcast": 1009,
    "Patchy rain nearby": 1063,
    "Light rain": 1183,
    "Moderate rain": 1189,
    "Heavy rain": 1195,
    "Light snow": 1213,
    "Moderate snow": 1219,
}


def mean_temperature(lat: float, day: datetime.date) -> float:
    """Degrees Celsius, averaged over the day and over many years: a parabola in latitude and a cosine in the season."""
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 201) / 365.25)
    level = 28 - 0.0066 * lat**2
    return level + math.copysign(min(0.3 * abs(lat), 11.0), lat) * season


def hour_of(spot: Spot, moment: datetime.datetime) -> dict[str, Any]:
    """One entry of `hour`, in the fields of the weather service."""
    day, hour = moment.date(), moment.hour
    where = (round(spot.lat, 1), round(spot.lng, 1), day)
    celsius = mean_temperature(spot.lat, day) + between(-4, 4, "warm", *where)
    celsius += between(2, 5, "swing", *where) * math.cos(2 * math.pi * (hour - 15) / 24)
    celsius = round(celsius, 1)
    cloud, precip = _cloud(hour, *where), _precipitation(hour, *where)
    humidity = round(min(98, between(45, 75, "damp", *where) + 12 * (precip > 0) - 1.5 * (_daylight(spot, moment) * 8)))
    wind = round(between(4, 30, "wind", *where) * (0.7 + 0.6 * unit("breeze", hour, *where)), 1)
    gust = round(wind * between(1.3, 2.1, "gust", *where), 1)
    degree = (int(360 * unit("from", *where)) + int(30 * unit("veer", hour, *where))) % 360
    pressure = round(between(998, 1028, "pressure", *where) + between(-1.5, 1.5, "barometer", hour, *where))
    visibility = 10.0 if precip == 0 else round(max(2.0, 9 - 2 * precip), 1)
    is_day = int(_daylight(spot, moment) > 0)
    snows = celsius < 1
    chance = min(100, round(40 + 45 * precip)) if precip else round(30 * cloud / 100)
    felt = round(celsius - (0.15 * wind if celsius < 10 else 0) + (0.03 * humidity if celsius > 26 else 0), 1)
    return {
        "time_epoch": int(moment.replace(minute=0, second=0, tzinfo=datetime.UTC).timestamp()),
        "time": moment.strftime("%Y-%m-%d %H:00"),
        "temp_c": celsius,
        "temp_f": _fahrenheit(celsius),
        "is_day": is_day,
        "condition": _condition(cloud, precip, snows, bool(is_day)),
        "wind_mph": _miles(wind),
        "wind_kph": wind,
        "wind_degree": degree,
        "wind_dir": _COMPASS[round(degree / 22.5) % 16],
        "pressure_mb": float(pressure),
        "pressure_in": round(pressure * 0.02953, 2),
        "precip_mm": precip,
        "precip_in": round(precip / 25.4, 2),
        "snow_cm": round(precip, 2) if snows else 0.0,  # fresh snow is about ten times its water
        "humidity": humidity,
        "cloud": cloud,
        "feelslike_c": felt,
        "feelslike_f": _fahrenheit(felt),
        "will_it_rain": int(precip > 0 and not snows),
        "chance_of_rain": 0 if snows else chance,
        "will_it_snow": int(precip > 0 and snows),
        "chance_of_snow": chance if snows else 0,
        "vis_km": visibility,
        "vis_miles": _miles(visibility),
        "gust_mph": _miles(gust),
        "gust_kph": gust,
        "uv": round(max(0.0, 11 - abs(spot.lat) / 6) * _daylight(spot, moment) * (1 - cloud / 200), 1),
    }


def _daylight(spot: Spot, moment: datetime.datetime) -> float:
    """0 at night, 1 at noon."""
    half = day_length(spot.lat, moment.date()) / 2
    return max(0.0, math.cos(math.pi / 2 * min(1.0, abs(moment.hour - 12) / half))) if half else 0.0


def _cloud(hour: int, *where: object) -> int:
    return round(min(100, 90 * unit("cloud", *where) + 20 * unit("drift", hour, *where)))


def _precipitation(hour: int, *where: object) -> float:
    """Millimetres in the hour: a third of the days have a wet spell of a few hours."""
    if unit("wet", *where) > 0.35:
        return 0.0
    start, length = int(between(0, 18, "start", *where)), int(between(2, 9, "length", *where))
    return round(between(0.1, 2.5, "amount", hour, *where), 2) if start <= hour < start + length else 0.0


def _condition(cloud: int, precip: float, snows: bool, is_day: bool) -> dict[str, Any]:
    if precip and snows:
        text = "Moderate snow" if precip > 1 else "Light snow"
    elif precip:
        steps = (2.2, "Heavy rain"), (1.2, "Moderate rain"), (0.4, "Light rain"), (0.0, "Patchy rain nearby")
        text = next(name for level, name in steps if precip >= level)
    else:
        steps = (90, "Overcast"), (65, "Cloudy"), (25, "Partly cloudy"), (0, "Sunny" if is_day else "Clear")
        text = next(name for level, name in steps if cloud >= level)
    return {
        "text": text,
        "icon": f"//cdn.weatherapi.com/weather/64x64/{'day' if is_day else 'night'}/{_CODES[text]}.png",
        "code": _CODES[text],
    }


def _fahrenheit(celsius: float) -> float:
    return round(celsius * 9 / 5 + 32, 1)


def _miles(kilometres: float) -> float:
    return round(kilometres / 1.609344, 1)
