"""What of a program its question names, and how it is shown to a model."""

from __future__ import annotations

import pytest

from ecoassist import templates
from ecoassist.entries import Parameter, Solution
from ecoassist.types import Answer

STOCKS = """
import os

import requests

symbol = "MSFT"  # Microsoft
on = "2019-07-01"
# the price of July 1, 2019
found = requests.get("https://stocks.example/daily", params={"symbol": symbol, "apikey": os.environ["STOCKS"]}).json()
print(f"Microsoft closed on July 1, 2019 at {found[on]['4. close']}")
"""


def test_literals_that_the_question_names_are_parameters_with_a_name_and_a_type() -> None:
    program = """
def top(city, count):
    return ask("https://places.example/search?kind=museum", q=f"museums in {city}")[:count]

for place in top("New York", 5):
    print("Near New York:", place["name"], place["on"] == "2031-05-02")
"""
    query = "Which five museums in new york are open on 2 May 2031?"
    assert templates.parameters(query, program) == (
        Parameter("count", "integer", "five", "5", ""),
        Parameter("city", "text", "new york", "'New York'", "title"),
        Parameter("date", "date", "2 May 2031", "'2031-05-02'", "%Y-%m-%d"),
    )


def test_a_model_is_shown_names_in_place_of_values() -> None:
    query = "What was the closing price of Microsoft on July 1, 2019?"
    shown = templates.shown(Solution(query, STOCKS, Answer("135.68"), "cheap"))
    assert shown[0] == "What was the closing price of Microsoft on <date>?"
    assert "on = '<date as %Y-%m-%d>'" in shown[1]
    assert "Microsoft closed on <date as %B %-d, %Y> at" in shown[1]
    assert 'symbol = "MSFT"' in shown[1]


def test_a_number_is_shown_bare_and_a_date_of_three_numbers_by_its_parts() -> None:
    program = "from datetime import date\nprint(ask(date(2031, 5, 2), days=30))"
    solution = Solution("What happens in the 30 days from 2 May 2031?", program, Answer("x"), "cheap")
    assert templates.shown(solution) == (
        "What happens in the <days> days from <date>?",
        "from datetime import date\nprint(ask(date(<year of date>, <month of date>, <day of date>), days=<days>))",
    )


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("What is the weather?", "print(ask('Paris'))"),
        ("What is the weather in Paris?", "print('Paris', ask())"),
        ("What is the weather in Paris?", "ask('Parish')"),
        ("What is the weather in Paris?", "# Paris\nask()"),
        ("What is the weather in Paris?", '"""Paris"""\nask()'),
        ("What is the weather in Paris?", "ask(b'Paris')"),
        ("What is one and one?", "print(ask(1))"),
        ("What is the weather at 7 pm?", "print(ask(days=7))"),
        ("What is the weather at 7:00?", "print(ask(days=7))"),
        ("Give me 3 of them", "print(ask('2. high', '3. low')['3. low'], round(1.2345, 3))"),
        ("Is the close near?", "print(ask('Close'))"),
        ("Which is in it?", "print(ask('It', 'In', 'Which'))"),
        ("", "print(ask(''))"),
        ("?!", "print(ask('?!'))"),
    ],
)
def test_what_the_question_does_not_name_or_the_program_does_not_use_is_no_parameter(query: str, program: str) -> None:
    assert templates.parameters(query, program) == ()
    assert templates.shown(Solution(query, program, Answer("x"), "cheap")) == (query, program)


def test_names_of_parameters_are_identifiers_and_each_is_another() -> None:
    program = "print(ask(q='Paris'), ask(q='Rome'), ask(class_='Oslo'), ask({'the place!': 'Bergen'}))"
    made = templates.parameters("How far are Paris, Rome, Oslo and Bergen?", program)
    assert [one.name for one in made] == ["name", "name_2", "name_3", "the_place"]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("New York", "'New York'"),
        ("New York", "'new-york'"),
        ("New York", "'NEW_YORK'"),
        ("new-york", "'New-York'"),
        ("São Paulo", "'Sao Paulo'"),
        ("São Paulo", "'https://w.example/?q=Sao+Paulo'"),
        ("Rio de Janeiro, Brazil", "'Rio de Janeiro,Brazil'"),
    ],
)
def test_a_name_is_found_in_the_usual_spellings(said: str, written: str) -> None:
    assert len(templates.parameters(f"What is the weather in {said}?", f"print(ask({written}))")) == 1
