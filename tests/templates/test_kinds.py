"""Programs of the kinds that models write for everyday questions, each with another question that it answers too."""

from __future__ import annotations

import pytest

from ecoassist import templates
from ecoassist.entries import Solution
from ecoassist.types import Answer

KINDS = [
    (
        "When was Albert Einstein born?",
        "print(get('https://wiki.example/api?action=query&titles=Albert_Einstein&prop=extracts')['extract'])",
        "When was Marie Curie born?",
        "print(get('https://wiki.example/api?action=query&titles=Marie_Curie&prop=extracts')['extract'])",
    ),
    (
        "Convert 100 USD to EUR",
        "amount = 100\nprint(get(f'https://x.example/latest?from=USD&to=EUR&amount={amount}')['rates']['EUR'])",
        "convert 2,500 gbp to nok",
        "amount = 2500\nprint(get(f'https://x.example/latest?from=GBP&to=NOK&amount={amount}')['rates']['NOK'])",
    ),
    (
        "What is the price of Bitcoin?",
        "print(get('https://c.example/price?ids=bitcoin&vs_currencies=usd')['bitcoin']['usd'])",
        "What is the price of Ethereum?",
        "print(get('https://c.example/price?ids=ethereum&vs_currencies=usd')['ethereum']['usd'])",
    ),
    (
        "What are the top 5 headlines about Tesla?",
        "found = get('https://n.example/v2/all', params={'q': 'Tesla', 'pageSize': 5}, timeout=5)\nprint(found[:5])",
        "What are the top ten headlines about General Motors?",
        "found = get('https://n.example/v2/all', params={'q': 'General Motors', 'pageSize': 10}, timeout=5)\n"
        "print(found[:10])",
    ),
    (
        "How many people live in France?",
        "print(get('https://lands.example/v3/name/France?full=true')[0]['population'], 'people live in France')",
        "How many people live in South Korea?",
        "print(get('https://lands.example/v3/name/South%20Korea?full=true')[0]['population'], "
        "'people live in South Korea')",
    ),
    (
        "Is 97 a prime number?",
        "n = 97\nprint(all(n % i for i in range(2, int(n**0.5) + 1)))",
        "Is 1009 a prime number?",
        None,
    ),
    (
        "Is 97 a prime number?",
        "n = 97\nprint(all(n % i for i in range(2, int(n**0.5) + 1)))",
        "Is 1,009 a prime number?",
        "n = 1009\nprint(all(n % i for i in range(2, int(n**0.5) + 1)))",
    ),
    (
        "How many days are there between 2024-01-01 and 2024-12-25?",
        "from datetime import date\nprint((date(2024, 12, 25) - date(2024, 1, 1)).days)",
        "How many days are there between March 3, 2020 and 5 April 2021?",
        "from datetime import date\nprint((date(2021, 4, 5) - date(2020, 3, 3)).days)",
    ),
    (
        "Which Italian restaurants in San Francisco have a terrace?",
        "def find(city, kind):\n    return get(u + 'query=' + f'{kind} restaurants with a terrace in {city}')\n\n"
        "print(find('San Francisco', 'Italian'))",
        "Which Thai restaurants in Portland have a terrace?",
        "def find(city, kind):\n    return get(u + 'query=' + f'{kind} restaurants with a terrace in {city}')\n\n"
        "print(find('Portland', 'Thai'))",
    ),
    (
        "How many shares of Amazon were traded on October 1, 2021?",
        "day = '2021-10-01'\nprint(get(symbol='AMZN')['daily'][day]['volume'], 'of Amazon on October 1, 2021')",
        "How many shares of Amazon were traded on 2021-09-24?",
        "day = '2021-09-24'\nprint(get(symbol='AMZN')['daily'][day]['volume'], 'of Amazon on September 24, 2021')",
    ),
    (
        "How many shares of Amazon were traded on October 1, 2021?",
        "day = '2021-10-01'\nprint(get(symbol='AMZN')['daily'][day]['volume'], 'of Amazon on October 1, 2021')",
        "How many shares of Google were traded on October 1, 2021?",
        None,
    ),
]


@pytest.mark.parametrize(("query", "program", "other", "expected"), KINDS)
def test_a_program_answers_another_question_of_its_kind(
    query: str, program: str, other: str, expected: str | None
) -> None:
    solution = Solution(query, program, Answer("x"), "cheap", ran="2026-11-21T12:00:00+00:00")
    assert templates.fixed(solution) == ""
    assert templates.bound(solution, query) == program
    assert templates.bound(solution, other) == expected


@pytest.mark.parametrize(
    ("query", "program"),
    [
        ("Aa Bb " * 300, "\n".join(f"x{i + 1} = x{i} + 'Aa'" for i in range(1_900))),
        ("Aa Bb " * 300, "\n".join([*("x = 'Aa'" for _ in range(900)), *("print(x)" for _ in range(900))])),
        ("the " + "Aa of " * 300, "ask('Aa')"),
        ("2 3 " * 300, "ask('" + "2,3." * 10_000 + "')"),
        ("Who is Aa?", "ask('" + "?a=b&" * 9_000 + "Aa')"),
        ("Who is Aa?", "\n".join("ask('Aa')" for _ in range(2_001))),
        ("Who is Aa?", "ask(0x" + "f" * 9_000 + ", 'Aa')"),
    ],
)
def test_a_hostile_size_is_taken_apart_or_left_alone(query: str, program: str) -> None:
    solution = Solution(query, program, Answer("x"), "cheap")
    assert templates.bound(solution, query) == program
    assert templates.bound(solution, query.replace("Aa", "Bb") + " now") is None
    templates.parameters(query, program)
    templates.fixed(solution)
    templates.shown(solution)
