"""What went wrong in a turn, what follows from it, and what is handed to the next tier. Pure.

A fault is read off the execution and the egress record, never off a model's own words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from .types import Attempt, CellResult, Fault, FaultKind, Reply, Turn

Policy = Literal["repair", "ask", "restart", "failover", "escalate", "stop"]
POLICY: dict[FaultKind, Policy] = {
    "code": "repair",
    "package": "repair",
    "format": "repair",
    "data": "repair",
    "api": "repair",
    "auth": "ask",
    "blocked": "ask",
    "provider": "failover",
    "sandbox": "restart",
    "budget": "stop",
    "refusal": "escalate",
    "interrupted": "stop",
}
"""repair: the same tier goes on with the error in view. ask: only the person can help; without one the tier may find
another way once, and no stronger model is asked. restart: the sandbox is replaced once, then the environment is broken.
failover: the endpoint was asked again already, another tier is next. escalate: another model may do what this one will
not. stop: the money is spent, or the person wants the floor."""


def of_reply(reply: Reply) -> Fault | None:
    """The fault of a reply that is not worth reading, or None."""
    if reply.finish == "interrupted":
        return Fault("interrupted")
    if reply.finish == "filter":
        return Fault("refusal", "the provider's content filter stopped the reply")
    return None


def of_cell(result: CellResult) -> Fault | None:
    """The fault of a cell, or None where it ended well."""
    if result.status == "interrupted":
        return Fault("interrupted")
    if result.status == "gone":
        return Fault("sandbox", result.reason or "the sandbox is gone")
    if result.status == "ok":
        return None
    error = result.error if result.cause in ("", "exception") else None  # else that of the stop, which says nothing
    detail = f"{error.name}: {error.message}" if error else result.reason or result.status
    if error and error.name in ("ModuleNotFoundError", "PackageNotFoundError"):
        return Fault("package", detail)
    for access in result.accesses:
        if access.refused:
            return Fault("blocked", f"{access.host}: {access.refused}")
    statuses = [access.status for access in result.accesses if access.status]
    if any(status in (401, 403) for status in statuses):
        return Fault("auth", detail)
    if any(status >= 400 for status in statuses):
        return Fault("api", detail)
    return Fault("code", detail)


class Guard:
    """Counts identical failures: the second changes the instruction, the third ends the tier."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._again = False

    @property
    def again(self) -> bool:
        """Whether the last failure was seen before."""
        return self._again

    def stuck(self, turn: Turn, code: str) -> bool:
        """Records a failed turn; `code` is its normalised code. True at the third identical failure."""
        if turn.fault is None:
            self._again = False
            return False
        shape = re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "_", turn.fault.detail)
        key = (code, turn.fault.kind, shape)
        self._seen[key] += 1
        self._again = self._seen[key] == 2
        return self._seen[key] >= 3


def needs_person(turns: Sequence[Turn]) -> bool:
    """Whether only the person can help: a key or a host was refused again after the model knew of it."""
    last = turns[-1].fault if turns else None
    if last is None or POLICY[last.kind] != "ask":
        return False
    return sum(1 for turn in turns if turn.fault and POLICY[turn.fault.kind] == "ask") > 1


def digest(attempts: Sequence[Attempt], variables: Sequence[str] = (), limit: int = 2_400) -> str:
    """Facts for the next tier: faults met and endpoints that answered. Never an answer, never code.

    A weak answer as a hint was measured to pull the strong model down (MoT cascade, arXiv 2310.03094).
    """
    lines: dict[str, None] = {}
    for turn in (turn for attempt in attempts for turn in attempt.turns):
        if turn.fault:
            lines[f"{turn.fault.kind}: {turn.fault.detail[:200]}"] = None
        for access in turn.result.accesses if turn.result else ():
            if access.blocked and turn.result and access.host in turn.result.opened:
                lines[f"{access.host} is open"] = None
            elif access.refused:
                lines[f"{access.host} is refused: {access.refused[:120]}"] = None
            elif access.status:
                lines[f"{access.method} {access.host}{access.path[:80]} answered {access.status}"] = None
    return "\n".join(lines)[:limit]
