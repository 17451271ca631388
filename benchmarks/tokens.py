"""Prompt tokens, counted by the scripted server. Its rule tends to say too many: see ecoassist/cards/tokens.py.

Where the package rs-bpe is installed, what is said of APIs is counted with two real encodings as well.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ecoassist import cards
from ecoassist.config import environment, load
from ecoassist.demo.endpoint import Endpoint, Served, count_tokens
from ecoassist.play import play
from ecoassist.prompts import question, system_text
from ecoassist.types import Task
from ecoassist.wiring import open_session
from tests.cards.recall import everything, questions, unanswered

from .common import Figure, report
from .scripted import SUM, playing, write_config

FIVE = (
    "numbers = list(range(1, 21))",
    "squares = [n * n for n in numbers]",
    "even = [n for n in squares if n % 2 == 0]",
    "total = sum(even)",
    "print(total)",
)
FLOOD = ("for i in range(105_000): print('line', i, 'x' * 34)", "print(105_000)")
"""5 MB of output, as other assistants were measured with."""


CARD_TOKENS = 1_200


def main() -> None:
    told, missed = [said_of_apis(query) for query, _ in questions()], unanswered(questions(), CARD_TOKENS)
    first, five, flood = asked(*SUM), asked(*FIVE), asked(*FLOOD)
    report(
        "Prompt tokens, at most",
        [
            Figure("system text", count_tokens(system_text()), "tok", 500),
            Figure("first-try question, all calls", sum(one.prompt_tokens for one in first), "tok", 700),
            Figure("five cells on kernel state, all calls", sum(one.prompt_tokens for one in five), "tok", 3_000),
            Figure("the request after 5 MB of output", flood[1].prompt_tokens, "tok", 2_500),
            Figure("what is said of 25 APIs, the longest", max(map(count_tokens, told)), "tok", CARD_TOKENS),
            *by_encodings(told),
            Figure("questions without what they need of it", 100 * len(missed) / len(told), "%", 5, f"of {len(told)}"),
        ],
    )


def said_of_apis(query: str) -> str:
    """What a prompt tells of the whole catalogue and an API of 300 operations."""
    shown, named = cards.choose(query, everything(), CARD_TOKENS)
    return question(Task("", apis=shown, other_apis=named, listing="'.apis.txt'")).removesuffix("Question: ")


def by_encodings(texts: Sequence[str]) -> list[Figure]:
    """The longest text as models count it."""
    try:
        openai = importlib.import_module("rs_bpe").openai
    except ImportError:
        return []
    counts = {name: getattr(openai, name)().count for name in ("o200k_base", "cl100k_base")}
    return [Figure(f"... in {name}", max(map(count, texts)), "tok", CARD_TOKENS) for name, count in counts.items()]


def asked(*cells: str) -> list[Served]:
    """The requests that the server got for a question answered with these cells."""
    with Endpoint({"scripted": playing(*cells)}) as endpoint, tempfile.TemporaryDirectory() as folder:
        config = load(environ=environment() | write_config(Path(folder), endpoint.url))
        with open_session(config) as session:
            outcome = play(session.ask("What is the sum of the even squares up to 400?"))
        assert outcome.answer, outcome
        return endpoint.log


if __name__ == "__main__":
    main()
