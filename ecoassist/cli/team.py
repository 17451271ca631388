"""`ecoassist solutions share`: solutions given to a team."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, load_config, redacted, reporting
from .numbers import number, numbered

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.store.sqlite import SqliteStore
    from ecoassist.store.team import Together


def memory(config: Config) -> SqliteStore | Together:
    """One's own solutions, and those of the team where there is one; that it cannot be used is said on stderr."""
    from ecoassist.render.plain import plain
    from ecoassist.wiring import memory_of

    return memory_of(config, lambda text: typer.echo(plain(redacted(f"warning: {text}")), err=True))


def share(
    ids: Annotated[
        list[int], typer.Argument(parser=number, metavar="N...", help="Their numbers, as in the list of your own.")
    ],
    config: ConfigOption = None,
) -> None:
    """Give verified solutions to your team, whose store the configuration names.

    Everybody who may use that store gets the question and the program, with the names of hosts, APIs, packages, and
    files and their columns; never an answer, a key, or what is in a file. `rm team:N` takes one back.
    """

    with reporting():
        settings = load_config(config)
        if not settings.solutions.team:
            remedy = (
                'name it in the configuration: [solutions] team = "VARIABLE", which holds postgresql://HOST/DATABASE'
            )
            raise UsageFault("you have no team", remedy)
        with closing(memory(settings)) as store:
            for id in ids:
                there = store.share(id)  # type: ignore[union-attr] # with a team there are two
                typer.echo(f"shared solution {numbered(id)} as {numbered(there)}", err=True)
