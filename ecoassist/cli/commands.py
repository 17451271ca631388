"""What a line of a chat that begins with "/" does, and what is said of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ecoassist.errors import UsageFault

if TYPE_CHECKING:
    from ecoassist.session import Session
    from ecoassist.steering import Steering

HELP = """\
/help         this list
/cost         what the conversation has cost so far, and the part of it that judging took
/why [RUN]    how the last answer came about, or that of an earlier run
/good         the last answer was right: remember how it was found
/bad          the last answer was wrong: do not use it again
/up           begin the next questions one tier higher
/down         begin them one tier lower
/tier [NAME]  let that tier alone answer from now on; auto: all of them; without a name: which there are
/strong       let the last tier alone answer from now on
/private      keep nothing of the questions from now on; once more: keep them again
/reset        forget the conversation and the kernel's variables
/quit         leave; so does Ctrl-D

Enter sends, Alt-Enter (or Esc, then Enter) starts a new line, Ctrl-R searches earlier questions.
Ctrl-C stops the running cell or reply and keeps the conversation; a second one leaves."""
AUTO = "auto"
"""In place of a tier's name: all of them, from the first."""
UNKEPT = "nothing is kept of a private question"
PRIVATE = """\
private: no run, no solution and no history is kept of what you ask from now on, and files that code makes only with
--files-dir. Costs are counted. Models and APIs are asked as before, and what was remembered earlier is used."""


class Commands:
    """Over a session. `remember`: tries out what was stored by that number; `story`: what is known of a run, by its id.

    `story` raises UsageFault where there is no such run.
    """

    def __init__(
        self, session: Session, steering: Steering, remember: Callable[[int], None], story: Callable[[str], str]
    ) -> None:
        self.session, self.steering, self.remember, self.story = session, steering, remember, story
        self._by_name: dict[str, Callable[[str], str]] = {
            "/help": lambda _: HELP,
            "/cost": self._cost,
            "/why": self._why,
            "/good": self._good,
            "/bad": self._bad,
            "/up": self._up,
            "/down": self._down,
            "/tier": self._tier,
            "/strong": lambda _: self._tier(self.steering.names[-1]),
            "/private": self._private,
            "/reset": self._reset,
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def obey(self, line: str) -> str:
        """What to say. Raises UsageFault for what is no command, or an argument that it cannot have."""
        name, _, argument = line.partition(" ")
        name, argument = name.lower(), argument.strip()
        if name == "/?":
            return HELP
        if name not in self._by_name:
            near = difflib.get_close_matches(name, [*self.names, "/quit"], n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UsageFault(f"there is no {name}", f"{meant}/help lists the commands")
        return self._by_name[name](argument)

    # ── what was answered ───────────────────────────────────────────────────────────────────────────────────────────

    def _cost(self, _: str) -> str:
        from ecoassist.render.words import judging, spent

        return ", ".join([*spent(self.session.total()), *judging(self.session.judging())])

    def _why(self, run: str) -> str:
        if not run and self._unkept:
            return f"{UNKEPT}: there is nothing to tell"
        if not run and self.session.run and not self.session.keeps:
            return "runs.keep = false: nothing is kept of any question"
        return self.story(run or self.session.run)

    def _good(self, _: str) -> str:
        if self._unkept:
            return f"{UNKEPT}: there is nothing to remember"
        stored = self.session.approve()
        if stored is None:
            return "nothing to remember: no answer that code found, or it is remembered already"
        self.remember(stored)
        return f"stored as solution #{stored}, to be used once a re-run confirms it"

    def _bad(self, _: str) -> str:
        if self._unkept:
            return f"{UNKEPT}: there is nothing to take back"
        if not self.session.reject():
            return "there is no answer to take back"
        higher = "; /up begins the next question a tier higher" if self._higher else ""
        return f"noted: it will not be used again{higher}"

    @property
    def _unkept(self) -> bool:
        return self.session.private and self.session.asked_privately

    # ── who answers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _up(self, _: str) -> str:
        if not self.steering.up():
            return f"{self.steering.name} is the highest tier already"
        return self._from_now_on()

    def _down(self, _: str) -> str:
        if not self.steering.down():
            return f"{self.steering.name} is the lowest tier already"
        return self._from_now_on()

    def _tier(self, name: str) -> str:
        if not name:
            return self._tiers()
        if name == AUTO and AUTO not in self.steering.names:
            self.steering.cascade()
        else:
            self.steering.alone(name)
        return self._from_now_on()

    def _tiers(self) -> str:
        here = "answers alone" if self.steering.only else "begins"
        width = max(map(len, self.steering.names))
        return "\n".join(
            f"{tier.name:{width}}  {tier.model.name}" + (f"  ({here})" if tier.name == self.steering.name else "")
            for tier in self.steering.tiers
        )

    def _from_now_on(self) -> str:
        if self.steering.only:
            return f"from now on {self.steering.name} alone answers; /tier {AUTO} lets all tiers answer again"
        back = "; /down begins lower" if self.steering.first else ""
        return f"from now on questions begin at {self.steering.name}{back}"

    @property
    def _higher(self) -> bool:
        return self.steering.first < len(self.steering.tiers) - 1

    # ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────

    def _private(self, _: str) -> str:
        if not self.session.private:
            self.session.go_private()
            return PRIVATE
        forgotten = self.session.go_public()
        if not self.session.keeps:
            return "no longer private, but runs.keep = false: nothing is kept all the same"
        return "questions are kept again" + (
            "; forgotten, so that nothing of it comes up in them: the private ones, and all variables of the kernel"
            if forgotten
            else ""
        )

    def _reset(self, _: str) -> str:
        self.session.reset()
        return "forgotten: the conversation and the kernel's variables"
