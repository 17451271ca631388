"""`ecoassist solutions`: look into the memory, and take out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from . import team
from .common import ConfigOption, load_config, redacted_values, reporting
from .numbers import Number, numbered, typed

if TYPE_CHECKING:
    from pathlib import Path

    from ecoassist.entries import Entry
    from ecoassist.store.sqlite import SqliteStore
    from ecoassist.store.team import Together

app = typer.Typer(help="Solutions that were found, checked and kept.", no_args_is_help=True, rich_markup_mode=None)
app.command()(team.share)


@app.command("list")
def list_(
    retired: Annotated[bool, typer.Option("--retired", help="Those that are no longer served, and why.")] = False,
    all: Annotated[bool, typer.Option("--all", help="These as well.")] = False,
    config: ConfigOption = None,
) -> None:
    """List solutions: number, state, wins and losses, tier, question."""
    from ecoassist.render.solutions import rows

    with reporting():
        entries = _store(config).entries()
        chosen = [entry for entry in entries if all or (entry.state == "retired") == retired]
        for line in rows(redacted_values(chosen)):
            typer.echo(line)
        if not entries:
            typer.echo("no solutions yet: the first question that is solved by code makes one", err=True)
        elif hidden := sum(entry.state == "retired" for entry in entries) if not (all or retired) else 0:
            typer.echo(f"{hidden} retired, not shown: ecoassist solutions list --retired", err=True)


@app.command()
def show(id: Number, config: ConfigOption = None) -> None:
    """Show one solution: where it came from, and its program on stdout."""
    from ecoassist.render.plain import plain
    from ecoassist.render.solutions import shown

    with reporting():
        entry = redacted_values(_entry(config, id))
        for line in shown(entry):
            typer.echo(line, err=True)
        typer.echo(plain(entry.solution.program))


@app.command()
def retire(id: Number, config: ConfigOption = None) -> None:
    """Serve a solution no longer. It is kept, and can be restored."""
    with reporting():
        _entry(config, id)
        _store(config).retire(id, "by the person")
        back = f"ecoassist solutions restore {typed(id)}"
        typer.echo(f"retired solution {numbered(id)}; it comes back with: {back}", err=True)


@app.command()
def restore(id: Number, config: ConfigOption = None) -> None:
    """Serve a solution again that was retired or is broken, with a clean record; what never worked is tried first."""
    with reporting():
        entry = _entry(config, id)
        if not _store(config).restore(id):
            raise UsageFault(f"solution {numbered(id)} is {entry.state}", "there is nothing to restore")
        waits = "" if entry.verified else f", as a candidate; try it out: ecoassist solutions verify {typed(id)}"
        typer.echo(f"restored solution {numbered(id)}{waits}", err=True)


@app.command()
def rm(id: Number, config: ConfigOption = None) -> None:
    """Remove one solution for good."""
    with reporting():
        _entry(config, id)
        _store(config).remove(id)
        typer.echo(f"removed solution {numbered(id)}", err=True)


def _store(config: Path | None) -> SqliteStore | Together:
    return team.memory(load_config(config))


def _entry(config: Path | None, id: int) -> Entry:
    entry = _store(config).get(id)
    if entry is None:
        raise UsageFault(f"there is no solution {numbered(id)}", "see: ecoassist solutions list")
    return entry
