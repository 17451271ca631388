"""What stands in the way that no model can remove: a key that is refused or missing, a host that is closed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ecoassist import catalogue
from ecoassist.types import API_OFF, NETWORK_OFF, Api, Attempt, Fault, Task, Turn, Verdict

from .kinds import POLICY

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Hosts whose name `ecoassist api add` takes for that of an API as well."""


def settled(turn: Turn) -> bool:
    """Whether the person has removed what the turn met."""
    return bool(turn.fault and turn.result and turn.fault.target in (*turn.result.opened, *turn.result.keyed))


def needs_person(turns: Sequence[Turn]) -> bool:
    """Whether the last turn met what only the person can mend, after the model had been told once."""
    if not turns or not _stands(turns[-1]):
        return False
    return any(_stands(turn) or (_is_one(turn) and _target(turn) == _target(turns[-1])) for turn in turns[:-1])


def obstacle(attempts: Sequence[Attempt]) -> Fault | None:
    """What was in the way of every attempt to the end: since then no call was answered. None: nothing was.

    An endpoint that failed leaves its tier no chance to find another way, and is no part of this.
    """
    found = [None if attempt.end == "provider" else _left(attempt.turns) for attempt in attempts]
    return found[-1] if found and all(found) else None


def held(verdict: Verdict, attempts: Sequence[Attempt], task: Task) -> Verdict:
    """`verdict`; but a no that a stronger model could not change escalates nothing and tells the person what would.

    What the person says stays: who asks for a stronger model gets it.
    """
    fault = obstacle(attempts)
    if verdict.solved is not False or verdict.by == "person" or fault is None:
        return verdict
    return replace(
        verdict, escalate=False, reason=f"only you can help: {remedy(fault, (*task.apis, *task.other_apis))}"
    )


def remedy(fault: Fault, apis: Sequence[Api] = ()) -> str:
    """What is in the way, and the command that removes it. `apis`: those that are enabled."""
    said, refused = _own_words(fault)
    if refused.startswith(NETWORK_OFF):
        return f"{said}; ask again with: --network allowlist"
    if fault.kind == "auth":
        if refused.startswith(API_OFF):  # names its remedy itself
            return said
        key = next((api.variable.partition(",")[0] for api in apis if api.name == fault.target), "")
        return f"{said}; " + (
            f"renew its key: ecoassist api key {key}" if key else f"ecoassist api show {fault.target}"
        )
    if name := catalogue.hosts().get(fault.target):
        return f"{said}; enable it: ecoassist api add {name}"
    fit = _NAME.fullmatch(fault.target)
    return f"{said}; open it, if you trust it: ecoassist api add {fault.target} --host {fault.target}" if fit else said


def _own_words(fault: Fault) -> tuple[str, str]:
    """The detail without what others say, and why the gate refused; empty where an API did.

    An API that refuses a key must not name the remedy: "host answered 401: ..." ends with the code's own exception,
    and that with words of the API.
    """
    head, _, rest = " ".join(fault.detail.split())[:200].partition(": ")
    return (f"{head}: {rest}", rest) if rest and " " not in head else (head, "")


def _left(turns: Sequence[Turn]) -> Fault | None:
    """The last obstacle, unless it was removed or something else was answered later."""
    left: Fault | None = None
    for turn in turns:
        if _stands(turn):
            left = turn.fault
        elif settled(turn) or (turn.result and any(access.answered for access in turn.result.accesses)):
            left = None
    return left


def _stands(turn: Turn) -> bool:
    return _is_one(turn) and not settled(turn)


def _is_one(turn: Turn) -> bool:
    return turn.fault is not None and POLICY[turn.fault.kind] == "ask"


def _target(turn: Turn) -> str:
    return turn.fault.target if turn.fault else ""
