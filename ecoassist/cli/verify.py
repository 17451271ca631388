"""`ecoassist solutions verify`: whether stored programs still work. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, FileOption, load_config, reporting
from .numbers import number, numbered, typed
from .trying import JOBS, JobsOption, Trial, chosen, memory

if TYPE_CHECKING:
    from ecoassist.borders import CleanStore
    from ecoassist.entries import Entry, Proof, Solution
    from ecoassist.events import Stream
    from ecoassist.sandboxes import Sandboxes
    from ecoassist.types import Attachment
    from ecoassist.verifying import Tried

UNKNOWN = "not checked"


def verify(
    ids: Annotated[
        list[int] | None,
        typer.Argument(parser=number, metavar="N", help="Their numbers, as in the list. [default: all of yours]"),
    ] = None,
    file: FileOption = None,
    jobs: JobsOption = JOBS,
    config: ConfigOption = None,
) -> None:
    """Run stored programs again, each alone in a sandbox that may only read, and mark those that no longer work.

    No model is asked. A broken one is shown to a model at its next use, with its error, to be repaired.

    Exit codes: 0 all work, 1 some are broken, 5 some could not be checked, 3 environment, 130 interrupted.
    """
    from .files import attachments
    from .trying import Trial

    with reporting():
        settings = load_config(config)
        attached = attachments(file or [], None)
        with memory(settings) as (store, _):
            entries = _named(store, ids) if ids else _all(store)
            if not entries:
                typer.echo("nothing to verify: there are no solutions yet", err=True)
                return
            checks = _Checks(store, Trial(settings, attached))
            checks.run(entries, attached, jobs)
        checks.trial.end(len(entries))
        counts = checks.trial.counts
        if code := 1 if counts["broken"] + counts["failed"] else 5 if counts[UNKNOWN] else 0:
            raise typer.Exit(code)


class _Checks:
    """Of one command."""

    def __init__(self, store: CleanStore, trial: Trial) -> None:
        self.store, self.trial = store, trial

    def run(self, entries: Sequence[Entry], attached: Sequence[Attachment], jobs: int) -> None:
        ready = []
        for entry in entries:
            if why := _hindrance(entry.solution, self.trial.boxes, attached):
                typer.echo(self.trial.line(entry, UNKNOWN, why))
            else:
                ready.append(entry)
        self.trial.run(ready, partial(_prove, self.trial.boxes), self._settled, jobs)

    def _settled(self, result: Tried) -> str:
        """Without this session's placeholders: what failed may have told its URL."""
        entry, proof = result.entry, result.proof
        if proof.green is None:
            return self.trial.line(entry, UNKNOWN, proof.why)
        self.store.settle(entry.id, proof.green, proof.program, self.trial.boxes.unmarked(proof.why))
        red = "failed" if entry.state == "pending" else "broken"
        return self.trial.line(entry, "works" if proof.green else red, proof.why)


def _prove(boxes: Sandboxes, entry: Entry) -> Stream[Proof]:
    from ecoassist.proving import prove

    return prove(entry.solution, partial(boxes.start_readonly, entry.solution.hosts))


def _all(store: CleanStore) -> list[Entry]:
    """One's own that are served, and the candidates of one's own questions: those of a pack are named to be tried."""
    from ecoassist.entries import SERVED

    own = (entry for entry in store.entries() if entry.id > 0)
    return [e for e in own if e.state in SERVED or (e.state == "pending" and not e.solution.origin)]


def _named(store: CleanStore, ids: Sequence[int]) -> list[Entry]:
    """Raises UsageFault for one that is not there, or was given up."""
    from ecoassist.entries import SERVED

    found = chosen(store, ids)
    for entry in found:
        if entry.state not in (*SERVED, "pending"):
            back = f"to use it again: ecoassist solutions restore {typed(entry.id)}"
            raise UsageFault(f"solution {numbered(entry.id)} is {entry.state}", back)
    return found


def _hindrance(solution: Solution, boxes: Sandboxes, attached: Sequence[Attachment]) -> str:
    """Why its program cannot be tried here, if so."""
    from ecoassist.memory.attached import there

    if not there(solution, attached):
        return f"it reads {', '.join(file.name for file in solution.files)}: attach that with --file"
    if closed := boxes.closed(solution.hosts):
        return f"{', '.join(closed)} cannot be reached: its API is off, or it is on no list"
    return ""
