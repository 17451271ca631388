"""`ecoassist runs`: look into the runs that were kept, see one again, forget them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, Verbose, load_config, redacted, reporting
from .why import find

if TYPE_CHECKING:
    from pathlib import Path

    from ecoassist.events import Event
    from ecoassist.store.ledger import SqliteLedger

app = typer.Typer(
    help="Runs that were kept: every question and what came of it.", no_args_is_help=True, rich_markup_mode=None
)
RunId = Annotated[str, typer.Argument(help="The beginning of its id, as in the list.")]

TICK = 0.1
"""Seconds between two pictures of the status line."""
LONGEST = 10.0
"""Seconds that nothing happens at most, where a run is shown again."""


@app.command("list")
def list_(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1_000_000, metavar="N", help="How many, the newest first.")
    ] = 20,
    config: ConfigOption = None,
) -> None:
    """List runs, the newest first: id, time, what came of it, by which tier, question."""
    from ecoassist.render.runs import rows

    with reporting(), closing(_ledger(config)) as ledger:
        runs = ledger.runs(limit=limit)
        for line in rows(runs):
            typer.echo(redacted(line))
        if not runs:
            typer.echo("no runs yet: ecoassist ask makes one; runs.keep = false keeps none", err=True)


@app.command()
def show(run: RunId, config: ConfigOption = None) -> None:
    """Show one run: question, answer, files, and the code of its cells."""
    from ecoassist.render.runs import shown

    with reporting(), closing(_ledger(config)) as ledger:
        found = find(ledger, run)
        events = [event for _, event in ledger.events(found.id)]
        typer.echo(redacted("\n".join(shown(found, events))))


@app.command()
def play(
    run: RunId,
    speed: Annotated[
        float, typer.Option("--speed", min=0, metavar="TIMES", help="How many times as fast; 0: all at once.")
    ] = 1.0,
    verbose: Verbose = False,
    config: ConfigOption = None,
) -> None:
    """Show a run again as it happened: its answer on stdout, the rest on stderr. No model is called, no code runs."""
    from ecoassist.render.console import ConsoleSink, stderr_console
    from ecoassist.render.why import broken_off

    with reporting():
        with closing(_ledger(config)) as ledger:
            found = find(ledger, run)
            events = [(at, _clean(event)) for at, event in ledger.events(found.id)]
        sink = ConsoleSink(stderr_console(sys.stderr), sys.stdout, verbose=verbose)
        try:
            for event in _paced(events, speed):
                sink.handle(event)
        finally:
            sink.close()
        for line in broken_off(found, [event for _, event in events]):
            typer.echo(redacted(line), err=True)


@app.command()
def rm(
    run: Annotated[str, typer.Argument(show_default=False, help="The beginning of its id.")] = "",
    all: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Forget one run, or all: its question, its events, its verdicts. What its calls cost stays in `usage`."""
    from ecoassist.render.words import count

    with reporting():
        if all == bool(run.strip()):
            raise UsageFault("name one run, or --all", "see: ecoassist runs list")
        with closing(_ledger(config)) as ledger:
            if not all:
                found = find(ledger, run)
                ledger.remove(found.id)
                typer.echo(f"removed run {found.id}", err=True)
            elif yes or _confirmed(len(ledger.runs())):
                typer.echo(f"removed {count(ledger.remove(), 'run')}", err=True)
            else:
                typer.echo("nothing was removed", err=True)


def _confirmed(number: int) -> bool:
    """Raises UsageFault where nobody can be asked."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageFault("nobody is at a terminal to be asked", "add --yes to remove all runs")
    from ecoassist.render.words import count

    try:
        return typer.confirm(f"remove {count(number, 'run')}?", err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D
        typer.echo("", err=True)
        return False


def _paced(events: Iterable[tuple[float, Event]], speed: float) -> Iterator[Event]:
    """`events` in their own time, with Ticks while nothing happens."""
    from ecoassist.events import Tick

    before = 0.0
    for at, event in events:
        wait = min((at - before) / speed, LONGEST) if speed else 0.0
        before = at
        until = time.monotonic() + wait
        while (left := until - time.monotonic()) > 0:
            yield Tick()
            time.sleep(min(TICK, left))
        yield event


def _clean(event: Event) -> Event:
    """Without keys that were not known as such when the event was kept."""
    from ecoassist.events import decode, encode

    text = encode(event)
    clean = redacted(text)
    return event if clean == text else decode(clean)


def _ledger(config: Path | None) -> SqliteLedger:
    from ecoassist.wiring import ledger_of

    return ledger_of(load_config(config))
