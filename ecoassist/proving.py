"""A stored program runs once more, alone: in a fresh kernel that may only read, from its own hosts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from .egress.policy import READ_ONLY
from .entries import Entry, Proof, Solution
from .events import CellFinished, CellStarted, RerunFinished, RerunStarted, Stream, rest
from .memory.agreeing import disagreement
from .ports import Fresh, Kernel, Store
from .starting import StartingKernel
from .types import Access, CellResult

LONGEST = 400
"""Characters of the words in which a failure is told."""


def rerun(
    entry: Entry,
    store: Store,
    boot: Fresh,
    kernel: Kernel | None = None,
    *,
    recent: bool = False,
    portable: Callable[[str], str] = str,
) -> Stream[Proof]:
    """The other stream: proves an entry and settles it in `store`, unless nothing can be said.

    `portable` takes what is of this session only out of the reason why it failed. See `prove` for the rest. Raises
    EnvironmentFault.
    """
    yield RerunStarted(entry.id)
    proof = yield from prove(entry.solution, boot, kernel, recent=recent)
    if proof.green is not None:
        store.settle(
            entry.id, proof.green, proof.program, portable(proof.why)[:LONGEST]
        )  # cut last: half a placeholder would stay
    yield RerunFinished(entry.id, proof.green)
    return proof


def prove(solution: Solution, boot: Fresh, kernel: Kernel | None = None, *, recent: bool = False) -> Stream[Proof]:
    """Runs the program in `kernel` (None: one that `boot` makes), and where it fails the `whole` one in another.

    `boot` makes a kernel that may only read, from the solution's hosts; every kernel is closed. `recent`: it ran
    a moment ago, and has to come to the same answer, if it is given the same data. Raises NoSandbox.
    """
    result = yield from _run(solution.program, kernel or StartingKernel(boot))
    proof = _proof(result, solution, recent=recent)
    if proof.green is not False or solution.whole in ("", solution.program):
        return proof
    result = yield from _run(solution.whole, StartingKernel(boot))
    second = _proof(result, replace(solution, tells=False), recent=recent)  # other cells print beside the answer
    if second.green is False:
        return proof
    return replace(second, program=solution.whole if second.green else "")


def _run(program: str, kernel: Kernel) -> Stream[CellResult]:
    with closing(kernel):
        yield CellStarted(program)
        result = yield from rest(kernel.run(program), CellResult("interrupted"))
        yield CellFinished(result)
    return result


def _proof(result: CellResult, solution: Solution, *, recent: bool) -> Proof:
    """What a run says of the program."""
    if result.status == "ok":
        seen = all(access.cached for access in result.accesses if access.answered)
        why = disagreement(result, solution, exactly=recent and seen)
        return Proof(not why, why=why)
    down = any(_down(access, solution.hosts) for access in result.accesses)
    return Proof(None if down or result.status in ("interrupted", "gone") else False, why=_why(result))


def _why(result: CellResult) -> str:
    if result.error and result.status == "error" and result.cause != "output":  # what ended it from outside raises too
        return f"{result.error.name}: {result.error.message}".rstrip(": ")
    return result.reason or result.status


def _down(access: Access, hosts: tuple[str, ...]) -> bool:
    """Whether one of `hosts` did not work: it cannot be reached, has too many requests, or a fault of its own."""
    if access.refused:  # they are open in a re-run; what is refused there as such will be so the next time
        return access.host in hosts and not access.refused.startswith(READ_ONLY)
    return access.status is None or access.status == 429 or access.status >= 500
