"""What happens between two prompts of a chat: a question is answered, or a command is obeyed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ecoassist.errors import EcoassistError, EnvironmentFault
from ecoassist.play import Stop, nobody, play

from .common import TERMINATED, unicode

if TYPE_CHECKING:
    from ecoassist.ports import Person
    from ecoassist.render.console import ConsoleSink
    from ecoassist.session import Session
    from ecoassist.types import Entry

HELP = """\
/help    this list
/cost    what the conversation has cost so far
/good    the last answer was right: remember how it was found
/bad     the last answer was wrong: do not use it again
/reset   forget the conversation and the kernel's variables
/quit    leave; so does Ctrl-D

Enter sends, Alt-Enter (or Esc, then Enter) starts a new line, Ctrl-R searches earlier questions.
Ctrl-C stops the running cell or reply and keeps the conversation; a second one leaves."""


class Conversation:
    """One chat over a session."""

    def __init__(
        self, session: Session, sink: ConsoleSink, say: Callable[[str], None], person: Person = nobody
    ) -> None:
        self.session, self.sink, self.say, self.person = session, sink, say, person
        self._reruns: list[tuple[threading.Thread, Stop]] = []
        try:
            self.try_out(session.pending())
        except EnvironmentFault as error:  # without its memory the conversation is still of use
            self.say(f"no memory: {error}; {error.remedy}")

    def take(self, line: str) -> bool:
        """Answers a question or obeys a command. False: the person wants to leave."""
        line = line.strip()
        if line.startswith("/"):
            return self._obey(line)
        if line and not unicode(line):
            self.say("that is not Unicode text")
        elif line:
            self._ask(line)
        return True

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
        stop = Stop(clock=self.session.clock)
        try:
            outcome = play(self.session.ask(query), [self.sink], self.person, stop)
        finally:
            self.sink.close()
        if stop.why == "terminated":
            raise SystemExit(TERMINATED)
        if outcome.stored is not None:
            self.try_out([entry for entry in self.session.pending() if entry.id == outcome.stored])

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

    def _obey(self, line: str) -> bool:
        command = line.split()[0].lower()
        match command:
            case "/quit" | "/exit" | "/q":
                return False
            case "/help" | "/?":
                self.say(HELP)
            case "/cost":
                self.say(self._cost())
            case "/good":
                self.say(self._good())
            case "/bad":
                self.say(self._bad())
            case "/reset":
                self.session.reset()
                self.say("forgotten: the conversation and the kernel's variables")
            case _:
                self.say(f"there is no {command}; /help lists the commands")
        return True

    def _cost(self) -> str:
        from ecoassist.render.words import spent

        return ", ".join(spent(self.session.total()))

    def _good(self) -> str:
        stored = self.session.approve()
        if stored is None:
            return "nothing to remember: no answer that code found, or it is remembered already"
        self.try_out([entry for entry in self.session.pending() if entry.id == stored])
        return f"stored as solution #{stored}, to be used once a re-run confirms it"

    def _bad(self) -> str:
        return "noted: it will not be used again" if self.session.reject() else "there is no answer to take back"
