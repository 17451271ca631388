"""What follows from a fault. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

from ecoassist.types import End, Turn

from .guard import Guard
from .kinds import POLICY
from .obstacle import needs_person


def ending(turns: Sequence[Turn], guard: Guard) -> End | Literal["restart"] | None:
    """How the last turn ends its attempt, by the policy of its fault; None: it goes on. Tells `guard` of the turn.

    restart: it goes on once there is another sandbox.
    """
    turn = turns[-1]
    if turn.answer:
        return "answered"
    stuck = guard.stuck(turn)
    if turn.fault is None:
        return None
    match POLICY[turn.fault.kind]:
        case "repair":
            return "no_progress" if stuck else None
        case "ask":
            return "needs_person" if needs_person(turns) else "no_progress" if stuck else None
        case "restart":
            return "restart"
        case "escalate":
            return "refusal"
        case "failover":
            return "provider"
        case "stop":
            return "budget" if turn.fault.kind == "budget" else "interrupted"
        case other:
            assert_never(other)


def taken(turns: Sequence[Turn]) -> int:
    """How many turns count: one that the sandbox's death took from the model does not."""
    return sum(1 for turn in turns if turn.fault is None or turn.fault.kind != "sandbox")
