"""What was spent and, against the strongest tier alone, saved: estimated, and measured where it can be. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .events import CHOSEN, HOLD_OUT
from .purse import cost
from .types import Price, Purpose, RunStatus, Usage

FEWEST = 30
"""Questions on each side below which nothing is measured: the intervals below assume that means are normal."""
SURE = 1.96
"""Standard errors on either side of a figure that hold the true one in 95 % of all cases."""
ANSWERED: frozenset[RunStatus] = frozenset({"solved", "unsolved", "unverified", "budget"})
"""How a run ends that says something of its models. Others were broken off by a person or a fault."""


@dataclass(frozen=True, slots=True)
class Used:
    """What the calls of a day to one model, for one tier and purpose, took."""

    day: str
    tier: str
    model: str
    purpose: Purpose
    calls: int
    prompt: int
    """Tokens."""
    completion: int
    usd: float
    """Of the calls whose price is known."""
    unknown: int
    """Calls whose price is not."""
    exact: bool
    """False: some figures are upper bounds."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """What one question cost, and what it would have cost at the price of the strongest tier."""

    status: RunStatus
    tier: str
    why: str
    """Why it did not simply begin at the first tier."""
    usd: float | None
    """All its calls, judging included; None: unknown."""
    exact: bool
    tokens: Usage | None
    """Of its last attempt; None: unknown, or there was none."""
    strong: Price | None
    """Of the strongest tier at that time; None: unknown."""
    dear: bool = False
    """It was answered at that price from the first call on: there was nothing to save."""
    replayed: bool = False
    """A stored program answered it, without a model."""
    spared: float | None = None
    """What the question had cost that the program is from; None: unknown."""


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of several Used."""

    name: str
    calls: int
    prompt: int
    completion: int
    usd: float
    unknown: int
    exact: bool
    judged: int
    """The calls of these that judged."""
    judging: float
    """The part of `usd` that they took."""
    judging_unknown: int
    """Those of them whose price is unknown."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The tokens of each last attempt at the strongest tier's price, against what the runs did cost.

    That tier alone would have needed other tokens, and no judge to escalate: a rough figure, judging on its dark side.
    """

    runs: int
    strong: float
    """Dollars that the strongest tier would have taken."""
    usd: float
    """Dollars that the runs took."""
    exact: bool
    left_out: int
    """Runs of which a price or the tokens are unknown."""

    @property
    def saved(self) -> float:
        return self.strong - self.usd


@dataclass(frozen=True, slots=True)
class Spared:
    """What the questions that stored programs answered took, against those that the programs are from."""

    runs: int
    before: float
    """Dollars that those had cost."""
    usd: float
    """Dollars that judging some of the answers took."""
    left_out: int
    """Runs of which either is unknown."""

    @property
    def saved(self) -> float:
        return self.before - self.usd


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that were answered in one way."""

    runs: int
    solved: int
    mean: float
    """Dollars a question."""
    variance: float

    @property
    def rate(self) -> float:
        return self.solved / self.runs if self.runs else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference, and where the true one lies in 95 % of all cases."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Questions that the strongest tier answered alone, drawn at random, against the others."""

    alone: Group
    others: Group
    saved: Interval | None
    """Dollars a question; None: too few to tell."""
    lost: Interval | None
    """Share of questions, 0 to 1, that are solved less often for it; None: too few to tell."""


def totals(used: Iterable[Used], key: Callable[[Used], str]) -> tuple[Total, ...]:
    """The sums by `key`, in order of their first appearance."""
    groups: dict[str, list[Used]] = {}
    for one in used:
        groups.setdefault(key(one), []).append(one)
    return tuple(total(name, group) for name, group in groups.items())


def total(name: str, used: Sequence[Used]) -> Total:
    judging = [one for one in used if one.purpose == "judge"]
    return Total(
        name,
        sum(one.calls for one in used),
        sum(one.prompt for one in used),
        sum(one.completion for one in used),
        sum(one.usd for one in used),
        sum(one.unknown for one in used),
        all(one.exact for one in used),
        sum(one.calls for one in judging),
        sum(one.usd for one in judging),
        sum(one.unknown for one in judging),
    )


def estimated(runs: Iterable[RunCost]) -> Estimate:
    """What the runs that came to an end by themselves saved.

    Not those that the strongest tier was to answer alone, nor those that a stored program answered: see `spared`.
    """
    cascade = [run for run in runs if run.status in ANSWERED and run.why != HOLD_OUT and not run.replayed]
    known = [(run.usd, run.tokens, run.strong) for run in cascade]
    priced = [(usd, cost(tokens, strong)) for usd, tokens, strong in known if usd is not None and tokens and strong]
    exact = all(run.exact for run in cascade if run.usd is not None)
    spent, strong = sum(usd for usd, _ in priced), sum(strong for _, strong in priced)
    return Estimate(len(priced), strong, spent, exact, len(cascade) - len(priced))


def spared(runs: Iterable[RunCost]) -> Spared:
    """What the runs saved that a stored program answered."""
    replayed = [run for run in runs if run.status in ANSWERED and run.replayed]
    known = [(run.spared, run.usd) for run in replayed if run.spared is not None and run.usd is not None]
    before, usd = sum(before for before, _ in known), sum(usd for _, usd in known)
    return Spared(len(replayed), before, usd, len(replayed) - len(known))


def measured(runs: Iterable[RunCost]) -> Measured | None:
    """What the questions held out tell; None: there are none. Not compared are tiers that the person chose."""
    drawn = [run for run in runs if run.status in ANSWERED and run.why != CHOSEN and run.usd is not None]
    alone = _group([run for run in drawn if run.why == HOLD_OUT])
    others = _group([run for run in drawn if run.why != HOLD_OUT])
    if not alone.runs:
        return None
    if min(alone.runs, others.runs) < FEWEST:
        return Measured(alone, others, None, None)
    return Measured(alone, others, _of_means(alone, others), _of_rates(alone, others))


def _group(runs: Sequence[RunCost]) -> Group:
    costs = [run.usd for run in runs if run.usd is not None]
    mean = sum(costs) / len(costs) if costs else 0.0
    variance = sum((usd - mean) ** 2 for usd in costs) / (len(costs) - 1) if len(costs) > 1 else 0.0
    return Group(len(runs), sum(run.status == "solved" for run in runs), mean, variance)


def _of_means(one: Group, other: Group) -> Interval:
    """Welch's interval of the difference of two means, with the normal quantile."""
    middle = one.mean - other.mean
    wide = SURE * math.sqrt(one.variance / one.runs + other.variance / other.runs)
    return Interval(middle, middle - wide, middle + wide)


def _of_rates(one: Group, other: Group) -> Interval:
    """Newcombe's hybrid score interval of the difference of two shares (Stat. Med. 17, 873, 1998, method 10)."""
    (low, high), (other_low, other_high) = _wilson(one), _wilson(other)
    middle = one.rate - other.rate
    below = math.hypot(one.rate - low, other_high - other.rate)
    above = math.hypot(high - one.rate, other.rate - other_low)
    return Interval(middle, middle - below, middle + above)


def _wilson(group: Group) -> tuple[float, float]:
    """Wilson's score interval of a share (J. Am. Stat. Assoc. 22, 209, 1927)."""
    share, number, squared = group.rate, group.runs, SURE**2
    centre = (share + squared / (2 * number)) / (1 + squared / number)
    wide = SURE / (1 + squared / number) * math.sqrt(share * (1 - share) / number + squared / (4 * number**2))
    return centre - wide, centre + wide
