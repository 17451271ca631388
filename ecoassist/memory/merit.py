"""What an entry's record says of it. Pure."""

from __future__ import annotations

import math

from ecoassist.entries import Entry

PATIENCE = 3
"""An entry that lost so many questions more than it won is retired."""
TRIALS = 3
"""Uses after which an entry has to show that it saves something."""
JUDGED = 10
"""Every so many replays of an entry one is judged."""
MENDED = 0.8
"""What is left of the similarity of an entry whose program no longer works: it has to be repaired first."""
SURE = 1.2816
"""Quantile of the normal distribution: the true rate is above the lower bound in nine cases of ten."""


def lower_bound(wins: int, losses: int) -> float:
    """Of the rate of wins: the Wilson score interval's. That an entry was verified counts as one win."""
    won, n = wins + 1, wins + losses + 1
    rate, z = won / n, SURE
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (rate + z * z / (2 * n) - spread) / (1 + z * z / n)


def standing(entry: Entry) -> float:
    """What its record leaves of its similarity, up to 1: all of it where it never lost.

    Half of it is earned by the lower bound, against that of as many uses without a loss.
    """
    earned = lower_bound(entry.wins, entry.losses) / lower_bound(entry.wins + entry.losses, 0)
    return (1 + earned) / 2 * (MENDED if entry.state == "broken" else 1)


def lost(entry: Entry) -> bool:
    """Whether it is to be retired."""
    return entry.losses >= entry.wins + PATIENCE


def worth(entry: Entry) -> bool:
    """Whether it saves something when it is shown: its uses cost less on average than the question it is from.

    What that question cost need not be known: entries of the first schema do not tell it.
    """
    if entry.uses < TRIALS:
        return True
    before = entry.solution
    if entry.usd is not None and before.usd is not None and (entry.usd or before.usd):
        return entry.usd < entry.uses * before.usd
    return not before.tokens or entry.tokens < entry.uses * before.tokens


def replayable(entry: Entry) -> bool:
    """Whether it has shown that it can be trusted to answer without a model."""
    return entry.state == "verified" and entry.wins > 0 and not entry.losses
