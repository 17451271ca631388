"""Money around any model, as a decorator: nothing can go round it.

Retrying(Metered(endpoint)): the worst a call can cost is reserved before it starts, and what it did cost is settled
after it. Where a price is unknown, tokens stand in for dollars, by the same rule.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .errors import BudgetSpent, ProviderError
from .events import Stream
from .ports import Model
from .types import Message, Price, Reply, Spending, Usage

PER_MESSAGE = 8
"""Tokens that a chat template may add to each message."""
LEAST = 16
"""Tokens: a shorter reply than this is of no use."""
PER_TOKEN = Price(1e6, 1e6, 1e6)
"""Counts tokens instead of dollars."""


@dataclass(slots=True)
class _Purse:
    """Dollars, or tokens."""

    cap: float
    spent: float = 0.0
    held: float = 0.0
    """Reserved by calls that are under way."""

    @property
    def left(self) -> float:
        return self.cap - self.spent - self.held


@dataclass(slots=True)
class _Account:
    """What one question may cost and has cost."""

    usd: _Purse
    tokens: _Purse
    """For calls whose price is unknown; the others do not count here."""
    spending: Spending = field(default_factory=Spending)


@dataclass(slots=True)
class Hold:
    """A reservation. What is not settled by the time it ends is charged in full: the call may have been billed."""

    limit: int
    """The tokens that the reply may have: the caller's, or fewer where no more can be paid."""
    amount: float
    """Reserved: dollars, or tokens where the price is unknown."""
    charge: Spending
    """At first the worst case; what is in here at the end is charged."""
    settled: float | None = None

    def settle(self, amount: float, charge: Spending) -> None:
        self.settled, self.charge = amount, charge


class Budget:
    """The money of a session, question by question; may be used from several threads.

    question_usd: what one question may cost; None: no cap. question_tokens: the same where a price is unknown.
    """

    def __init__(self, question_usd: float | None, question_tokens: int) -> None:
        self.question_usd, self.question_tokens = question_usd, question_tokens
        self._lock = threading.Lock()
        self._total = Spending()
        self.open()

    def open(self) -> None:
        """A new question begins. Calls still under way are settled with the question they belong to."""
        usd = math.inf if self.question_usd is None else self.question_usd
        self._account = _Account(_Purse(usd), _Purse(self.question_tokens))

    @property
    def spending(self) -> Spending:
        """Of the question at hand."""
        return self._account.spending

    @property
    def total(self) -> Spending:
        """Of all questions since the start."""
        return self._total

    @property
    def held(self) -> tuple[float, float]:
        """Dollars and tokens reserved by calls of this question that are under way."""
        return self._account.usd.held, self._account.tokens.held

    @contextmanager
    def hold(self, name: str, price: Price | None, prompt: int, most: int) -> Iterator[Hold]:
        """Reserves a call of at most `prompt` tokens, and as many for its reply, up to `most`, as can be paid.

        Raises BudgetSpent where not even a reply of LEAST tokens fits.
        """
        account, rate = self._account, price or PER_TOKEN
        purse = account.usd if price else account.tokens
        with self._lock:
            sure = prompt * max(rate.input, rate.cached or 0.0) / 1e6
            limit = most
            if rate.output > 0:
                limit = math.floor(max(-1.0, min(most, (purse.left - sure) * 1e6 / rate.output)))
            worst = sure + limit * rate.output / 1e6
            if limit < min(LEAST, most) or worst > purse.left + 1e-9:
                raise _spent(name, purse, sure + min(LEAST, most) * rate.output / 1e6, price is not None)
            purse.held += worst
        hold = Hold(limit, worst, Spending(worst if price else None, prompt, limit, 1, exact=False))
        try:
            yield hold
        finally:
            with self._lock:
                purse.held -= worst
                purse.spent += worst if hold.settled is None else hold.settled
                account.spending = _sum(account.spending, hold.charge)
                self._total = _sum(self._total, hold.charge)


def _spent(name: str, purse: _Purse, needed: float, priced: bool) -> BudgetSpent:
    left = max(0.0, purse.left)
    if priced:
        message = f"the next call to {name} could cost ${needed:.4f}, and ${left:.4f} of ${purse.cap:.4f} is left"
        enough = math.ceil(200 * max(purse.cap, needed)) / 100
        return BudgetSpent(message, f"allow more: --max-cost {enough:.2f}")
    message = f"the next call to {name} could take {needed:.0f} tokens, and {left:.0f} of {purse.cap:.0f} are left"
    remedy = "the price of this model is unknown, so --max-cost cannot hold: set its price, or raise budget.tokens"
    return BudgetSpent(message, remedy)


def _sum(one: Spending, other: Spending) -> Spending:
    return Spending(
        None if one.usd is None or other.usd is None else one.usd + other.usd,
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.calls + other.calls,
        one.exact and other.exact,
    )


class Metered:
    """`model`, whose every call is reserved and settled in `budget`; sets Reply.charge.

    price: None where unknown. max_output: tokens of a reply where the caller names no limit.
    overhead: tokens that the endpoint adds to every prompt, for instance those of a JSON schema.

    Charged in full are calls that were interrupted or abandoned, or whose usage is missing; a ProviderError charges
    nothing unless it says that it may have been billed. The cap holds for endpoints that keep the limit of a reply and
    count a prompt at no more than its bytes, PER_MESSAGE for each message and `overhead`.
    """

    def __init__(
        self,
        model: Model,
        budget: Budget,
        price: Price | None,
        max_output: int = 4096,
        *,
        overhead: int = 0,
    ) -> None:
        self.model, self.name, self.budget, self.price = model, model.name, budget, price
        self.max_output, self.overhead = max_output, overhead
        self._known: tuple[tuple[Message, ...], int] = (), overhead
        """A prompt that the endpoint has counted. Prompts grow at the end: it holds for the next one's head."""

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        prompt, most = self._bound(messages), limit or self.max_output
        with self.budget.hold(self.name, self.price, prompt, most) as hold:
            try:
                reply = yield from self.model.reply(messages, hold.limit)
            except ProviderError as error:
                if not error.billed:
                    hold.settle(0.0, Spending())
                raise
            if reply.usage and reply.finish != "interrupted":
                hold.settle(_cost(reply.usage, self.price or PER_TOKEN), _charge(reply.usage, self.price))
                self._known = tuple(messages), reply.usage.prompt
            return replace(reply, charge=hold.charge)

    def _bound(self, messages: Sequence[Message]) -> int:
        """The most tokens that the prompt can have: what the endpoint counted of its head, then one for each byte."""
        head, tokens = self._known
        if tuple(messages[: len(head)]) != head:
            head, tokens = (), self.overhead
        return tokens + sum(len(message.text.encode()) + PER_MESSAGE for message in messages[len(head) :])


def _cost(usage: Usage, price: Price) -> float:
    cached = price.input if price.cached is None else price.cached
    fresh = usage.prompt - usage.cached
    return (fresh * price.input + usage.cached * cached + usage.completion * price.output) / 1e6


def _charge(usage: Usage, price: Price | None) -> Spending:
    return Spending(_cost(usage, price) if price else None, usage.prompt, usage.completion, 1)
