"""What a scripted model reads in a request: the parts of the prompts that the real engine sends. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecoassist.types import Message

_DATA = r"<data>\n(.*?)\n</data>"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The solved question that the memory added to a prompt."""

    question: str
    program: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A program of the model's own, and what the kernel made of it."""

    program: str
    status: str
    """ok, error, ..."""
    output: str
    missing: str = ""
    """The key that a KeyError named."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to the answering model."""

    question: str
    demonstration: Demonstration | None
    turns: tuple[Turn, ...]

    @property
    def last(self) -> Turn:
        return self.turns[-1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A request to the judge."""

    date: str
    """In words, as prompts say it: Friday, 20 November 2026, 10:43 (UTC)."""
    question: str
    output: str
    answer: str


def read(messages: Sequence[Message]) -> Prompt:
    """Of system text, the question with all that belongs to it, and a reply and its result for each turn."""
    about = messages[1].text
    shown = re.search(r"solved by this program\..*?<data>\nQuestion: (.*?)\n\n(.*?)\n</data>", about, re.DOTALL)
    turns = [_turn(reply.text, result.text) for reply, result in zip(messages[2::2], messages[3::2], strict=True)]
    return Prompt(about.rpartition("\nQuestion: ")[2], Demonstration(*shown.groups()) if shown else None, tuple(turns))


def _turn(reply: str, result: str) -> Turn:
    program = re.search(r"```python\n(.*?)\n```", reply, re.DOTALL)
    output = re.search(_DATA, result, re.DOTALL)
    missing = re.search(r"KeyError: '(\w+)'", result)
    return Turn(
        program[1] if program else "",
        result.partition("]")[0].removeprefix("[").partition(":")[0],
        output[1] if output else "",
        missing[1] if missing else "",
    )


def read_evidence(messages: Sequence[Message]) -> Evidence:
    text = messages[1].text

    def after(label: str) -> str:
        found = re.search(rf"{label}.*?{_DATA}", text, re.DOTALL)
        return found[1] if found else ""

    output = text.rpartition("\nIts output:\n")[2].partition("\n\nNetwork: ")[0]
    return Evidence(
        text.partition("Date: ")[2].partition("\n")[0],
        after("Question: "),
        output,
        text.rpartition("\nAnswer:\n")[2].removeprefix("<data>\n").removesuffix("\n</data>"),
    )
