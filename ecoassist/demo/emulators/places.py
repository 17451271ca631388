"""maps.googleapis.com: place text search, nearby search and details, and geocoding, in their classic JSON form
(https://developers.google.com/maps/documentation/places/web-service/legacy/)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .chance import between
from .gazetteer import Spot, coordinates, locate, mentioned, metres, nearest, words
from .venues import Search, Venue, search_of, venue_of

PAGE = 20
TOWN_RADIUS = 6000.0
"""Metres around the centre that a text search covers."""

_FIELDS = """
address_components adr_address business_status formatted_address geometry icon name photos place_id plus_code types url
utc_offset vicinity formatted_phone_number international_phone_number opening_hours current_opening_hours website
price_level rating reviews user_ratings_total editorial_summary wheelchair_accessible_entrance delivery dine_in
reservable takeout
"""
_SINGULAR = {"address_component": "address_components", "photo": "photos", "type": "types", "review": "reviews"}


class _InvalidRequest(Exception):
    """A parameter is missing or wrong; the text says which."""


def answer(path: str, params: Mapping[str, str], key: str, now: datetime.datetime) -> tuple[int, Any]:
    """Status and JSON body of one request; `key` is the only one that is accepted. Errors have status 200 as well."""
    operation = {
        "/maps/api/place/textsearch/json": text_search,
        "/maps/api/place/nearbysearch/json": nearby_search,
        "/maps/api/place/details/json": details,
        "/maps/api/geocode/json": geocode,
    }.get(path)
    if operation is None:
        return 404, {"error_message": "The requested URL was not found on this server.", "status": "NOT_FOUND"}
    empty: dict[str, Any] = {} if operation is details else {"results": []}
    if params.get("key") != key:
        why = "The provided API key is invalid." if params.get("key") else "You must use an API key."
        return 200, {**empty, "error_message": why, "html_attributions": [], "status": "REQUEST_DENIED"}
    try:
        return 200, operation(params, now)
    except _InvalidRequest as error:
        return 200, {**empty, "error_message": str(error), "html_attributions": [], "status": "INVALID_REQUEST"}


def text_search(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    """ "<what> in <where>", or near, around, at; without one of these, a known town that the query names."""
    if "pagetoken" in params:
        return _second_page(params["pagetoken"], now)
    query = _needed(params, "query")
    what, *where = re.split(r"\b(?:in|near|around|at)\b", query, flags=re.IGNORECASE)
    spot = (locate(where[-1]) if where else None) or mentioned(query)
    if not words(query):
        return _results([], now)
    if spot is None:
        spot = Spot("", "", "", 0.0, 0.0)
    return _first_page(Search(what, spot.name, spot.country, spot.lat, spot.lng, TOWN_RADIUS), now)


def nearby_search(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    if "pagetoken" in params:
        return _second_page(params["pagetoken"], now)
    point = coordinates(_needed(params, "location"))
    by_distance = params.get("rankby") == "distance"
    radius = 5000.0 if by_distance else _number(_needed(params, "radius"))
    what = " ".join(filter(None, (params.get("keyword"), params.get("type"), params.get("name"))))
    if point is None or not 0 < radius <= 50_000:
        raise _InvalidRequest("Invalid location or radius.")
    if by_distance and not what:
        raise _InvalidRequest("One of keyword, type or name is needed to rank by distance.")
    town = nearest(*point)
    near = metres(*point, town.lat, town.lng) < 80_000
    where = (town.name, town.country) if near else ("", "")
    return _first_page(Search(what.replace("_", " "), *where, *point, radius, by_distance), now)


def details(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    venue = venue_of(_needed(params, "place_id"))
    if venue is None:
        raise _InvalidRequest("The place_id is not valid.")
    asked = {field.partition("/")[0].strip() for field in params.get("fields", "").split(",")} - {""}
    asked = {_SINGULAR.get(field, field) for field in asked}
    unknown = asked - set(_FIELDS.split())
    if unknown:
        raise _InvalidRequest(f"Error while parsing 'fields' parameter: {', '.join(sorted(unknown))}")
    whole = _summary(venue, now) | {
        "address_components": [{"long_name": venue.town, "short_name": venue.town, "types": ["locality", "political"]}],
        "formatted_address": venue.address,
        "formatted_phone_number": venue.phone,
        "international_phone_number": "+1 " + re.sub(r"\((\d+)\) ", r"\1-", venue.phone),
        "opening_hours": venue.opening_hours(now),
        "url": f"https://maps.google.com/?cid={int(1e15 * between(1, 9, venue.id))}",
        "utc_offset": 0,
        "vicinity": venue.vicinity,
        "website": venue.website,
    }
    result = {name: value for name, value in whole.items() if name in asked} if asked else whole
    return {"html_attributions": [], "result": result, "status": "OK"}


def geocode(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    address = _needed(params, "address")
    spot = locate(address)
    if spot is None:
        return {"results": [], "status": "ZERO_RESULTS"}
    exact = words(address).split(" ")[0] == words(spot.name).split(" ")[0]  # the town itself, not something in it
    shift = 0.0 if exact else 0.03
    lat = round(spot.lat + between(-shift, shift, "lat", words(address)), 6)
    lng = round(spot.lng + between(-shift, shift, "lng", words(address)), 6)
    parts = {"locality": spot.name, "administrative_area_level_1": spot.region, "country": spot.country}
    result = {
        "address_components": [
            {"long_name": name, "short_name": name, "types": [kind, "political"]}
            for kind, name in parts.items()
            if name
        ],
        "formatted_address": ", ".join(filter(None, parts.values())),
        "geometry": _geometry(lat, lng) | {"location_type": "APPROXIMATE"},
        "place_id": Venue("locality", spot.name, spot.country, lat, lng, 0.0, 0).id,
        "types": ["locality", "political"],
    }
    return {"results": [result], "status": "OK"}


def _first_page(search: Search, now: datetime.datetime) -> dict[str, Any]:
    venues = search.venues()
    return _results(venues[:PAGE], now, search.token if len(venues) > PAGE else "")


def _second_page(token: str, now: datetime.datetime) -> dict[str, Any]:
    """Always the last one."""
    search = search_of(token)
    if search is None:
        raise _InvalidRequest("The pagetoken is not valid.")
    return _results(search.venues()[PAGE : 2 * PAGE], now)


def _results(venues: Sequence[Venue], now: datetime.datetime, token: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"html_attributions": [], "results": [_summary(venue, now) for venue in venues]}
    body |= {"next_page_token": token} if token else {}
    return body | {"status": "OK" if venues else "ZERO_RESULTS"}


def _summary(venue: Venue, now: datetime.datetime) -> dict[str, Any]:
    """What a search says about a place."""
    kind = venue.kind[0]
    rated = {"rating": venue.rating, "user_ratings_total": venue.ratings} if venue.rating else {}
    return {
        "business_status": "OPERATIONAL",
        "formatted_address": venue.address,
        "geometry": _geometry(*venue.point),
        "name": venue.name,
        "opening_hours": {"open_now": venue.opening_hours(now)["open_now"]},
        "place_id": venue.id,
        "types": list(dict.fromkeys((kind, "point_of_interest", "establishment"))),
        "vicinity": venue.vicinity,
        **rated,
    }


def _geometry(lat: float, lng: float) -> dict[str, Any]:
    corner = {
        "northeast": {"lat": round(lat + 0.01, 6), "lng": round(lng + 0.01, 6)},
        "southwest": {"lat": round(lat - 0.01, 6), "lng": round(lng - 0.01, 6)},
    }
    return {"location": {"lat": lat, "lng": lng}, "viewport": corner}


def _needed(params: Mapping[str, str], name: str) -> str:
    if not params.get(name, "").strip():
        raise _InvalidRequest(f"Missing the {name} parameter.")
    return params[name]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _InvalidRequest(f"Not a number: {text}") from error
