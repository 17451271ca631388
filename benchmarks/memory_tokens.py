"""Tokens that a useless memory adds to prompts: questions that have nothing to do with any stored solution.

    python -m benchmarks.memory_tokens [--file FILE] [--folder FOLDER [--gate GATE]]

Stored are the questions of tests/cards/questions.json, or with FILE its {"queries": [{"query": ...}]}; the more there
are, the likelier one of them is near by chance. Counted are first requests; in later ones the same text is a smaller
part, and providers bill it as cached. With --folder of ONNX weights and a tokenizer, solutions are found by words and
vectors as well, from GATE on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ecoassist.config import EmbeddingsConfig
from ecoassist.memory import Limits, Meanings
from ecoassist.models.onnx import OnnxEmbedder
from ecoassist.play import play
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Spending
from tests.cards.recall import questions
from tests.memory.useless import UNRELATED, fill, grown

from .common import Figure, show

USES = 3
"""Of each entry, after which its record tells that it saves nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Tokens that a useless memory adds")
    parser.add_argument("--file", type=Path, help="questions to be stored")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--folder", type=Path, help="of ONNX weights and a tokenizer")
    parser.add_argument("--gate", type=float, default=EmbeddingsConfig(model="any").gate, help="of that embedder")
    options = parser.parse_args()
    stored = read(options.file) if options.file else [query for query, _ in questions()]
    figures = measured(stored)
    if options.folder:
        figures.append(meant(stored, OnnxEmbedder(options.folder, options.gate)))
    show(f"A memory of {len(stored)} solutions that help with nothing", figures, check=options.check)


def read(file: Path) -> list[str]:
    return [row["query"] for row in json.loads(file.read_text())["queries"]]


def measured(stored: Sequence[str]) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "solutions.db")) as store:
        fill(store, stored)
        one, three = grown(store), grown(store, limits=Limits(3))
        by_chance = grown(store, stored, Limits(replay=False))
        for entry in store.entries():
            for _ in range(USES):
                store.credit(entry.id, True, Spending(0.004, 900, 100, 2))
        useless = grown(store, stored, Limits(replay=False))
    return [
        Figure("tokens added, one shown at most", 100 * one.share, "%", 5, f"shown to {one.shown} of {len(UNRELATED)}"),
        Figure("tokens added, three shown at most", 100 * three.share, "%"),
        Figure("tokens added to the stored questions themselves", 100 * by_chance.share, "%"),
        Figure("... where no entry saved anything in three uses", 100 * useless.share, "%", 0),
    ]


def meant(stored: Sequence[str], embedder: OnnxEmbedder) -> Figure:
    """Where every stored question has its vector."""
    with tempfile.TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "solutions.db")) as store:
        fill(store, stored)
        meanings = Meanings(embedder)
        while store.lacking(embedder.name, 1):
            play(meanings.of(store, stored[0]))
        found = grown(store, meanings=meanings)
    note = f"shown to {found.shown} of {len(UNRELATED)}"
    return Figure(f"tokens added, by words and vectors, gate {embedder.gate:.2f}", 100 * found.share, "%", 5, note)


if __name__ == "__main__":
    main()
