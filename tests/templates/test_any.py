"""Whatever a question or a program holds: taking them apart never fails, and binding changes constants only."""

from __future__ import annotations

import ast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoassist import templates
from ecoassist.entries import Solution
from ecoassist.types import Answer

SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
NAMES = st.sampled_from(("Paris", "New York", "Rio de Janeiro", "Łódź", "O'Fallon", "Winston-Salem", "St. Louis"))
DATES = st.dates().filter(lambda day: day.year > 1900)
COUNTS = st.integers(10, 900)
PROGRAMS = (
    "print(ask({name!r}, n={count}, on={date!r}))",
    "city, n = {name!r}, {count}\n\nprint(ask(f'{{u}}: {name_in}', n)['{date}'], f'{name_in} on {date}')",
    "def f(where, n={count}, *, on={date!r}):\n    return ask(where)[:n][on]\n\nprint(f({name!r}))",
    "for on in [{date!r}]:\n    print(ask('hotels in ' + {name!r}, [on, {count}]))  # {name!r}",
    "from datetime import date\nprint(ask(date({year}, {month}, {day}), '''{name_in}''' if {count} > 3 else u))",
)
HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("'\"\\{}%#();\n\r\t\0\u2028 ")), min_size=1, max_size=60)


def solution(query: str, program: str) -> Solution:
    return Solution(query, program, Answer("x"), "cheap", ran="2026-11-21T12:00:00+00:00")


def shape(program: str) -> str:
    tree = ast.parse(program)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value, node.kind = type(node.value).__name__, None
    return ast.dump(tree)


def made(program: str, name: str, count: int, date: object) -> str:
    year, month, day = (int(part) for part in str(date).split("-"))
    inner = name.replace("'", "’")
    return program.format(name=name, name_in=inner, count=count, date=str(date), year=year, month=month, day=day)


def asked(name: str, count: int, date: object) -> str:
    return f"Show me the {count} best places of {name} for {date}"


@pytest.mark.parametrize("program", PROGRAMS)
@given(name=NAMES, count=COUNTS, date=DATES)
@SETTINGS
def test_its_own_values_make_the_same_program(program: str, name: str, count: int, date: object) -> None:
    text = made(program, name, count, date)
    assert templates.bound(solution(asked(name, count, date), text), asked(name, count, date)) == text
    assert templates.bound(solution(asked(name, count, date), text), asked(name, count, date) + ", please") is None


@pytest.mark.parametrize("program", PROGRAMS)
@given(old=st.tuples(NAMES, COUNTS, DATES), new=st.tuples(NAMES, COUNTS, DATES))
@SETTINGS
def test_other_values_change_constants_only_and_lead_back(
    program: str, old: tuple[str, int, object], new: tuple[str, int, object]
) -> None:
    first = made(program, *old)
    second = templates.bound(solution(asked(*old), first), asked(*new))
    if second is None:
        return
    assert shape(second) == shape(first)
    constants = [node.value for node in ast.walk(ast.parse(second)) if isinstance(node, ast.Constant)]
    assert new[1] in constants
    assert any(new[0] in str(one) or new[0].replace("'", "’") in str(one) for one in constants)
    back = templates.bound(solution(asked(*new), second), asked(*old))
    assert back is None or ast.dump(ast.parse(back)) == ast.dump(ast.parse(first))


@given(text=HOSTILE)
@SETTINGS
def test_any_text_in_a_slot_stays_a_text(text: str) -> None:
    for program in (
        "print(ask('Heat'))",
        "print(ask(f'{u}?q=Heat&k={k}'), f'{u!r:>{w}} Heat')",
        "print(ask('about Heat %s' % u))",
    ):
        for query in (f'Who made the film "{text}"?', f"Who made the film {text}?", text):
            for stored in ('Who made the film "Heat"?', "Who made the film Heat?"):
                got = templates.bound(solution(stored, program), query)
                assert got is None or shape(got) == shape(program)


@given(query=HOSTILE, program=HOSTILE)
@SETTINGS
def test_nothing_that_is_stored_makes_it_fail(query: str, program: str) -> None:
    for source in (program, f"print({program!r})", f"x = {query!r}\nprint(ask(f'{{x}}', {program!r}))"):
        one = solution(query, source)
        templates.parameters(query, source)
        templates.shown(one)
        templates.fixed(one)
        if any(character.isalnum() for character in query):
            assert templates.bound(one, query) == source
        templates.bound(one, "Who made the film Heat?")
