"""Programs for questions about places, weather and stocks, for scripted models to play: the published one where there
is one, else one that is made up here from the words of the question, after the fashion of the published ones.

They call the services that `ecoassist.demo` emulates. What a made-up program answers is plausible, not checked.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from ecoassist import programs

KEYS = {"b4d5490d": "WEATHERAPI_KEY", "181dbb37": "GOOGLE_MAPS_KEY", "af8fb19b": "ALPHAVANTAGE_KEY"}
"""Placeholder in the published programs -> variable."""
ENDPOINT = re.compile(
    r"(?:forecast|current|astronomy)(?=\.json)|textsearch|nearbysearch|geocode|details(?=/json)"
    r"|TIME_SERIES_MONTHLY_ADJUSTED|TIME_SERIES_\w+|MARKET_STATUS|CURRENCY_EXCHANGE_RATE"
)
SYMBOLS = {
    "Adobe": "ADBE",
    "Alibaba": "BABA",
    "Alphabet": "GOOG",
    "Amazon": "AMZN",
    "Apple": "AAPL",
    "Coca": "KO",
    "Exxon": "XOM",
    "Facebook": "META",
    "General Electric": "GE",
    "General Motors": "GM",
    "Google": "GOOG",
    "IBM": "IBM",
    "Johnson": "JNJ",
    "Microsoft": "MSFT",
    "NVIDIA": "NVDA",
    "Netflix": "NFLX",
    "Paypal": "PYPL",
    "Procter": "PG",
    "Tesla": "TSLA",
    "Twitter": "TWTR",
    "Walmart": "WMT",
}
REGIONS = {"London": "United Kingdom", "UK": "United Kingdom", "Chinese": "Mainland China", "Brazil": "Brazil"}
CURRENCIES = {
    "JPY": ("JPY", "yen"),
    "EUR": ("EUR", "Euro"),
    "GBP": ("GBP", "British pound"),
    "AUD": ("AUD", "Australian dollar"),
    "CNY": ("CNY", "yuan"),
    "USD": ("USD", "US dollar", "United States dollar"),
}
FIELDS = {
    "1. open": ("opening", "open "),
    "2. high": ("high",),
    "3. low": ("low",),
    "5. volume": ("volume", "shares", "trades"),
    "4. close": ("",),
}
"""Of a trading day, by the words that ask for it; the last where none does."""

WEATHER = """\
import os
import requests

place = {"key": os.environ["WEATHERAPI_KEY"], "q": @city, "days": @days}
body = requests.get("https://api.weatherapi.com/v1/@endpoint.json", params=place).json()
"""
DAYS = """\
for day in body["forecast"]["forecastday"]:
    told = day["day"]
    print(day["date"], told["condition"]["text"], told["mintemp_c"], told["maxtemp_c"], told["daily_chance_of_rain"])"""
NOW = """\
told = body["current"]
print(told["condition"]["text"], told["temp_c"], told["humidity"], told["wind_kph"], told["vis_km"])"""
SUN = """\
told = body["astronomy"]["astro"]
print("the sun rises at", told["sunrise"], "and sets at", told["sunset"])"""
STOCK = """\
import os
import requests

asked = {"function": "@endpoint", "symbol": @symbol, "outputsize": "full", "apikey": os.environ["ALPHAVANTAGE_KEY"]}
body = requests.get("https://www.alphavantage.co/query", params=asked).json()
rows = body["@series"]
day = @date
row = rows[min((one for one in rows if one >= day), default=max(rows))]
print(row["@field"])"""
MARKET = """\
import os
import requests

url = "https://www.alphavantage.co/query?function=MARKET_STATUS&apikey=" + os.environ["ALPHAVANTAGE_KEY"]
for market in requests.get(url).json()["markets"]:
    if market["region"] == @region:
        print(market["primary_exchanges"], market["current_status"])"""
RATE = """\
import os
import requests

asked = {"function": "CURRENCY_EXCHANGE_RATE", "from_currency": @one, "to_currency": @other}
asked["apikey"] = os.environ["ALPHAVANTAGE_KEY"]
body = requests.get("https://www.alphavantage.co/query", params=asked).json()
print(body["Realtime Currency Exchange Rate"]["5. Exchange Rate"])"""
PLACES = """\
import os
import requests

key = os.environ["GOOGLE_MAPS_KEY"]
base = "https://maps.googleapis.com/maps/api/place/"
found = requests.get(base + "textsearch/json", params={"query": @what, "key": key}).json()["results"][:5]
"""
NEARBY = """\
import os
import requests

key = os.environ["GOOGLE_MAPS_KEY"]
base = "https://maps.googleapis.com/maps/api/"
at = requests.get(base + "geocode/json", params={"address": @where, "key": key}).json()["results"][0]
at = at["geometry"]["location"]
asked = {"location": f"{at['lat']},{at['lng']}", "rankby": "distance", "keyword": @kind, "key": key}
found = requests.get(base + "place/nearbysearch/json", params=asked).json()["results"][:3]
base += "place/"
"""
LISTED = """\
for place in found:
    print(place["name"], place.get("rating"), place.get("formatted_address") or place.get("vicinity"))"""
DETAILED = """\
for place in found[:3]:
    asked = {"place_id": place["place_id"], "key": key, "fields": "name,formatted_phone_number,website,opening_hours"}
    told = requests.get(base + "details/json", params=asked).json()["result"]
    print(told["name"], told.get("formatted_phone_number"), told.get("website"))"""


def program_of(query: str, domain: str, published: Mapping[str, str]) -> str:
    """The program that answers `query`; keys are read from the environment."""
    if query in published:
        return programs.without_placeholders(published[query], KEYS)
    return {"weather": _weather, "stock": _stock, "places": _places}[domain](query)


def endpoints_of(program: str) -> frozenset[str]:
    """What a program calls, by its text."""
    return frozenset(ENDPOINT.findall(program))


def _filled(template: str, **values: object) -> str:
    for name, value in values.items():
        template = template.replace(f'"@{name}"', repr(value)).replace(f"@{name}.json", f"{value}.json")
        template = template.replace(f"@{name}", repr(value))
    return template


def _weather(query: str) -> str:
    said = query.lower()
    days = re.search(r"next (\d+|three|five) days", said)
    number = {"three": 3, "five": 5}.get(days[1]) or int(days[1]) if days else 1 if "today" in said else 7
    if re.search(r"sunset|sunrise|sun stay|daylight", said):
        endpoint, end = "astronomy", SUN
    elif re.search(r"right now|current", said):
        endpoint, end = "current", NOW
    else:
        endpoint, end = "forecast", DAYS
    return _filled(WEATHER, city=_place(query), days=number, endpoint=endpoint) + end


def _stock(query: str) -> str:
    named = sorted(
        (query.lower().find(word.lower()), code)
        for code, words in CURRENCIES.items()
        for word in words
        if word in query
    )
    if re.search(r"exchange rate|worth in", query) and named:
        codes = list(dict.fromkeys(code for at, code in named))
        return _filled(RATE, one=codes[0], other=codes[1] if len(codes) > 1 else "USD")
    company = next((name for name in SYMBOLS if name.lower() in query.lower()), "")
    if not company:
        return _filled(MARKET, region=next((REGIONS[name] for name in REGIONS if name in query), "United States"))
    monthly = re.search(r"\bmonth(ly)?\b", query) and not re.search(r"[A-Z]\w+ \d", query)
    endpoint, series = ("TIME_SERIES_MONTHLY", "Monthly Time Series") if monthly else ("TIME_SERIES_DAILY", "")
    field = next(field for field, words in FIELDS.items() if any(word in query.lower() for word in words))
    values = {"series": series or "Time Series (Daily)", "field": field, "date": _date(query), "endpoint": endpoint}
    return _filled(STOCK, symbol=SYMBOLS[company], **values)


def _date(query: str) -> str:
    """As the service writes it; a day to come where the question names none, so that the latest is taken."""
    if found := re.search(r"([A-Z]\w+) (\d+)(?:st|nd|rd|th)?, (\d{4})", query):
        day = datetime.datetime.strptime(f"{found[2]} {found[1]} {found[3]}", "%d %B %Y").date()
        return day.isoformat()
    return "9999-12-31"


def _places(query: str) -> str:
    said = query.lower()
    kind = re.search(
        r"\b(?:an?|the|some|any|nearest|closest|best|good|popular|famous|top|list of|which|what|all)\s+"
        r"((?:[a-z0-9-]+ ){0,2}[a-z-]+?)s?(?= (?:in|near|to|that|for|with|of|on|at|open)\b|\?|$)",
        said,
    )
    what, where = kind[1] if kind else "place", _place(query)
    end = DETAILED if re.search(r"phone|website|url|contact|hours|open ", said) else LISTED
    if re.search(r"nearest|closest|\bnear\b", said):
        return _filled(NEARBY, where=where, kind=what) + end
    return _filled(PLACES, what=f"{what} in {where}") + end


def _place(query: str) -> str:
    """The last name after a preposition that is no month or day; the country that follows it is left out."""
    name = r"[A-Z][\w'’-]*(?:(?: of the| de| of)? [A-Z][\w'’-]*)*"
    found = re.findall(rf"\b(?:in|for|near|to|at|of|off|from|on|visit) (?:the |downtown )?({name})", query)
    fit = [one for one in found if not re.match(r"(?:UK|IMAX|Monday|Sundays|July|August|October|UV|Celsius)\b", one)]
    return fit[-1] if fit else "London"
