"""Whether trying a question in two ways pays: what the person is told where it seems not to. Pure.

The figures were measured on the mixture-of-thought cascade (arXiv 2310.03094). How often two ways agree tells how good
a model is, without any labels: agreement of .43, .73 and .89 went with a precision of .79, .88 and .92. A pair costs
more than it saves where the model asked next takes less than about three times the price, attempts of one
turn each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from .errors import EnvironmentFault
from .types import Price

PAIRS, LEAST_RATE = 30, 0.5
"""Pairs after which the rate is spoken of, and the rate below which it is."""
LEAST_RATIO = 4.0
"""Between the prices of a tier and of the next one."""
INPUT_SHARE = 0.75
"""The part of a call's tokens that is its prompt, as a price is one number here."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A tier, as far as advice goes."""

    name: str
    price: Price | None = None
    samples: int = 1


def of_prices(rungs: Sequence[Rung]) -> dict[str, str]:
    """Tier -> advice, for those that are tried in two ways and are not much cheaper than the next."""
    told = {}
    for one, following in pairwise(rungs):
        ratio = _ratio(one.price, following.price)
        if one.samples > 1 and ratio is not None and ratio < LEAST_RATIO:
            told[one.name] = (
                f"two attempts of {one.name} cost more than they save: {following.name} takes {ratio:.1f} times its "
                f"price, and it pays from {LEAST_RATIO:g} on; set samples = 1"
            )
    return told


def of_rate(tier: str, agreed: int, pairs: int) -> str:
    """Advice where two attempts of a tier agree too seldom; empty where they do not, or too few are known."""
    if pairs < PAIRS or agreed >= LEAST_RATE * pairs:
        return ""
    return (
        f"of the last {pairs} pairs of attempts of {tier} only {agreed} agreed: it may be too weak for these questions;"
        " give the tier a stronger model, or set samples = 1"
    )


def _ratio(cheap: Price | None, dear: Price | None) -> float | None:
    """How many times the price of one the other takes. None: a price is unknown, or the cheap one is free."""
    if cheap is None or dear is None or _blend(cheap) <= 0:
        return None
    return _blend(dear) / _blend(cheap)


def _blend(price: Price) -> float:
    return INPUT_SHARE * price.input + (1 - INPUT_SHARE) * price.output


@dataclass(slots=True)
class Advisor:
    """Gives each piece of advice once."""

    rungs: Sequence[Rung]
    """In order of cost."""
    agreement: Callable[[str, int], tuple[int, int]]
    """As Ledger.agreement."""
    notice: Callable[[str], None] = lambda text: None
    _given: set[tuple[str, str]] = field(default_factory=set)

    def begin(self) -> None:
        """A question begins: what is new is told."""
        for text in self.due():
            self.notice(text)

    def due(self) -> list[str]:
        """What was not told yet."""
        found = {("price", tier): text for tier, text in of_prices(self.rungs).items()}
        found |= {("rate", tier): text for tier, text in self._rates().items()}
        new = {about: text for about, text in found.items() if about not in self._given}
        self._given |= set(new)
        return list(new.values())

    def _rates(self) -> dict[str, str]:
        """Tier -> advice. A ledger that cannot be read is spoken of by whoever needs it."""
        told = {}
        for rung in self.rungs[:-1]:
            if rung.samples > 1 and ("rate", rung.name) not in self._given:
                with suppress(EnvironmentFault):
                    told[rung.name] = of_rate(rung.name, *self.agreement(rung.name, PAIRS))
        return {tier: text for tier, text in told.items() if text}
