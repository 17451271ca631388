"""Sun and moon as one sees them from a place, in its mean solar time."""

from __future__ import annotations

import datetime
import math

from .gazetteer import Spot

_NEW_MOON = datetime.date(2000, 1, 6)
_MONTH = 29.530588853
_PHASES = (
    "New Moon",
    "Waxing Crescent",
    "First Quarter",
    "Waxing Gibbous",
    "Full Moon",
    "Waning Gibbous",
    "Last Quarter",
    "Waning Crescent",
)


def day_length(lat: float, day: datetime.date) -> float:
    """Hours from sunrise to sunset (the sunrise equation, Sun's centre 0.83 degrees below the horizon); 0 or 24 in the
    polar night or day."""
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
    latitude = math.radians(lat)
    above = math.sin(math.radians(-0.83)) - math.sin(latitude) * math.sin(declination)
    across = max(1e-9, math.cos(latitude) * math.cos(declination))
    return 24 * math.acos(max(-1.0, min(1.0, above / across))) / math.pi


def clock(hours: float) -> str:
    """12-hour time as the weather service writes it: "06:41 AM"."""
    minutes = round(hours * 60) % 1440
    return f"{(minutes // 60 - 1) % 12 + 1:02d}:{minutes % 60:02d} {'AM' if minutes < 720 else 'PM'}"


def astro(spot: Spot, day: datetime.date) -> dict[str, object]:
    length = day_length(spot.lat, day)
    noon = 12 + 0.25 * math.sin(4 * math.pi * (day.timetuple().tm_yday - 81) / 365.25)
    up = 0 < length < 24
    age = (day - _NEW_MOON).days % _MONTH / _MONTH
    moonrise = noon - 6 + 24 * age  # a new moon rises with the sun, a full moon at sunset
    return {
        "sunrise": clock(noon - length / 2) if up else "No sunrise",
        "sunset": clock(noon + length / 2) if up else "No sunset",
        "moonrise": clock(moonrise % 24),
        "moonset": clock((moonrise + 12) % 24),
        "moon_phase": _PHASES[round(age * 8) % 8],
        "moon_illumination": round(50 - 50 * math.cos(2 * math.pi * age)),
    }
