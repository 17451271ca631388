"""Whatever a model says: reading and comparing it never fails, never takes long, and does not depend on the order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoassist.types import Answer
from ecoassist.values import same, value_of

PIECES = (
    *(
        "21",
        "1,234.5",
        "1.234,5",
        "°C",
        " F",
        "km/h",
        " mph",
        "$",
        "€",
        "%",
        "05/14/2021",
        "03/04/21",
        "May 14",
        "2021",
    ),
    *(
        "13:45",
        "Z",
        "+05:00",
        "yes",
        "No,",
        "the ",
        "**",
        "[",
        "]",
        "'",
        '"',
        ",",
        ";",
        "\n",
        "-",
        "−",
        "e5",
        "/",
        ".",
        "½",
    ),
    *("and ", "ANSWER:", "٣", "²", "\u202f", "\x00", "ft ", "in ", "million", "null", "NaN", "((", "T12:00"),
    *(
        "minus ",
        "more than ",
        "before ",
        "not ",
        "<",
        "+",
        "#",
        " or more",
        " below zero",
        " BC",
        " EST",
        "Monday, ",
        " MW",
    ),
)
pieces = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
text = st.one_of(pieces, st.text(max_size=60))
leaf = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
value: Any = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)


@MANY
@given(value, value, text)
def test_any_two_values_are_compared_the_same_way_in_both_orders(one: Any, other: Any, query: str) -> None:
    assert same(one, other, query) is same(other, one, query)


@MANY
@given(value)
def test_a_value_never_differs_from_itself(one: Any) -> None:
    assert same(one, one) is not False


@MANY
@given(text, st.one_of(st.none(), value))
def test_any_answer_has_a_value_or_none(said: str, stated: Any) -> None:
    found = value_of(Answer(said, stated))
    if found is not None:
        assert same(found, found) is not None or isinstance(found, list | dict | float)


LONG = [
    "1," * 50_000,
    "1,234" * 20_000,
    "1 234 " * 20_000,
    "12/" * 40_000,
    "May " * 30_000,
    "[" * 100_000,
    "5 ft " * 20_000,
    "1:" * 50_000,
    "- a\n" * 30_000,
    "**" * 50_000,
    "no " * 40_000,
    "9" * 100_000,
    "é" * 100_000,
    " " * 100_000 + "5",
    "a" * 100_000,
    "2021-05-" * 10_000,
    "$" * 100_000,
    "the answer is " * 8_000,
    "minus " * 20_000,
    "more than 5 " * 10_000,
    "+#<" * 30_000,
]


@pytest.mark.parametrize("hostile", LONG, ids=lambda one: f"{one[:8]!r}")
def test_no_text_makes_it_hang(hostile: str) -> None:
    value_of(Answer(hostile))
    others: tuple[Any, ...] = (5, "2021-05-14", "21 °C", True, ["a", "b"], {"a": 1}, hostile + "x")
    for other in others:
        same(hostile, other, hostile)


def test_no_value_makes_it_hang() -> None:
    lists: Any = [[f"name {row} {column}" for column in range(15)] for row in range(15)]
    same(lists, [each[::-1] for each in lists[::-1]])
    same({str(number): lists for number in range(50)}, lists)
    deep: Any = []
    for _ in range(900):
        deep = {"a": [deep]}
    same(deep, deep)
