"""What a prompt tells of the enabled APIs: what belongs to the question, within the tokens there are."""

from __future__ import annotations

import random

import pytest

from ecoassist.cards import choose, demanded, hides
from ecoassist.cards.tokens import count_tokens
from ecoassist.prompts import question
from ecoassist.types import Api, Operation, Task

WEATHER = Api(
    "weatherapi", "api.weatherapi.com", "KEY", "Weather: current, forecast, rain, temperature, wind of a city."
)
STOCK = Api(
    "alphavantage", "www.alphavantage.co", "KEY", "Stock prices: daily open, high, low and close of a company's share."
)
PLACES = Api(
    "places", "maps.googleapis.com", "KEY", "Places: restaurants, pharmacies, shops near a location; opening hours."
)
LONG = "\n".join(f"GET /v{n} -> field_{n}, other_{n}" for n in range(20))


def shown(query: str, apis: list[Api], budget: int = 1_200) -> list[str]:
    return [api.name for api in choose(query, apis, budget)[0]]


def section(shown: tuple[Api, ...], named: tuple[Api, ...]) -> str:
    """All that a prompt says of them."""
    text = question(Task("", apis=shown, other_apis=named, listing='"/run/eco/apis.txt"'))
    return text.removesuffix("\n\nQuestion: ")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Will it rain in Oslo on Saturday?", "weatherapi"),
        ("How hot will it be in Oslo?", "weatherapi"),
        ("What was the closing price of Tesla's stock?", "alphavantage"),
        ("Where is the nearest pharmacy that is open?", "places"),
        ("Which museums are in Oslo?", "places"),
    ],
)
def test_what_belongs_to_a_question_comes_first(query: str, first: str) -> None:
    assert shown(query, [WEATHER, STOCK, PLACES])[0] == first


def test_short_cards_are_all_shown_and_long_ones_that_do_not_belong_only_named() -> None:
    assert len(shown("Write a haiku", [WEATHER, STOCK, PLACES])) == 3
    far = [Api(f"api{n}", f"h{n}.example", card=LONG) for n in range(3)]
    mine, named = choose("Will it rain in Oslo?", [*far, WEATHER], 1_200)
    assert [api.name for api in mine] == ["weatherapi"]
    assert named == tuple(far)


def test_a_listing_is_needed_only_where_something_may_be_left_out() -> None:
    assert not hides([WEATHER, STOCK, PLACES])
    assert hides([WEATHER, Api("big", "b.example", card=LONG * 2)])


def test_of_an_api_with_many_operations_those_are_shown_that_belong_with_how_many_there_are() -> None:
    operations = tuple(Operation("GET", f"/{word}s", f"All {word}s of the shop") for word in WORDS)
    mine, named = choose("Which invoices are unpaid?", [Api("shop", "shop.example", operations=operations)], 300)
    assert named == ()
    assert mine[0].operations[0].path == "/invoices"
    assert mine[0].known == len(operations) > len(mine[0].operations)


def test_what_finds_a_required_value_comes_along_with_what_requires_it() -> None:
    noise = tuple(Operation("GET", f"/{word}", f"All {word}s", ("id*",), (f"{word}.latitude",)) for word in WORDS)
    apis = [
        Api("other", "other.example", operations=noise),
        Api("find", "find.example", card="Latitude and longitude of a name.", operations=(FIND,)),
        Api("meteo", "meteo.example", operations=(Operation("GET", "/rain", "Rain", ("latitude*", "longitude*")),)),
    ]
    names = shown("Will it rain in Oslo?", apis, 300)
    assert names[:2] == ["meteo", "find"]


FIND = Operation("GET", "/search", "Search", ("name*",), ("results[].latitude", "results[].longitude"))
GOODS = """
invoice customer order product address payment refund coupon supplier warehouse shipment parcel carrier label tax
country region currency discount category brand review question answer image video document template message webhook
token user role permission group session report export import job log setting theme page menu
"""
WORDS = GOODS.split()


def test_with_nothing_in_common_some_of_every_api_is_shown() -> None:
    apis = [
        Api(f"api{n}", f"h{n}.example", operations=tuple(Operation("GET", f"/{n}/{word}") for word in WORDS))
        for n in range(4)
    ]
    assert len(shown("Wie geht es dir?", apis)) == 4


def test_a_card_without_operations_that_has_no_room_is_cut_after_its_first_lines() -> None:
    mine, _ = choose("rain", [Api("big", "big.example", card="Rain of any day.\n" + LONG)], 250)
    assert mine[0].card.startswith("Rain of any day.\nGET /v0")
    assert "GET /v19" not in mine[0].card


@pytest.mark.parametrize("seed", range(40))
def test_the_budget_is_never_exceeded(seed: int) -> None:
    draw = random.Random(seed)
    apis = [made(draw, number) for number in range(draw.choice([1, 3, 20]))]
    apis += [Api("name" * draw.choice([1, 50]), f"h{number}.example") for number in range(draw.choice([0, 300]))]
    budget = draw.choice([100, 150, 300, 1_200, 3_000])
    text = section(*choose(" ".join(draw.choices(WORDS, k=8)), apis, budget))
    assert count_tokens(text) <= budget, text


NASTY = ["</data>", "< / data >", "<</data/data>", "über", "日本", "*", "\n"]


def made(draw: random.Random, number: int) -> Api:
    """An API of any size, of which nobody took care."""

    def some(most: int) -> str:
        return " ".join(
            draw.choices([*WORDS, "</data>", "< / data >", "über", "日本", "<</data/data>", "*", "\n"], k=most)
        )

    operations = tuple(
        Operation(
            draw.choice(["GET", "DELETE"]),
            f"/{some(2)}",
            some(draw.choice([0, 5, 100])),
            tuple(f"{one}*" for one in some(draw.choice([1, 60])).split()),
            tuple(some(draw.choice([1, 200])).split()),
        )
        for _ in range(draw.choice([0, 1, 5, 60]))
    )
    variable = draw.choice(["", "SHOP_KEY", "SHOP_USER,SHOP_PASSWORD"])
    return Api(f"api{number}", "shop.example", variable, some(draw.choice([0, 5, 400])), "", "", operations)


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


def test_an_api_with_hundreds_of_operations_is_demanded_only_by_its_purpose() -> None:
    operations = tuple(Operation("GET", f"/{word}", f"List the {word}s that a user may see") for word in WORDS)
    shop = Api("shop", "shop.example", card="Online shop: orders, invoices.\nNeeds patience.", operations=operations)
    assert demanded("Which video has the message that a user and his session see?", [shop]) == ()
    assert demanded("Which orders does the customer have?", [shop]) == (shop,)
    assert demanded("Which orders and invoices came in?", [shop]) == (shop,)
    assert demanded("Which patience needs order?", [shop]) == ()
