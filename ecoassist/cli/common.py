"""What the commands share: options, the way errors are shown, the person at the terminal."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TypeVar

import typer

from ecoassist.errors import EcoassistError, UsageFault
from ecoassist.kernel.settings import Flavour

if TYPE_CHECKING:
    from ecoassist.config import Config
    from ecoassist.redactor import Redactor

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration file. [env: ECOASSIST_CONFIG]")
]
FileOption = Annotated[
    list[Path] | None, typer.Option("--file", "-f", metavar="PATH", help="A file the code can read. Repeatable.")
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", min=0, metavar="DOLLARS", help="Most that one question may cost.")
]
CellSeconds = Annotated[
    float | None, typer.Option("--cell-seconds", metavar="SECONDS", help="Time limit of each cell. [default: 60]")
]
FlavourOption = Annotated[
    Flavour | None, typer.Option("--flavour", help="What is installed in the sandbox. [default: core]")
]
FilesDir = Annotated[
    Path | None,
    typer.Option("--files-dir", metavar="DIR", help="Where files of a run are kept. [default: ecoassist-files]"),
]
UnsafeLocal = Annotated[
    bool,
    typer.Option(
        "--unsafe-local", help="Run code on this machine, outside any sandbox. It can read your files and keys."
    ),
]
Reach = Literal["none", "allowlist", "open"]
"""As in ecoassist.types, which would double the time of --help."""
NetworkOption = Annotated[
    Reach | None, typer.Option("--network", help="What code may reach. [default: that of the configuration, allowlist]")
]
TierOption = Annotated[str | None, typer.Option("--tier", metavar="NAME", help="The tier that answers, and no other.")]
Strong = Annotated[bool, typer.Option("--strong", help="The last tier answers, and no other.")]
HoldOut = Annotated[
    float | None,
    typer.Option(
        "--hold-out",
        min=0,
        max=1,
        metavar="SHARE",
        help="The share of questions, drawn at random, that the last tier answers alone, to measure what is saved.",
    ),
]
NoJudge = Annotated[
    bool,
    typer.Option(
        "--no-judge",
        help="Ask neither a model nor you whether an answer is right: what checks and agreement leave is unverified.",
    ),
]
Private = Annotated[
    bool,
    typer.Option(
        "--private",
        help="Keep nothing: no run, no solution, no history; files only under --files-dir. Costs are counted.",
    ),
]
NoReplay = Annotated[
    bool,
    typer.Option("--no-replay", help="Ask a model, even where a stored program could answer without one."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all code, output and checks.")]

PRIVATE = "private: nothing is kept of this question"
TERMINATED = 143
"""128 + SIGTERM, as a shell counts it."""


class _Loaded:
    """The configuration that was loaded last; before that, no key is known."""

    config: Config | None = None
    held: Sequence[tuple[str, str]] = ()
    redactor: Redactor | None = None


def redacted(text: str) -> str:
    """`text` without the keys that this process holds by now, for whatever is not an event."""
    redactor = _redactor()
    return redactor.text(text) if redactor else text


def redacted_values(record: T) -> T:
    """The same for the texts in an object, or in a dataclass."""
    redactor = _redactor()
    return redactor.value(record) if redactor else record


def _redactor() -> Redactor | None:
    """Asks for no key: what was not read cannot be told, and an error must not wait for a keyring."""
    if not _Loaded.config:
        return None
    from ecoassist.borders import held

    now = held(_Loaded.config)
    if now != _Loaded.held:
        from ecoassist.redactor import Redactor

        _Loaded.held, _Loaded.redactor = now, Redactor(now)
    return _Loaded.redactor


@contextmanager
def reporting() -> Iterator[None]:
    """An expected error becomes one line, its remedy and its exit code."""
    try:
        yield
    except EcoassistError as error:
        from ecoassist.render.result import exit_code

        report(error)
        raise typer.Exit(exit_code(error=error)) from error
    except KeyboardInterrupt:
        typer.echo("", err=True)
        raise typer.Exit(130) from None


def report(error: EcoassistError) -> None:
    from ecoassist.render.plain import plain

    typer.echo(f"ecoassist: {plain(redacted(str(error)))}", err=True)
    if error.remedy:
        typer.echo("\n".join(f"  {line}" for line in plain(redacted(error.remedy)).splitlines()), err=True)


def header(*, unsafe_local: bool, private: bool = False) -> str:
    """What is said before every question; empty where all is as usual."""
    said = [PRIVATE] if private else []
    if unsafe_local:
        from ecoassist.render.words import OUTSIDE

        said.insert(0, f"UNSAFE: code {OUTSIDE}")
    return " - ".join(said)


def imported() -> None:
    """All that is heavy is imported: it stays, so the garbage collector need not look at it again."""
    gc.freeze()
    gc.enable()


def load_config(
    path: Path | None,
    max_cost: float | None = None,
    network: str | None = None,
    hold_out: float | None = None,
    *,
    judge: bool = True,
    replay: bool = True,
    **sandbox: object,
) -> Config:
    """As ecoassist.config.load; `sandbox`: settings of that section. None where an option is not given.

    Raises UsageFault.
    """
    from ecoassist.config import load

    _Loaded.config = load(
        path,
        max_cost=max_cost,
        network=network,
        hold_out=hold_out,
        judge=judge,
        replay=replay,
        sandbox=sandbox,
    )
    _guard_log()
    return _Loaded.config


def _guard_log() -> None:
    """What libraries log and nobody handles goes to stderr: without keys."""
    import logging

    class Redacting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            try:
                text = super().format(record)
            except Exception:  # noqa: BLE001 - logging would show what does not fit together as it is
                text = f"{record.msg} {record.args}"
            return redacted(text)

    if logging.lastResort:
        logging.lastResort.setFormatter(Redacting())


def checked_network(network: str | None, *, unsafe_local: bool) -> None:
    """Raises UsageFault for a policy that nothing would enforce."""
    if network and unsafe_local:
        raise UsageFault("outside a sandbox nothing enforces --network", "leave out --unsafe-local or --network")


def checked_tier(tier: str | None, strong: bool, hold_out: float | None) -> None:
    """Raises UsageFault for options that contradict each other."""
    if tier is not None and strong:
        raise UsageFault("--tier and --strong exclude each other", "name one of them")
    if hold_out is not None and (tier is not None or strong):
        raise UsageFault("where the tier is chosen nothing is held out", "leave out --hold-out, --tier or --strong")


def unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: bytes of an argument that are none become surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def stdin_bytes() -> BinaryIO | None:
    """None where the process was started without one."""
    return sys.stdin.buffer if sys.stdin else None
