"""What happens between two prompts of a chat: a question is answered, or a command is obeyed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ecoassist.errors import EcoassistError, EnvironmentFault, UsageFault
from ecoassist.play import Stop, nobody, play
from ecoassist.render.result import exit_code
from ecoassist.steering import Steering

from .commands import Commands
from .common import TERMINATED, unicode

if TYPE_CHECKING:
    from ecoassist.entries import Entry
    from ecoassist.ports import Person
    from ecoassist.render.console import ConsoleSink
    from ecoassist.session import Session

LEAVE = ("/quit", "/exit", "/q")
USAGE = 2
WORST = (0, 5, 1, 4, 3, 2, 130)
"""Exit codes, from that of the best answer to that of what a script must least overlook."""


class Conversation:
    """One chat over a session."""

    def __init__(
        self,
        session: Session,
        sink: ConsoleSink,
        say: Callable[[str], None],
        person: Person = nobody,
        header: Callable[[bool], str] = lambda private: "",
        story: Callable[[str], str] = lambda run: "",
    ) -> None:
        """`header`: what is said before a question, by whether it is private; `story`: as for Commands."""
        self.session, self.sink, self.say, self.person, self.header = session, sink, say, person, header
        self.steering = session.steering or Steering(session.engine.tiers)
        self.commands = Commands(session, self.steering, self._remember, story)
        self.worst = 0
        """The exit code of the worst answer so far."""
        self._reruns: list[tuple[threading.Thread, Stop]] = []
        if session.private:
            return
        try:
            self.try_out(session.pending())
        except EnvironmentFault as error:  # without its memory the conversation is still of use
            self.say(f"no memory: {error}; {error.remedy}")

    def take(self, line: str) -> bool:
        """Answers a question or obeys a command. False: the person wants to leave."""
        line = line.strip()
        if line.lower() in LEAVE:
            return False
        if line and not unicode(line):
            self._count(USAGE)
            self.say("that is not Unicode text")
        elif line.startswith("/"):
            self._obey(line)
        elif line:
            self._ask(line)
        return True

    def failed(self, error: EcoassistError) -> None:
        """A question had no outcome."""
        self._count(exit_code(error=error))

    def leave(self) -> None:
        """Stops re-runs that are still under way; they are taken up at the next start."""
        for _, stop in self._reruns:
            stop.request()
        for thread, _ in self._reruns:
            thread.join(5)

    def try_out(self, entries: Sequence[Entry]) -> None:
        """Re-runs candidates in the background, one after another."""
        if not entries:
            return
        stop = Stop()
        thread = threading.Thread(target=self._rerun, args=(entries, stop), daemon=True, name="re-run")
        self._reruns = [(t, s) for t, s in self._reruns if t.is_alive()] + [(thread, stop)]
        thread.start()

    def _ask(self, query: str) -> None:
        stop, begins = Stop(clock=self.session.clock), self.steering.first
        self.sink.header = self.header(self.session.private)
        try:
            outcome = play(self.session.ask(query), [self.sink], self.person, stop)
        finally:
            self.sink.close()
        if stop.why == "terminated":
            raise SystemExit(TERMINATED)
        self._count(exit_code(outcome, ended=stop.why))
        if self.steering.first != begins:
            self.say(f"the next questions begin at {self.steering.name}, which solved this one; /down begins lower")
        if outcome.stored is not None:
            self._remember(outcome.stored)

    def _count(self, code: int) -> None:
        self.worst = max(self.worst, code, key=WORST.index)

    def _remember(self, stored: int) -> None:
        self.try_out([entry for entry in self.session.pending() if entry.id == stored])

    def _rerun(self, entries: Sequence[Entry], stop: Stop) -> None:
        for entry in entries:
            if stop.requested:
                return
            try:
                green = play(self.session.rerun(entry), stop=stop)
            except EcoassistError as error:
                self.session.desk.notice(f"solution #{entry.id} could not be tried out: {error}")
                return
            if green is not None:
                said = "worked alone and will be used" if green else "did not work alone and was dropped"
                self.session.desk.notice(f"solution #{entry.id} {said}")

    def _obey(self, line: str) -> None:
        try:
            self.say(self.commands.obey(line))
        except UsageFault as error:
            self._count(USAGE)
            self.say(f"{error}; {error.remedy}")
