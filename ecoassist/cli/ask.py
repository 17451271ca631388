"""`ecoassist ask`: one question, one answer on stdout."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecoassist.errors import EcoassistError, UsageFault

from .common import (
    CellSeconds,
    ConfigOption,
    FileOption,
    FilesDir,
    FlavourOption,
    HoldOut,
    MaxCost,
    NetworkOption,
    NoJudge,
    NoReplay,
    Private,
    Strong,
    TierOption,
    UnsafeLocal,
    Verbose,
    checked_network,
    checked_tier,
    header,
    imported,
    load_config,
    redacted_values,
    report,
    stdin_bytes,
    unicode,
)
from .person import at_terminal, is_there

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.play import Stop
    from ecoassist.ports import Sink
    from ecoassist.render.console import ConsoleSink
    from ecoassist.session import Session
    from ecoassist.types import Outcome, Spending

RERUN_SECONDS = 60.0
"""How long the process may stay after its answer to try out what it stored."""

SILENCE = 2.0
"""Seconds after which a silent standard input is spoken of."""


def ask(
    query: Annotated[str, typer.Argument(help="The question.")],
    file: FileOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, also on errors.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="The events of the run as lines of JSON on stdout.")] = False,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Time limit of the question.")] = 300,
    max_cost: MaxCost = None,
    tier: TierOption = None,
    strong: Strong = False,
    hold_out: HoldOut = None,
    no_judge: NoJudge = False,
    no_replay: NoReplay = False,
    private: Private = False,
    cell_seconds: CellSeconds = None,
    flavour: FlavourOption = None,
    network: NetworkOption = None,
    files_dir: FilesDir = None,
    unsafe_local: UnsafeLocal = False,
    verbose: Verbose = False,
    config: ConfigOption = None,
) -> None:
    """Answer one question. The answer goes to stdout, progress to stderr; piped input becomes a file for the code.

    Exit codes: 0 solved, 1 not solved, 2 usage, 3 environment, 4 budget, 5 answered but unverified, 124 time limit,
    130 interrupted, 143 terminated.
    """
    from ecoassist.play import Stop

    stop = Stop(timeout)
    out = _Out(json, jsonl, verbose, header(unsafe_local=unsafe_local, private=private))
    error: EcoassistError | None = None
    try:
        if json and jsonl:
            raise UsageFault("--json and --jsonl exclude each other", "name one of them")
        checked_network(network, unsafe_local=unsafe_local)
        checked_tier(tier, strong, hold_out)
        sandbox = {"cell_seconds": cell_seconds, "flavour": flavour, "files": files_dir}
        judge, replay = not no_judge, not no_replay
        settings = load_config(config, max_cost, network, hold_out, judge=judge, replay=replay, **sandbox)
        out.network = "" if unsafe_local else settings.network.policy
        wanted = {"tier": tier, "strong": strong, "private": private, "keep_files": files_dir is not None}
        _answer(out, stop, settings, _checked(query), file or [], unsafe_local=unsafe_local, **wanted)
    except EcoassistError as caught:
        error = caught
        report(error)
        out.finish(None, error, stop)
    except KeyboardInterrupt:
        stop.request()
        out.finish(None, None, stop)
    except SystemExit:  # SIGTERM before or after the run
        stop.request("terminated")
        out.finish(None, None, stop)
        raise
    except Exception as bug:
        out.finish(None, bug, stop)
        raise
    from ecoassist.render.result import exit_code

    raise typer.Exit(exit_code(out.outcome, error, stop.why))


def _checked(query: str) -> str:
    """Raises UsageFault for what cannot be sent to a model."""
    if not query.strip():
        raise UsageFault("the question is empty", 'ask something: ecoassist ask "..."')
    if not unicode(query):
        raise UsageFault("the question is not Unicode text", "write it in UTF-8, or set LANG to how it is written")
    return query


class _Out:
    """Where events and the result go, by the form that was asked for."""

    def __init__(self, json: bool, jsonl: bool, verbose: bool, header: str) -> None:
        self.json, self.jsonl, self.verbose, self.header = json, jsonl, verbose, header
        self.began = time.monotonic()
        self.network = ""
        """The policy that is in force, once it is known."""
        self.outcome: Outcome | None = None
        self.spending: Spending | None = None
        self.run = ""
        self.finished = False

    @cached_property
    def progress(self) -> ConsoleSink:
        """Made on first use: by then the kernel already boots."""
        from ecoassist.render.console import ConsoleSink, stderr_console

        answer = None if self.json or self.jsonl else sys.stdout
        return ConsoleSink(
            stderr_console(sys.stderr), answer, verbose=self.verbose, header=self.header, network=self.network
        )

    @property
    def sinks(self) -> list[Sink]:
        if not self.jsonl:
            return [self.progress]
        from ecoassist.render.jsonl import JsonlSink

        return [self.progress, JsonlSink(sys.stdout)]

    def finish(self, outcome: Outcome | None, error: Exception | None, stop: Stop) -> None:
        """Writes and flushes the JSON object, where one was asked for; a stream of events that broke off ends with it.

        Only the first time: what follows is no result.

        An interruption may still come while the kernel is closed.
        """
        if self.finished:
            return
        self.outcome, self.finished = outcome, True
        if self.json or (self.jsonl and outcome is None):
            from ecoassist.render.plain import tolerant
            from ecoassist.render.result import dumps, result

            seconds = time.monotonic() - self.began
            stdout = tolerant(sys.stdout, "utf-8")
            record = result(outcome, error, ended=stop.why, spending=self.spending, seconds=seconds, run=self.run)
            stdout.write(dumps(redacted_values(record)) + "\n")
            stdout.flush()


def _answer(out: _Out, stop: Stop, config: Config, query: str, files: list[Path], **wanted: Any) -> None:
    """`wanted`: as for open_session."""
    from ecoassist.play import nobody, play
    from ecoassist.wiring import open_session

    from .files import attachments

    attached = attachments(files, stdin_bytes(), _Patience(stop))
    if stop.requested:
        out.finish(None, None, stop)
        return
    there = is_there()
    with open_session(config, asks=there, files=attached, clock=stop.clock, **wanted) as session:
        imported()
        try:
            outcome = play(session.ask(query), out.sinks, at_terminal(attached) if there else nobody, stop)
        finally:
            out.spending, out.run = session.total(), session.run
            out.progress.close()
        out.finish(outcome, None, stop)
        if outcome.stored is not None:
            _try_out(session, out)


class _Patience:
    """With a pipe that says nothing, until the time limit: whoever left it open by mistake must learn of it."""

    def __init__(self, stop: Stop) -> None:
        self.stop, self.said = stop, False

    def __call__(self, seconds: float) -> bool:
        if seconds > SILENCE and not self.said:
            self.said = True
            typer.echo("waiting for the end of standard input (</dev/null: there is none)", err=True)
        return not self.stop.requested


def _try_out(session: Session, out: _Out) -> None:
    """Re-runs what was stored, now that the answer is out. Ctrl-C skips it, and the exit code stays."""
    from ecoassist.play import Stop, play

    stop = Stop(RERUN_SECONDS)
    try:
        for entry in session.pending():
            if not stop.requested:
                play(session.rerun(entry), [out.progress], stop=stop)
    except EcoassistError as error:
        report(error)
    except KeyboardInterrupt:
        pass
    finally:
        out.progress.close()
