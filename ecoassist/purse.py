"""What a cap leaves, and the longest reply that it pays for. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .types import Call, Price, Usage

LEAST = 16
"""Tokens: a shorter reply than this is of no use."""
PER_TOKEN = Price(1e6, 1e6, 1e6)
"""Counts tokens instead of dollars."""
TINY = 1e-9
"""Dollars that sums of fractions may be off by."""


@dataclass(slots=True)
class Purse:
    """Dollars, or tokens."""

    cap: float
    spent: float = 0.0
    held: float = 0.0
    """Reserved by calls that are under way."""

    @property
    def left(self) -> float:
        return max(0.0, self.cap - self.spent - self.held)


def fitted(call: Call, left: float) -> Call | None:
    """`call` at its worst, its reply cut to what `left` pays for: dollars, or tokens where its price is unknown.

    None: not even a reply of LEAST tokens fits.
    """
    rate = call.price or PER_TOKEN
    limit = call.completion
    if rate.output > 0:
        limit = math.floor(max(-1.0, min(limit, (left - sure(call)) * 1e6 / rate.output)))
    cost = sure(call) + max(0, limit) * rate.output / 1e6
    if limit < min(LEAST, call.completion) or cost > left + TINY:
        return None
    return replace(call, completion=limit, usd=cost if call.price else None, exact=False)


def least(call: Call) -> float:
    """What `call` needs, by the same measure, for a reply of LEAST tokens."""
    return sure(call) + min(LEAST, call.completion) * (call.price or PER_TOKEN).output / 1e6


def sure(call: Call) -> float:
    """What the prompt of `call` costs at worst, by the same measure."""
    rate = call.price or PER_TOKEN
    return call.prompt * max(rate.input, rate.cached or 0.0, rate.written or 0.0) / 1e6


def amount(call: Call) -> float:
    """What `call` takes out of a purse: dollars, or tokens where its price is unknown."""
    return call.prompt + call.completion if call.usd is None else call.usd


def cost(usage: Usage, price: Price) -> float:
    """Dollars."""
    cached = price.input if price.cached is None else price.cached
    written = price.input if price.written is None else price.written
    fresh = usage.prompt - usage.cached - usage.written
    prompt = fresh * price.input + usage.cached * cached + usage.written * written
    return (prompt + usage.completion * price.output) / 1e6
