"""`ecoassist usage`: what was spent and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .common import ConfigOption, load_config, redacted, redacted_values, reporting

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.render.usage import Report

Days = Annotated[int, typer.Option("--days", min=1, max=36_500, metavar="N", help="How many days, today included.")]


def usage(
    days: Days = 30,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: ConfigOption = None,
) -> None:
    """Tell what was used by day, model and tier, what was saved, and how far judge and attempts can be trusted."""
    with reporting():
        from ecoassist.render.result import dumps
        from ecoassist.render.usage import lines, record

        report = _report(load_config(config), days)
        typer.echo(dumps(redacted_values(record(report))) if json else redacted("\n".join(lines(report))))


def _report(config: Config, days: int) -> Report:
    import datetime
    from contextlib import closing

    from ecoassist.render.usage import Report
    from ecoassist.wiring import ledger_of

    since = (datetime.datetime.now().astimezone().date() - datetime.timedelta(days - 1)).isoformat()
    with closing(ledger_of(config)) as ledger:
        rates = {tier: ledger.agreement(tier) for tier in ledger.sampled()}
        return Report(since, ledger.used(since), ledger.costs(since), ledger.judged_alike(), rates)
