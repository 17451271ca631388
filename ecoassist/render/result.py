"""What a script gets: one JSON object and one exit code, whatever happened.

Version 1 of the object. Within a version fields are only added.
"""

from __future__ import annotations

import json
from typing import Literal

from ecoassist.errors import BudgetSpent, EcoassistError, EnvironmentFault, UsageFault
from ecoassist.types import JSON, Access, Attempt, Outcome, Saved, Spending, Status, Verdict

from .plain import escaped

VERSION = 1
Ended = Literal["interrupt", "timeout", "terminated"]
"""Who interrupted the run: the person, the time limit, or SIGTERM."""

ENDED_CODE: dict[Ended, int] = {"timeout": 124, "interrupt": 130, "terminated": 143}
STATUS_CODE: dict[Status, int] = {"solved": 0, "unsolved": 1, "budget": 4, "unverified": 5, "interrupted": 130}
ERROR_CODE: dict[type[EcoassistError], int] = {UsageFault: 2, EnvironmentFault: 3, BudgetSpent: 4}
MAX_ACCESSES = 200
"""Accesses of an attempt that the object lists: the first ones. `--jsonl` has them all."""
INTERNAL = 70
"""EX_SOFTWARE of sysexits.h; 124 is timeout(1)'s, 130 and 143 the shell's 128 + signal."""


def exit_code(outcome: Outcome | None = None, error: Exception | None = None, ended: Ended | None = None) -> int:
    """The process's exit code. An outcome outranks what came after it; `ended` counts only where it ended the run."""
    if outcome and outcome.status != "interrupted":
        return STATUS_CODE[outcome.status]
    if ended and (outcome or not error):
        return ENDED_CODE[ended]
    if outcome:
        return STATUS_CODE[outcome.status]
    return next((code for kind, code in ERROR_CODE.items() if isinstance(error, kind)), INTERNAL)


def status(outcome: Outcome | None = None, error: Exception | None = None, ended: Ended | None = None) -> str:
    """solved, unsolved, unverified, budget, timeout, interrupted or error; told by the exit code alone."""
    names = {code: str(name) for name, code in STATUS_CODE.items()} | {124: "timeout", 143: "interrupted"}
    return names.get(exit_code(outcome, error, ended), "error")


def result(
    outcome: Outcome | None = None,
    error: Exception | None = None,
    *,
    ended: Ended | None = None,
    spending: Spending | None = None,
    seconds: float = 0.0,
    state: Literal["pending", "verified"] | None = None,
    run: str = "",
) -> dict[str, JSON]:
    """The object of `--json`. There is always one: without an outcome, the outcome's fields are null or empty.

    `spending`, `seconds` and `run` are for a run without an outcome. `state`: of the stored solution, else pending.
    """
    stored = outcome.stored if outcome else None
    replayed = outcome.replayed.id if outcome and outcome.replayed else None
    used = outcome.examples[0].id if outcome and outcome.examples else None
    return {
        "version": VERSION,
        "status": status(outcome, error, ended),
        "answer": outcome.answer.text if outcome and outcome.answer else None,
        "value": finite(outcome.answer.value) if outcome and outcome.answer else None,
        "error": _error(error) if error else None,
        "verdict": _verdict(outcome.verdict) if outcome else None,
        "tier": outcome.tier if outcome else None,
        "attempts": [_attempt(attempt) for attempt in outcome.attempts] if outcome else [],
        "solution_used": used if replayed is None else replayed,
        "replayed": replayed,
        "solution_stored": stored,
        "solution_state": (state or "pending") if stored is not None else None,
        "files": [_file(file) for file in outcome.files] if outcome else [],
        "partial": outcome.partial if outcome else False,
        "cost": _cost(
            outcome.spending if outcome else spending or Spending(), outcome.judging.usd if outcome else None
        ),
        "seconds": round(outcome.seconds if outcome else seconds, 3),
        "run": outcome.run if outcome else run,
    }


def dumps(record: dict[str, JSON]) -> str:
    """The object as one line, safe to show on a terminal."""
    return escaped(json.dumps(record, ensure_ascii=False, allow_nan=False))


def finite(value: JSON) -> JSON:
    """None for what JSON cannot express: NaN and the infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return None
    return value


def _error(error: Exception) -> dict[str, JSON]:
    if isinstance(error, EcoassistError):
        return {"kind": error.kind, "message": str(error), "remedy": error.remedy}
    return {"kind": "internal", "message": f"{type(error).__name__}: {error}", "remedy": ""}


def _verdict(verdict: Verdict) -> dict[str, JSON]:
    return {
        "solved": verdict.solved,
        "by": verdict.by,
        "reason": verdict.reason,
        "evidence": verdict.evidence or None,
        "judge": verdict.judge or None,
        "own": verdict.own,
    }


def _attempt(attempt: Attempt) -> dict[str, JSON]:
    return {
        "tier": attempt.tier,
        "model": attempt.model,
        "turns": len(attempt.turns),
        "end": attempt.end,
        "accesses_total": len(attempt.accesses),
        "accesses": [_access(access) for access in attempt.accesses[:MAX_ACCESSES]],
    }


def _access(access: Access) -> dict[str, JSON]:
    return {
        "host": access.host,
        "method": access.method,
        "path": access.path,
        "status": access.status,
        "refused": access.refused or None,
        "blocked": access.blocked,
        "cached": access.cached,
        "api": access.api or None,
        "bytes": access.size,
        "seconds": round(access.seconds, 3),
    }


def _file(file: Saved) -> dict[str, JSON]:
    return {"path": file.path, "name": file.name, "type": file.kind, "size": file.size}


def _cost(spending: Spending, judging: float | None) -> dict[str, JSON]:
    return {
        "usd": spending.usd,
        "prompt_tokens": spending.prompt_tokens,
        "completion_tokens": spending.completion_tokens,
        "calls": spending.calls,
        "exact": spending.exact,
        "judging_usd": judging,
    }
