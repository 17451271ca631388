"""What of an answer stands in nothing that was seen: rounding and the like are no trace lost."""

from __future__ import annotations

import pytest

from ecoassist.traces import LONGEST
from ecoassist.types import JSON, Answer, Attempt, CellResult, Exchange, Reply, Task, Turn
from ecoassist.verdict.traces import MOST, untraced, written

TASK = Task("How much rain fell on 3 May 2024?", "Friday, 20 November 2026, 10:43 (UTC)")


def made(answer: str, output: str, *, value: JSON = None, code: str = "c") -> Attempt:
    ran = Turn(Reply("c"), code, CellResult("ok", output))
    return Attempt("t", (ran, Turn(Reply(answer), answer=Answer(answer, value))), "answered")


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ("It is 42.4 degrees.", "42.3812"),
        ("About 42 degrees.", "41.5"),
        ("It closed at 187.30.", "187.3"),
        ("1,234,567 people", "1234567"),
        ("1234567 people", "1,234,567"),
        ("1\u202f234\u202f567 people", "1234567"),
        ("1.234,5 km", "1234.5"),
        ("1.2 million", "1234567"),
        ("12.3 thousand", "12345"),
        ("15.3 %", "0.1532"),
        ("-3.5 degrees", "\u22123.49"),
        ("about 1e6", "1000000"),
        ("1,500", "1.5e3"),
        ("On 20 November 2026 and on 3 May 2024", "nothing"),
        ("The 3 nearest", "a b c"),
        ("It is in Zürich on Monday", "ZURICH"),
        ("it was O'Brien", "o'brien"),
        ("Paris is nice", "x"),  # begins the sentence
        ("Die Temperatur in Rom ist 21 Grad", "21"),
    ],
)
def test_what_was_seen_is_traced_however_it_is_told(answer: str, output: str) -> None:
    assert untraced(TASK, made(answer, output)) == ()


@pytest.mark.parametrize(
    ("answer", "output", "missing"),
    [
        ("It is 42.", "41", ("42",)),
        ("It is 42.5.", "42", ("42.5",)),
        ("It is 42.44.", "42.3812", ("42.44",)),
        ("It closed at 187.32 in Paris, near Ristorante Roma.", "187.3", ("187.32", "Paris", "Ristorante Roma")),
        ("1,234,567 people", "1234566", ("1,234,567",)),
        ("v2 of x10 has 77", "", ("77",)),
    ],
)
def test_what_was_not_seen_is_found(answer: str, output: str, missing: tuple[str, ...]) -> None:
    assert untraced(TASK, made(answer, output)) == missing


def test_the_stated_value_is_looked_for_too() -> None:
    assert untraced(TASK, made("As found.", "4", value=17.5)) == ("17.5",)


def test_what_the_conversation_says_counts_as_seen() -> None:
    task = Task("and tomorrow?", history=(Exchange("How warm in Oslo?", "It is 17.5 degrees."),))
    assert untraced(task, made("Still 17.5 degrees in Oslo.", "x")) == ()


def test_where_no_code_ran_nothing_is_looked_for() -> None:
    assert untraced(TASK, Attempt("t", (Turn(Reply("x"), answer=Answer("It is 42 in Paris.")),), "answered")) == ()


def test_what_the_code_states_itself_is_found_unless_it_was_given() -> None:
    assert written(TASK, made("It is 42.5 mm.", "42.5", code="print(42.5)")) == ("42.5",)
    assert written(TASK, made("On 3 May 2024 it was 17 mm.", "17", code="rain(2024, 5, 3)")) == ()
    assert written(TASK, made("The 3 nearest", "a b c", code="near(3)")) == ()


def test_few_are_told_and_each_is_short() -> None:
    found = untraced(TASK, made(" ".join(str(n) for n in range(1_000, 2_000)) + " and " + "9" * 5_000, ""))
    assert len(found) == MOST
    assert all(len(one) <= 60 for one in untraced(TASK, made("It is " + "9" * 5_000, "")))


@pytest.mark.parametrize("piece", ["1,111", "1 111 ", ".", "9", "1e999 ", "1e-999 ", "Aa ", "-", "0.", "\u0301a"])
def test_huge_outputs_are_read_from_both_ends(piece: str) -> None:
    huge = "first 31.25 " + piece * (3 * LONGEST // len(piece)) + " last 62.5"
    assert untraced(TASK, made("It is 31.25 or 62.5.", huge)) == ()
    assert len(untraced(TASK, made(huge[-LONGEST:], "x"))) <= MOST
