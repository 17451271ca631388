"""What questions mean to an embedder: the vector of the one that is asked, and those that stored ones still lack."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ecoassist.entries import Meaning
from ecoassist.errors import BudgetSpent, EnvironmentFault, ProviderError
from ecoassist.events import Notice, Stream
from ecoassist.ports import Embedder, Store
from ecoassist.similarity import LONGEST, masked

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

    def of(self, store: Store, query: str) -> Stream[Meaning | None]:
        """None: nobody could say. Raises EnvironmentFault where `store` cannot be used."""
        if self.failed:
            return None
        name = self.embedder.name
        lacking = store.lacking(name, self.embedder.batch - 1)
        texts = [_text(query), *(_text(entry.solution.query) for entry in lacking)]
        try:
            own, *others = yield from self._vectors(texts)
        except (EnvironmentFault, BudgetSpent) as error:
            self.failed = True
            yield Notice(f"solutions are found by words alone: {error}; {error.remedy}", "warning")
            return None
        with suppress(EnvironmentFault):  # a store that is not written to can be read all the same
            for entry, vector in zip(lacking, others, strict=False):
                store.describe(entry.id, name, vector)
        return Meaning(name, own, self.embedder.gate)

    def _vectors(self, texts: Sequence[str]) -> Stream[list[bytes]]:
        """Of the first text, and of all others or some; b"" for one that is refused, so that it is not tried again.

        A stored question that the endpoint does not take, however it came there, takes nothing from the others.
        """
        try:
            return [*(yield from self.embedder.embed(texts))]
        except ProviderError as error:
            if error.retryable or len(texts) == 1:
                raise
        made = [*(yield from self.embedder.embed(texts[:1]))]
        for text in texts[1 : 1 + SINGLY]:
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
