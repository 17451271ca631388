"""What a memory costs that helps with nothing: questions that have nothing to do with any stored one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecoassist.cards.tokens import count_tokens
from ecoassist.entries import Solution
from ecoassist.memory import Limits, Meanings, recall
from ecoassist.play import play
from ecoassist.ports import Store
from ecoassist.prompts import messages, system_text
from ecoassist.types import Answer, Task

UNRELATED = tuple(
    line.strip()
    for line in """
    Write a regular expression that matches an IPv4 address.
    What is the sum of the first 200 prime numbers?
    Explain the difference between a process and a thread.
    How do I reverse a linked list in Python?
    What is the derivative of x squared times sine of x?
    Sort these words by their length: fig, banana, kiwi, apple.
    How many ways are there to make change for a dollar?
    Is 2027 a prime number?
    Translate "good morning" into Latin.
    Write a haiku about autumn leaves.
    What does HTTP status 418 mean?
    How do I undo the last commit in git?
    Plot the function y = x^3 - 2x between -3 and 3.
    What is the probability of two sixes with three dice?
    Encode "hello world" as base64.
    How long should I boil an egg for a runny yolk?
    Solve the sudoku in the attached file.
    Give me a recipe for pancakes without eggs.
    What is the determinant of the matrix [[1, 2], [3, 4]]?
    Which sorting algorithm is stable and in place?
    How do I remove duplicates from a list but keep the order?
    What are the roots of x^2 - 5x + 6?
    Draft a polite reply that declines an invitation.
    How many seconds are there in a leap year?
    What is the longest palindrome in "forgeeksskeegfor"?
    Simulate a thousand coin flips and count the heads.
    Convert the number 255 to binary and hexadecimal.
    What is the Levenshtein distance between kitten and sitting?
    Count the vowels in the word onomatopoeia.
    Draw a histogram of 500 normally distributed numbers.
    What is the next number in 1, 1, 2, 3, 5, 8?
    How do I stretch after a long run?
    What is a monad, in simple words?
    Merge all CSV files of this folder into one.
    Generate a random password of 16 characters.
    Which of these sentences has a spelling mistake?
    How many trailing zeros has 100 factorial?
    Compute the standard deviation of 4, 8, 15, 16, 23, 42.
    What is the shortest path in this maze?
    Write a limerick about a cat and a keyboard.
    """.strip().splitlines()
)
PROGRAM = """\
import os
import requests

params = {{"q": "Oslo", "days": 3, "key": os.environ["SERVICE_KEY"]}}
answer = requests.get("https://service-{0}.example/v1/search.json", params=params, timeout=20)
answer.raise_for_status()
found = answer.json()
rows = found.get("results", [])
if not rows:
    print("nothing was found")
else:
    best = sorted(rows, key=lambda row: row.get("score", 0), reverse=True)[:5]
    for place, row in enumerate(best, 1):
        name, value = row["name"], row.get("value")
        print(f"{{place}}. {{name}}: {{value}} {{row.get('unit', '')}}")
    total = sum(row.get("value") or 0 for row in rows)
    print("in all:", total, "of", len(rows))
"""
"""Of a usual length: half of 100 published programs of this kind have 30 lines or fewer (arXiv 2310.03046)."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What unrelated questions take with a memory, against without."""

    asked: int
    shown: int
    """Questions that were shown something."""
    tokens: int
    """Of all first requests, with it."""
    without: int

    @property
    def share(self) -> float:
        return self.tokens / self.without - 1


def fill(store: Store, queries: Sequence[str]) -> None:
    """Verified solutions of `queries`, each with a program of its own."""
    for number, query in enumerate(queries):
        store.settle(store.keep(Solution(query, PROGRAM.format(number), Answer("4"), "cheap", usd=0.002)), True)


def grown(
    store: Store, asked: Sequence[str] = UNRELATED, limits: Limits | None = None, meanings: Meanings | None = None
) -> Grown:
    """What the prompts of `asked` grow by, with whatever `store` shows them."""
    pairs = [(Task(query), play(recall(store, Task(query), limits or Limits(), meanings))) for query in asked]
    return Grown(
        len(pairs),
        sum(bool(found.examples) for _, found in pairs),
        sum(_tokens(found) for _, found in pairs),
        sum(_tokens(task) for task, _ in pairs),
    )


def _tokens(task: Task) -> int:
    return sum(count_tokens(message.text) for message in messages(task, system=system_text()))
