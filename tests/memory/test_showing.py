"""What of the stored solutions a prompt shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist import prompts
from ecoassist.cards.tokens import count_tokens
from ecoassist.entries import Entry, Match, Solution
from ecoassist.memory.showing import demonstrations, tokens
from ecoassist.testing import remembered
from ecoassist.types import Answer, Example, Task

TASK = Task("What is the weather in Oslo?", enabled=("weather",))
LONG = "\n".join(f"value_{i} = fetch({i})  # one of many" for i in range(400))


def match(id: int, program: str = "", query: str = "What is the weather in Rome?", **more: object) -> Match:
    found = remembered(id, query, program or f"print({id})")
    fields = {name: more.pop(name) for name in ("apis", "usd", "tokens") if name in more}
    entry = found.entry
    return Match(replace(entry, solution=replace(entry.solution, **fields), **more), 0.8)  # type: ignore[arg-type]


def ids(matches: list[Match], most: int = 1, room: int = 800, task: Task = TASK) -> list[int]:
    return [example.id for example in demonstrations(matches, task, most, room)]


def told(examples: tuple[Example, ...]) -> int:
    """Tokens that a prompt is longer for them."""
    with_them, without = prompts.question(replace(TASK, examples=examples)), prompts.question(TASK)
    return count_tokens(with_them) - count_tokens(without)


def test_the_best_one_is_shown_and_more_only_where_more_are_wanted() -> None:
    matches = [match(1), match(2), match(3), match(4)]
    assert ids(matches) == [1]
    assert ids(matches, 3) == [1, 2, 3]
    assert ids(matches, 0) == []


def test_an_entry_whose_api_is_not_enabled_gives_way_to_the_next() -> None:
    matches = [match(1, apis=("stocks",)), match(2, apis=("weather", "stocks")), match(3, apis=("weather",))]
    assert ids(matches) == [3]
    assert ids(matches, 3, task=replace(TASK, enabled=("stocks", "weather", "maps"))) == [1, 2, 3]


def test_an_entry_that_saved_nothing_is_no_longer_shown() -> None:
    dear = match(1, usd=0.01, uses=10, tokens=900)
    dear = Match(replace(dear.entry, usd=0.2), 0.8)
    assert ids([dear, match(2)]) == [2]
    assert ids([Match(replace(dear.entry, usd=0.02), 0.8), match(2)]) == [1]


def test_a_program_is_shown_once() -> None:
    assert ids([match(1, "print(5)"), match(2, "print(5)"), match(3, "print(6)")], 3) == [1, 3]


def test_further_ones_are_shown_only_where_they_have_room_whole() -> None:
    medium = "\n".join(f"step_{i} = call({i})" for i in range(30))
    examples = demonstrations([match(1, medium), match(2, LONG), match(3, medium + "\n"), match(4)], TASK, 3, 800)
    assert [example.id for example in examples] == [1, 3, 4]
    assert all("left out" not in example.program for example in examples)


def test_a_long_program_is_shown_with_both_ends() -> None:
    (example,) = demonstrations([match(1, LONG)], TASK, 1, 800)
    assert example.program.startswith("value_0 = fetch(0)")
    assert example.program.endswith("value_399 = fetch(399)  # one of many")
    assert "characters left out" in example.program
    assert 600 < told((example,)) <= 800


def test_where_there_is_no_room_nothing_is_shown() -> None:
    assert ids([match(1, LONG)], room=60) == []


def test_a_question_of_ten_megabytes_is_cut() -> None:
    (example,) = demonstrations([match(1, query="why? " * 2_000_000)], TASK, 1, 800)
    assert len(example.query) < 500


def test_a_broken_entry_is_shown_with_what_it_fails_with() -> None:
    (example,) = demonstrations([match(1, state="broken", note="KeyError: 'temp'")], TASK, 1, 800)
    assert example.trouble == "KeyError: 'temp'"
    assert demonstrations([match(1, note="an old note")], TASK, 1, 800)[0].trouble == ""


texts = st.text(max_size=3000) | st.text("🎉漢字é ", min_size=500, max_size=3000)


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), st.integers(0, 3), st.integers(0, 1000))
def test_a_prompt_never_grows_by_more_than_its_room(rows: list[tuple[str, str, str]], most: int, room: int) -> None:
    matches = [
        Match(Entry(id, Solution(query, program, Answer(""), "cheap"), "broken", "", note=note), 0.5)
        for id, (query, program, note) in enumerate(rows, 1)
    ]
    examples = demonstrations(matches, TASK, most, room)
    assert len(examples) <= most
    assert told(examples) <= room


def test_what_a_demonstration_takes_is_what_the_prompt_grows_by() -> None:
    (example,) = demonstrations([match(1, "print('sunny')")], TASK, 1, 800)
    assert tokens(example) == pytest.approx(told((example,)), abs=2)
