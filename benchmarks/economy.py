"""Prompt economy: tokens that a solved question takes on four courses, and how much of each request is a repetition.

What a request shares with the one before it, from its first character on, is what providers bill as cached input.
Within an attempt a request has to repeat all of the one before; of two ways of going about one question, and of the
judge, the system message and what comes first in a question may be shared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ecoassist.config import environment, load
from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, Served
from ecoassist.play import play
from ecoassist.prompts import JUDGE_SYSTEM
from ecoassist.types import Outcome
from ecoassist.wiring import open_session

from .common import Figure, report

QUESTION = "What is the sum of the numbers below 1000?"
CELL = "print(sum(range(1000)))"
DONE = "It is 499500.\nANSWER: 499500"
WRONG = "It is 500500.\nANSWER: 500500"
CONFIG = """
[[tiers]]
name = "weak"
model = "weak"
base_url = "{url}"
samples = {samples}
[[tiers]]
name = "strong"
model = "strong"
base_url = "{url}"
"""

COURSES: Mapping[str, tuple[int, Sequence[str], Sequence[str], Sequence[bool]]] = {
    "solved at the first try": (1, (CELL, DONE), (), (True,)),
    "repaired after an error": (1, ("print(sum(rnage(1000)))", CELL, DONE), (), (True,)),
    "handed over to the strong tier": (1, ("print(sum(range(1001)))", WRONG), (CELL, DONE), (False, True)),
    "two ways that agree": (2, (DONE, CELL, DONE), (), ()),
}
"""Samples of the weak tier, its replies, those of the strong one, and the judge's verdicts, by what happens."""
AT_MOST = {
    "solved at the first try": 1_150,
    "repaired after an error": 1_800,
    "handed over to the strong tier": 2_350,
    "two ways that agree": 1_200,
}
"""Tokens of a question, prompts and replies, the judge's included."""


def main() -> None:
    figures: list[Figure] = []
    within: list[float] = []
    between: list[float] = []
    for name, (samples, weak, strong, verdicts) in COURSES.items():
        outcome, log = asked(samples, weak, strong, verdicts)
        assert outcome.status == "solved", (name, outcome)
        spent = sum(one.prompt_tokens + one.completion_tokens for one in log)
        calls = f"{len(log)} calls, {sum(map(judging, log))} of them to judge"
        figures.append(Figure(name, spent, "tok", AT_MOST[name], calls))
        for before, after in pairwise(one for one in log if not judging(one)):
            (within if follows(before, after) else between).append(100 * shared(before, after))
    told = f"the least of {len(within)} requests that follow another of their attempt"
    figures.append(Figure("not repeated within an attempt", 100 - min(within), "%", 0, told))
    if between:
        told = f"the least of {len(between)} requests that begin another attempt, of the same or another model"
        figures.append(Figure("repeated between attempts", min(between), "%", None, told))
    report("Tokens per solved question, and the share of a request that repeats the previous one", figures)


def asked(
    samples: int, weak: Sequence[str], strong: Sequence[str], verdicts: Sequence[bool]
) -> tuple[Outcome, list[Served]]:
    """What came of the question, and the requests that the server got for it."""
    scripts = {"weak": scripted(weak, ()), "strong": scripted(strong, verdicts)}
    with Endpoint(scripts) as endpoint, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(CONFIG.format(url=endpoint.url, samples=samples))
        config = load(environ=environment() | {"ECOASSIST_CONFIG": str(file), "ECOASSIST_DATA": folder})
        with open_session(config) as session:
            return play(session.ask(QUESTION)), endpoint.log


def scripted(replies: Sequence[str], verdicts: Sequence[bool]) -> Callable[[ChatRequest], Scripted]:
    """A model that gives its replies in order, and the verdicts where it is asked to judge."""
    left, judged = list(replies), list(verdicts)

    def reply(request: ChatRequest) -> Scripted:
        if request.messages[0].text == JUDGE_SYSTEM:
            solved = judged.pop(0)
            return Scripted(f'{{"solved": {str(solved).lower()}, "reason": "the output says so"}}')
        said = left.pop(0)
        return Scripted(said if "ANSWER" in said else f"```python\n{said}\n```")

    return reply


def judging(one: Served) -> bool:
    return one.request.messages[0].text == JUDGE_SYSTEM


def follows(before: Served, after: Served) -> bool:
    """Whether the second request goes on with the attempt of the first: it holds turns of it."""
    return before.request.model == after.request.model and len(after.request.messages) > len(before.request.messages)


def shared(before: Served, after: Served) -> float:
    """The share of the first request that the second begins with, 0 to 1."""
    first, second = (rendered(one.request) for one in (before, after))
    alike = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(second))
    return min(alike, len(first)) / len(first)


def rendered(request: ChatRequest) -> str:
    """The messages as one text, as a chat template makes it of them."""
    return "".join(f"<{one.role}>{one.text}" for one in request.messages)


if __name__ == "__main__":
    main()
