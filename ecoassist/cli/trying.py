"""What `solutions verify` and `solutions import` share: programs run, a bar moves, and a line is said of each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from ecoassist.errors import UsageFault

from . import team
from .numbers import numbered

if TYPE_CHECKING:
    from ecoassist.borders import CleanStore
    from ecoassist.config import Config
    from ecoassist.entries import Entry
    from ecoassist.redactor import Redactor
    from ecoassist.types import Attachment
    from ecoassist.verifying import Prove, Tried

JOBS = 4
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=1, max=16, metavar="N", help="How many sandboxes run side by side.")
]
LONGEST_WHY, LONGEST_QUERY = 200, 100
"""Characters of a line."""


@contextmanager
def memory(config: Config) -> Iterator[tuple[CleanStore, Redactor]]:
    """The store that no key goes into nor comes out of, and what keeps keys out of all else that is said."""
    from ecoassist.borders import CleanStore, redactor_of

    redactor = redactor_of(config)
    with closing(team.memory(config)) as store:
        yield CleanStore(store, redactor), redactor


class Trial:
    """Stored programs in the sandboxes of one command."""

    def __init__(self, config: Config, files: Sequence[Attachment] = ()) -> None:
        """Raises UsageFault for an API whose host, place or key is unfit."""
        from ecoassist.sandboxes import Sandboxes

        self._tell: Callable[[str], None] = lambda text: typer.echo(text, err=True)
        self.boxes = Sandboxes(config, self._notice, tuple(files))
        self._prepared = False
        self.interrupted = False
        self.counts = Counter[str]()
        """Of what was said of entries."""

    def prepare(self) -> None:
        """Finds out whether there can be a sandbox, and makes its image. Raises EnvironmentFault."""
        from .sandbox import say, telling

        if not self._prepared:
            with telling() as self._tell:
                self.boxes.prepare()
            self._tell, self._prepared = say, True

    def run(self, entries: Sequence[Entry], prove: Prove, each: Callable[[Tried], str], jobs: int = JOBS) -> None:
        """`each` deals with what came of an entry, and returns its line for stdout. Raises EnvironmentFault."""
        from ecoassist.play import Stop
        from ecoassist.verifying import tried

        if not entries:
            return
        self.prepare()
        stop = Stop()
        with _bar(len(entries)) as step, closing(tried(entries, prove, stop, jobs)) as results:
            for result in results:
                said = each(result)
                with step():
                    typer.echo(said)
        self.interrupted = stop.requested

    def line(self, entry: Entry, state: str, why: str = "") -> str:
        """What is said of one entry."""
        self.counts[state] += 1
        return _line(entry, state, self.boxes.unmarked(why))

    def end(self, total: int) -> None:
        """What came of `total` entries, on stderr. Raises typer.Exit where the person stopped it."""
        left = total - self.counts.total()
        said = [f"{number} {name}" for name, number in self.counts.items()] + ([f"{left} left"] if left else [])
        typer.echo(", ".join(said), err=True)
        if self.interrupted:
            raise typer.Exit(130)

    def _notice(self, text: str) -> None:
        self._tell(text)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A bar on a terminal's stderr; elsewhere nothing. It is out of the way of what happens within a step."""
    if not sys.stderr.isatty():
        yield nullcontext
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ecoassist.render.console import stderr_console

    columns = TextColumn("trying out"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=stderr_console(sys.stderr), transient=True, redirect_stdout=False)
    task = bar.add_task("", total=total)

    @contextmanager
    def step() -> Iterator[None]:
        bar.stop()
        try:
            yield
        finally:
            bar.start()
            bar.advance(task)

    with bar:
        yield step


def _line(entry: Entry, state: str, why: str) -> str:
    from ecoassist.render.plain import one_line

    from .common import redacted

    said = one_line(redacted(why))
    reason = f": {said[:LONGEST_WHY]}" if said else ""
    return f"{numbered(entry.id):<5} {state:<11} {one_line(redacted(entry.solution.query))[:LONGEST_QUERY]}{reason}"


def chosen(store: CleanStore, ids: Sequence[int]) -> list[Entry]:
    """Those with the numbers `ids`. Raises UsageFault for one that is not there."""
    found = []
    for id in dict.fromkeys(ids):
        entry = store.get(id)
        if entry is None:
            raise UsageFault(f"there is no solution {numbered(id)}", "see: ecoassist solutions list")
        found.append(entry)
    return found
