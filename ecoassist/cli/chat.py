"""`ecoassist chat`: a conversation over one kernel."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from . import why
from .common import (
    TERMINATED,
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
    redacted,
    reporting,
)
from .person import at_terminal, is_there

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History

    from ecoassist.config import Config
    from ecoassist.session import Session

    from .conversation import Conversation


def chat(
    file: FileOption = None,
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
    """Hold a conversation. Variables and files stay in the kernel from question to question; /help lists the commands.

    After an answer, Enter accepts it, n rejects it, e asks a stronger model. A host that is not on the list may be
    opened once, for this session or always. Ctrl-C stops the running cell or reply
    and keeps the conversation.

    Exit code 0 at a terminal. Where lines are piped in, that of the worst answer: from good to bad 0 solved,
    5 unverified, 1 not solved, 4 budget, 3 environment, 2 a line that is no command, 130 interrupted.
    """
    with reporting():
        checked_network(network, unsafe_local=unsafe_local)
        checked_tier(tier, strong, hold_out)
        sandbox = {"cell_seconds": cell_seconds, "flavour": flavour, "files": files_dir}
        judge, replay = not no_judge, not no_replay
        settings = load_config(config, max_cost, network, hold_out, judge=judge, replay=replay, **sandbox)
        wanted = {"tier": tier, "strong": strong, "private": private, "keep_files": files_dir is not None}
        code = _converse(settings, file or [], verbose=verbose, unsafe_local=unsafe_local, **wanted)
    raise typer.Exit(code)


def _converse(config: Config, files: list[Path], *, verbose: bool, unsafe_local: bool, **wanted: Any) -> int:
    """`wanted`: as for open_session. Returns the exit code."""
    from ecoassist.play import nobody
    from ecoassist.render.console import ConsoleSink, stderr_console
    from ecoassist.wiring import open_session

    from .conversation import Conversation
    from .files import attachments

    person, attached = is_there(), attachments(files, None)
    console = stderr_console(sys.stderr)
    network = "" if unsafe_local else config.network.policy
    sink = ConsoleSink(console, sys.stdout, verbose=verbose, network=network)
    wanted |= {"unsafe_local": unsafe_local, "files": attached}
    with open_session(config, chat=True, person=person, asks=person, **wanted) as session:
        imported()
        if person:
            console.print(_first_line(session))
        conversation = Conversation(
            session,
            sink,
            lambda text: console.print(redacted(text), soft_wrap=True),
            at_terminal(attached) if person else nobody,
            lambda private: header(unsafe_local=unsafe_local, private=private),
            lambda run: "\n".join(why.lines(config, run)),
        )
        try:
            _loop(conversation, _typed(config, session) if person else _piped())
        finally:
            conversation.leave()
    return 0 if person else conversation.worst


def _first_line(session: Session) -> str:
    steering = session.steering
    alone = steering is not None and steering.only
    tiers = f"{steering.name} alone" if steering and alone else ", ".join(tier.name for tier in session.engine.tiers)
    network = [f"network: {session.network}"] if session.network else []
    private = ["private: nothing is kept"] if session.private else []
    return " - ".join([tiers, *network, *private, "/help lists the commands"])


def _loop(conversation: Conversation, lines: Iterator[str]) -> None:
    from ecoassist.errors import EcoassistError, NoSandbox

    from .common import report

    for line in lines:
        try:
            if not conversation.take(line):
                return
        except NoSandbox:
            raise
        except EcoassistError as error:  # the next question may find the endpoint, or the memory, well again
            conversation.failed(error)
            report(error)


def _piped() -> Iterator[str]:
    from ecoassist.render.plain import tolerant

    return iter(tolerant(sys.stdin))


def _typed(config: Config, session: Session) -> Iterator[str]:
    """Lines from the prompt, with history and multi-line editing. Ctrl-C clears the line, Ctrl-D ends."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import create_output

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    prompt: PromptSession[str] = PromptSession(
        history=_history(config.data / "history", lambda: config.runs.keep and not session.private),
        multiline=True,
        enable_suspend=True,  # Ctrl-Z at the prompt; the kernel waits for fg
        key_bindings=keys,
        output=create_output(sys.stderr),
        prompt_continuation="… ",
    )
    while True:
        try:
            yield _line(prompt, "private> " if session.private else "> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def _line(prompt: PromptSession[str], sign: str) -> str:
    """One line. SIGTERM leaves through the prompt: an exception in a callback of its event loop would be lost."""
    import asyncio

    before = signal.getsignal(signal.SIGTERM)

    def leave() -> None:
        if not prompt.app.is_done:
            prompt.app.exit(exception=SystemExit(TERMINATED))

    def listen() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)

    try:
        return prompt.prompt(sign, pre_run=listen)
    finally:
        signal.signal(signal.SIGTERM, before)  # the loop leaves the default behind


def _history(file: Path, kept: Callable[[], bool]) -> History:
    """Earlier questions, in a file that only its owner may read; in memory where there can be no such file.

    `kept`: whether what is typed now may be written there.
    """
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class CleanHistory(FileHistory):
        """Without the keys that were typed."""

        def store_string(self, string: str) -> None:
            if kept():
                super().store_string(redacted(string))

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError:
        return InMemoryHistory()
    return CleanHistory(str(file))
