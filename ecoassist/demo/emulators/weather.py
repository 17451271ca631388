"""api.weatherapi.com: current.json, forecast.json and astronomy.json (https://www.weatherapi.com/docs/).

One clock: the local time of every place is `now`, so that date.today() in a program agrees with the service's today.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from .climate import hour_of
from .gazetteer import Spot, locate
from .sky import astro

HORIZON = 14
"""Days that a forecast can cover, today included."""

_MAIN = ("temp_c", "temp_f", "is_day", "condition", "wind_mph", "wind_kph", "wind_degree", "wind_dir", "pressure_mb")
_REST = ("pressure_in", "precip_mm", "precip_in", "humidity", "cloud", "feelslike_c", "feelslike_f", "vis_km", "uv")
_NOW_ONLY = ("vis_miles", "gust_mph", "gust_kph")


def answer(path: str, params: Mapping[str, str], key: str, now: datetime.datetime) -> tuple[int, Any]:
    """Status and JSON body of one request; `key` is the only one that is accepted."""
    sent = params.get("key", "")
    if sent != key:
        return 401, _error(2006, "API key is invalid.") if sent else _error(1002, "API key is invalid or not provided.")
    operation = {"current": current, "forecast": forecast, "astronomy": astronomy}.get(
        path.removeprefix("/v1/").removesuffix(".json")
    )
    if operation is None:
        return 400, _error(1005, "API URL is invalid.")
    if not params.get("q", "").strip():
        return 400, _error(1003, "Parameter q is missing.")
    spot = locate(params["q"])
    if spot is None:
        return 400, _error(1006, "No matching location found.")
    try:
        return 200, {"location": location(spot, now), **operation(spot, params, now)}
    except ValueError:
        return 400, _error(
            1007, "dt parameter should be in yyyy-MM-dd format and on or after 1st Jan, 2010 (2010-01-01)."
        )


def location(spot: Spot, now: datetime.datetime) -> dict[str, Any]:
    return {
        "name": spot.name,
        "region": spot.region,
        "country": spot.country,
        "lat": spot.lat,
        "lon": spot.lng,
        "tz_id": "UTC",
        "localtime_epoch": _epoch(now),
        "localtime": now.strftime("%Y-%m-%d %H:%M"),
    }


def current(spot: Spot, params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    updated = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    hour = hour_of(spot, now)
    report = {name: hour[name] for name in (*_MAIN, *_REST, *_NOW_ONLY)}
    report |= {"last_updated_epoch": _epoch(updated), "last_updated": updated.strftime("%Y-%m-%d %H:%M")}
    if params.get("aqi") == "yes":
        report["air_quality"] = {
            "pm2_5": round(4 + hour["humidity"] / 8, 1),
            "us-epa-index": 1 + (hour["humidity"] > 80),
        }
    return {"current": report}


def forecast(spot: Spot, params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    """`dt` names one day, else `days` days from today; `hour` leaves one hour of each.

    Raises ValueError for a bad dt."""
    today = now.date()
    if params.get("dt"):
        days = [_day_of(params["dt"], today)]
    else:
        count = min(max(_whole(params.get("days"), 1), 1), HORIZON)
        days = [today + datetime.timedelta(ahead) for ahead in range(count)]
    days = [day for day in days if 0 <= (day - today).days < HORIZON]
    hour = _whole(params.get("hour"), -1)
    body = {"current": current(spot, params, now)["current"], "forecast": {"forecastday": []}}
    body["forecast"]["forecastday"] = [_forecast_day(spot, day, hour) for day in days]
    if params.get("alerts") == "yes":
        body["alerts"] = {"alert": _alerts(spot, now)}
    return body


def astronomy(spot: Spot, params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    day = _day_of(params.get("dt") or "today", now.date())
    return {"astronomy": {"astro": astro(spot, day) | {"is_moon_up": 1, "is_sun_up": int(7 <= now.hour < 18)}}}


def _forecast_day(spot: Spot, day: datetime.date, hour: int) -> dict[str, Any]:
    hours = [hour_of(spot, datetime.datetime.combine(day, datetime.time(clock))) for clock in range(24)]
    return {
        "date": day.isoformat(),
        "date_epoch": _epoch(datetime.datetime.combine(day, datetime.time())),
        "day": _summary(hours),
        "astro": astro(spot, day),
        "hour": [hours[hour]] if 0 <= hour < 24 else hours,
    }


def _summary(hours: list[dict[str, Any]]) -> dict[str, Any]:
    def top(name: str) -> Any:
        return max(hour[name] for hour in hours)

    def mean(name: str) -> float:
        return round(sum(float(hour[name]) for hour in hours) / len(hours), 1)

    rain, snow = top("chance_of_rain"), top("chance_of_snow")
    return {
        "maxtemp_c": top("temp_c"),
        "maxtemp_f": top("temp_f"),
        "mintemp_c": min(hour["temp_c"] for hour in hours),
        "mintemp_f": min(hour["temp_f"] for hour in hours),
        "avgtemp_c": mean("temp_c"),
        "avgtemp_f": mean("temp_f"),
        "maxwind_mph": top("wind_mph"),
        "maxwind_kph": top("wind_kph"),
        "totalprecip_mm": round(sum(hour["precip_mm"] for hour in hours), 2),
        "totalprecip_in": round(sum(hour["precip_in"] for hour in hours), 2),
        "totalsnow_cm": round(sum(hour["snow_cm"] for hour in hours), 2),
        "avgvis_km": mean("vis_km"),
        "avgvis_miles": mean("vis_miles"),
        "avghumidity": round(mean("humidity")),
        "daily_will_it_rain": int(rain >= 50),
        "daily_chance_of_rain": rain,
        "daily_will_it_snow": int(snow >= 50),
        "daily_chance_of_snow": snow,
        "condition": max(hours, key=lambda hour: (hour["precip_mm"], hour["is_day"], hour["cloud"]))["condition"],
        "uv": top("uv"),
    }


def _alerts(spot: Spot, now: datetime.datetime) -> list[dict[str, Any]]:
    """A wind warning where the forecast of the next 24 hours has a gale."""
    coming = [hour_of(spot, now + datetime.timedelta(hours=ahead)) for ahead in range(24)]
    worst = max(coming, key=lambda hour: float(hour["gust_kph"]))
    if worst["gust_kph"] < 62:
        return []
    return [
        {
            "headline": f"Wind Advisory issued for {spot.name}",
            "msgtype": "Alert",
            "severity": "Moderate",
            "urgency": "Expected",
            "areas": spot.region or spot.name,
            "category": "Met",
            "certainty": "Likely",
            "event": "Wind Advisory",
            "note": "",
            "effective": now.isoformat(timespec="seconds") + "+00:00",
            "expires": (now + datetime.timedelta(hours=24)).isoformat(timespec="seconds") + "+00:00",
            "desc": f"Gusts up to {worst['gust_kph']} km/h are expected around {worst['time']}.",
            "instruction": "Secure loose objects outdoors.",
        }
    ]


def _day_of(text: str, today: datetime.date) -> datetime.date:
    if text.lower() in ("today", "tomorrow"):
        return today + datetime.timedelta(text.lower() == "tomorrow")
    if not re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text):
        raise ValueError(text)
    return datetime.date(*map(int, text.split("-")))


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"\d{1,4}", text) else default


def _epoch(moment: datetime.datetime) -> int:
    return int(moment.replace(tzinfo=datetime.UTC).timestamp())


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
