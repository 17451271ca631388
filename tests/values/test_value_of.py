"""The value of an answer that stated one, and of one that did not."""

from __future__ import annotations

import pytest

from ecoassist.parsing import parse
from ecoassist.types import JSON, Answer
from ecoassist.values import value_of


@pytest.mark.parametrize("value", [0, False, "Paris", 21.5, ["a"], {"a": 1}])
def test_what_was_stated_counts_whatever_the_text_says(value: JSON) -> None:
    assert value_of(Answer("It is 99, not 98.", value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris.", "Paris."),
        ("It is 4.", "It is 4."),
        ("The temperature will be 21 °C tomorrow in Paris.", "21 °C"),
        ("The answer to all of that, as far as I can tell, is **42**, which took a while.", "42"),
        ("It is minus 5 °C outside right now, in the whole of the city.", "-5 °C"),
        ("The trip takes more than 5 hours in all the cases that I know.", "more than 5 hours"),
        ("It must have been before May 5, 2020, as far as I can tell.", "before May 5, 2020"),
        ("Yes, it will rain in the morning and in the evening, most likely.", "yes"),
        ("No. There is no pharmacy around there that is open at this time.", "no"),
        ("Today is 05/15/2021, so that the day before it was 05/14/2021, a Friday.", "05/14/2021"),
        ("The first one costs some 5 dollars, and the second one costs 5 dollars too.", "5 dollars"),
        ("1. Take the red one.\n2. Pay 17 euros for it at the desk on your way out.", "17 euros"),
        ("On 2021-05-14 at 13:45 the index that you asked about stood at 4,173.85 points.", "2021-05-14"),
    ],
)
def test_of_a_text_without_that_line_the_piece_that_says_it_counts(text: str, value: str) -> None:
    assert value_of(Answer(text)) == value


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Answer(""),
        Answer("unknown"),
        Answer("I could not find the price on 2021-05-14."),
        Answer("There is no data for 5 of these days, I'm afraid, and so I am unable to tell."),
        Answer("We had 3 apples and 4 pears, and ate them all up on the way back home."),
        Answer("I'd go to the Alpha, which is lovely, or to the Beta, which is close to the station."),
        Answer("see there", "I'd go to the Alpha, which is lovely, or to the Beta, close to the station."),
        Answer("see there", "unknown"),
        Answer("see there", []),
    ],
)
def test_prose_and_failures_have_no_value(answer: Answer | None) -> None:
    assert value_of(answer) is None


def test_what_was_said_to_have_no_value_has_none() -> None:
    read = parse("The museum opens on 2021-05-14, as far as I know.\nANSWER: null")
    assert isinstance(read, Answer)
    assert value_of(Answer(read.text)) == "2021-05-14"
    assert value_of(read) is None
