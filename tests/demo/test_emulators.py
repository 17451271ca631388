"""The emulated services over real sockets, and the calendar and the sky behind them."""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from ecoassist.demo.emulators import Emulators, Request
from ecoassist.demo.emulators.gazetteer import locate
from ecoassist.demo.emulators.market import easter, holidays, trades
from ecoassist.demo.emulators.sky import day_length
from ecoassist.demo.emulators.venues import MOST, Search

WEATHER, STOCK, MAPS = "api.weatherapi.com", "www.alphavantage.co", "maps.googleapis.com"
KEYS = {WEATHER: "weather-key", STOCK: "stock-key", MAPS: "maps-key"}
FRIDAY = datetime.datetime(2026, 11, 20, 10, 38)
SUNDAY = datetime.datetime(2026, 11, 22, 10, 38)
NEW_YEAR = datetime.datetime(2027, 1, 1, 10, 38)  # a Friday

Ask = Callable[..., Any]


def connect(emulators: Emulators, host: str, tls: bool) -> http.client.HTTPConnection:
    place = emulators.overrides[host]
    connection = http.client.HTTPConnection(host)
    connection.sock = socket.create_connection((place.address, place.tls_port if tls else place.plain_port), 15)
    if tls:
        connection.sock = emulators.upstream.wrap_socket(connection.sock, server_hostname=host)
    return connection


def asker(emulators: Emulators) -> Ask:
    def ask(host: str, path: str, method: str = "GET", tls: bool = True, status: int = 200, **params: object) -> Any:
        name = "apikey" if host == STOCK else "key"
        connection = connect(emulators, host, tls)
        try:
            connection.request(method, f"{path}?{urlencode({name: KEYS[host]} | params)}")
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        assert response.status == status, content
        return json.loads(content)

    return ask


@pytest.fixture(scope="module")
def friday() -> Iterator[Emulators]:
    with Emulators(KEYS, FRIDAY) as emulators:
        yield emulators


@pytest.fixture(scope="module")
def ask(friday: Emulators) -> Ask:
    return asker(friday)


# ── the server ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(
    ("host", "path", "params", "field"),
    [
        (WEATHER, "/v1/current.json", {"q": "Paris"}, "current"),
        (STOCK, "/query", {"function": "MARKET_STATUS"}, "markets"),
        (MAPS, "/maps/api/geocode/json", {"address": "Paris"}, "results"),
    ],
)
def test_each_host_answers_both_methods_over_both_schemes(
    ask: Ask, host: str, path: str, params: dict[str, str], field: str, method: str, tls: bool
) -> None:
    assert ask(host, path, method, tls, **params)[field]


def test_one_connection_carries_many_requests(friday: Emulators) -> None:
    connection = connect(friday, STOCK, tls=True)
    for _ in range(3):
        connection.request("POST", "/query?function=MARKET_STATUS&apikey=stock-key", body=b"ignored=1")
        assert connection.getresponse().read()
        assert connection.sock is not None
    connection.close()


def test_the_log_tells_what_was_asked_of_which_host() -> None:
    with Emulators(KEYS, FRIDAY) as emulators:
        asker(emulators)(WEATHER, "/v1/current.json", q="Paris")
    params = {"key": "weather-key", "q": "Paris"}
    assert emulators.log[WEATHER] == [Request(WEATHER, "GET", "/v1/current.json", params, tls=True)]
    assert emulators.log[STOCK] == []


def test_leaving_does_not_wait_for_idle_connections() -> None:
    with Emulators(KEYS, FRIDAY) as emulators:
        waiting = [connect(emulators, MAPS, tls) for tls in (True, False)]
        silent = socket.create_connection(("127.0.0.1", emulators.overrides[MAPS].tls_port), 15)
    for connection in waiting:
        assert connection.sock is not None
        assert connection.sock.recv(1) == b""
        connection.close()
    silent.close()


def test_only_its_own_hosts_have_a_certificate(friday: Emulators) -> None:
    place = friday.overrides[MAPS]
    with socket.create_connection((place.address, place.tls_port), 15) as plain, pytest.raises(ssl.SSLError):
        friday.upstream.wrap_socket(plain, server_hostname="example.com")


def test_another_client_does_not_trust_the_servers(friday: Emulators) -> None:
    place = friday.overrides[MAPS]
    stranger = ssl.create_default_context()
    with socket.create_connection((place.address, place.tls_port), 15) as plain, pytest.raises(ssl.SSLError):
        stranger.wrap_socket(plain, server_hostname=MAPS)


def test_a_demo_may_bring_hosts_and_keys_of_its_own() -> None:
    services = {"prices.example": lambda path, params, key, now: (200, [path, dict(params), key, now.year])}
    with Emulators({"prices.example": "k"}, FRIDAY, services) as emulators:
        connection = connect(emulators, "prices.example", tls=True)
        connection.request("GET", "/today?of=tea")
        assert json.loads(connection.getresponse().read()) == ["/today", {"of": "tea"}, "k", 2026]
        connection.close()


def test_two_runs_give_the_same_answers(ask: Ask) -> None:
    questions: list[tuple[str, str, dict[str, object]]] = [
        (WEATHER, "/v1/forecast.json", {"q": "Oslo", "days": 10, "alerts": "yes"}),
        (STOCK, "/query", {"function": "TIME_SERIES_DAILY", "symbol": "MSFT"}),
        (MAPS, "/maps/api/place/textsearch/json", {"query": "pubs in London"}),
    ]
    with Emulators(KEYS, FRIDAY) as again:
        for host, path, params in questions:
            assert ask(host, path, **params) == asker(again)(host, path, **params)


# ── weather ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def forecast(ask: Ask, **params: object) -> Any:
    return ask(WEATHER, "/v1/forecast.json", **params)


def test_a_forecast_starts_today_and_has_as_many_days_as_asked(ask: Ask) -> None:
    body = forecast(ask, q="Sydney, Australia", days=7, date="2030-01-01")
    days = [datetime.date.fromisoformat(day["date"]) for day in body["forecast"]["forecastday"]]
    assert days == [FRIDAY.date() + datetime.timedelta(ahead) for ahead in range(7)]
    assert body["location"]["name"] == "Sydney"
    assert body["location"]["localtime"] == "2026-11-20 10:38"
    assert body["current"]["last_updated"] == "2026-11-20 10:30"
    assert "alerts" not in body


def test_a_forecast_has_the_fields_that_programs_read(ask: Ask) -> None:
    body = forecast(ask, q="Chicago", days=1)
    day = body["forecast"]["forecastday"][0]
    assert {
        *("maxtemp_c", "maxtemp_f", "mintemp_c", "mintemp_f", "avgtemp_c", "avgtemp_f", "maxwind_kph", "maxwind_mph"),
        *("totalprecip_mm", "totalsnow_cm", "avgvis_km", "avghumidity", "daily_chance_of_rain", "condition", "uv"),
    } <= set(day["day"])
    assert day["day"]["condition"]["text"]
    assert {"sunrise", "sunset", "moon_phase"} <= set(day["astro"])
    assert len(day["hour"]) == 24
    needed = {"time", "temp_c", "wind_kph", "wind_mph", "wind_dir", "vis_km", "pressure_mb", "chance_of_rain"}
    assert all(needed <= set(hour) for hour in day["hour"])


@pytest.mark.parametrize("town", ["Chicago", "Anchorage, Alaska", "Rio de Janeiro", "Reykjavik", "Atlantis"])
def test_days_agree_with_their_hours(ask: Ask, town: str) -> None:
    for day in forecast(ask, q=town, days=10)["forecast"]["forecastday"]:
        total, hours = day["day"], day["hour"]
        assert total["mintemp_c"] == min(hour["temp_c"] for hour in hours) <= total["avgtemp_c"] <= total["maxtemp_c"]
        assert total["maxwind_kph"] == max(hour["wind_kph"] for hour in hours)
        assert total["totalprecip_mm"] == pytest.approx(sum(hour["precip_mm"] for hour in hours))
        assert total["maxtemp_f"] == pytest.approx(total["maxtemp_c"] * 1.8 + 32, abs=0.1)
        assert 0 < total["avghumidity"] <= 100
        assert total["daily_will_it_rain"] == (total["daily_chance_of_rain"] >= 50)
        assert (total["totalsnow_cm"] > 0) <= (total["mintemp_c"] < 1)


def test_the_current_weather_is_that_of_the_forecast_hour(ask: Ask) -> None:
    current = ask(WEATHER, "/v1/current.json", q="Tokyo", aqi="no")["current"]
    (hour,) = forecast(ask, q="Tokyo", hour=10)["forecast"]["forecastday"][0]["hour"]
    shared = {"temp_c", "temp_f", "humidity", "wind_kph", "wind_mph", "wind_dir", "vis_km", "vis_miles", "condition"}
    assert {name: current[name] for name in shared} == {name: hour[name] for name in shared}
    assert "air_quality" not in current
    assert "air_quality" in ask(WEATHER, "/v1/current.json", q="Tokyo", aqi="yes")["current"]


@pytest.mark.parametrize(("dt", "day"), [("2026-11-25", "2026-11-25"), ("today", "2026-11-20")])
def test_dt_asks_for_one_day(ask: Ask, dt: str, day: str) -> None:
    days = forecast(ask, q="Beijing", dt=dt, hour=19)["forecast"]["forecastday"]
    assert [entry["date"] for entry in days] == [day]
    assert [hour["time"] for hour in days[0]["hour"]] == [f"{day} 19:00"]


@pytest.mark.parametrize("dt", ["2026-11-19", "2027-11-20"])
def test_days_outside_the_horizon_have_no_forecast(ask: Ask, dt: str) -> None:
    assert forecast(ask, q="Beijing", dt=dt)["forecast"]["forecastday"] == []


def test_a_day_is_forecast_alike_whenever_it_is_asked_for(ask: Ask) -> None:
    with Emulators(KEYS, SUNDAY) as later:
        assert (
            forecast(ask, q="Rome", dt="2026-11-25")["forecast"]
            == forecast(asker(later), q="Rome", dt="2026-11-25")["forecast"]
        )


def test_summer_is_warm_and_winter_is_cold_on_both_halves_of_the_globe() -> None:
    def mean(town: str, now: datetime.datetime) -> float:
        with Emulators(KEYS, now) as emulators:
            days = forecast(asker(emulators), q=town, days=14)["forecast"]["forecastday"]
        return float(sum(day["day"]["avgtemp_c"] for day in days) / len(days))

    january, july = datetime.datetime(2026, 1, 1), datetime.datetime(2026, 7, 1)
    assert mean("Chicago", january) < 8 < 18 < mean("Chicago", july)
    assert mean("Sydney", july) < mean("Sydney", january)
    assert mean("Anchorage", january) < 0
    assert mean("Singapore", january) > 22


def test_alerts_appear_only_on_demand_and_only_with_a_gale(ask: Ask) -> None:
    seen = 0
    for number in range(60):
        body = forecast(ask, q=f"Town {number}", days=2, alerts="yes")
        for alert in body["alerts"]["alert"]:
            seen += 1
            assert {"headline", "severity", "areas", "certainty", "effective", "expires", "desc", "instruction"} <= set(
                alert
            )
            assert max(hour["gust_kph"] for day in body["forecast"]["forecastday"] for hour in day["hour"]) >= 62
    assert 0 < seen < 30


def test_the_sun_keeps_the_hours_of_latitude_and_season(ask: Ask) -> None:
    astro = ask(WEATHER, "/v1/astronomy.json", q="Anchorage", dt="2026-11-21")["astronomy"]["astro"]
    rise, sets = (datetime.datetime.strptime(astro[name], "%I:%M %p") for name in ("sunrise", "sunset"))
    assert datetime.timedelta(hours=6.2) < sets - rise < datetime.timedelta(hours=7)  # 6 h 35 min in an almanac
    assert day_length(0, datetime.date(2026, 3, 20)) == pytest.approx(12.1, abs=0.1)
    assert (day_length(80, datetime.date(2026, 6, 21)), day_length(80, datetime.date(2026, 12, 21))) == (24, 0)
    polar = forecast(ask, q="82.5,-62.3")["forecast"]["forecastday"][0]["astro"]
    assert polar["sunrise"] == "No sunrise"


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"q": "Paris", "key": "wrong"}, 401, 2006),
        ({"q": "Paris", "key": ""}, 401, 1002),
        ({"q": ""}, 400, 1003),
        ({"q": "???"}, 400, 1006),
        ({"q": "qzxkv"}, 400, 1006),
        ({"q": "Paris", "dt": "next week"}, 400, 1007),
        ({"q": "Paris", "dt": "2026-13-01"}, 400, 1007),
    ],
)
def test_weather_refuses_in_the_words_of_the_service(ask: Ask, params: dict[str, str], status: int, code: int) -> None:
    body = ask(WEATHER, "/v1/forecast.json", status=status, **params)
    assert set(body) == {"error"}
    assert body["error"]["code"] == code


def test_weather_knows_no_other_operation(ask: Ask) -> None:
    assert ask(WEATHER, "/v1/tides.json", status=400, q="Paris")["error"]["code"] == 1005


@pytest.mark.parametrize(
    ("text", "name", "near"),
    [
        ("Paris, France", "Paris", (48.87, 2.33)),
        ("Seattle, Washington", "Seattle", (47.61, -122.33)),
        ("new york city", "New York", (40.71, -74.01)),
        ("Mexico City, Mexico", "Mexico City", (19.43, -99.13)),
        ("Illinois", "Illinois", (41.85, -87.65)),
        ("Cancún", "Cancun", (21.17, -86.83)),
        ("37.8199, -122.4783", "San Francisco", (37.8199, -122.4783)),
    ],
)
def test_known_places_are_where_they_are(text: str, name: str, near: tuple[float, float]) -> None:
    spot = locate(text)
    assert spot is not None
    assert (spot.name, (spot.lat, spot.lng)) == (name, near)


def test_any_other_name_has_a_fixed_place_of_its_own() -> None:
    one, other = locate("Little Harbour"), locate("Upper Meadow")
    assert one is not None
    assert one == locate("little  harbour")
    assert one != other


# ── stock ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def daily(ask: Ask, **params: object) -> dict[str, dict[str, str]]:
    series: dict[str, dict[str, str]] = ask(STOCK, "/query", function="TIME_SERIES_DAILY", **params)[
        "Time Series (Daily)"
    ]
    return series


def test_prices_exist_for_trading_days_only_latest_first(ask: Ask) -> None:
    series = daily(ask, symbol="MSFT", outputsize="full", datatype="json")
    days = [datetime.date.fromisoformat(day) for day in series]
    assert days == sorted(days, reverse=True)
    assert all(trades(day) for day in days)
    assert (days[0], days[-1]) == (FRIDAY.date(), datetime.date(2010, 1, 4))
    assert {"2018-12-24", "2020-12-31", "2021-05-03"} <= set(series)
    assert {"2021-06-12", "2022-05-21", "2020-12-25"}.isdisjoint(series)


def test_a_row_is_a_possible_day_at_the_exchange(ask: Ask) -> None:
    for row in daily(ask, symbol="AMZN", outputsize="full").values():
        assert set(row) == {"1. open", "2. high", "3. low", "4. close", "5. volume"}
        opening, high, low, close = (float(row[name]) for name in ("1. open", "2. high", "3. low", "4. close"))
        assert 0 < low <= min(opening, close) <= max(opening, close) <= high
        assert int(row["5. volume"]) > 0


def test_the_short_series_is_the_end_of_the_full_one(ask: Ask) -> None:
    full, short = daily(ask, symbol="INTC", outputsize="full"), daily(ask, symbol="intc")
    assert len(short) == 100
    assert list(full.items())[:100] == list(short.items())


def test_a_stock_has_no_price_before_its_listing(ask: Ask) -> None:
    assert min(daily(ask, symbol="TSLA", outputsize="full")) == "2010-06-29"


@pytest.mark.parametrize("now", [SUNDAY, NEW_YEAR])
def test_on_a_closed_day_the_series_ends_before_it(now: datetime.datetime) -> None:
    with Emulators(KEYS, now) as emulators:
        ask = asker(emulators)
        last = datetime.date.fromisoformat(next(iter(daily(ask, symbol="MSFT"))))
        assert last < now.date()
        assert trades(last)
        markets = ask(STOCK, "/query", function="MARKET_STATUS")["markets"]
        assert {row["current_status"] for row in markets if row["market_type"] == "Equity"} == {"closed"}


def test_past_prices_do_not_depend_on_the_day_they_are_asked_on(ask: Ask) -> None:
    with Emulators(KEYS, NEW_YEAR) as later:
        earlier, again = daily(ask, symbol="PG"), daily(asker(later), symbol="PG")
    common = set(earlier) & set(again)
    assert len(common) > 60
    assert all(earlier[day] == again[day] for day in common)


def test_a_month_sums_up_its_days(ask: Ask) -> None:
    days = {day: row for day, row in daily(ask, symbol="AMZN", outputsize="full").items() if day.startswith("2021-06")}
    months = ask(STOCK, "/query", function="TIME_SERIES_MONTHLY", symbol="AMZN")["Monthly Time Series"]
    assert next(iter(months)) == "2026-11-20"
    june = months["2021-06-30"]
    assert float(june["2. high"]) == max(float(row["2. high"]) for row in days.values())
    assert float(june["3. low"]) == min(float(row["3. low"]) for row in days.values())
    assert int(june["5. volume"]) == sum(int(row["5. volume"]) for row in days.values())
    assert june["1. open"] == days["2021-06-01"]["1. open"]
    adjusted = ask(STOCK, "/query", function="TIME_SERIES_MONTHLY_ADJUSTED", symbol="AMZN")
    assert adjusted["Monthly Adjusted Time Series"]["2021-06-30"]["4. close"] == june["4. close"]
    assert adjusted["Monthly Adjusted Time Series"]["2021-06-30"]["6. volume"] == june["5. volume"]


def test_markets_are_open_in_their_hours(ask: Ask) -> None:
    markets = ask(STOCK, "/query", function="MARKET_STATUS")["markets"]
    status = {row["region"]: row["current_status"] for row in markets if row["market_type"] == "Equity"}
    assert status["United States"] == status["United Kingdom"] == "open"
    with Emulators(KEYS, FRIDAY.replace(hour=20)) as evening:
        markets = asker(evening)(STOCK, "/query", function="MARKET_STATUS")["markets"]
    assert next(row for row in markets if row["region"] == "United States")["current_status"] == "closed"


def test_exchange_rates_are_each_others_inverse(ask: Ask) -> None:
    def rate(source: str, target: str) -> float:
        body = ask(STOCK, "/query", function="CURRENCY_EXCHANGE_RATE", from_currency=source, to_currency=target)
        return float(body["Realtime Currency Exchange Rate"]["5. Exchange Rate"])

    assert 0.8 < rate("USD", "EUR") < 1
    assert rate("USD", "EUR") * rate("EUR", "USD") == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"function": "TIME_SERIES_DAILY", "symbol": "MSFT", "apikey": "wrong"}, "apikey is invalid or missing"),
        ({"function": "TIME_SERIES_DAILY", "symbol": "not a symbol"}, "Invalid API call"),
        ({"function": "TIME_SERIES_DAILY"}, "Invalid API call"),
        ({"function": "TEA_LEAVES"}, "Invalid API call"),
        ({"function": "CURRENCY_EXCHANGE_RATE", "from_currency": "USD", "to_currency": "XYZ"}, "Invalid API call"),
    ],
)
def test_stock_refuses_with_an_error_message(ask: Ask, params: dict[str, str], words: str) -> None:
    body = ask(STOCK, "/query", **params)
    assert set(body) == {"Error Message"}
    assert words in body["Error Message"]


def test_holidays_are_those_of_the_new_york_stock_exchange() -> None:
    def closed(year: int) -> list[str]:
        return [f"{day:%m-%d}" for day in sorted(holidays(year))]

    expected = ["01-17", "02-21", "04-15", "05-30", "06-20", "07-04", "09-05", "11-24", "12-26"]
    assert closed(2022) == expected
    assert closed(2021) == ["01-01", "01-18", "02-15", "04-02", "05-31", "07-05", "09-06", "11-25", "12-24"]
    assert [easter(year) for year in (2000, 2019, 2025)] == [
        datetime.date(2000, 4, 23),
        datetime.date(2019, 4, 21),
        datetime.date(2025, 4, 20),
    ]


# ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def places(ask: Ask, operation: str, **params: object) -> Any:
    return ask(MAPS, f"/maps/api/place/{operation}/json", **params)


def test_a_text_search_names_places_in_the_town(ask: Ask) -> None:
    body = places(ask, "textsearch", query="Seafood restaurants in Boston Massachusetts")
    assert body["status"] == "OK"
    assert all("Boston" in result["formatted_address"] for result in body["results"])
    assert all(1 <= result["rating"] <= 5 for result in body["results"])  # restaurants always have one
    assert all("restaurant" in result["types"] for result in body["results"])
    names = [result["name"] for result in body["results"]]
    assert len(set(names)) == len(names) > 0


def test_some_places_have_no_rating(ask: Ask) -> None:
    towns = ["Rome", "Athens", "Chicago", "Paris", "Denver", "Seattle"]
    results = [result for town in towns for result in places(ask, "textsearch", query=f"parks in {town}")["results"]]
    rated = sum("rating" in result for result in results)
    assert 0 < len(results) - rated < rated


def test_places_near_a_point_are_within_the_radius(ask: Ask) -> None:
    body = places(ask, "nearbysearch", location="51.5074,-0.1278", radius=15000, keyword="IMAX")
    assert all("IMAX" in result["name"] and "London" in result["vicinity"] for result in body["results"])
    for result in body["results"]:
        point = result["geometry"]["location"]
        assert abs(point["lat"] - 51.5074) < 0.14
        assert abs(point["lng"] + 0.1278) < 0.22


def test_ranking_by_distance_puts_the_nearest_first(ask: Ask) -> None:
    body = places(ask, "nearbysearch", location="34.0430,-118.2673", rankby="distance", keyword="Parking Garage")
    points = [result["geometry"]["location"] for result in body["results"]]
    away = [((p["lat"] - 34.0430) ** 2 + ((p["lng"] + 118.2673) * 0.8286) ** 2) ** 0.5 for p in points]
    assert away == sorted(away)


def test_paging_ends_after_the_second_page(ask: Ask) -> None:
    for town in ("Rome", "Athens", "Chicago", "Paris"):
        first = places(ask, "textsearch", query=f"museums in {town}")
        if "next_page_token" in first:
            break
    second = places(ask, "textsearch", query=f"museums in {town}", pagetoken=first["next_page_token"])
    assert "next_page_token" not in second
    assert len(first["results"]) == 20
    ids = [result["place_id"] for body in (first, second) for result in body["results"]]
    assert 20 < len(set(ids)) == len(ids) <= MOST


def test_a_short_list_has_one_page() -> None:
    sizes = {len(Search("parks", f"Town {number}", "", 0, 0, 5000).venues()) for number in range(100)}
    assert min(sizes) >= 6
    assert max(sizes) <= MOST


def test_details_tell_of_the_place_that_was_found(ask: Ask) -> None:
    found = places(ask, "textsearch", query="museums in Washington DC")["results"][0]
    body = places(ask, "details", place_id=found["place_id"])
    assert body["status"] == "OK"
    assert {name: body["result"][name] for name in ("name", "formatted_address", "place_id")} == {
        name: found[name] for name in ("name", "formatted_address", "place_id")
    }
    assert {"formatted_phone_number", "website", "opening_hours", "address_components"} <= set(body["result"])
    hours = body["result"]["opening_hours"]
    assert len(hours["weekday_text"]) == 7
    assert hours["weekday_text"][0].startswith("Monday: ")
    assert isinstance(hours["open_now"], bool)


def test_details_honour_the_fields(ask: Ask) -> None:
    place_id = places(ask, "textsearch", query="pubs in London")["results"][0]["place_id"]
    body = places(ask, "details", place_id=place_id, fields="name,address_component,formatted_address")
    assert set(body["result"]) == {"name", "address_components", "formatted_address"}
    assert places(ask, "details", place_id=place_id, fields="shoe_size")["status"] == "INVALID_REQUEST"


def test_some_museums_are_closed_on_mondays(ask: Ask) -> None:
    ids = [result["place_id"] for result in places(ask, "textsearch", query="museums in Washington DC")["results"]]
    mondays = [places(ask, "details", place_id=id)["result"]["opening_hours"]["weekday_text"][0] for id in ids]
    assert 0 < sum("Closed" in monday for monday in mondays) < len(mondays)


def test_an_address_is_found_near_its_town(ask: Ask) -> None:
    result = ask(MAPS, "/maps/api/geocode/json", address="Statue of Liberty, New York, NY")["results"][0]
    point = result["geometry"]["location"]
    assert abs(point["lat"] - 40.71) < 0.1
    assert abs(point["lng"] + 74.01) < 0.1
    assert "New York" in result["formatted_address"]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("place/textsearch", {"query": "pubs", "key": "wrong"}, "REQUEST_DENIED"),
        ("place/nearbysearch", {"location": "1,1", "radius": "5", "key": ""}, "REQUEST_DENIED"),
        ("place/details", {"place_id": "x", "key": "wrong"}, "REQUEST_DENIED"),
        ("geocode", {"address": "Paris", "key": "wrong"}, "REQUEST_DENIED"),
        ("geocode", {"address": "??"}, "ZERO_RESULTS"),
        ("geocode", {}, "INVALID_REQUEST"),
        ("place/textsearch", {}, "INVALID_REQUEST"),
        ("place/textsearch", {"query": "?!"}, "ZERO_RESULTS"),
        ("place/textsearch", {"pagetoken": "AAAA"}, "INVALID_REQUEST"),
        ("place/nearbysearch", {"location": "London", "radius": "500"}, "INVALID_REQUEST"),
        ("place/nearbysearch", {"location": "1,1"}, "INVALID_REQUEST"),
        ("place/nearbysearch", {"location": "1,1", "radius": "far"}, "INVALID_REQUEST"),
        ("place/nearbysearch", {"location": "1,1", "rankby": "distance"}, "INVALID_REQUEST"),
        ("place/details", {"place_id": "ChIJnonsense"}, "INVALID_REQUEST"),
        ("place/details", {"place_id": "é"}, "INVALID_REQUEST"),
    ],
)
def test_places_refuse_with_a_status(ask: Ask, path: str, params: dict[str, str], status: str) -> None:
    body = ask(MAPS, f"/maps/api/{path}/json", **params)
    assert body["status"] == status
    assert not body.get("results")
    assert "result" not in body


def test_maps_know_no_other_operation(ask: Ask) -> None:
    ask(MAPS, "/maps/api/place/autocomplete/json", status=404)


def test_a_search_in_the_middle_of_nowhere_still_has_places() -> None:
    venues = Search("bars", "", "", -60.0, 10.0, 900).venues()
    assert venues
    assert all(venue.name and venue.address for venue in venues)
