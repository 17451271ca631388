"""How long a question looks for stored solutions, in stores of different sizes, and how large they are.

The questions are made up: wordings of a few dozen kinds, with names that are never the same twice, words of a
vocabulary as skewed as a language's, dropped words and courtesies. What is asked is no stored question's wording.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import random
import re
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ecoassist.entries import Entry, Parameter, Solution
from ecoassist.memory.shelving import utc
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer

from .common import Figure, milliseconds, seconds, show

TARGETS = {1_000: 5.0, 10_000: 10.0, 100_000: 50.0}
"""Stored solutions -> milliseconds that half of the questions may take at most."""
ASKED = 200
SYLLABLES = re.findall("[a-z]+", "ka lo mi ren sa tor vel na bri du fen gar hol ja kus lem mo nir pas qui ral")
MONTHS = re.findall("[A-Z][a-z]+", "January February March April May June July August September")
KINDS = """
    what is the temperature in {name} on {day}
    will it rain in {name} on {day}, and how much
    how strong is the wind in {name} right now, in knots
    what was the highest temperature in {name} over the last {number} days
    what is the uv index in {name} at noon
    when does the sun rise in {name} on {day}
    what is the closing price of {name} on {day}
    how much did the shares of {name} gain between {day} and {day}
    what is the market value of {name} in euros
    which of {name} and {name} had the larger trading volume on {day}
    what is the dividend yield of {name} for the last {number} quarters
    give me the average opening price of {name} over {number} trading days
    find {number} restaurants near {name} that are open late
    what is the distance from {name} to {name} by bike
    which museums are within {number} kilometres of {name}
    what is the best rated hotel in {name} with a pool
    list the pharmacies in {name} with their addresses
    is there a petrol station on the way from {name} to {name}
    how many people live in {name}
    who wrote the novel {name} and in which year
    convert {number} kilometres to nautical miles
    what is {number} euros in swiss francs on {day}
    how many commits did the repository {name} get in the last {number} weeks
    which open issues of {name} have the label {word}
    what is the latest release of the package {word}
    show the departures from {name} station after {number} o'clock
    how late is the train from {name} to {name} today
    what are the ingredients of a {word} {word} cake
    translate the word {word} into {name}
    when is the next public holiday in {name}
    how many goals did {name} score in {number}
    what did {name} say about {word} in the press on {day}
    plot the {word} of {name} from {day} to {day}
    summarise the column {word} of the table in {number} rows
"""
BEFORE = "", "", "", "please tell me ", "could you find out ", "I would like to know ", "hey, "
AFTER = "?", "?", "", ", please", " and explain why", " in one line", ", I need it for {word}"


class Questions:
    """An endless source of them, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds = [line.strip() for line in KINDS.strip().splitlines()]
        self._words = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=3)]
        self._weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(self._words))))

    def __iter__(self) -> Iterator[str]:
        while True:
            yield self._question()

    def _question(self) -> str:
        choose = self._random.choice
        kind = " ".join(part for part in choose(self._kinds).split() if "{" in part or self._random.random() > 0.05)
        question = choose(BEFORE) + kind + choose(AFTER)
        makers = {"{name}": self._name, "{word}": self._word, "{day}": self._day, "{number}": self._number}
        for mark, make in makers.items():
            while mark in question:
                question = question.replace(mark, make(), 1)
        return question[0].upper() + question[1:]

    def _word(self) -> str:
        drawn = self._random.random() * self._weights[-1]
        return self._words[bisect.bisect(self._weights, drawn)]

    def _name(self) -> str:
        endings = self._random.choices(["", "ia", "burg"], k=self._random.choice((1, 1, 2)))
        return " ".join(self._word().title() + ending for ending in endings)

    def _day(self) -> str:
        return f"{self._random.choice(MONTHS)} {self._number()}"

    def _number(self) -> str:
        return str(self._random.randint(2, 30))


PROGRAM = """
import os
import requests

city = "Anywhere"
answer = requests.get(
    "https://api.example.org/v1/current.json",
    params={"q": city, "key": os.environ["EXAMPLE_KEY"], "days": 3, "lang": "en"},
    timeout=20,
)
answer.raise_for_status()
data = answer.json()
for day in data["forecast"]["forecastday"]:
    print(day["date"], day["day"]["avgtemp_c"], day["day"]["condition"]["text"])
""".strip()


def entry(question: str) -> Entry:
    """A verified one of the usual size."""
    made = Solution(
        question,
        PROGRAM,
        Answer(""),
        "cheap",
        "some-model",
        ("api.example.org",),
        apis=("example",),
        parameters=(Parameter("city", "text", "Anywhere", "'Anywhere'"),),
        shape="text",
        packages=("requests",),
        image="ecoassist-sandbox:0123456789ab",
        usd=0.0031,
        tokens=2400,
        ran="2026-11-21T12:00:00+00:00",
    )
    return Entry(0, made, "verified", utc(), wins=2, verified=utc())


def fill(store: SqliteStore, questions: Iterator[str], number: int) -> None:
    """`number` entries more, in one transaction."""
    with store.shelf.transaction(write=True) as rows:
        for question in itertools.islice(questions, number):
            rows.add(entry(question))


def measured(path: Path, asked: list[str]) -> tuple[list[float], list[float]]:
    """Seconds of each question, and those of opening the file and asking the first one, of several times."""
    opened = []
    for question in asked[:5]:
        with closing(SqliteStore(path)) as store:
            opened.append(seconds(lambda: store.similar(question)))  # noqa: B023 (called at once)
    with closing(SqliteStore(path)) as store:
        return [seconds(lambda: store.similar(question)) for question in asked], opened  # noqa: B023


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(TARGETS), help="how many solutions are stored")
    given = parser.parse_args()
    figures: list[Figure] = []
    stored, asked = iter(Questions(1)), list(itertools.islice(Questions(2), ASKED))
    with tempfile.TemporaryDirectory() as folder:
        path, before = Path(folder) / "solutions.db", 0
        for size in sorted(given.sizes):
            with closing(SqliteStore(path)) as store:
                fill(store, stored, size - before)
            before = size
            asking, opening = measured(path, asked)
            figures.append(milliseconds(f"{size:,} solutions: a question", asking, TARGETS.get(size)))
            slow = statistics.quantiles(asking, n=20)[-1] * 1000
            figures.append(Figure(f"{size:,} solutions: one in twenty takes", slow, "ms"))
            figures.append(milliseconds(f"{size:,} solutions: opening, and the first question", opening))
            figures.append(Figure(f"{size:,} solutions: the file", path.stat().st_size / 1e6, "MB"))
    show("Looking for stored solutions", figures, check=given.check)


if __name__ == "__main__":
    main()
