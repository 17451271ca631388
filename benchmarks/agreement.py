"""What two attempts that have to agree save, and what they cost in accuracy: the product's own decision, replayed.

    python -m benchmarks.agreement ANSWERS.json

ANSWERS.json holds recorded answers to questions with known ones, a list of

    {"query": "...", "truth": ..., "strong": {"value": ..., "usd": 0.01},
     "words": [{"value": ..., "usd": 0.001}, ...], "programs": [...], "plans": [...]}

where a value is JSON, as an ANSWER line states it, or null where there was none. Each of `words` is paired with each of
`programs`, and each of `programs` with each of `plans`. No such record is part of this project; `ecoassist runs show`
has what a run answered and cost. `decide` and `two_programs` are the same decision as a policy that draws samples one
by one, for a replay that bills them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.common import Figure, show
from ecoassist.types import JSON, Answer, Attempt, Reply, Task, Turn
from ecoassist.values import value_of
from ecoassist.verdict.agreement import agree

COST, LOSS = 0.40, 0.5
"""Targets for words and a program: the cost as a part of asking the strong model alone, and points of accuracy."""
DATES = "in MM/DD/YYYY"
"""What the recorded questions say of dates."""
Action = tuple[str, JSON]
Sample = Mapping[str, Any]


def decide(samples: Sequence[Sample]) -> Action:
    """Words and a program: ("more", KIND), ("accept", VALUE) or ("escalate", None)."""
    return _next(samples, ("cot1", "pot1"))


def two_programs(samples: Sequence[Sample]) -> Action:
    """Two programs from different prompts."""
    return _next(samples, ("pot1", "pot2"))


def _next(samples: Sequence[Sample], kinds: tuple[str, str]) -> Action:
    """As the engine does it: the second is left out where the first has no value, and the second's answer is given."""
    values = [sample["answer"] for sample in samples]
    if values and value_of(_answer(values[0])) is None:
        return "escalate", None
    if len(values) < len(kinds):
        return "more", kinds[len(values)]
    return ("accept", values[1]) if agreed(DATES, *values) else ("escalate", None)


def agreed(query: str, one: JSON, other: JSON) -> bool:
    """Whether two values that answer `query` are accepted."""
    return agree(Task(query), _attempt(one), _attempt(other)).solved is True


def _answer(value: JSON) -> Answer | None:
    return None if value is None else Answer(str(value), value)


def _attempt(value: JSON) -> Attempt:
    return Attempt("weak", (Turn(Reply(""), answer=_answer(value)),), "turn_limit" if value is None else "answered")


def replayed(records: Sequence[Mapping[str, Any]], first: str, second: str) -> tuple[float, float, float, float]:
    """Over all pairs: cost and accuracy, each minus or as a part of the strong model's; precision; share escalated."""
    right = spent = strong_right = strong_spent = accepted = accepted_right = pairs = 0.0
    for record in records:
        strong, truth, query = record["strong"], record["truth"], record["query"]
        strong_good = agreed(query, strong["value"], truth)
        for one, other in product(record[first], record[second]):
            skipped = value_of(_answer(one["value"])) is None
            taken = not skipped and agreed(query, one["value"], other["value"])
            good = agreed(query, other["value"], truth) if taken else strong_good
            accepted, accepted_right = accepted + taken, accepted_right + (taken and good)
            right, strong_right, pairs = right + good, strong_right + strong_good, pairs + 1
            spent += one["usd"] + (0 if skipped else other["usd"]) + (0 if taken else strong["usd"])
            strong_spent += strong["usd"]
    if not pairs or not strong_spent:
        raise SystemExit(f"no {first} and {second} to pair, or a strong model that costs nothing")
    return (
        spent / strong_spent,
        100 * (strong_right - right) / pairs,
        100 * accepted_right / max(1, accepted),
        100 * (1 - accepted / pairs),
    )


def figures(records: Sequence[Mapping[str, Any]]) -> list[Figure]:
    pairs = (("words + program", "words", "programs", True), ("two programs", "programs", "plans", False))
    rows = []
    for name, first, second, aimed in pairs:
        cost, loss, precision, escalated = replayed(records, first, second)
        rows += [
            Figure(f"{name}: cost / strong alone", cost, "x", COST if aimed else None),
            Figure(f"{name}: accuracy lost", loss, "pt", LOSS if aimed else None),
            Figure(f"{name}: right of those accepted", precision, "%"),
            Figure(f"{name}: escalated", escalated, "%"),
        ]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.agreement"
    )
    parser.add_argument("answers", type=Path, metavar="ANSWERS.json", help="recorded answers, as told above")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    told = parser.parse_args()
    try:
        records = json.loads(told.answers.read_text(encoding="utf-8"))
        rows = figures(records)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{told.answers}: {type(error).__name__}: {error}; see --help for what it has to hold")
    show(f"Two attempts that have to agree, over {len(records):,} questions", rows, check=told.check)


if __name__ == "__main__":
    main()
