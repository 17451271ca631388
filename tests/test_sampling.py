"""Two ways of going about a question: which, and how each is put to a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ecoassist.prompts import WAYS, messages
from ecoassist.sampling import needs_data, towards, ways
from ecoassist.types import Api, Attachment, Example, Exchange, Task, Way

LIVE = [
    "How warm will it be in Oslo tomorrow?",
    "Will I need an umbrella in Lisbon?",
    "What was the closing price of Contoso's stock on May 3, 2021?",
    "What is the exchange rate of the yen?",
    "Who is the current prime minister of Norway?",
    "What is the latest version of pandas?",
    "Find a vegan restaurant in Lyon with outdoor seating.",
    "Which museums in London have free admission?",
    "What is the phone number of the nearest pharmacy?",
    "Is the stock market open now?",
    "How much did it rain last weekend?",
]
KNOWN = [
    "Yesterday was April 30, 2021. What is the date today in MM/DD/YYYY?",
    "The clerk got the job in 2016. Today is her 3-year work anniversary. What was the date a week ago in MM/DD/YYYY?",
    "The concert was to be on 06/01/1943, but was delayed by one day to today. What is the date 10 days ago?",
    "What day of the week was July 4, 1976?",
    "How many days are there until Christmas?",
    "What is 12 * 345?",
    "A shop sells apples at a price of 2 dollars. How much do 3 of them cost?",
    "A hiker walks at 5 km/h for 2 hours. How far does he get?",
    "Who wrote Hamlet?",
    "What is the capital of France?",
    "Convert 70 F to Celsius.",
    "Is 97 a prime number?",
]


@pytest.mark.parametrize("query", LIVE)
def test_what_changes_or_is_looked_up_is_asked_of_two_programs(query: str) -> None:
    assert ways(Task(query)) == ("direct", "plan")


@pytest.mark.parametrize("query", KNOWN)
def test_what_follows_from_the_question_is_asked_in_words_and_of_a_program(query: str) -> None:
    assert ways(Task(query)) == ("words", "program")


def test_a_file_or_an_api_that_belongs_to_the_question_needs_programs() -> None:
    moons = Api("moons", "moons.example", card="Phases of moons of any planet.")
    assert not needs_data(Task("Which phases do moons have?"))
    assert needs_data(Task("Which phases do moons have?", apis=(moons,)))
    assert not needs_data(Task("Who wrote Hamlet?", apis=(moons,)))
    assert needs_data(Task("How many rows are there?", files=(Attachment("a.csv", b"a\n1"),)))


def test_a_follow_up_needs_what_the_question_before_it_needed() -> None:
    assert needs_data(Task("And Oslo?", history=(Exchange("What is the weather in Bergen?", "Rain."),)))
    assert not needs_data(Task("And Oslo?", history=(Exchange("What does Bergen mean?", "Mountains."),)))


def test_of_published_questions_about_the_world_nearly_all_need_data_even_without_any_api(
    shared_data: Callable[[str], Path],
) -> None:
    asked = json.loads(shared_data("ecoassistant_queries.json").read_text())["queries"]
    missed = [one["query"] for one in asked if not needs_data(Task(one["query"]))]
    assert len(missed) <= 0.02 * len(asked), missed


def test_of_published_questions_about_dates_none_needs_data(shared_data: Callable[[str], Path]) -> None:
    asked = json.loads(shared_data("mot_date.json").read_text())["questions"]
    assert [one["q"] for one in asked if needs_data(Task(one["q"]))] == []


@pytest.mark.parametrize(("way", "shown"), [("direct", True), ("program", True), ("words", False), ("plan", False)])
def test_only_one_of_two_ways_is_shown_the_demonstration_and_both_the_same_date(way: Way, shown: bool) -> None:
    task = Task("q", "Monday, noon", examples=(Example(1, "like q", "print('shown before')", 0.9),))
    said = messages(towards(task, way), system="")[-1].text
    assert ("shown before" in said) is shown
    assert "Monday, noon" in said
    assert (WAYS[way] in said) if way in WAYS else said.endswith("Question: q")
