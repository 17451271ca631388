"""`ecoassist solutions`: look into the memory, and take out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, load_config, redacted, reporting

if TYPE_CHECKING:
    from pathlib import Path

    from ecoassist.entries import Entry
    from ecoassist.store.sqlite import SqliteStore

app = typer.Typer(help="Solutions that were found, checked and kept.", no_args_is_help=True, rich_markup_mode=None)
Number = Annotated[int, typer.Argument(help="The solution's number, as in the list.")]


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """List all solutions: number, state, wins and losses, tier, question."""
    from ecoassist.render.plain import one_line

    with reporting():
        entries = _store(config).entries()
        for entry in entries:
            record = f"{entry.wins}+ {entry.losses}-"
            typer.echo(f"#{entry.id:<4} {entry.state:<9} {record:<7} {one_line(entry.solution.tier):<8} ", nl=False)
            typer.echo(one_line(redacted(entry.solution.query)))
        if not entries:
            typer.echo("no solutions yet: the first question that is solved by code makes one", err=True)


@app.command()
def show(id: Number, config: ConfigOption = None) -> None:
    """Show one solution: where it came from, and its program on stdout."""
    from ecoassist.render.plain import one_line, plain

    with reporting():
        entry = _entry(config, id)
        solution = entry.solution
        for name, value in {
            "question": solution.query,
            "answer": solution.answer.text,
            "state": f"{entry.state}, {entry.wins} wins, {entry.losses} losses",
            "found by": f"{solution.tier} ({solution.model})",
            "created": entry.created,
            "hosts": ", ".join(solution.hosts) or "none",
            "APIs": ", ".join(solution.apis) or "none",
            "files": ", ".join(file.name for file in solution.files) or "none",
        }.items():
            typer.echo(f"{name:<9} {one_line(redacted(value))}", err=True)
        typer.echo(plain(redacted(solution.program)))


@app.command()
def rm(id: Number, config: ConfigOption = None) -> None:
    """Remove one solution."""
    with reporting():
        _entry(config, id)
        _store(config).remove(id)
        typer.echo(f"removed solution #{id}", err=True)


def _store(config: Path | None) -> SqliteStore:
    from ecoassist.wiring import store_of

    return store_of(load_config(config))


def _entry(config: Path | None, id: int) -> Entry:
    entry = _store(config).get(id)
    if entry is None:
        raise UsageFault(f"there is no solution #{id}", "see: ecoassist solutions list")
    return entry
