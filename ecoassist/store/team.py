"""One's own store and that of a team, as one Store.

What is the team's has negative numbers. A team's store that cannot be used costs a notice and its memory, never an
answer; what a person asks of it by number fails instead. It is told nothing of a private question.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from ecoassist.entries import Entry, Match, Meaning, Solution, State
from ecoassist.errors import EnvironmentFault, UsageFault
from ecoassist.memory.merit import standing
from ecoassist.memory.shelving import CANDIDATES
from ecoassist.ports import Store
from ecoassist.similarity import same
from ecoassist.types import Spending

PAUSE = 60.0
"""Seconds for which a store that could not be used is not asked again."""
T = TypeVar("T")


class Closable(Store, Protocol):
    def close(self) -> None:
        """Ends its connections."""


class Receiver(Closable, Protocol):
    def receive(self, solution: Solution) -> int:
        """Keeps what worked alone elsewhere; the number of the entry that serves it: the same may be there already."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a team's store is dealt with."""

    notice: Callable[[str], None]
    """Tells the person that it cannot be used."""
    share_verified: bool = False
    """Whether what works alone is given to the team without being asked."""
    clean: Callable[[Solution], Solution] = lambda solution: solution
    """Takes keys out of what is given."""
    adopted: Callable[[Solution], Solution] = lambda solution: solution
    """Makes one of the team's one's own."""
    unfit: Callable[[Solution], str] = lambda solution: ""
    """Why a solution is not given, nor taken; empty where it is."""
    private: Callable[[], bool] = lambda: False
    """Whether the question under way is."""
    now: Callable[[], float] = time.monotonic
    """Seconds."""


class Together:
    """A Store of `own` and `team`."""

    def __init__(self, own: Closable, team: Receiver, manners: Manners) -> None:
        self.own, self.team, self.manners = own, team, manners
        self._told = False
        self._until = float("-inf")
        self._twins: dict[int, int] = {}
        """Own entries that the team has as well, and their numbers there: they share their record."""

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        own = self.own.similar(query, meaning)
        none: tuple[Match, ...] = ()
        theirs = none if self.manners.private() else self._asked(lambda: self.team.similar(query, meaning), none)
        there = {_identity(match.entry.solution): match.id for match in own}
        found = list(own)
        for match in theirs:
            if twin := there.get(_identity(match.entry.solution)):
                self._twins[twin] = match.id
            elif not self.manners.unfit(match.entry.solution):
                found.append(replace(match, entry=self._foreign(match.entry)))
        found.sort(key=lambda match: (-round(match.score * standing(match.entry), 6), match.id < 0))  # stable
        return tuple(found[:CANDIDATES])

    def lacking(self, embedder: str, most: int) -> tuple[Entry, ...]:
        """Of one's own first."""
        own = self.own.lacking(embedder, most)
        none: tuple[Entry, ...] = ()
        theirs = self._asked(lambda: self.team.lacking(embedder, most), none)
        return (own + tuple(map(_numbered, theirs)))[:most]

    def describe(self, id: int, embedder: str, vector: bytes) -> None:
        if id < 0:
            self._asked(lambda: self.team.describe(-id, embedder, vector), None)
        else:
            self.own.describe(id, embedder, vector)

    def keep(self, solution: Solution) -> int:
        return self.own.keep(solution)

    def settle(self, id: int, green: bool, program: str = "", why: str = "") -> None:
        if id < 0:
            self.team.settle(-id, green, program, why)
            return
        self.own.settle(id, green, program, why)
        entry = self.own.get(id) if green and self.manners.share_verified else None
        if entry and entry.state == "verified" and not entry.solution.origin:
            given = self._cleaned(entry)
            if not self.manners.unfit(given):
                self._asked(lambda: self._give(id, given), 0)

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        if id > 0:
            self.own.credit(id, won, spent)
        if there := -id if id < 0 else self._twins.get(id, 0):
            self._asked(lambda: self.team.credit(there, won, spent), None)

    def share(self, id: int) -> int:
        """Gives an entry to the team; its number there, below 0. Raises UsageFault for one that is not to be given."""
        entry = self.own.get(id) if id > 0 else None
        if entry is None:
            raise UsageFault(f"there is no solution #{id} of yours", "see: ecoassist solutions list")
        if entry.state != "verified":
            raise UsageFault(
                f"solution #{id} is {entry.state}: only what works alone is shared",
                f"try it: ecoassist solutions verify {id}",
            )
        given = self._cleaned(entry)
        if why := self.manners.unfit(given):
            raise UsageFault(f"solution #{id} cannot be shared: {why}", f"see it: ecoassist solutions show {id}")
        return -self._give(id, given)

    def pending(self) -> tuple[Entry, ...]:
        return self.own.pending()

    def get(self, id: int) -> Entry | None:
        if id >= 0:
            return self.own.get(id)
        entry = self.team.get(-id)
        return self._foreign(entry) if entry else None

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        none: tuple[Entry, ...] = ()
        theirs = self._asked(lambda: self.team.entries(state), none)
        return self.own.entries(state) + tuple(map(_numbered, theirs))

    def retire(self, id: int, why: str) -> bool:
        return self.team.retire(-id, why) if id < 0 else self.own.retire(id, why)

    def restore(self, id: int) -> bool:
        return self.team.restore(-id) if id < 0 else self.own.restore(id)

    def remove(self, id: int) -> bool:
        return self.team.remove(-id) if id < 0 else self.own.remove(id)

    def close(self) -> None:
        """Ends the connections of both."""
        self.own.close()
        self.team.close()

    def _foreign(self, entry: Entry) -> Entry:
        """As it is known here: without what only its first re-run would need."""
        return replace(entry, id=-entry.id, solution=self.manners.adopted(entry.solution.settled()))

    def _cleaned(self, entry: Entry) -> Solution:
        """As it is given."""
        return self.manners.clean(entry.solution.settled())

    def _give(self, id: int, solution: Solution) -> int:
        there = self._twins[id] = self.team.receive(solution)
        return there

    def _asked(self, ask: Callable[[], T], otherwise: T) -> T:
        """What the team's store says; `otherwise` where it cannot be used, of which the person is told once."""
        if self.manners.now() < self._until:
            return otherwise
        try:
            found = ask()
        except EnvironmentFault as error:
            self._until = self.manners.now() + PAUSE
            if not self._told:
                self.manners.notice(f"the team's memory cannot be used: {error}; {error.remedy}")
            self._told = True
            return otherwise
        self._told = False
        return found


def _identity(solution: Solution) -> tuple[object, ...]:
    return same(solution.query), solution.program, solution.files, solution.hosts


def _numbered(entry: Entry) -> Entry:
    return replace(entry, id=-entry.id)
