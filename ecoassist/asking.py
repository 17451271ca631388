"""A kernel with a person beside it: hosts that were refused to a cell become questions when the cell has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .events import Stream, ask
from .ports import Kernel
from .types import CellResult, Question

CHOICES = ("once", "session", "always", "no")
QUESTIONS = 3
"""After one cell at most: how many hosts it tries is up to the code."""


class AskingKernel:
    """Asks about each host once per question, and leaves what was refused to the next cell, which may try again."""

    def __init__(self, kernel: Kernel, open: Callable[[str, str], None], unasked: str = "") -> None:
        """`open`: lets code reach a host, for as long as was chosen. `unasked`: why nobody can be asked, if so."""
        self._kernel, self._open, self._unasked = kernel, open, unasked
        self._answers: dict[str, str] = {}

    def begin(self) -> None:
        """The next question begins. What was chosen for longer than one is kept."""
        self._answers = {host: answer for host, answer in self._answers.items() if answer in ("session", "always")}

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        result = yield from self._kernel.run(code, seconds)
        hosts = tuple(dict.fromkeys(access.host for access in result.accesses if access.blocked))
        if not hosts or result.status in ("interrupted", "gone"):
            return result
        if self._unasked:
            return replace(result, unasked=self._unasked)
        for host in [host for host in hosts if host not in self._answers][:QUESTIONS]:
            yield from self._ask(host)
        denied = tuple(host for host in hosts if self._answers.get(host) == "no")
        opened = tuple(host for host in hosts if host in self._answers and host not in denied)
        return replace(result, opened=opened, denied=denied)

    def _ask(self, host: str) -> Stream[None]:
        answer = yield from ask(Question("host", host, CHOICES))
        self._answers[host] = answer if answer in CHOICES and answer is not None else "no"
        if self._answers[host] != "no":
            self._open(host, self._answers[host])

    def restart(self) -> None:
        self._kernel.restart()

    def close(self) -> None:
        self._kernel.close()
