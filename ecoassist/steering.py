"""Where on the cascade the next question begins."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .engine import Tier
from .errors import UsageFault
from .events import CHOSEN, HOLD_OUT
from .types import Outcome

STUCK = "it solved an earlier question of this conversation"


@dataclass(slots=True)
class Steering:
    """Which tiers a question goes through.

    A choice of the person holds until the next one. Without a choice, one solved escalation is learnt from: the
    questions of a conversation are alike, and a tier that failed at one of them would be paid to fail again.
    """

    tiers: Sequence[Tier]
    first: int = 0
    """Index of the tier that begins."""
    only: bool = False
    """No other tier follows it."""
    why: str = ""
    """In words, where the question does not simply begin at the first tier."""
    sticky: bool = True
    """After an escalation the rest of the conversation begins at the tier that solved it."""
    hold_out: float = 0.0
    """The share of questions that the last tier answers alone; never of those whose tier the person chose."""
    chance: Callable[[], float] = random.random
    """At least 0, less than 1."""
    _origin: tuple[int, bool, str] = field(init=False)

    def __post_init__(self) -> None:
        self._origin = self.first, self.only, self.why

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(tier.name for tier in self.tiers)

    @property
    def name(self) -> str:
        """Of the tier that begins."""
        return self.tiers[self.first].name

    def next(self) -> tuple[Sequence[Tier], str]:
        """The tiers of the next question, and why it does not simply begin at the first."""
        # a share of 0 never draws, a share of 1 always does
        if self.why != CHOSEN and len(self.tiers) > 1 and self.chance() < self.hold_out:
            return self.tiers[-1:], HOLD_OUT
        return self.tiers[self.first : self.first + 1 if self.only else None], self.why

    def finished(self, outcome: Outcome) -> None:
        """Learns from what became of the last one: a tier that a stronger one solved it after is passed over.

        Not where a tier only could not be reached. A question that was held out knew one tier: it teaches nothing.
        """
        if not self.sticky or self.only or outcome.status != "solved" or outcome.tier is None or outcome.replayed:
            return
        ends = {attempt.tier: attempt.end for attempt in outcome.attempts if attempt.asked}
        failed = any(tier != outcome.tier and end != "provider" for tier, end in ends.items())
        place = self.names.index(outcome.tier)
        if failed and place > self.first:
            self.first, self.why = place, STUCK

    def up(self) -> bool:
        """The next question begins one tier higher. False: there is none."""
        return self._step(1)

    def down(self) -> bool:
        """The next question begins one tier lower. False: there is none."""
        return self._step(-1)

    def alone(self, name: str) -> None:
        """From now on the tier of that name answers, and no other. Raises UsageFault for the name of none."""
        self.first, self.only, self.why = place_of(name, self.names), True, CHOSEN

    def cascade(self) -> None:
        """From now on questions begin at the first tier again and may go through all of them."""
        self.first, self.only, self.why = 0, False, ""

    def reset(self) -> None:
        """As at the start of the conversation."""
        self.first, self.only, self.why = self._origin

    def _step(self, by: int) -> bool:
        if not 0 <= self.first + by < len(self.tiers):
            return False
        self.first += by
        self.why = CHOSEN if self.first or self.only else ""
        return True


def place_of(name: str, names: Sequence[str]) -> int:
    """Which of the tiers is called `name`. Raises UsageFault, with the names, where none is."""
    if name not in names:
        raise UsageFault(f"there is no tier {name!r}", f"choose one of: {', '.join(names)}")
    return names.index(name)
