"""Prompt tokens, counted by the scripted server. Its rule tends to say too many: see demo/endpoint.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ecoassist.config import environment, load
from ecoassist.demo.endpoint import Endpoint, Served, count_tokens
from ecoassist.play import play
from ecoassist.prompts import system_text
from ecoassist.wiring import open_session

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


def main() -> None:
    first, five, flood = asked(*SUM), asked(*FIVE), asked(*FLOOD)
    report(
        "Prompt tokens, at most",
        [
            Figure("system text", count_tokens(system_text()), "tok", 500),
            Figure("first-try question, all calls", sum(one.prompt_tokens for one in first), "tok", 700),
            Figure("five cells on kernel state, all calls", sum(one.prompt_tokens for one in five), "tok", 3_000),
            Figure("the request after 5 MB of output", flood[1].prompt_tokens, "tok", 2_500),
        ],
    )


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
