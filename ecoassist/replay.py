"""Tier 0: a model whose reply is a stored program. It is asked nothing, costs nothing, and says it once."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

from .entries import numbered
from .errors import NoSandbox
from .events import Stream, Tick
from .ports import Kernel
from .types import CellResult, Code, Malformed, Message, Reply, Spending

NAME = "replay"
"""Of the tier."""
_OPENS = "python\n"


class StoredProgram:
    """Replies with `program` between fences that it cannot close. `id`: of its solution."""

    def __init__(self, id: int, program: str) -> None:
        self.name, self.program = f"solution {numbered(id)}", program

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        yield Tick()
        return Reply(fenced(self.program), charge=Spending(), model=self.name)


class SpareKernel:
    """A kernel whose failure costs a try, not the question: without it there are models to be asked."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        try:
            return (yield from self._kernel.run(code, seconds))
        except NoSandbox as error:
            return CellResult("gone", reason=str(error), state_lost=True, cause="sandbox")

    def restart(self) -> None:
        self._kernel.restart()

    def close(self) -> None:
        """In the background: the answer is there already."""
        threading.Thread(target=self._kernel.close, name="replay-close").start()


def fenced(program: str) -> str:
    """The program as a reply, with more backticks around it than it has anywhere in a row."""
    longest = max((len(run) for run in re.findall(r"`+", program)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{_OPENS}{program}\n{fence}"


def read(reply: str) -> Code | Malformed:
    """The program of such a reply, to the letter. The reader of models' replies would mend what it takes for bent."""
    fence = reply[: len(reply) - len(reply.lstrip("`"))]
    head, tail = f"{fence}{_OPENS}", f"\n{fence}"
    if len(fence) < 3 or not reply.startswith(head) or not reply.endswith(tail) or len(reply) < len(head + tail):
        return Malformed("not a stored program")
    return Code(reply[len(head) : -len(tail)])
