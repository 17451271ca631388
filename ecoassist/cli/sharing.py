"""`ecoassist solutions export` and `import`: packs of solutions, given to others and taken from them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, load_config, reporting, stdin_bytes
from .numbers import number, numbered, typed
from .person import is_there
from .trying import JOBS, JobsOption, Trial, chosen, memory

if TYPE_CHECKING:
    from ecoassist.borders import CleanStore
    from ecoassist.entries import Entry, Proof, Solution
    from ecoassist.events import Stream
    from ecoassist.sandboxes import Sandboxes
    from ecoassist.verifying import Tried

WAITS, FAILED = "waits", "failed"
STANDARD = "-"
"""In place of a file: stdin or stdout."""
CHOICES = {"y": "yes", "yes": "yes", "": "no", "n": "no", "no": "no", "a": "all", "all": "all", "q": "none"}


# ── giving ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file; - is stdout.")] = STANDARD,
    ids: Annotated[
        list[int] | None,
        typer.Argument(parser=number, metavar="N", help="Their numbers. [default: all that work]"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write verified solutions as a pack that others can import: one JSON object on a line.

    It holds questions and programs, without answers, keys or the content of files. Read it before you pass it on.
    """
    from ecoassist import packs

    with reporting():
        if re.fullmatch(r"(team:|#)?[0-9]+", file):
            raise UsageFault(f"{file} is a number, where the file comes first", f"write: export - {file}, for stdout")
        with memory(load_config(config)) as (store, _):
            entries = _verified(store, ids)
        fit = []
        for entry in entries:
            if why := packs.unfit(entry.solution):
                typer.echo(f"solution {numbered(entry.id)} is left out: {why}", err=True)
            else:
                fit.append(entry.solution)
        if not fit:
            raise UsageFault("there is nothing to export", "see: ecoassist solutions list")
        if len(fit) > packs.MOST_SOLUTIONS:
            raise UsageFault(f"a pack has at most {packs.MOST_SOLUTIONS:,} solutions", "name those that are meant")
        with _written(file) as out:
            out.writelines(packs.lines(fit))
        where = "" if file == STANDARD else f" to {file}"
        typer.echo(f"wrote {_count(len(fit))}{where}: read what stands in it before you pass it on", err=True)


def _verified(store: CleanStore, ids: Sequence[int] | None) -> list[Entry]:
    """Raises UsageFault for one that is not."""
    if not ids:
        return [entry for entry in store.entries("verified") if entry.id > 0]
    found = chosen(store, ids)
    for entry in found:
        if entry.state != "verified":
            command = "restore" if entry.state in ("retired", "failed") else "verify"
            raise UsageFault(
                f"solution {numbered(entry.id)} is {entry.state}: only what works is shared",
                f"first: ecoassist solutions {command} {typed(entry.id)}",
            )
    return found


@contextmanager
def _written(file: str) -> Iterator[TextIO]:
    """Raises UsageFault where nothing can be written, or something is there."""
    if file == STANDARD:
        yield sys.stdout
        return
    try:
        with open(file, "x", encoding="utf-8", newline="\n") as out:
            yield out
    except FileExistsError:
        raise UsageFault(f"{file} is there already", "name a new file") from None
    except OSError as error:
        raise UsageFault(f"cannot write {file}: {error.strerror}", "name a new file in a folder of yours") from error


# ── taking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A pack; - is stdin.")],
    yes: Annotated[bool, typer.Option("--yes", help="Take all of it without being asked.")] = False,
    jobs: JobsOption = JOBS,
    config: ConfigOption = None,
) -> None:
    """Take solutions from a pack: each is shown, asked about, and tried in a sandbox that has none of your keys.

    What works there is used from then on. What needs a key stays a candidate until you try it yourself, with
    `ecoassist solutions verify N`.

    Exit codes: 0 all that was taken works or waits, 1 some of it does not work, 2 no pack, 3 environment.
    """
    from ecoassist.reach import adopting

    with reporting():
        settings = load_config(config)
        found = _read(file)
        with memory(settings) as (store, redactor):
            known, new = _split(redactor.value(found), store)
            for why in known:
                typer.echo(why, err=True)
            trial = Trial(settings)
            taken = _taken(new, trial.boxes, yes=yes, unattended=file == STANDARD or not is_there())
            if not taken:
                typer.echo("nothing was imported", err=True)
                return
            trial.prepare()  # before anything is kept
            own = map(adopting(settings), taken)
            _try(trial, store, [_kept(store, replace(one, origin=_name(file))) for one in own], jobs)
        trial.end(len(taken))
        if trial.counts[FAILED]:
            raise typer.Exit(1)


def _read(file: str) -> tuple[Solution, ...]:
    """Raises UsageFault."""
    from ecoassist import packs

    if file == STANDARD:
        stdin = stdin_bytes()
        if stdin is None:
            raise UsageFault("there is no standard input", "name a file")
        return packs.read(stdin, _name(file))
    try:
        with open(file, "rb") as pack:
            return packs.read(pack, _name(file))
    except OSError as error:
        raise UsageFault(f"cannot read {file}: {error.strerror}", "name a file that export wrote") from error


def _name(file: str) -> str:
    """Of the pack, as its solutions tell where they are from."""
    from ecoassist.render.plain import one_line

    return "standard input" if file == STANDARD else one_line(Path(file).name)


def _split(found: Sequence[Solution], store: CleanStore) -> tuple[list[str], list[Solution]]:
    """What is said of those that are of no use here, and the others: a pack never takes the place of what is there."""
    from ecoassist.entries import SERVED
    from ecoassist.templates import key

    there: dict[tuple[str, ...], str] = {}
    for entry in store.entries():
        if entry.state in (*SERVED, "pending"):
            there.setdefault(key(entry.solution.query), f"solution {numbered(entry.id)}")
    said, new = [], []
    for at, solution in enumerate(found, 1):
        question = key(solution.query)
        if question in there:
            said.append(f"{at} of {len(found)} is left out: {there[question]} is for the same question")
        else:
            there[question] = "an earlier one of this pack"
            new.append(solution)
    return said, new


def _taken(new: Sequence[Solution], boxes: Sandboxes, *, yes: bool, unattended: bool) -> list[Solution]:
    """Those that the person takes, after all of each was shown. Raises UsageFault where nobody can be asked."""
    taken, answer = [], "all" if yes else ""
    for at, solution in enumerate(new, 1):
        typer.echo(_shown(solution, f"{at} of {len(new)}", boxes), err=True)
        if unattended and not yes:
            continue
        if answer != "all":
            answer = _asked()
        if answer == "none":
            break
        if answer != "no":
            taken.append(solution)
    if new and unattended and not yes:
        raise UsageFault("nobody is there to be asked whether to take them", "read them, then: import FILE --yes")
    return taken


def _asked() -> str:
    from .person import choice

    return choice("take it? [y]es, [N]o, [a]ll that follow, [q]uit: ", CHOICES, sys.stdin, sys.stderr) or "none"


def _shown(solution: Solution, number: str, boxes: Sandboxes) -> str:
    """All that will be kept of it, in full. It was read as plain text."""
    from ecoassist.render.plain import one_line, plain

    closed = boxes.closed(solution.hosts, keyless=True)
    hosts = [f"{host} (closed here)" if host in closed else host for host in solution.hosts]
    files = [f"{file.name} ({', '.join(file.columns)})" if file.columns else file.name for file in solution.files]
    facts = {"hosts": hosts, "APIs": solution.apis, "files": files, "packages": solution.packages}
    head = f"── {number}: {one_line(solution.query)}"
    lines = [f"   {name}: {one_line(', '.join(values)) or 'none'}" for name, values in facts.items()]
    return "\n".join([head, *lines, *(f"   │ {text}" for text in plain(solution.program).split("\n")), ""])


def _kept(store: CleanStore, solution: Solution) -> Entry:
    entry = store.get(store.keep(solution))
    assert entry is not None
    return entry


# ── trying what was taken ───────────────────────────────────────────────────────────────────────────────────────────


def _try(trial: Trial, store: CleanStore, entries: Sequence[Entry], jobs: int) -> None:
    """Runs each that can be run without a key; all others wait for the person."""
    from ecoassist.memory.taking import need, waits

    ready = []
    for entry in entries:
        closed = trial.boxes.closed(entry.solution.hosts, keyless=True)
        if why := need(entry.solution, closed):
            typer.echo(trial.line(entry, WAITS, _later(entry, why)))
        else:
            ready.append(entry)

    def settled(result: Tried) -> str:
        entry, proof = result.entry, result.proof
        if why := waits(proof, result.accesses):
            return trial.line(entry, WAITS, _later(entry, why))
        store.settle(entry.id, bool(proof.green), proof.program, proof.why)
        return trial.line(entry, "works" if proof.green else FAILED, proof.why)

    trial.run(ready, partial(_prove, trial.boxes), settled, jobs)


def _later(entry: Entry, why: str) -> str:
    return f"{why}; then: ecoassist solutions verify {typed(entry.id)}"


def _prove(boxes: Sandboxes, entry: Entry) -> Stream[Proof]:
    from ecoassist.proving import prove

    return prove(entry.solution, partial(boxes.start_keyless, entry.solution.hosts))


def _count(number: int) -> str:
    return f"{number} solution" if number == 1 else f"{number} solutions"
