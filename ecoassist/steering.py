"""Where on the cascade the next question begins."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .engine import Tier
from .events import HOLD_OUT
from .types import Outcome


@dataclass(slots=True)
class Steering:
    """Which tiers a question goes through."""

    tiers: Sequence[Tier]
    first: int = 0
    """Index of the tier that begins."""
    only: bool = False
    """No other tier follows it."""
    why: str = ""
    """In words, where `first` is not the first."""
    sticky: bool = True
    """After an escalation the rest of the conversation begins at the tier that solved it."""
    hold_out: float = 0.0
    """The share of questions that the last tier answers alone."""
    chance: Callable[[], float] = random.random

    def next(self) -> tuple[Sequence[Tier], str]:
        """The tiers of the next question, and why it does not begin at the first."""
        if self.hold_out and len(self.tiers) > 1 and self.chance() < self.hold_out:
            return self.tiers[-1:], HOLD_OUT
        return self.tiers[self.first : self.first + 1 if self.only else None], self.why

    def finished(self, outcome: Outcome) -> None:
        """Learns from what became of the last one."""
        names = [tier.name for tier in self.tiers]
        if self.sticky and not self.only and outcome.status == "solved" and outcome.tier in names[self.first + 1 :]:
            self.first = names.index(outcome.tier)
            self.why = f"{outcome.tier} solved an earlier question of this conversation"
