"""Tokens that a useless memory adds to prompts: questions that have nothing to do with any stored solution.

    python -m benchmarks.memory_tokens [--file FILE]

Stored are the questions of tests/cards/questions.json, or with FILE its {"queries": [{"query": ...}]}; the more there
are, the likelier one of them is near by chance. Counted are first requests; in later ones the same text is a smaller
part, and providers bill it as cached.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ecoassist.memory import Limits
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
    options = parser.parse_args()
    stored = read(options.file) if options.file else [query for query, _ in questions()]
    show(f"A memory of {len(stored)} solutions that help with nothing", measured(stored), check=options.check)


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


if __name__ == "__main__":
    main()
