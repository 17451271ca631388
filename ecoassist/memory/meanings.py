"""What questions mean to an embedder: the vector of the one that is asked, and those that stored ones still lack."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ecoassist.entries import Meaning
from ecoassist.errors import BudgetSpent, EnvironmentFault, ProviderError
from ecoassist.events import Notice, Stream
from ecoassist.ports import Embedder, Store
from ecoassist.similarity import LONGEST, masked
from ecoassist.vectors import background

UNRELATED = (
    "what is the weather in X tomorrow?",
    "which museums near X are open late?",
    "what did the stock of X close at on 0 X?",
    "who wrote the novel X?",
    "how do i sort a list of dictionaries by a key?",
    "how long should i boil 0 eggs?",
    "convert 0 euros to dollars",
    "list all files that are larger than 0 mb",
)
"""Questions of which no two have anything to do with each other, as they are embedded. What an embedder finds in common
is no likeness: for some that is next to nothing, for others seven tenths, and one gate would not do for both. With
all-MiniLM-L6-v2 it is 0.14, and taking it off changes nothing but the gate: 0.40 serves whom 0.42 would without."""
MOST_BASE = 0.95
"""Beyond it a difference is that of rounding."""
SINGLY = 4
"""Stored questions that are sent alone, at one question, where all at once were refused."""


class Meanings:
    """Asks `embedder`, once for a question: the vectors of stored questions are made on that way.

    So none is made before it is needed, and none keeps an answer waiting longer than the question's own. One that
    failed is not asked again, and the person is told once.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.failed = False
        self.base: float | None = None
        """The cosine of what is unrelated; None: not known yet."""

    def of(self, store: Store, query: str) -> Stream[Meaning | None]:
        """None: nobody could say. Raises EnvironmentFault where `store` cannot be used."""
        if self.failed:
            return None
        name = self.embedder.name
        head = [_text(query), *(UNRELATED if self.base is None else ())]
        lacking = store.lacking(name, max(1, self.embedder.batch - len(head)))
        try:
            made = yield from self._vectors(head, [_text(entry.solution.query) for entry in lacking])
        except (EnvironmentFault, BudgetSpent) as error:
            self.failed = True
            yield Notice(f"solutions are found by words alone: {error}; {error.remedy}", "warning")
            return None
        own, probes, others = made[0], made[1 : len(head)], made[len(head) :]
        self.base = min(background(probes), MOST_BASE) if self.base is None else self.base
        with suppress(EnvironmentFault):  # a store that is not written to can be read all the same
            for entry, vector in zip(lacking, others, strict=False):
                store.describe(entry.id, name, vector)
        return Meaning(name, own, self.embedder.gate, self.base)

    def _vectors(self, head: Sequence[str], others: Sequence[str]) -> Stream[list[bytes]]:
        """Of `head`, and of all `others` or some; b"" for one that is refused, so that it is not tried again.

        A stored question that the endpoint does not take, however it came there, takes nothing from the rest.
        """
        try:
            return [*(yield from self.embedder.embed([*head, *others]))]
        except ProviderError as error:
            if error.retryable or not others:
                raise
        made = [*(yield from self.embedder.embed(head))]
        for text in others[:SINGLY]:
            try:
                made += yield from self.embedder.embed([text])
            except ProviderError as error:
                if error.retryable:
                    break
                made.append(b"")
        return made


def _text(query: str) -> str:
    """What of a question is embedded: what it is about, but not which place, company or day. As it was measured."""
    return masked(query[:LONGEST])
