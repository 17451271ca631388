"""`ecoassist demo`: the tour. Needs no key and no internet."""

from __future__ import annotations

import sys

import typer

from .common import reporting


def demo() -> None:
    """Watch it work, with scripted models and emulated APIs on this machine: no key, no internet, about a minute."""
    from ecoassist.config import environment
    from ecoassist.demo.tour import run
    from ecoassist.render.console import stderr_console

    with reporting():
        raise typer.Exit(run(stderr_console(sys.stderr), sys.stdout, environ=environment()))
