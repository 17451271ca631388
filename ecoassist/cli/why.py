"""`ecoassist why`: what was decided in a run, by what evidence, and what it cost."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from .common import ConfigOption, load_config, redacted, redacted_values, reporting

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.store.ledger import SqliteLedger
    from ecoassist.types import Run

RunId = Annotated[str, typer.Argument(show_default=False, help="The beginning of its id; default: the last run.")]


def why(
    run: RunId = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: ConfigOption = None,
) -> None:
    """Tell why a run went as it did: the tiers and the reason of each step, the evidence, the cost of each call."""
    with reporting():
        settings = load_config(config)
        if not json:
            typer.echo(redacted("\n".join(lines(settings, run))))
            return
        from ecoassist.render.result import dumps
        from ecoassist.render.why import record
        from ecoassist.wiring import ledger_of

        with closing(ledger_of(settings)) as ledger:
            found = find(ledger, run)
            events = [event for _, event in ledger.events(found.id)]
            typer.echo(dumps(redacted_values(record(found, events, ledger.calls(found.id)))))


def lines(config: Config, run: str = "") -> list[str]:
    """What is to be said of the run whose id begins with `run`, by default of the last one.

    Raises UsageFault where there is none, or more than one; EnvironmentFault where the ledger cannot be read.
    """
    from ecoassist.render.why import lines
    from ecoassist.wiring import ledger_of

    with closing(ledger_of(config)) as ledger:
        found = find(ledger, run)
        return lines(found, [event for _, event in ledger.events(found.id)], ledger.calls(found.id))


def find(ledger: SqliteLedger, prefix: str = "") -> Run:
    """The run whose id begins with `prefix`; the last one for none. Raises UsageFault, EnvironmentFault."""
    runs = ledger.runs(prefix.strip().lower(), limit=2)
    if not runs and not prefix:
        raise UsageFault("no run is kept yet", "ask something: ecoassist ask; runs.keep = false keeps none")
    if not runs:
        raise UsageFault(f"there is no run {prefix!r}", "see: ecoassist runs list")
    if prefix and len(runs) > 1 and runs[0].id != prefix:
        raise UsageFault(f"several runs begin with {prefix!r}", "write more of its id: ecoassist runs list")
    return runs[0]
