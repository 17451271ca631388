"""Questions that differ in a mark that means something are two questions."""

from __future__ import annotations

import pytest

from ecoassist import templates
from ecoassist.entries import Solution
from ecoassist.types import Answer


def bound(stored: str, program: str, query: str) -> str | None:
    return templates.bound(Solution(stored, program, Answer("x"), "cheap", ran="2026-11-21T12:00:00+00:00"), query)


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("What is (2 + 3) * 4?", "What is 2 + 3 * 4?"),
        ("What is the length of [[1, 2], [3]]?", "What is the length of [[1, 2, 3]]?"),
        ("How many digits has 100!?", "How many digits has 100?"),
        ("How many digits has n! for n = 9?", "How many digits has n for n = 9?"),
        ("For which x is x = 5?", "For which x is x != 5?"),
        ("What is 102 + 5?", "What is 10² + 5?"),
        ("What is 21/2 + 5?", "What is 2½ + 5?"),
        ("What is 5 * 4?", "What is .5 * 4?"),
        ("What is 2^3?", "What is 2 3?"),
        ("What is the sum of 1-10?", "What is the sum of 1, 10?"),
        ("What is 10 - 3?", "What is 10, 3?"),
        ("What is 10 - 3?", "What is 10 3?"),
        ("Add 40 to it", "Add -40 to it"),
        ("Which is newer, C++ or C?", "Which is newer, C# or C?"),
        ("Convert 5' to cm", 'Convert 5" to cm'),
        ("What is f(2) for x*x?", "What is f'(2) for x*x?"),
        ("What is the hash of 'hello'?", "What is the hash of 'Hello'?"),
        ("What is the hash of 'a b'?", "What is the hash of 'a.b'?"),
        ("What is the hash of 'a b'?", "What is the hash of 'a  b'?"),
        ("What is the hash of 'fi'?", "What is the hash of 'ﬁ'?"),
        ("What is 10 MB in bits?", "What is 10 Mb in bits?"),
        ("How many mW are 20 W?", "How many MW are 20 W?"),
        ("How often does a occur in Banana?", "How often does A occur in Banana?"),
        ("Is foo-bar.com registered?", "Is foo.bar.com registered?"),
    ],
)
def test_a_mark_that_means_something_makes_another_question(stored: str, query: str) -> None:
    program = "print(answer(100, 40, 10, 9, 5, 4, 3, 2))"
    assert bound(stored, program, stored) == program
    assert bound(stored, program, query) is None
    assert bound(query, program, stored) is None
    assert templates.key(stored) != templates.key(query)


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("What is the weather in Paris, now?", "  what is the weather in PARIS now"),
        ("How's the weather in St. Moritz?", "how's the weather in st moritz"),
        ("Tell me: who wrote “Dubliners”?", 'tell me, who wrote "Dubliners"?!'),
        ("Which e-mail did I get?", "which e mail did i get"),
        ("Weather in Oslo (Norway)!", "weather in oslo (norway)"),
        ("What is 10-3?", "What is 10 − 3"),
        ("What is 10² in words?", "what is 10^2 in words"),
    ],
)
def test_what_nobody_means_does_not(stored: str, query: str) -> None:
    assert templates.key(stored) == templates.key(query)
    assert bound(stored, "print(answer())", query) == "print(answer())"


def test_letters_count_where_the_program_works_with_them() -> None:
    program = "import hashlib\nprint(hashlib.md5(b'hello').hexdigest())"
    assert bound("What is the md5 of hello?", program, "what is the md5 of hello") == program
    assert bound("What is the md5 of hello?", program, "What is the md5 of Hello?") is None


def test_a_quoted_text_that_is_no_value_of_the_program_is_the_same_to_the_letter() -> None:
    program = "print(find('hello'.encode(), 30))"
    assert bound("Are the first 30 of 'Abc' in it?", program, "Are the first 40 of 'Abc' in it?")
    assert bound("Are the first 30 of 'Abc' in it?", program, "Are the first 40 of 'abc' in it?") is None


def test_a_value_that_the_program_also_has_as_bytes_is_no_parameter() -> None:
    program = "page = fetch('Oslo')\nprint(len(page) if b'Oslo' in page else None)"
    assert bound("How long is the page of Oslo?", program, "How long is the page of Bergen?") is None


@pytest.mark.parametrize(
    "query", ["List cities in Norway Except Oslo", "List cities in Kelvin", "List cities in Norway Without Oslo"]
)
def test_words_that_change_a_question_are_no_names(query: str) -> None:
    assert bound("List cities in Norway", "print(cities('Norway'))", query) is None
    assert bound("List cities in Norway", "print(cities('Norway'))", "List cities in Chile")


@pytest.mark.parametrize(
    "query", ["weather in detail", "weather in french", "weather in fahrenheit", "weather in kelvin"]
)
def test_how_to_answer_is_no_name_in_a_question_without_capitals(query: str) -> None:
    assert bound("weather in oslo", "print(weather('Oslo'))", query) is None
    assert bound("weather in oslo", "print(weather('Oslo'))", "weather in bergen") == "print(weather('Bergen'))"


@pytest.mark.parametrize("most", ["4", "5", "8", "9", "34", "289"])
def test_a_number_that_was_reckoned_from_one_of_the_question_closes_it(most: str) -> None:
    program = f"n = 17\nprint(all(n % i for i in range(2, {most})))"
    assert bound("Is 17 prime?", program, "Is 25 prime?") is None
    assert bound("Is 17 prime?", program.replace(most + ")))", "n)))"), "Is 25 prime?")
