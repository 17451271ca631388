"""The kind of an answer's value, and whether an output can hold an answer of that kind."""

from __future__ import annotations

import pytest

from ecoassist.types import Answer
from ecoassist.values import shape_of, tells


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (Answer("It is 15.3 degrees.", 15.3), "number"),
        (Answer("15.3 °C"), "number"),
        (Answer("Yes, it will.", True), "yes or no"),
        (Answer("Yes, it will rain."), "yes or no"),
        (Answer("Paris", "Paris"), "text"),
        (Answer("On 21 November 2026.", "2026-11-21"), "date"),
        (Answer("Two museums.", ["Louvre", "Orsay"]), "list"),
        (Answer("There is much to say for the one and for the other of them, and both are good to know."), ""),
        (Answer("No data.", None), ""),
        (Answer("", None, none=True), ""),
        (None, ""),
    ],
)
def test_an_answer_has_the_shape_of_its_value(answer: Answer | None, shape: str) -> None:
    assert shape_of(answer) == shape


@pytest.mark.parametrize(
    ("output", "shape"),
    [
        ("15.3", "number"),
        ("Paris: 3 mm\nOslo: 12 mm", "number"),
        ("True", "yes or no"),
        ("rain: yes", "yes or no"),
        ("Louvre\nOrsay", "list"),
        ("['Louvre', 'Orsay']", "list"),
        ("Louvre", "text"),
        ("date: 2026-11-21", "date"),
        ("anything at all", ""),
    ],
)
def test_an_output_can_hold_an_answer_of_a_shape(output: str, shape: str) -> None:
    assert tells(Answer(output), shape)


@pytest.mark.parametrize("shape", ["number", "text", "yes or no", "date", "list", ""])
@pytest.mark.parametrize(
    "output",
    [
        *("no data", "None", "N/A", "not found", "[]", "{}", "...", "-", "could not find Atlantis"),
        *(
            "Error: 404 Client Error",
            "HTTPError: 503",
            "{'error': 'no such city'}",
            "Traceback (most recent call last)",
        ),
    ],
)
def test_what_says_nothing_or_tells_of_a_failure_holds_no_answer(output: str, shape: str) -> None:
    assert not tells(Answer(output), shape)


@pytest.mark.parametrize(("output", "shape"), [("cloudy", "number"), ("sunny", "date"), ("12 mm", "yes or no")])
def test_an_output_without_anything_of_the_kind_holds_no_answer_of_it(output: str, shape: str) -> None:
    assert not tells(Answer(output), shape)
