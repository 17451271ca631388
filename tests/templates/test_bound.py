"""A stored program answers another question only where nothing but values of its parameters differs."""

from __future__ import annotations

import ast

import pytest

from ecoassist import templates
from ecoassist.entries import Solution
from ecoassist.types import Answer

WEATHER = """
import requests

city = "Paris"
answer = requests.get(f"https://weather.example/now?units=metric&q={city}").json()
print(f"Weather in Paris: {answer['text']}")
"""
PRICE = """
import requests

days = requests.get("https://stocks.example/daily", params={"symbol": "MSFT", "full": "yes"}).json()
print("Microsoft closed on July 1, 2019 at", days["2019-07-01"]["4. close"])
"""
FORECAST = """
import requests

found = requests.get("https://weather.example/forecast", params={"place": "Oslo", "days": 3}, timeout=3).json()
for day in found["days"][:3]:
    print(day)
"""
TRIP = """
import requests

start = date(2031, 5, 2)
for one, other in [("Paris", "Rome")]:
    print(requests.get(f"https://trips.example/{one}/{other}?on={start}").json(), "on 2 May 2031")
"""


def solution(query: str, program: str, ran: str = "2026-11-21T12:00:00+00:00") -> Solution:
    return Solution(query, program, Answer("x"), "cheap", ran=ran)


def bound(stored: str, program: str, query: str) -> str | None:
    return templates.bound(solution(stored, program), query)


def constants(program: str) -> list[object]:
    return [node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)]


def shape(program: str) -> str:
    """The syntax tree without its constants."""
    tree = ast.parse(program)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value, node.kind = 0, None
    return ast.dump(tree)


@pytest.mark.parametrize(
    "query",
    [
        "What is the weather in Paris?",
        "what is the weather in paris",
        "  What is the weather,  in Paris ?! ",
        "WHAT IS THE WEATHER IN PARIS?",
    ],
)
def test_the_same_question_runs_the_same_program(query: str) -> None:
    assert bound("What is the weather in Paris?", WEATHER, query) == WEATHER


@pytest.mark.parametrize(
    ("query", "city"),
    [
        ("What is the weather in Oslo?", "Oslo"),
        ("what is the weather in oslo", "oslo"),
        ("What is the weather in New York?", "New York"),
        ("What is the weather in Rio de Janeiro?", "Rio de Janeiro"),
        ("What is the weather in Zürich?", "Zürich"),
        ("What is the weather in St. John's?", "St. John's"),
        ("What is the weather in 's-Hertogenbosch?", None),
        ("What is the weather in O'Fallon?", "O'Fallon"),
        ("What is the weather in Winston-Salem?", "Winston-Salem"),
    ],
)
def test_another_name_is_bound_wherever_the_program_has_the_old_one(query: str, city: str | None) -> None:
    program = bound("What is the weather in Paris?", WEATHER, query)
    if city is None:
        assert program is None
        return
    assert program is not None
    assert city in constants(program)
    assert f"Weather in {city}: " in constants(program)
    assert "Paris" not in program
    assert shape(program) == shape(WEATHER)


@pytest.mark.parametrize(
    "query",
    [
        "What is the weather in Oslo tomorrow?",
        "What is the weather in Oslo Tomorrow?",
        "What is the weather in Oslo on Monday?",
        "What is the weather in Oslo and Bergen?",
        "What is the weather in Oslo, Bergen?",
        "What is the weather in Oslo in Celsius?",
        "What is the weather in Oslo hourly?",
        "What is the weather in Oslo for 3 days?",
        "What is the weather in Oslo? And in Bergen?",
        "What is the weather in Oslo. Answer in French",
        "What is the weather in summer?",
        "What is the weather in the mountains?",
        "What is the weather in my home town?",
        "what is the weather in oslo tomorrow",
        "what is the weather in new york city",
        "What is the weather in May?",
        "What is the weather in 10115?",
        "What is the weather in -40?",
        "What is the weather in it?",
        "What is the weather in?",
        "What is the weather?",
        "What is the forecast in Oslo?",
        "Is the weather in Oslo good?",
        "What is the weather in " + "A" * 10_000 + "?",
        "What is the weather in " + "Aa " * 40 + "?",
        "What is the weather in Oslo\ud800?",
        "What is the weather in Os{lo}?",
        "What is the weather in Oslo\nimport os",
        "",
    ],
)
def test_a_question_that_says_more_or_less_is_another_question(query: str) -> None:
    assert bound("What is the weather in Paris?", WEATHER, query) is None


def test_a_value_that_was_never_literal_in_the_program_is_no_parameter() -> None:
    stored = "What was the closing price of Microsoft on July 1, 2019?"
    assert [one.name for one in templates.parameters(stored, PRICE)] == ["date"]
    assert bound(stored, PRICE, stored.replace("Microsoft", "Apple")) is None
    assert bound(stored, PRICE, stored) == PRICE


@pytest.mark.parametrize(
    ("said", "iso", "label"),
    [
        ("March 12, 2021", "2021-03-12", "March 12, 2021"),
        ("12 March 2021", "2021-03-12", "March 12, 2021"),
        ("2021-03-12", "2021-03-12", "March 12, 2021"),
        ("the 2nd of March 2021", None, None),
        ("Friday, March 12, 2021", "2021-03-12", "March 12, 2021"),
        ("12.03.2021", "2021-03-12", "March 12, 2021"),
        ("03/12/2021", None, None),
        ("March 2021", None, None),
        ("March 12", None, None),
        ("February 30, 2021", None, None),
    ],
)
def test_a_date_is_bound_in_the_forms_of_the_program(said: str, iso: str | None, label: str | None) -> None:
    stored = "What was the closing price of Microsoft on July 1, 2019?"
    program = bound(stored, PRICE, f"What was the closing price of Microsoft on {said}?")
    if iso is None:
        assert program is None
        return
    assert program is not None
    assert iso in constants(program)
    assert f"Microsoft closed on {label} at" in constants(program)
    assert "2019" not in program
    assert shape(program) == shape(PRICE)


def test_a_number_is_bound_where_it_counts_and_left_where_it_is_a_setting() -> None:
    stored = "What is the forecast for the next 3 days in Oslo?"
    program = bound(stored, FORECAST, "What is the forecast for the next seven days in Bergen?")
    assert program is not None
    assert program.count("7") == 2
    assert "timeout=3" in program
    assert "'Bergen'" in program
    assert bound(stored, FORECAST, "What is the forecast for the next 2.5 days in Oslo?") is None
    assert bound(stored, FORECAST, "What is the forecast for the next -3 days in Oslo?") is None
    assert bound(stored, FORECAST, "What is the forecast for the next 3 weeks in Oslo?") is None
    assert bound(stored, FORECAST, "What is the forecast for the next Monday days in Oslo?") is None


def test_a_number_in_the_name_of_a_file_is_no_parameter() -> None:
    stored = "How many rows of sales-2026.csv are above 20?"
    program = "print(count('sales-2026.csv', above=20))"
    assert bound(stored, program, stored.replace("20?", "30?")) == "print(count('sales-2026.csv', above=30))"
    assert bound(stored, program, stored.replace("2026", "2027")) is None


def test_several_values_change_at_once_and_a_date_that_is_three_numbers() -> None:
    stored = "How do I get from Paris to Rome on May 2, 2031?"
    program = bound(stored, TRIP, "How do I get from Oslo to Bergen on 14 August 2031?")
    assert program is not None
    assert "date(2031, 8, 14)" in program
    assert "('Oslo', 'Bergen')" in program or "'Oslo', 'Bergen'" in program
    assert "on 14 August 2031" in program
    assert bound(stored, TRIP, "How do I get from Oslo to Bergen on 14 August?") is None


def test_what_is_said_twice_has_to_be_said_twice_again() -> None:
    program = 'print(look("Paris"), len("Paris"))'
    stored = "Is Paris in France called Paris?"
    assert bound(stored, program, "Is Oslo in France called Oslo?") == "print(look('Oslo'), len('Oslo'))"
    assert bound(stored, program, "Is Oslo in France called Bergen?") is None


def test_a_question_that_can_be_read_in_two_ways_is_not_bound() -> None:
    program = 'print(meet("Ajax", "Bern"))'
    stored = "Did Ajax of Bern win?"
    assert bound(stored, program, "Did Juve of Rome win?") == "print(meet('Juve', 'Rome'))"
    assert bound(stored, program, "Did Juve of Turin of Rome win?") is None


@pytest.mark.parametrize(
    "program",
    [
        'lat, lon = 48.85, 2.35\nprint("Paris", ask(name="Paris", at=(lat, lon)))',
        'print(ask("Paris", latitude=49))',
        'print(ask("Paris", "48.85,2.35"))',
        'print(ask(f"https://w.example/?latitude=48.85&longitude=2.35&name=Paris"))',
        'print(ask("Paris", country="FR"))',
        'print(ask("Paris", "France"))',
        'print(ask("Paris, France"))',
        'print(ask("Paris", "CDG"))',
        'print(ask("Paris", 2988507))',
        'print(ask("https://w.example/?q=Paris&cc=fr"))',
        'print(ask("https://w.example/?q=Paris,fr"))',
        'print(ask("Paris,fr"))',
        'for n, p in [("Paris", 2100000)]:\n    print(ask(n), p)',
        'try:\n    print(ask("Paris"))\nexcept OSError:\n    print("Paris has 21.5 degrees")',
        'print(ask("Hotels Paris Hilton"))',
        'print(ask("Paris", population=2100000))',
        'print(ask({"Paris": 2988}["Paris"]))',
        'print(ask("Europe/Paris"))',
        'print(ask("https://paris.example/now"))',
        'city = "Paris"\nprint(city, ask(id=5))',
        'city = "Paris"\nprint(f"{city}: {ask()}")',
        'def show(name, text):\n    print(name, text)\n\nshow("Paris", ask())',
        "# Paris\nprint(ask())",
        'match ask("Paris"):\n    case "Paris":\n        print(1)',
    ],
)
def test_a_program_that_knows_more_of_a_thing_than_its_name_is_for_this_thing_only(program: str) -> None:
    assert bound("What is the weather in Paris?", program, "What is the weather in Oslo?") is None
    assert bound("What is the weather in Paris?", program, "What is the weather in Paris?") == program


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ('print(ask("https://w.example/?q=Paris"))', "print(ask('https://w.example/?q=New%20York'))"),
        ('print(ask(u + "?key=1&q=Paris"))', "print(ask(u + '?key=1&q=New%20York'))"),
        ('print(ask(f"{u}/wiki/Paris?a={b}"))', "print(ask(f'{u}/wiki/New%20York?a={b}'))"),
        ('print(ask("paris"))', None),
        ('print(ask("PARIS"))', "print(ask('NEW YORK'))"),
        ('print(ask("hotels in Paris"))', "print(ask('hotels in New York'))"),
        ("print(ask('''SELECT * FROM t WHERE city = 'Paris' '''))", None),
        ('import re\nprint(re.findall("Paris", ask()))', "import re\nprint(re.findall('New York', ask()))"),
    ],
)
def test_a_name_is_spelled_as_the_program_spells_it(program: str, expected: str | None) -> None:
    assert bound("What is the weather in Paris?", program, "What is the weather in New York?") == expected


def test_a_name_of_several_words_keeps_its_joints() -> None:
    program = 'print(ask("https://w.example/wiki/San_Francisco"), ask("q=San+Francisco"), ask("San-Francisco"))'
    stored = "What is the weather in San Francisco?"
    assert bound(stored, program, "What is the weather in Los Angeles?") == (
        "print(ask('https://w.example/wiki/Los_Angeles'), ask('q=Los+Angeles'), ask('Los-Angeles'))"
    )


EVIL = (
    "Paris'); import os #",
    'x"); __import__("os").system("id") #',
    "a' + open('/etc/passwd').read() + '",
    "{__import__('os')}",
    "%(x)s {0}",
    "\\",
    "\\' + 1 #",
    "'''",
    "a\u2028b",
    "q&key=1#",
)


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize(
    "program",
    [
        "print(ask('Heat'))",
        "print(ask(f'{u}: Heat'))",
        "print(ask(f'https://w.example/?q=Heat&u={u}'))",
        "print(ask('https://w.example/?q=Heat&limit=1'))",
        "print(ask('Heat'), f'about Heat: {len(u)!r:>{w}}')",
        "print(ask('''Heat'''), 'Heat')",
    ],
)
def test_whatever_a_value_holds_it_stays_a_value(program: str, evil: str) -> None:
    for mark in ('"{}"', "“{}”", "'{}'"):
        got = bound('Who directed the film "Heat"?', program, f"Who directed the film {mark.format(evil)}?")
        if got is not None:
            assert shape(got) == shape(program)
            assert "&key=1" not in got or "https" not in got
    assert bound("Who directed the film Heat?", program, f"Who directed the film {evil}?") is None


def test_a_quoted_text_may_be_any_text_in_quotation_marks() -> None:
    got = bound('How long is "strawberry"?', 'print(len("strawberry"))', 'How long is "Paris\'); import os #"?')
    assert got is not None
    assert ast.literal_eval(got.removeprefix("print(len(").removesuffix("))")) == "Paris'); import os #"
    assert bound('How long is "strawberry"?', 'print(len("strawberry"))', "How long is Paris?") is None


def test_a_code_is_replaced_by_a_code_only() -> None:
    program = 'print(ask({"from": "USD", "to": "EUR"}))'
    stored = "What is the exchange rate from USD to EUR?"
    assert bound(stored, program, "What is the exchange rate from GBP to NOK?") == (
        "print(ask({'from': 'GBP', 'to': 'NOK'}))".replace("'from'", '"from"').replace("'to'", '"to"')
    )
    assert bound(stored, program, "What is the exchange rate from Dollar to NOK?") is None
    assert "'NOK'" in (bound(stored, program, "what is the exchange rate from gbp to nok") or "")


def test_a_number_beside_one_that_may_be_counted_from_it_is_left_alone() -> None:
    program = "days = ask(days=4)\nprint(days[3])"
    stored = "What is the weather on the 4th day from here?"
    assert bound(stored, program, "What is the weather on the 6th day from here?") is None
    assert (
        bound(stored, "print(ask(days=4))", "What is the weather on the sixth day from here?") == "print(ask(days=6))"
    )
    assert bound(stored, "print(ask(days=4))", "What is the weather on the 6 day from here?") is None
    stored = "What are the 5 best places within 8 km of the last 6 years?"
    for program in ("print(ask(6, days=2190))", "print(ask(8, radius=8000))", "print(ask(5, share=0.05))"):
        assert templates.parameters(stored, program) == ()


def test_a_sign_or_a_symbol_makes_another_question() -> None:
    assert bound("Convert 40 F to C", "print(40)", "Convert -40 F to C") is None
    assert bound("Convert -40 F to C", "print(-40)", "Convert 40 F to C") is None
    assert bound("What is C++?", "print(ask('C++'))", "What is C#?") is None
    assert bound("What is 5 %?", "print(ask())", "What is 5?") is None
    assert bound("What is 1.5?", "print(ask())", "What is 1 5?") is None


def test_a_date_beside_one_that_may_be_reckoned_from_it_is_left_alone() -> None:
    program = 'print(ask("2021-06-01", "2021-06-30"))'
    assert bound("What was the price on June 1, 2021?", program, "What was the price on July 1, 2021?") is None


def test_a_program_with_magic_or_that_does_not_parse_is_not_bound_wrongly() -> None:
    stored = "What is the weather in Paris?"
    got = bound(stored, "%pip install x\nprint(ask('Paris'))", "What is the weather in Oslo?")
    assert got == "%pip install x\nprint(ask('Oslo'))"
    assert bound(stored, "print(ask('Paris')", "What is the weather in Oslo?") is None
    assert bound(stored, "print(ask('Paris'))" + "#" * 60_000, "What is the weather in Oslo?") is None
    deep = "print(ask('Paris'))\nx = " + "-" * 3_000 + "1"
    bound(stored, deep, "What is the weather in Oslo?")
