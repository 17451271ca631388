"""A solution as it is stored, and what the store knows of it: frozen, slotted, without logic beyond derivation.

A store's own entries have positive numbers. Those of a team's store, where it stands beside one, are negative, so that
what is theirs is never mistaken for one's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .types import Answer

State = Literal["pending", "verified", "broken", "failed", "retired"]
"""pending: a candidate, its re-run is to come. verified: it worked alone. broken: it did once, and no longer does.
failed: it never did. retired: no longer served, for the reason in its note; it can be restored."""
SERVED: tuple[State, ...] = ("verified", "broken")
ParameterKind = Literal["text", "integer", "number", "date"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A literal of the program that the question names: another question may have another value there."""

    name: str
    """A Python identifier: "city"."""
    kind: ParameterKind
    said: str
    """As the question words it: "21 November"."""
    value: str
    """As the program writes it, as a Python literal: "'2026-11-21'"."""
    form: str = ""
    """How `value` is made of what was said: for a date the format of strftime, for a text "title", "lower" or "upper";
    empty: as it was said."""


@dataclass(frozen=True, slots=True)
class FileShape:
    """What is kept of a file that the program reads."""

    name: str
    """A pattern of names: "sales-*.csv"."""
    columns: tuple[str, ...] = ()
    """Of a table, in order; empty where it is none, or none that could be read."""


@dataclass(frozen=True, slots=True)
class Solution:
    query: str
    """The question in its context."""
    program: str
    answer: Answer
    """Kept as long as it is a candidate; its re-run has to agree with it."""
    tier: str
    model: str = ""
    hosts: tuple[str, ...] = ()
    """Hosts that answered the program; its re-run may reach no others."""
    files: tuple[FileShape, ...] = ()
    """Of the attached files that it may read; their content is never stored."""
    apis: tuple[str, ...] = ()
    """Names of the APIs that answered the program."""
    parameters: tuple[Parameter, ...] = ()
    """In the order of the question."""
    shape: str = ""
    """Of its answer: number, text, yes or no, date, list; empty: it has no value to tell it by."""
    packages: tuple[str, ...] = ()
    """That it imports, beside the standard library."""
    image: str = ""
    """The sandbox's image that it ran in."""
    usd: float | None = None
    """What the question cost that it is from, in all; None: unknown."""
    tokens: int = 0
    """Those of that question, in all."""
    ran: str = ""
    """When it first ran, on the clock that it may have read: ISO 8601 with the offset from UTC."""
    whole: str = ""
    """All cells that ended well, tried where `program` alone fails; only as long as it is a candidate."""
    origin: str = ""
    """Where it came from, if not from a question here: the name of a pack."""
    tells: bool = True
    """What it prints is the answer. False: a model read that in it, so that it cannot answer alone."""
    took: tuple[str, ...] = ()
    """Numbers and names that the answer took from the outputs: its re-run has to print them again. Only as long as it
    is a candidate."""

    def settled(self, program: str = "") -> Solution:
        """As it is kept once its re-run is over: without its answer, and with the `program` that ran.

        Where that is another one, which shows more, what it prints is no longer the answer alone.
        """
        tells = self.tells and program in ("", self.program)
        return replace(self, program=program or self.program, answer=Answer(""), whole="", took=(), tells=tells)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the store."""

    id: int
    solution: Solution
    state: State
    created: str
    """ISO 8601, UTC."""
    wins: int = 0
    """Questions that were solved with it at once."""
    losses: int = 0
    verified: str = ""
    """When it last ran well alone: ISO 8601, UTC; empty: never."""
    uses: int = 0
    """Questions whose prompts showed it, and whose cost is known in `tokens`."""
    usd: float | None = 0.0
    """What those cost, in all; None: unknown."""
    tokens: int = 0
    replays: int = 0
    """Questions that it answered without a model."""
    note: str = ""
    """Why it is broken, failed or retired."""

    @property
    def foreign(self) -> bool:
        """Whether somebody else wrote it: it is a team's, or from a pack."""
        return self.id < 0 or bool(self.solution.origin)


@dataclass(frozen=True, slots=True)
class Match:
    """A stored solution whose question is like another."""

    entry: Entry
    score: float
    """Similarity of the two questions, from 0 to 1; 1: the same one."""

    @property
    def id(self) -> int:
        return self.entry.id


@dataclass(frozen=True, slots=True)
class Meaning:
    """A question as an embedder sees it."""

    embedder: str
    """Its name: only vectors of the same one are compared with this."""
    vector: bytes
    """As vectors.packed makes it."""
    gate: float
    """The least similarity of a solution that is served, where it has a vector to compare."""
    base: float = 0.0
    """The cosine of questions that have nothing to do with each other: it counts as none."""


def numbered(id: int) -> str:
    """A solution's number, for the person: "#12", or "team #5" of a team's store."""
    return f"#{id}" if id >= 0 else f"team #{-id}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of running a program alone."""

    green: bool | None
    """None: nothing can be said, because it was interrupted or a host it asks did not work."""
    program: str = ""
    """The one that ran well, where another was tried first."""
    why: str = ""
    """Why it is not green, in a few words."""
