"""The day's money, which all processes of a person share: what a call waits for before it may be made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import BudgetSpent, EnvironmentFault, Locked
from .events import Notice, Stream, Tick
from .ports import Reservations
from .purse import fitted, least
from .types import Call

PATIENCE = 30.0
"""Seconds that a call waits for those of other processes to settle."""
EVERY = 0.05
"""Seconds between two Ticks."""
TICKS = 5
"""Between two tries: a try writes, and all who wait take turns at that."""


@dataclass(slots=True)
class Day:
    """`cap` dollars of each day; None: no limit. Calls are still put down in `ledger` then, where there is one.

    A ledger that cannot be used never costs an answer: `notice` says once that the day's cap does not hold, and the
    other caps go on to do so. A call that could not be settled stays held, and so counts in full.
    """

    ledger: Reservations | None = None
    cap: float | None = None
    notice: Callable[[str], None] = lambda text: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _told: bool = False

    def spent(self) -> float:
        """Dollars; 0 where nobody knows."""
        try:
            return self.ledger.day()[0] if self.ledger and self.cap is not None else 0.0
        except EnvironmentFault as error:
            self._trouble(error)
            return 0.0

    def reserve(self, call: Call) -> Stream[tuple[Call, int | None]]:
        """Holds `call`, its reply cut to what is left of the day; with the reservation's id, None where it has none.

        What others hold is waited for, for up to PATIENCE seconds: most of it comes back. Raises BudgetSpent where
        the call cannot fit today, or does not by then.
        """
        if self.ledger is None:
            return call, None
        try:
            return (yield from self._waited(self.ledger, call))
        except EnvironmentFault as error:
            self._trouble(error)
            return call, None

    def settle(self, id: int | None, call: Call | None) -> None:
        """What the call did cost; None: nothing."""
        if self.ledger is None or id is None:
            return
        try:
            self.ledger.settle(id, call)
        except EnvironmentFault as error:
            self._trouble(error)

    def _waited(self, ledger: Reservations, call: Call) -> Stream[tuple[Call, int | None]]:
        until, said = self.clock() + PATIENCE, False
        while True:
            late = self.clock() >= until
            worst, held = self._of_today(ledger, call, late), False
            try:
                id = ledger.reserve(worst, self.cap)
                if id is not None:
                    return worst, id
                held = True
            except Locked:
                if late or self._told:  # it was waited for long enough
                    raise
            if held and not said:
                said = True
                yield Notice(f"the day's budget is held by calls of other questions: waiting {PATIENCE:.0f} s at most")
            for _ in range(TICKS):
                yield Tick()
                self.sleep(EVERY)

    def _of_today(self, ledger: Reservations, call: Call, late: bool) -> Call:
        """`call`, with the longest reply that today pays for; `late`: without what others hold. Raises BudgetSpent."""
        if self.cap is None or call.price is None:
            return call
        spent, held = ledger.day()
        left = max(0.0, self.cap - spent - (held if late else 0.0))
        if worst := fitted(call, left):
            return worst
        raise self._refused(call, left, held if late else 0.0)

    def _refused(self, call: Call, left: float, held: float) -> BudgetSpent:
        message = f"the next call to {call.model} could cost ${least(call):.4f}, and ${left:.4f} of the day's "
        message += f"${self.cap:.4f} is left"
        if held:
            return BudgetSpent(f"{message} beside what other calls hold", "ask again when they are done")
        return BudgetSpent(message, "wait until tomorrow, or raise budget.day")

    def _trouble(self, error: EnvironmentFault) -> None:
        if not self._told:
            self._told = True
            self.notice(f"the budget of the day cannot be counted: {error}; {error.remedy}")
