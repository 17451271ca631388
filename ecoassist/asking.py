"""A kernel with a person beside it: what only they can mend after a cell becomes a question to them.

Hosts that refused the cell, and APIs that refused their key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from . import faults
from .events import Stream, ask
from .ports import Kernel
from .types import CellResult, Question

CHOICES = ("once", "session", "always", "no")
"""For how long a host may be reached."""
IN_ORDER = ("yes", "no")
"""Whether a key is in order now. One that was replaced counts from the next session on: this one knows the old one."""
QUESTIONS = 3
"""After one cell at most: how many hosts it tries is up to the code."""


class AskingKernel:
    """Asks about each host and key once per question, and leaves it to the next cell to try again."""

    def __init__(self, kernel: Kernel, open: Callable[[str, str], None], unasked: str = "") -> None:
        """`open`: lets code reach a host, for as long as was chosen. `unasked`: why nobody can be asked, if so."""
        self._kernel, self._open, self._unasked = kernel, open, unasked
        self._answers: dict[str, str] = {}
        self._keys: set[str] = set()
        """APIs whose key was asked about."""

    def begin(self) -> None:
        """The next question begins. What was chosen for longer than one is kept."""
        self._answers = {host: answer for host, answer in self._answers.items() if answer in ("session", "always")}
        self._keys = set()

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        result = yield from self._kernel.run(code, seconds)
        if result.status in ("interrupted", "gone"):
            return result
        result = yield from self._about_hosts(result)
        return (yield from self._about_keys(result))

    def _about_hosts(self, result: CellResult) -> Stream[CellResult]:
        hosts = tuple(dict.fromkeys(access.host for access in result.accesses if access.blocked))
        if not hosts:
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

    def _about_keys(self, result: CellResult) -> Stream[CellResult]:
        """Only where the cell failed for it. A key that was said to be in order and is refused again is not."""
        fault = faults.of_cell(result)
        if fault is None or fault.kind != "auth":
            return result
        keyed = []
        refused = tuple(dict.fromkeys(access.api for access in result.accesses if faults.key_refused(access)))
        for api in [api for api in refused if api not in self._keys][: 0 if self._unasked else QUESTIONS]:
            self._keys.add(api)
            if (yield from ask(Question("key", api, IN_ORDER))) == "yes":
                keyed.append(api)
        return replace(result, keyed=tuple(keyed), unkeyed=tuple(api for api in refused if api not in keyed))

    def restart(self) -> None:
        self._kernel.restart()

    def close(self) -> None:
        self._kernel.close()
