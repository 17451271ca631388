"""www.alphavantage.co/query (https://www.alphavantage.co/documentation/).

Prices are invented and stay the same whatever the day they are asked on; the last row is the latest trading day.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

from .chance import between, unit
from .market import trades, trading_days

FIRST = datetime.date(2010, 1, 4)
COMPACT = 100
"""Rows of a daily series without outputsize=full."""

_LISTED = {
    "TSLA": datetime.date(2010, 6, 29),
    "META": datetime.date(2012, 5, 18),
    "BABA": datetime.date(2014, 9, 19),
    "PYPL": datetime.date(2015, 7, 6),
    "UBER": datetime.date(2019, 5, 10),
}
# type | region | exchanges | open | close
_MARKETS = """
Equity|United States|NASDAQ, NYSE, AMEX, BATS|09:30|16:15
Equity|Canada|Toronto, Toronto Ventures|09:30|16:00
Equity|United Kingdom|London|08:00|16:30
Equity|Germany|XETRA, Berlin, Frankfurt, Munich, Stuttgart|08:00|20:00
Equity|France|Paris|09:00|17:30
Equity|Spain|Barcelona, Madrid|09:00|17:30
Equity|Portugal|Lisbon|08:00|16:30
Equity|Japan|Tokyo|09:00|15:00
Equity|India|NSE, BSE|09:15|15:30
Equity|Mainland China|Shanghai, Shenzhen|09:30|15:00
Equity|Hong Kong|Hong Kong|09:30|16:00
Equity|Brazil|Sao Paolo|10:00|17:30
Equity|Mexico|Mexico|08:30|15:00
Equity|South Africa|Johannesburg|09:00|17:00
Forex|Global|Global|00:00|23:59
Cryptocurrency|Global|Global|00:00|23:59
"""
# units of the currency for one US dollar
_RATES = {
    "USD": ("United States Dollar", 1.0),
    "EUR": ("Euro", 0.92),
    "GBP": ("British Pound Sterling", 0.79),
    "JPY": ("Japanese Yen", 149.0),
    "CHF": ("Swiss Franc", 0.88),
    "CAD": ("Canadian Dollar", 1.36),
    "AUD": ("Australian Dollar", 1.53),
    "CNY": ("Chinese Yuan", 7.2),
    "INR": ("Indian Rupee", 83.0),
    "MXN": ("Mexican Peso", 17.5),
    "BRL": ("Brazilian Real", 5.0),
    "BTC": ("Bitcoin", 0.000017),
}

_NO_KEY = (
    "the parameter apikey is invalid or missing. Please claim your free API key on "
    "(https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds."
)
_ZONE = "US/Eastern"


class _InvalidCall(Exception):
    """The service does not say more than that."""


def answer(path: str, params: Mapping[str, str], key: str, now: datetime.datetime) -> tuple[int, Any]:
    """Status and JSON body of one request; `key` is the only one that is accepted. Errors have status 200 as well."""
    if path != "/query":
        return 404, {"detail": "Not found."}
    if params.get("apikey") != key:
        return 200, {"Error Message": _NO_KEY}
    function = params.get("function", "")
    operations: dict[str, Callable[[Mapping[str, str], datetime.datetime], dict[str, Any]]] = {
        "TIME_SERIES_DAILY": daily,
        "TIME_SERIES_MONTHLY": monthly,
        "TIME_SERIES_MONTHLY_ADJUSTED": monthly_adjusted,
        "MARKET_STATUS": market_status,
        "CURRENCY_EXCHANGE_RATE": exchange_rate,
    }
    try:
        return 200, operations[function](params, now)
    except (KeyError, _InvalidCall):
        page = "https://www.alphavantage.co/documentation/"
        text = f"Invalid API call. Please retry or visit the documentation ({page}) for {function or 'the API'}."
        return 200, {"Error Message": text}


def daily(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    symbol, days = _symbol_days(params, now)
    full = params.get("outputsize") == "full"
    series = {day.isoformat(): _row(*quote(symbol, day)) for day in islice(days, None if full else COMPACT)}
    meta = _meta("Daily Prices (open, high, low, close) and Volumes", symbol, series)
    meta |= {"4. Output Size": "Full size" if full else "Compact", "5. Time Zone": _ZONE}
    return {"Meta Data": meta, "Time Series (Daily)": series}


def monthly(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    symbol, days = _symbol_days(params, now)
    series = {day.isoformat(): _row(*values) for day, values in _months(symbol, days)}
    meta = _meta("Monthly Prices (open, high, low, close) and Volumes", symbol, series) | {"4. Time Zone": _ZONE}
    return {"Meta Data": meta, "Monthly Time Series": series}


def monthly_adjusted(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    symbol, days = _symbol_days(params, now)
    series = {}
    for day, values in _months(symbol, days):
        row = _row(*values)
        volume = row.pop("5. volume")
        row |= {"5. adjusted close": row["4. close"], "6. volume": volume, "7. dividend amount": "0.0000"}
        series[day.isoformat()] = row
    meta = _meta("Monthly Adjusted Prices and Volumes", symbol, series) | {"4. Time Zone": _ZONE}
    return {"Meta Data": meta, "Monthly Adjusted Time Series": series}


def market_status(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    """By `now` as the local time of every market."""
    markets = []
    for kind, region, exchanges, opening, closing in (line.split("|") for line in _MARKETS.strip().splitlines()):
        trading = kind == "Cryptocurrency" or (trades(now.date()) and opening <= now.strftime("%H:%M") < closing)
        markets.append(
            {
                "market_type": kind,
                "region": region,
                "primary_exchanges": exchanges,
                "local_open": opening,
                "local_close": closing,
                "current_status": "open" if trading else "closed",
                "notes": "",
            }
        )
    return {"endpoint": "Global Market Open & Close Status", "markets": markets}


def exchange_rate(params: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    source, target = params["from_currency"].upper(), params["to_currency"].upper()
    (source_name, source_rate), (target_name, target_rate) = _RATES[source], _RATES[target]
    today = now.date()
    drift = [1 + between(-0.02, 0.02, "rate", code, today) if code != "USD" else 1.0 for code in (source, target)]
    rate = target_rate * drift[1] / (source_rate * drift[0])
    return {
        "Realtime Currency Exchange Rate": {
            "1. From_Currency Code": source,
            "2. From_Currency Name": source_name,
            "3. To_Currency Code": target,
            "4. To_Currency Name": target_name,
            "5. Exchange Rate": f"{rate:.8f}",
            "6. Last Refreshed": now.strftime("%Y-%m-%d %H:%M:%S"),
            "7. Time Zone": "UTC",
            "8. Bid Price": f"{rate * 0.9999:.8f}",
            "9. Ask Price": f"{rate * 1.0001:.8f}",
        }
    }


def quote(symbol: str, day: datetime.date) -> tuple[float, float, float, float, int]:
    """Open, high, low, close in dollars and the volume in shares."""
    close = _close(symbol, day)
    opening = _close(symbol, day - datetime.timedelta(1)) * (1 + between(-0.004, 0.004, symbol, "open", day))
    high = max(opening, close) * (1 + between(0, 0.015, symbol, "high", day))
    low = min(opening, close) * (1 - between(0, 0.015, symbol, "low", day))
    volume = between(4e6, 6e7, symbol, "volume") * between(0.6, 1.7, symbol, "volume", day)
    return opening, high, low, close, int(volume)


def _close(symbol: str, day: datetime.date) -> float:
    """Growth, three slow waves and some noise: without memory, so any day is computed alone."""
    years = (day - FIRST).days / 365.25
    level = math.log(between(15, 90, symbol, "level")) + between(0.03, 0.16, symbol, "growth") * years
    for period in (0.31, 1.3, 4.1):
        level += 0.05 * period**0.5 * math.sin(2 * math.pi * (years / period + unit(symbol, "phase", period)))
    return math.exp(level + between(-0.012, 0.012, symbol, "noise", day))


def _symbol_days(params: Mapping[str, str], now: datetime.datetime) -> tuple[str, Iterator[datetime.date]]:
    symbol = params["symbol"].upper()
    if not re.fullmatch(r"[A-Z]{1,5}([.-][A-Z]{1,4})?", symbol):
        raise _InvalidCall
    return symbol, trading_days(_LISTED.get(symbol, FIRST), now.date())


def _months(
    symbol: str, days: Iterator[datetime.date]
) -> Iterator[tuple[datetime.date, tuple[float, float, float, float, int]]]:
    """One quote for each month under its last trading day, latest first."""
    for _, group in groupby(days, key=lambda day: (day.year, day.month)):
        month = list(group)
        quotes = [quote(symbol, day) for day in month]
        opens, highs, lows, closes, volumes = zip(*quotes, strict=True)
        yield month[0], (opens[-1], max(highs), min(lows), closes[0], sum(volumes))


def _row(opening: float, high: float, low: float, close: float, volume: int) -> dict[str, str]:
    prices = {"1. open": opening, "2. high": high, "3. low": low, "4. close": close}
    return {name: f"{price:.4f}" for name, price in prices.items()} | {"5. volume": str(volume)}


def _meta(information: str, symbol: str, series: Mapping[str, object]) -> dict[str, str]:
    return {"1. Information": information, "2. Symbol": symbol, "3. Last Refreshed": next(iter(series), "")}
