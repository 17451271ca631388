"""Any OpenAI-compatible endpoint for embeddings: OpenAI itself, Ollama, vLLM, llama.cpp, ..."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

from ecoassist import vectors
from ecoassist.events import Stream, Tick
from ecoassist.types import Usage

from .line import Line
from .openai import FOREIGN, OpenAIEndpoint, Timeouts
from .pump import pump

LONGEST = 1_000
"""Characters of a text that are sent: some endpoints refuse more than 512 tokens."""
PATIENCE = Timeouts(connect=3.0, read=10.0, total=10.0)
"""An answer waits no longer for what only helps to find a solution."""


@dataclass(frozen=True, slots=True)
class Embedded:
    vectors: tuple[bytes, ...]
    """One for each text, as vectors.packed makes it."""
    usage: Usage | None
    """None: the endpoint told nothing."""


class OpenAIEmbedder(OpenAIEndpoint):
    """A model of such an endpoint. One try per call: who asks does without where it fails."""

    SERVES, GIVES = "embeddings", "a list of embeddings"

    def __init__(self, name: str, base_url: str, key: str, *, timeouts: Timeouts = PATIENCE, **more: Any) -> None:
        """`more`: as for OpenAIEndpoint."""
        super().__init__(name, base_url, key, timeouts=timeouts, **more)

    def embed(self, texts: Sequence[str]) -> Stream[Embedded]:
        """A vector for each text. Raises ProviderError."""
        line, deadline = Line(self._headers, self.most), self.clock() + self.timeouts.total
        made: Embedded | None = None
        try:
            with closing(pump(lambda: self._asked(line, texts), line.hang_up)) as items:
                for item in items:
                    if isinstance(item, Tick):
                        yield item
                    else:
                        made = item
                    if self.clock() > deadline:
                        raise self._late(line)
        except FOREIGN as error:
            raise self._translate(error, line) from error
        assert made
        return made

    def _asked(self, line: Line, texts: Sequence[str]) -> Iterator[Embedded]:
        """In the pump's thread."""
        self._here.line = line
        create = cast(Any, self._client.embeddings).create
        answer = create(model=self.name, input=[*map(_plain, texts)], encoding_format="float")
        yield Embedded(_vectors(answer, len(texts)), _usage(answer))


def _plain(text: str) -> str:
    """As UTF-8 can hold it; endpoints refuse an empty one."""
    return text[:LONGEST].strip().encode("utf-8", "replace").decode() or "-"


def _vectors(answer: Any, number: int) -> tuple[bytes, ...]:
    """Raises ValueError where it is not one list of numbers for each text."""
    rows = getattr(answer, "data", None)
    if not isinstance(rows, list) or len(rows) != number:
        raise ValueError("not one row for each text")
    placed = {row.index: row for row in rows if isinstance(getattr(row, "index", None), int)}
    if placed.keys() == set(range(number)):
        rows = [placed[index] for index in range(number)]
    return tuple(_packed(getattr(row, "embedding", None)) for row in rows)


def _packed(numbers: object) -> bytes:
    if not isinstance(numbers, list):
        raise ValueError("a row without numbers")
    return vectors.packed(numbers)


def _usage(answer: Any) -> Usage | None:
    tokens = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
    return Usage(tokens, 0) if isinstance(tokens, int) and tokens >= 0 else None
