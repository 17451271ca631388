"""An API belongs to a question that shares a content word with its card."""

from __future__ import annotations

import pytest

from ecoassist.cards import belonging
from ecoassist.types import Api

WEATHER = Api(
    "weatherapi", "api.weatherapi.com", "KEY", "Weather: current, forecast, rain, temperature, wind of a city."
)
STOCK = Api(
    "alphavantage", "www.alphavantage.co", "KEY", "Stock prices: daily open, high, low and close of a company's share."
)
PLACES = Api(
    "places", "maps.googleapis.com", "KEY", "Places: restaurants, pharmacies, shops near a location; opening hours."
)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Will it rain in Oslo on Saturday?", ["weatherapi"]),
        ("What was the closing price of Tesla's stock?", ["alphavantage"]),
        ("Where is the nearest pharmacy that is open?", ["places", "alphavantage"]),
        ("What is the capital of France?", []),
        ("Write a haiku", []),
        ("", []),
    ],
)
def test_which_apis_belong(query: str, names: list[str]) -> None:
    assert [api.name for api in belonging(query, [WEATHER, STOCK, PLACES])] == names
