"""The closing table: what the tour's questions cost, against the strong model alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from ecoassist.render.words import money
from ecoassist.types import Outcome

METHOD = """\
Both columns are measured. For "strong alone" the same questions were asked
again, of the strong model as the only tier, without memory and verdicts.
Tokens are really counted; prices are examples, in dollars per million tokens:
0.10 in and 0.50 out for the weak model, 2.00 and 10.00 for the strong one.
What a model gets right is scripted: this shows how the bill is made up, not how
much real models save."""


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    outcome: Outcome
    alone: Outcome
    """Of the strong model alone."""

    @property
    def tiers(self) -> str:
        return ", ".join(dict.fromkeys(attempt.tier for attempt in self.outcome.attempts))

    @property
    def tokens(self) -> int:
        return self.outcome.spending.prompt_tokens + self.outcome.spending.completion_tokens


def table(lines: Sequence[Line]) -> Table:
    """One row for each question, and their sum."""
    made = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    cost, alone = totals(lines)
    made.add_column("question", "together")
    made.add_column("solved by")
    made.add_column("turns", str(sum(line.outcome.turns for line in lines)), justify="right")
    made.add_column("tokens", f"{sum(line.tokens for line in lines):,}", justify="right")
    made.add_column("cost", _dollars(cost), justify="right")
    made.add_column("strong alone", _dollars(alone), justify="right")
    for line in lines:
        figures = _dollars(line.outcome.spending.usd), _dollars(line.alone.spending.usd)
        made.add_row(line.title, line.tiers, str(line.outcome.turns), f"{line.tokens:,}", *figures)
    return made


def totals(lines: Sequence[Line]) -> tuple[float, float]:
    """Dollars: as it went, and with the strong model alone."""
    cost = sum(line.outcome.spending.usd or 0.0 for line in lines)
    return cost, sum(line.alone.spending.usd or 0.0 for line in lines)


def summary(lines: Sequence[Line]) -> str:
    """What the table says."""
    said = f"Together {_against(lines)} than the strong model alone."
    if len(lines) > 1 and totals(lines[:1])[0] > totals(lines[:1])[1]:
        said += f"\nThe first question paid for learning: {_against(lines[:1])}. "
        said += f"The others: {_against(lines[1:])}."
    return said


def _against(lines: Sequence[Line]) -> str:
    cost, alone = totals(lines)
    percent = round(100 * (cost / alone - 1))
    return f"{abs(percent)} % {'more' if percent > 0 else 'less'}"


def _dollars(usd: float | None) -> str:
    return money(usd) if usd is None else f"${usd:.5f}"
