"""The `ecoassist` command: its parts, and what becomes of an error that nobody expected."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer

from ecoassist import __version__

from . import api, ask, chat, demo, doctor, kernel, runs, sandbox, sharing, solutions, usage, verify, why
from .common import TERMINATED, redacted

app = typer.Typer(
    name="ecoassist",
    help="Answers questions by writing and running code: a cheap model first, a stronger one only on failure.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # the rich help renderer costs 100 ms at every start
    pretty_exceptions_enable=False,
)
app.command()(ask.ask)
app.command()(chat.chat)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(usage.usage)
app.command()(why.why)
app.add_typer(api.app, name="api")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(solutions.app, name="solutions")
solutions.app.command()(verify.verify)
solutions.app.command("export")(sharing.export)
solutions.app.command("import")(sharing.import_)
app.add_typer(runs.app, name="runs")
app.add_typer(kernel.app, name="kernel")

GONE = 141
"""128 + SIGPIPE, as a shell counts it."""
INTERRUPTED = 130
INTERNAL = 70
"""EX_SOFTWARE of sysexits.h."""
ENVIRONMENT = 3
FULL = (errno.ENOSPC, errno.EDQUOT)
"""A full disk under stdout is no bug."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ecoassist {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(app: Callable[[], object] = app) -> None:
    """Runs one command. A bug ends with its traceback and exit code 70, never with a code that means something else."""
    _open_streams()
    hooks = threading.excepthook, sys.unraisablehook, warnings.showwarning
    threading.excepthook = sys.unraisablehook = _show_aside
    warnings.showwarning = _show_warning
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    gc.disable()  # imports make no garbage, but many objects: looking through them takes 0.1 s; imported() enables it
    try:
        app()
    except SystemExit as end:
        # typer ends with 1 when whoever read us is gone; here that would mean: not solved
        sys.exit(GONE if isinstance(end.__context__, BrokenPipeError) else end.code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BaseException as error:  # noqa: BLE001 - the outermost border; cancellations and groups are no Exception
        if isinstance(error, OSError) and error.errno in FULL:
            sys.stderr.write(f"ecoassist: cannot write: {error.strerror}\n  make room, then try again\n")
            sys.exit(ENVIRONMENT)
        _show(error)
        sys.exit(INTERNAL)
    finally:
        threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
        gc.freeze()  # the end of the process need not look through them either


def _show(bug: BaseException) -> None:
    """Its traceback and those of its causes, without keys."""
    import traceback

    sys.stderr.write(redacted("".join(traceback.format_exception(bug))))


def _show_aside(raised: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    """For what ends a thread, or is raised where nobody can catch it."""
    if raised.exc_value and not isinstance(raised.exc_value, SystemExit):  # that is how a thread may end itself
        _show(raised.exc_value)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """A library's, on its way to stderr."""
    sys.stderr.write(redacted(warnings.formatwarning(message, category, filename, lineno)))


def _open_streams() -> None:
    """Stands /dev/null in for standard streams that are closed: the next file would take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leaves by the way of an exception, so that kernels are closed and the terminal is put back in order."""
    sys.exit(TERMINATED)
