"""What calls have cost and what runs came to, added up for whoever asks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ecoassist.accounts import RunCost, Used
from ecoassist.types import Call, Price, Usage

from .database import Database

_CALLS = """
    SELECT tier, model, purpose, prompt, completion, usd, cached, exact, price, strong, run FROM calls
    WHERE run = ? ORDER BY id
"""
_USED = """
    SELECT day, tier, model, purpose, count(*), sum(prompt), sum(completion), total(usd), sum(usd IS NULL), min(exact)
    FROM calls WHERE day >= ? GROUP BY day, tier, model, purpose ORDER BY day, min(id)
"""
_COSTS = """
    SELECT runs.status, runs.tier, runs.why, runs.prompt, runs.completion, runs.cached,
           count(calls.id), total(calls.usd), sum(calls.usd IS NULL), min(calls.exact), max(calls.strong),
           total(calls.purpose = 'answer' AND calls.price != calls.strong) = 0, runs.replayed, runs.spared
    FROM runs LEFT JOIN calls ON calls.run = runs.id
    WHERE runs.day >= ? AND runs.status NOT IN ('running', 'lost') GROUP BY runs.id
"""
_PAIRS = """
    SELECT judge.solved = person.solved FROM verdicts AS person JOIN verdicts AS judge
    ON judge.run = person.run AND judge.tier = person.tier
    WHERE person.step = 'person' AND judge.step = 'model' AND judge.solved IS NOT NULL AND person.solved IS NOT NULL
    AND person.rowid = (SELECT max(rowid) FROM verdicts WHERE step = 'person' AND run = person.run
                        AND tier = person.tier AND solved IS NOT NULL)
    AND judge.rowid = (SELECT max(rowid) FROM verdicts WHERE step = 'model' AND run = person.run
                       AND tier = person.tier AND solved IS NOT NULL)
"""


class Accounting:
    """Sums over `database`, a ledger. Every method raises EnvironmentFault where it cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def calls(self, run: str) -> tuple[Call, ...]:
        """The calls of models that a run made, in order; those under way at their worst."""
        return tuple(self._call(row) for row in self._found(_CALLS, run))

    def used(self, since: str) -> tuple[Used, ...]:
        """What calls took from the day `since` on."""
        return tuple(replace(Used(*row), exact=bool(row[-1])) for row in self._found(_USED, since))

    def costs(self, since: str) -> tuple[RunCost, ...]:
        """What each run cost that ended, from the day `since` on."""
        return tuple(self._cost(row) for row in self._found(_COSTS, since))

    def judged_alike(self) -> tuple[int, int]:
        """How often a judging model and the person said the same of an answer, and how often both spoke."""
        rows = self._found(_PAIRS)
        return sum(same for (same,) in rows), len(rows)

    def sampled(self) -> tuple[str, ...]:
        """The tiers whose attempts were compared, in the order of their names."""
        rows = self._found("SELECT DISTINCT tier FROM verdicts WHERE step = 'agreement' ORDER BY tier")
        return tuple(tier for (tier,) in rows)

    def _found(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._database.transaction() as connection:
            return connection.execute(query, values).fetchall()

    def _call(self, row: tuple[Any, ...]) -> Call:
        call = Call(*row)
        price, strong = row[8:10]
        return replace(call, exact=bool(call.exact), price=self._price(price), strong=self._price(strong))

    def _cost(self, row: tuple[Any, ...]) -> RunCost:
        status, tier, why, prompt, completion, cached, calls, usd, unknown, exact, strong, dear, replayed, spared = row
        price = self._price(strong) if strong else None
        tokens = Usage(prompt, completion, cached) if prompt is not None else None
        free = replayed is not None and not calls
        known = 0.0 if free else None if unknown or not calls else usd  # a run without calls has an empty row of them
        head = (status, tier, why, known, bool(exact or free))
        return RunCost(*head, tokens, price, bool(dear), replayed is not None, spared)

    def _price(self, text: str) -> Price | None:
        try:
            fields = json.loads(text)
            return Price(**fields) if fields else None
        except (ValueError, TypeError) as error:
            raise self._database.damaged() from error
