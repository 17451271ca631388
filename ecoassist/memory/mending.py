"""What the failure of a stored program, which was run before any model, says to those that are shown it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecoassist.types import Attempt, FaultKind, Task

MENDED: tuple[FaultKind, ...] = ("code", "data", "package")
"""Faults that are the program's own, or come of what an API answers by now."""


def to_mend(task: Task, tried: Sequence[Attempt]) -> Task:
    """`task` after its stored program was tried in vain: where it fails it is shown with its error, to be repaired."""
    turns = tried[-1].turns if tried and not tried[-1].asked else ()
    fault = turns[-1].fault if turns else None
    ran = task.replay
    if not ran or not fault or fault.kind not in MENDED:
        return task
    return replace(
        task, examples=tuple(replace(e, trouble=fault.detail) if e.id == ran.id else e for e in task.examples)
    )
