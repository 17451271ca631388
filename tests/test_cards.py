"""An API belongs to a question that shares a content word with its card."""

from __future__ import annotations

import pytest

from ecoassist.cards import belonging, demanded
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


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Which wind and temperature will Oslo have on Saturday?", ["weatherapi"]),
        ("What was the closing price of Tesla's stock?", ["alphavantage"]),
        ("Which restaurants near the station are open?", ["places"]),
        ("What is the capital city of France?", []),
        ("How do I open and close a file in Python?", []),
        ("What is the date of today?", []),
        ("How high is Mount Everest, and how low the Dead Sea?", []),
    ],
)
def test_which_apis_a_question_cannot_do_without(query: str, names: list[str]) -> None:
    assert [api.name for api in demanded(query, [WEATHER, STOCK, PLACES])] == names
