"""Every protocol, on one screen.

What streams returns Stream[R]: it yields events, may be sent an answer, and returns R. Interrupted may be thrown where
a port yielded a fleeting event; the port may catch it and return what it has. On close() it comes to rest without
yielding. A port yields a Tick before it first waits, and at least every 100 ms while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from .entries import Entry, Match, Meaning, Solution, State
from .events import Event, Stream
from .types import Attempt, Call, CellResult, Message, Outcome, Question, Reply, Saved, Spending, Task, Verdict


class Model(Protocol):
    name: str
    """As the endpoint calls it."""

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        """The model's next message, which may cost `limit` tokens at most. Raises ProviderError, BudgetSpent."""


class Kernel(Protocol):
    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        """Runs one cell, for at most `seconds`; None: the kernel's own limit. Raises NoSandbox when there is no box.

        What the code does wrong is in the result.
        """

    def restart(self) -> None:
        """Forgets all variables and comes back ready; attached files are there again. Raises NoSandbox."""

    def close(self) -> None:
        """Ends the kernel and what it ran in. May be called twice."""


class Judge(Protocol):
    def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        """Whether the attempts of one tier solved the question. Yields a Checked for each step it took."""


class Store(Protocol):
    """Of one person, or of a team. Every method raises EnvironmentFault where it cannot be used."""

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        """Verified and broken solutions of similar questions, best first; empty when none is near enough.

        `meaning`: of `query`, to be compared with the vectors of solutions, as far as they have one.
        """

    def lacking(self, embedder: str, most: int) -> tuple[Entry, ...]:
        """At most so many verified and broken solutions without a vector of `embedder`, newest first."""

    def describe(self, id: int, embedder: str, vector: bytes) -> None:
        """Keeps the vector that `embedder` made of a solution's question."""

    def keep(self, solution: Solution) -> int:
        """Stores a candidate, not served before settle(id, True)."""

    def settle(self, id: int, green: bool, program: str = "", why: str = "") -> None:
        """Records the outcome of a re-run: of a candidate its first, of a verified or broken one that it still works.

        `program`: the one that ran, where it is not the entry's; `why` it did not end well. What never worked stays
        failed. The answer of what is settled is forgotten, its shape stays. A green candidate takes the place of
        others for the same question, and joins one that is nearly the same.
        """

    def pending(self) -> tuple[Entry, ...]:
        """Candidates whose re-run is still to come, oldest first."""

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        """Records a use: whether the question was solved with this solution, at the cost of `spent` where it was shown.

        None: it answered without a model, and nobody judged. What loses too often is retired.
        """

    def get(self, id: int) -> Entry | None:
        """One entry, whatever its state."""

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        """All entries, or those in one state, oldest first."""

    def retire(self, id: int, why: str) -> bool:
        """An entry is no longer served. Whether there was such an entry."""

    def restore(self, id: int) -> bool:
        """One that was retired, failed or broken is served again, with a clean record. Whether there was such one."""

    def remove(self, id: int) -> bool:
        """Deletes an entry. Whether there was such an entry."""


class Embedder(Protocol):
    """Makes a vector of a text, so that texts of one meaning are near each other whatever their words."""

    name: str
    """Of what makes the vectors: those of two names are never compared."""
    gate: float
    """The least similarity of questions compared by words and vectors, from 0 to 1: see similarity.blended."""
    batch: int
    """Texts that it is given at once."""

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        """A vector for each of `texts`, as vectors.packed makes it. Raises EnvironmentFault, BudgetSpent."""


class Reservations(Protocol):
    """The money of a day, shared by all processes of a person. Raises EnvironmentFault where it cannot be counted."""

    def day(self) -> tuple[float, float]:
        """Dollars of this day: what calls have cost, and what those under way may cost at worst."""

    def reserve(self, worst: Call, cap: float | None) -> int | None:
        """Holds what a call may cost at worst; None: it does not fit, beside those, into the day's `cap` of dollars.

        Raises Locked at once where it may succeed a moment later.
        A call whose price is unknown always fits, as any does where `cap` is None.
        """

    def settle(self, id: int, call: Call | None) -> None:
        """What the call did cost; None: nothing. Called once; what is never settled counts in full."""


class Ledger(Reservations, Protocol):
    """The money of a day, and what became of each run."""

    def begin(self, run: str, query: str, why: str = "") -> None:
        """A run starts. What is not begun is not kept."""

    def add(self, run: str, at: float, event: Event) -> None:
        """Keeps an event of a run, `at` seconds after it began."""

    def finish(self, run: str, outcome: Outcome | None, fault: str = "") -> None:
        """What became of it. Without an outcome it broke off: because of `fault`, or by the person."""

    def judged(self, run: str, tier: str, step: str, solved: bool | None) -> None:
        """Keeps one step of the verdict chain, or what the person said of the answer later (step "person")."""

    def agreement(self, tier: str, last: int = 30) -> tuple[int, int]:
        """How many of the last pairs of attempts of a tier agreed, and how many pairs there were."""


class Outbox(Protocol):
    """Where a run's files go on the person's machine. None: it was not kept, and the person was told why once.

    `content` may raise half way; nothing is kept then, and the exception passes.
    """

    def display(self, stem: str, kind: str, content: Iterable[bytes]) -> Saved | None:
        """Keeps what code displayed, as the next free `stem`-N with the ending of the media type `kind`."""

    def file(self, name: str, content: Iterable[bytes]) -> Saved | None:
        """Keeps a file that code made; `name` is foreign. In place of what the same run kept under that name."""


class Sink(Protocol):
    def handle(self, event: Event) -> None:
        """Consumes one event: shows, logs or serialises it."""


Fresh: TypeAlias = Callable[[], Kernel]
"""Makes a new kernel; blocks until it is ready. Raises NoSandbox."""
Person: TypeAlias = Callable[[Question], str | None]
"""Answers a question with one of its choices; None: no answer."""
