"""Which stored solution a question finds, leave one out, over real questions: python -m benchmarks.retrieval FILE

FILE: {"queries": [{"query", "domain", "endpoints"}]}, where `endpoints` is what the program of a question calls, as far
as that is known. A question is asked of a store that holds all others. Counted are the questions whose nearest is of
another domain; those whose nearest calls none of the endpoints that their own program calls (of the questions that have
some, in a store of those); and those that are shown something by a store without their domain. Both ways to candidates
are measured: by all words, and by the six rarest, as in a large store.

The weights of `similarity` were chosen on the queries of EcoAssistant (arXiv 2310.03046): what they give there is
optimistic. With --model and --url, or with --folder, vectors are measured as well: the gate of an embedder is the one
at which few enough are shown something by a store without their domain. The key is read from ECOASSIST_EMBEDDINGS_KEY.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from ecoassist.config import environment
from ecoassist.entries import Meaning, Solution
from ecoassist.memory.meanings import UNRELATED
from ecoassist.models.embeddings import OpenAIEmbedder
from ecoassist.models.onnx import OnnxEmbedder
from ecoassist.play import play
from ecoassist.similarity import GATE, masked
from ecoassist.store.sqlite import LARGE, SqliteStore
from ecoassist.types import Answer
from ecoassist.vectors import background

from .common import Figure, show

GATES = (0.25, 0.30, 0.35, 0.40, 0.45, 0.50)
EMBEDDER = "measured"
BATCH = 32
KEY = "ECOASSIST_EMBEDDINGS_KEY"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the file."""

    query: str
    domain: str
    endpoints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a question finds."""

    asked: Asked
    others: tuple[Asked, ...]
    """Best first, without itself."""
    score: float
    """Of the best."""

    @property
    def domain(self) -> bool:
        """Whether the best is of its domain."""
        return any(other.domain == self.asked.domain for other in self.others[:1])

    def endpoint(self, first: int) -> bool:
        """Whether one of the `first` calls an endpoint that it needs."""
        return any(other.endpoints & self.asked.endpoints for other in self.others[:first])


def main() -> None:
    parser = argparse.ArgumentParser(description="Retrieval, leave one out")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--url", help="of an endpoint for embeddings", default="")
    parser.add_argument("--model", help="the embedder at that endpoint", default="")
    parser.add_argument("--folder", type=Path, help="of ONNX weights and a tokenizer")
    options = parser.parse_args()
    asked = read(options.file)
    figures = [*measured("all words", asked, LARGE), *measured("six rarest", asked, 0)]
    if options.url or options.folder:
        made = embedded(asked, options.url, options.model, options.folder)
        figures += measured("words and vectors", asked, LARGE, made)
    show(f"Retrieval over {len(asked)} questions", figures, check=options.check)


def read(file: Path) -> list[Asked]:
    rows = json.loads(file.read_text())["queries"]
    return [Asked(row["query"], row["domain"], frozenset(row.get("endpoints", ()))) for row in rows]


def embedded(asked: Sequence[Asked], url: str, model: str, folder: Path | None) -> dict[str, bytes]:
    """The vectors of all questions, made as a session makes them."""
    queries = [*UNRELATED, *(one.query for one in asked)]
    made: list[bytes] = []
    for start in range(0, len(queries), BATCH):
        texts = [masked(query) for query in queries[start : start + BATCH]]
        if folder:
            made += play(OnnxEmbedder(folder, 0).embed(texts))
        else:
            made += play(OpenAIEmbedder(model, url, environment().get(KEY, "")).embed(texts)).vectors
    return dict(zip(queries, made, strict=True))


def measured(name: str, asked: Sequence[Asked], large: int, vectors: Mapping[str, bytes] | None = None) -> list[Figure]:
    """The rows of one way to candidates; `large`: entries above which only the rarest words are looked up; `vectors`:
    of the questions."""
    known = [one for one in asked if one.endpoints]
    domains = sorted({one.domain for one in asked})
    everywhere, among = found(asked, asked, large, vectors), found(known, known, large, vectors)
    absent = [
        one
        for domain in domains
        for one in found(
            [ours for ours in asked if ours.domain == domain],
            [other for other in asked if other.domain != domain],
            large,
            vectors,
        )
    ]
    return [
        _share(f"{name}: nearest of another domain", [not one.domain for one in everywhere], 2),
        _share(f"{name}: nearest with another endpoint", [not one.endpoint(1) for one in among], 20),
        _share(f"{name}: nearest three with other endpoints", [not one.endpoint(3) for one in among]),
        *(
            _share(
                f"{name}: shown though the domain is absent, gate {gate:.2f}",
                [one.score >= gate for one in absent],
                5 if gate == GATE and not vectors else None,
                _served(everywhere, among, gate),
            )
            for gate in GATES
        ),
    ]


def found(
    asked: Sequence[Asked], stored: Sequence[Asked], large: int, vectors: Mapping[str, bytes] | None
) -> list[Found]:
    """What each of `asked` finds in a store of the others of `stored`, whatever the gate."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "solutions.db", gate=0, large=large)
        try:
            shelf = Shelved(store, stored, vectors or {})
            return [shelf.asked(one) for one in asked]
        finally:
            store.close()


class Shelved:
    """A store of questions, each of which is taken out while it is asked: else its rare words would be known there."""

    def __init__(self, store: SqliteStore, stored: Sequence[Asked], vectors: Mapping[str, bytes]) -> None:
        self.store, self.vectors = store, vectors
        self.base = background([vectors[text] for text in UNRELATED]) if vectors else 0.0
        self.stored: dict[int, Asked] = {}
        self.numbers = itertools.count()
        for one in stored:
            self._keep(one)

    def asked(self, one: Asked) -> Found:
        own = next((id for id, other in self.stored.items() if other == one), None)
        if own is not None:
            self.store.remove(own)
        vector = self.vectors.get(one.query)
        matches = self.store.similar(one.query, Meaning(EMBEDDER, vector, 0, self.base) if vector else None)
        found = Found(one, tuple(self.stored[match.id] for match in matches), matches[0].score if matches else 0.0)
        if own is not None:
            self._keep(self.stored.pop(own))
        return found

    def _keep(self, one: Asked) -> None:
        id = self.store.keep(Solution(one.query, f"answer_{next(self.numbers)}()", Answer("1"), "cheap"))
        self.store.settle(id, True)
        if vector := self.vectors.get(one.query):
            self.store.describe(id, EMBEDDER, vector)
        self.stored[id] = one


def _served(everywhere: Sequence[Found], among: Sequence[Found], gate: float) -> str:
    right = [one.endpoint(1) for one in among if one.score >= gate]
    shown = mean(one.score >= gate for one in everywhere)
    return f"{shown:.0%} are shown one, with the right endpoint {mean(right) if right else 0:.0%} of them"


def _share(name: str, cases: Sequence[bool], at_most: float | None = None, note: str = "") -> Figure:
    return Figure(name, 100 * mean(cases), "%", at_most, note or f"of {len(cases)}")


if __name__ == "__main__":
    main()
