"""Money around any model, as a decorator: nothing can go round it.

Retrying(Metered(endpoint)): the worst a call can cost is reserved before it starts, and what it did cost is settled
after it. Where a price is unknown, tokens stand in for dollars, by the same rule.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType

from .day import Day
from .errors import BudgetSpent, ProviderError
from .events import Notice, Stream
from .ports import Model, Reservations
from .purse import TINY, Purse, amount, cost, fitted, least
from .types import Call, Message, Price, Purpose, Reply, Spending, Usage

PER_MESSAGE = 8
"""Tokens that a chat template may add to each message."""
SHORT = 0.2
"""Money is short where less than this part of what a question may cost is left."""


@dataclass(slots=True)
class _Account:
    """What one question may cost and has cost."""

    usd: Purse
    tokens: Purse
    """For calls whose price is unknown; the others do not count here."""
    run: str = ""
    spending: Spending = field(default_factory=Spending)
    judging: Spending = field(default_factory=Spending)


@dataclass(slots=True)
class Hold:
    """A reservation, settled when its block ends. What the block does not settle is charged in full: it may be billed.

    `call`: the worst case. Its reply may have fewer tokens than was asked for, where no more can be paid.
    """

    budget: Budget
    account: _Account
    call: Call
    charge: Spending = field(init=False)
    """At first the worst case; what is in here at the end is charged."""
    id: int | None = None
    """On the ledger."""
    _came_to: Call | None = None

    def __post_init__(self) -> None:
        self.settle(self.call)

    def settle(self, call: Call | None) -> None:
        """What the call did cost; None: nothing."""
        self._came_to = call
        self.charge = Spending(call.usd, call.prompt, call.completion, 1, call.exact) if call else Spending()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.budget.settle(self, self._came_to)


class Budget:
    """The money of a session, question by question; may be used from several threads.

    question_usd: what one question may cost; None: no cap. question_tokens: the same where a price is unknown.
    session_usd: what all of them may cost. day_usd: what those of all processes may that share `ledger`; None: no cap.
    notice: told once, from any thread, that the ledger cannot be used. clock, sleep: of the wait for the day's money.
    """

    def __init__(
        self,
        question_usd: float | None,
        question_tokens: int,
        *,
        session_usd: float | None = None,
        day_usd: float | None = None,
        ledger: Reservations | None = None,
        notice: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.question_usd, self.question_tokens = question_usd, question_tokens
        self._day = Day(ledger, day_usd, notice, clock, sleep)
        self._session = Purse(_cap(session_usd))
        self._lock = threading.Lock()
        self._total = self._total_judging = Spending()
        self.open()

    def open(self, run: str = "") -> None:
        """A new question begins. Calls still under way are settled with the question they belong to."""
        self._account = _Account(Purse(_cap(self.question_usd)), Purse(self.question_tokens), run)

    @property
    def spending(self) -> Spending:
        """Of the question at hand."""
        return self._account.spending

    @property
    def judging(self) -> Spending:
        """The part of `spending` that judging took."""
        return self._account.judging

    @property
    def total(self) -> Spending:
        """Of all questions since the start."""
        return self._total

    @property
    def total_judging(self) -> Spending:
        """The part of `total` that judging took."""
        return self._total_judging

    @property
    def held(self) -> tuple[float, float]:
        """Dollars and tokens reserved by calls of this question that are under way."""
        return self._account.usd.held, self._account.tokens.held

    def short(self) -> bool:
        """Whether less than a fifth of what a question may cost is left, in the tightest of the caps.

        For a question's own cap that is when four fifths are spent. The larger caps are short when less is left in
        them: a session at 80 % still has money for whole questions, and those should not be cut short.
        """
        usd, tokens = self._account.usd, self._account.tokens
        if tokens.spent and tokens.left <= SHORT * tokens.cap:
            return True
        if not usd.spent:
            return False
        day = Purse(_cap(self._day.cap), self._day.spent())
        purses = [purse for purse in (usd, self._session, day) if purse.cap < math.inf]
        return bool(purses) and min(one.left for one in purses) <= SHORT * min(one.cap for one in purses)

    def hold(self, call: Call) -> Stream[Hold]:
        """Reserves `call`, whose reply is as long as can be paid: at most as long as it says. To be used as a block.

        Waits for the day's money where calls of other processes hold it. Raises BudgetSpent where not even a reply of
        LEAST tokens can be paid.
        """
        hold = self._held(replace(call, run=self._account.run))
        try:
            worst, hold.id = yield from self._day.reserve(hold.call)
        except BaseException:
            with self._lock:
                self._release(hold)
            raise
        with self._lock:  # the day may have had less
            self._release(hold)
            hold.call = worst
            self._take(hold)
        hold.settle(worst)
        return hold

    def settle(self, hold: Hold, call: Call | None) -> None:
        """What the call did cost; None: nothing."""
        with self._lock:
            self._release(hold)
            account = hold.account
            for purse in self._purses(account, hold.call):
                purse.spent += amount(call) if call else 0.0
            account.spending = _sum(account.spending, hold.charge)
            if hold.call.purpose == "judge":
                account.judging = _sum(account.judging, hold.charge)
                self._total_judging = _sum(self._total_judging, hold.charge)
            self._total = _sum(self._total, hold.charge)
        self._day.settle(hold.id, call)

    def _held(self, call: Call) -> Hold:
        """Raises BudgetSpent."""
        with self._lock:
            account = self._account
            purses = self._purses(account, call)
            tightest = min(purses, key=lambda purse: purse.left)
            worst = fitted(call, tightest.left)
            if worst is None:
                raise self._spent(call, tightest)
            hold = Hold(self, account, worst)
            self._take(hold)
            return hold

    def _take(self, hold: Hold) -> None:
        for purse in self._purses(hold.account, hold.call):
            purse.held += amount(hold.call)

    def _release(self, hold: Hold) -> None:
        for purse in self._purses(hold.account, hold.call):
            purse.held -= amount(hold.call)

    def _purses(self, account: _Account, call: Call) -> tuple[Purse, ...]:
        """Those that `call` takes from."""
        return (account.usd, self._session) if call.price else (account.tokens,)

    def _spent(self, call: Call, purse: Purse) -> BudgetSpent:
        name, needed, cap = call.model, least(call), purse.cap
        if call.price is None:
            message = f"the next call to {name} could take {needed:.0f} tokens, "
            message += f"and {purse.left:.0f} of {cap:.0f} are left"
            remedy = (
                "the price of this model is unknown, so --max-cost cannot hold: set its price, or raise budget.tokens"
            )
            return BudgetSpent(message, remedy)
        message = f"the next call to {name} could cost ${needed:.4f}, and ${purse.left:.4f} of "
        if purse is self._session:
            return BudgetSpent(
                f"{message}this session's ${cap:.4f} is left", "raise budget.session, or begin another one"
            )
        enough = math.ceil(200 * max(cap, needed)) / 100
        return BudgetSpent(f"{message}${cap:.4f} is left", f"allow more: --max-cost {enough:.2f}")


def _cap(usd: float | None) -> float:
    return math.inf if usd is None else usd


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
    tier, purpose: what its calls are for. strong: the price of the strongest tier, to tell what was saved.

    Charged in full are calls that were interrupted or abandoned, or whose usage is missing; a ProviderError charges
    nothing unless it says that it may have been billed. The cap holds for endpoints that keep the limit of a reply and
    count a prompt at no more than its bytes, PER_MESSAGE for each message and `overhead`. One that tells of more is
    charged what it tells, and that is said.
    """

    def __init__(
        self,
        model: Model,
        budget: Budget,
        price: Price | None,
        max_output: int = 4096,
        *,
        overhead: int = 0,
        tier: str = "",
        purpose: Purpose = "answer",
        strong: Price | None = None,
    ) -> None:
        self.model, self.name, self.budget, self.price = model, model.name, budget, price
        self.max_output, self.overhead = max_output, overhead
        self.tier, self.purpose, self.strong = tier, purpose, strong
        self._known: tuple[tuple[Message, ...], int] = (), overhead
        """A prompt that the endpoint has counted. Prompts grow at the end: it holds for the next one's head."""

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        most, more = limit or self.max_output, 0.0
        worst = Call(self.tier, self.name, self.purpose, self._bound(messages), most, None, price=self.price)
        with (yield from self.budget.hold(replace(worst, strong=self.strong))) as hold:
            try:
                reply = yield from self.model.reply(messages, hold.call.completion)
            except ProviderError as error:
                if not error.billed:
                    hold.settle(None)
                raise
            if reply.usage and reply.finish != "interrupted":
                call = _told(hold.call, reply.usage)
                hold.settle(call)
                more = amount(call) - amount(hold.call)
                self._known = tuple(messages), reply.usage.prompt
        if more > TINY:
            yield Notice(
                f"the endpoint of {self.name} took more than it was allowed: caps cannot hold there", "warning"
            )
        return replace(reply, charge=hold.charge)

    def _bound(self, messages: Sequence[Message]) -> int:
        """The most tokens that the prompt can have: what the endpoint counted of its head, then one for each byte."""
        head, tokens = self._known
        if tuple(messages[: len(head)]) != head:
            head, tokens = (), self.overhead
        return tokens + sum(len(message.text.encode()) + PER_MESSAGE for message in messages[len(head) :])


def _told(worst: Call, usage: Usage) -> Call:
    """What a call has cost by what its endpoint tells."""
    usd = cost(usage, worst.price) if worst.price else None
    return replace(worst, prompt=usage.prompt, completion=usage.completion, cached=usage.cached, usd=usd, exact=True)
