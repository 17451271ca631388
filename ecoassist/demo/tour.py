"""`ecoassist demo`: five questions in about a minute, without a key and without the internet.

Only the models' replies are scripted and only the web APIs are emulated. Each question runs through the same session,
gate, sandbox, verdict and memory as with `ecoassist ask`, and is shown by the same sink.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from ecoassist.errors import NoSandbox
from ecoassist.events import CellFinished, Event, R, Stream, Tick
from ecoassist.play import Stop, Why, play
from ecoassist.ports import Sink
from ecoassist.render.console import ConsoleSink
from ecoassist.render.result import exit_code
from ecoassist.render.status import StatusLine
from ecoassist.render.words import OUTSIDE
from ecoassist.sandboxes import Sandboxes
from ecoassist.types import Outcome
from ecoassist.wiring import open_session

from .bill import METHOD, Line, summary, table
from .scenes import INTRODUCTION, NEXT, Scene, scenes
from .stage import Stage, stage

READING = 3.0
"""Seconds to read what a scene is about, and again what came of it, at pace 1."""


def run(console: Console, out: TextIO, *, environ: Mapping[str, str], pace: float = 1.0) -> int:
    """Gives the tour: progress on `console`, answers on `out`. Returns the exit code: 0 if all went as it should.

    `environ`: where the container engine is looked for. `pace`: 1 is for people; 0 leaves them no time to read and
    lets the models write at once. Raises NoSandbox where there is no sandbox and no local kernel either.
    """
    try:
        with stage(environ, pace) as built:
            tour = Tour(built, console, out, pace)
            tour.introduce()
            missing = tour.missing()
            if missing is None:
                return tour.give()
            tour.warn(missing)
        with stage(environ, pace, local=True) as built:
            return Tour(built, console, out, pace, local=True).give()
    except _Left as left:
        return exit_code(ended=left.why)
    except KeyboardInterrupt:
        return exit_code(ended="interrupt")


class _Left(Exception):
    """The person wants to go."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class Tour:
    """What is asked on a stage, and what is said between the questions."""

    def __init__(self, built: Stage, console: Console, out: TextIO, pace: float, *, local: bool = False) -> None:
        self.stage, self.console, self.pace, self.local = built, console, pace, local
        self.sink = ConsoleSink(console, out, header=f"UNSAFE: a local kernel {OUTSIDE}" if local else "")
        self.heard = Heard()

    def introduce(self) -> None:
        self._say("\necoassist demo: about a minute, no key, no internet\n", "bold")
        self._say(f"{INTRODUCTION}\n")

    def missing(self) -> NoSandbox | None:
        """Starts a sandbox, which may have to be built first. Returns why there can be none."""
        self.sink.status.begin("starting a sandbox")
        try:
            with open_session(self.stage.config) as session:
                self._play(session.desk.merge(session.kernel.run("1"), session.kernel.check))
        except NoSandbox as error:
            return error
        return None

    def warn(self, missing: NoSandbox) -> None:
        """Says that the tour goes on without a sandbox. Raises NoSandbox where that is not possible either."""
        try:
            Sandboxes(self.stage.config, self._say, (), unsafe_local=True).prepare()
        except NoSandbox as error:
            raise NoSandbox(f"{missing}; and {error}", f"{missing.remedy}\n{error.remedy}") from missing
        text = Text(f"{missing}\n{missing.remedy}".strip())
        text.append("\n\nThe tour goes on with its own bundled programs in a local kernel. A local\n")
        text.append(f"kernel {OUTSIDE}.\n")
        text.append("Your own questions never run that way unless you ask for it: --unsafe-local.")
        self.console.print(Panel(text, title="NO SANDBOX", style="bold red", box=box.HEAVY))
        time.sleep(self.pace * READING)

    def give(self) -> int:
        """Plays the scenes and presents the bill. Returns the exit code."""
        asked: dict[Scene, Outcome] = {}
        program = scenes(datetime.date.today())
        for number, scene in enumerate(program, 1):
            self._head(f"{number} of {len(program)}: {scene.title}")
            if scene.confined and self.local:
                self._say(scene.confined, "bold yellow")
                continue
            self._say(f"{scene.about}\n", "italic")
            time.sleep(self.pace * READING)
            self._say(scene.command, "bold cyan")
            asked[scene] = self._ask(scene)
            time.sleep(self.pace * READING)
        kept = self.local or self.keys_kept()
        self._head("What it cost")
        alone = self._alone(asked)
        lines = [Line(scene.short, outcome, alone[scene]) for scene, outcome in asked.items()]
        self.console.print(table(lines))
        self._say(f"{summary(lines)}\n", "bold")
        self._say(f"{METHOD}\n", "dim")
        self._say(NEXT)
        return 0 if kept and all(outcome.status == "solved" for outcome in asked.values()) else 1

    def _ask(self, scene: Scene) -> Outcome:
        with open_session(self.stage.config, unsafe_local=self.local, files=scene.files) as session:
            outcome = self._play(session.ask(scene.question))
            for entry in session.pending():
                self._play(session.rerun(entry))
        return outcome

    def keys_kept(self) -> bool:
        """Looks for the real keys in all that the code and the models got, and says what it found."""
        with self.stage.endpoint.lock:
            log = list(self.stage.endpoint.log)
        seen = [*self.heard.texts, *(message.text for one in log for message in one.request.messages)]
        size = sum(len(text.encode()) for text in seen)
        found = [name for name, key in self.stage.keys.items() if any(key in text for text in seen)]
        if found:
            self._say(f"\nThe real {', '.join(found)} was seen by code or models. This is a bug.", "bold red")
            return False
        used = self.stage.accepted("ALPHAVANTAGE_KEY")
        self._say(f"\nThe service received the real key {used} times. In {size:,} bytes that the code printed", "bold")
        self._say("and the models read, no real key appears: they saw a placeholder.", "bold")
        return True

    def _alone(self, program: Iterable[Scene]) -> dict[Scene, Outcome]:
        """The same questions to the strong model alone."""
        status = StatusLine(self.console, time.monotonic, self.sink.live)
        outcomes = {}
        for scene in program:
            status.begin(f"asking the strong model alone: {scene.short}")
            with open_session(self.stage.alone, unsafe_local=self.local, files=scene.files) as session:
                outcomes[scene] = self._play(session.ask(scene.question), [Waiting(status)])
            status.erase()
        return outcomes

    def _play(self, events: Stream[R], sinks: Sequence[Sink] = ()) -> R:
        stop = Stop()
        try:
            result = play(events, sinks or [self.sink, self.heard], stop=stop)
        except KeyboardInterrupt:
            raise _Left(stop.why or "interrupt") from None
        finally:
            self.sink.close()
        if stop.why:
            raise _Left(stop.why)
        return result

    def _head(self, title: str) -> None:
        self.console.print()
        self.console.print(Rule(Text(title, "bold"), align="left", style="cyan"))

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style))


class Heard:
    """A sink that keeps what code printed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def handle(self, event: Event) -> None:
        if isinstance(event, CellFinished):
            result = event.result
            self.texts += [result.text, result.value, result.error.traceback if result.error else ""]


class Waiting:
    """A sink that shows nothing but that something is under way."""

    def __init__(self, status: StatusLine) -> None:
        self.status = status

    def handle(self, event: Event) -> None:
        if isinstance(event, Tick):
            self.status.draw()
