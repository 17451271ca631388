"""A program that was right on the day it ran is not run on another, unless it reads the clock itself."""

from __future__ import annotations

import pytest

from ecoassist import templates
from ecoassist.entries import Solution
from ecoassist.types import Answer

RAN = "2026-11-21T12:00:00+01:00"
CLOCK = "import datetime\nnow = datetime.datetime.now()\n"


def fixed(query: str, program: str, ran: str = RAN, hosts: tuple[str, ...] = ()) -> str:
    return templates.fixed(Solution(query, program, Answer("x"), "cheap", ran=ran, hosts=hosts))


@pytest.mark.parametrize(
    "program",
    [
        "print(ask('2026-11-22'))",
        "print(ask('2026/11/22'))",
        "print(ask('20261122'))",
        "print(ask('2026-11-22T09:00'))",
        "print(ask('https://w.example/?dt=2026-11-22&q=Oslo'))",
        "print(ask(f'https://w.example/{u}?dt=2026-11-22'))",
        "print(ask('22.11.2026'))",
        "print(ask('11/22/2026'))",
        "print(ask('22/11/26'))",
        "print(ask('November 22, 2026'))",
        "print(ask('22 Nov 2026'))",
        "print(ask('Nov 22'))",
        "print(ask('22nd of November'))",
        "print(ask('2026-11'))",
        "print(ask('November 2026'))",
        "print(ask('November'))",
        "print(ask('May'))",
        "print('the weather on 22 November 2026 is', ask())",
        "import datetime\nprint(ask(datetime.date(2026, 11, 22)))",
        "from datetime import datetime\nprint(ask(datetime(year=2026, month=11, day=22)))",
        "from datetime import datetime\nprint(ask(datetime(2026, 11, 22, 9, 0)))",
        "import pandas as pd\nprint(ask(pd.Timestamp(2026, 11, 22)))",
        "print(ask(year=2026))",
        "print(ask(year='2026'))",
        "print(2026 - 1990)",
        "print(2027 - ask())",
        "print(ask(1795392000))",
        "print(ask(1795392000000))",
        "print(ask('https://w.example/?from=1795392000'))",
        "print(ask('2026-W47'))",
        "print(ask('FY2026'))",
        "print(ask('2026-1'))",
        "print(ask('2025-12-31'))",
        "print(ask('2027-12-20'))",
    ],
)
@pytest.mark.parametrize("query", ["What is the weather in Oslo tomorrow?", "What is the weather in Oslo?"])
def test_a_literal_date_near_its_run_that_the_question_does_not_name(program: str, query: str) -> None:
    assert "stands in its program" in fixed(query, program, hosts=("w.example",))
    assert "stands in its program" in fixed(query, CLOCK + program)
    assert "stands in its program" in fixed(query, program, ran="")


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("How much was Tesla worth on the day it went public?", "print(ask('2010-06-29'))"),
        ("What was the price on November 20, 2026?", "print(ask('2026-11-20'))"),
        ("What was the price on 20.11.2026?", "from datetime import date\nprint(ask(date(2026, 11, 20)))"),
        ("What was the average price in October 2026?", "print(ask('2026-10-01', '2026-10-31'))"),
        ("What was the average price in 2026?", "print(ask('2026-01-01', '2026-12-31', year=2026))"),
        ("How many people live in Oslo?", "print(ask(id=2026000, page=20, q='2.5'))"),
        ("May I swim in Oslo?", "print('You may swim', ask())"),
        (
            "Which months have 31 days?",
            f"print({['January', 'March', 'May', 'July', 'August', 'October', 'December']})",
        ),
    ],
)
def test_a_date_that_belongs_to_the_question_or_to_the_past_is_no_reason(query: str, program: str) -> None:
    assert fixed(query, program) == ""


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("What was the price on November 20, 2026?", "print(ask('2026-11-19'))"),
        ("What was the price on November 20?", "print(ask('2026-11-20'))"),
        ("What was the price in October 2026?", "print(ask('2026-11-01'))"),
        ("What was the price on November 20 in 2025?", "print(ask('2026-11-20'))"),
        ("How does 2025 compare?", "print(ask(2025, 2026))"),
    ],
)
def test_another_date_than_the_one_that_the_question_names_is_a_reason(query: str, program: str) -> None:
    assert "stands in its program" in fixed(query, program)


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("What will the weather in Paris be this Wednesday?", "print(ask(days=7)[4])"),
        ("What will the weather in Paris be on Wednesday?", CLOCK + "print(ask(days=7)[4])"),
        ("What is on this weekend?", "print(ask(q='weekend'))"),
        ("What is on next month?", "print(ask(q='next month'))"),
        ("What is on next month?", CLOCK + "print(ask(month='12'))"),
        ("What is the weather on Friday?", CLOCK + "print(now.strftime('%A'), ask(days=7)[4])"),
        ("What is the weather right now?", CLOCK + "print(now, ask('https://w.example')['hourly'][14])"),
        ("What is the weather in two hours?", CLOCK + "print(now, ask('https://w.example')['hourly'][14])"),
        ("What is the weather in Oslo tomorrow?", "print(ask('https://w.example')['22/11'])"),
        ("What is the weather in Oslo tomorrow?", "print(ask('https://w.example', month=11))"),
        ("How long until Christmas?", "print(34, 'days')"),
        ("How long until Easter?", CLOCK + "print(126, 'days')"),
        ("What day is it today?", "print('Saturday')"),
        ("How old is she now?", "print(36)"),
        ("How many days are left in the year?", "print(40)"),
        ("What is the weather in Oslo in 3 hours?", "print(ask('https://w.example')['hours'][15])"),
        ("What is the weather in Oslo tomorrow?", "print(ask('https://w.example')['at 09:00'])"),
        ("What is the weather in Oslo tomorrow?", "print(ask('https://w.example', day=22))"),
        ("What is the weather on November 23, 2026?", "print(ask('https://w.example')['days'][2])"),
    ],
)
def test_what_the_model_reckoned_itself_is_a_reason(query: str, program: str) -> None:
    assert fixed(query, program) != ""


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("What day is it today?", CLOCK + "print(now.date())"),
        ("What day is it today?", "import time\nprint(time.strftime('%d'))"),
        (
            "What will the weather in Paris be this Wednesday?",
            CLOCK + "print(ask(now + datetime.timedelta((2 - now.weekday()) % 7)))",
        ),
        ("What is on next month?", CLOCK + "print(ask(now.month % 12 + 1))"),
        ("How long until Christmas?", CLOCK + "print(datetime.datetime(now.year, 12, 25) - now)"),
        ("What is the weather in Oslo now?", "print(ask('https://w.example/now'))"),
        ("What is the weather in Oslo tomorrow?", "print(ask('https://w.example/daily')['days'][1])"),
        ("What is the weather in Oslo next week?", "print(ask('https://w.example/daily?days=7'))"),
        ("What is the population of Oslo?", "print(ask('Oslo'))"),
    ],
)
def test_a_program_that_asks_the_clock_or_somebody_who_has_one_may_run_again(query: str, program: str) -> None:
    assert fixed(query, program) == ""


def test_a_program_that_cannot_be_taken_apart_is_not_run_again() -> None:
    assert fixed("What?", "print(") != ""
    assert fixed("What?", "x = " + "-" * 5_000 + "1") != ""
    assert fixed("What?" * 1_000, "print(1)") != ""
    assert fixed("What?", "print(ask(99999999999999999999, 9999999999, '9999999999999'))") == ""


@pytest.mark.parametrize(
    "program",
    [
        "print([day for day in ask() if day['day'] == 22])",
        "print([day for day in ask() if day['day'] == 'Sunday'])",
        "print([day for day in ask() if day['day'] == 'Sun'])",
        "print([day for day in ask() if day['date'].endswith('-22')])",
        "print(ask(day=22))",
        "print(ask(day_of_year=326))",
        "print(ask(week='47'))",
        "print(ask()['days'][-6])",
    ],
)
def test_a_part_of_a_day_near_its_run_is_a_reason(program: str) -> None:
    assert fixed("Will it rain in Oslo tomorrow?", program, hosts=("w.example",))


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("Which day is it?", "print('Saturday')"),
        ("What week number is it?", "print(47)"),
        ("Which quarter are we in?", "print(4)"),
        ("Is it a leap year?", "print('no')"),
        ("How many years since 1990?", "print(36)"),
        ("What is the age of the bridge?", "print(70)"),
        ("What time is it in Oslo?", "print('13:00')"),
        ("What time is it in Oslo?", CLOCK + "print(now + datetime.timedelta(hours=1))"),
    ],
)
def test_what_is_another_answer_tomorrow_is_a_reason_without_a_clock(query: str, program: str) -> None:
    assert fixed(query, program)


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("How bright is the sun?", "print('Sun:', -26)"),
        ("Which day is it?", CLOCK + "print(now.strftime('%A'))"),
        ("Which day is it?", CLOCK + "print('Mon Tue Wed Thu Fri Sat Sun'.split()[now.weekday()])"),
        ("How many quakes were there in the last 24 hours?", CLOCK + "print(ask(now - datetime.timedelta(hours=24)))"),
        ("How many are 22?", "print(sum(one == 22 for one in ask()))"),
    ],
)
def test_days_that_the_question_tells_and_calendars_are_none(query: str, program: str) -> None:
    assert not fixed(query, program, hosts=("w.example",))
