"""One conversation: history, the kernel's lifetime, re-runs. `ask` and `chat` are both this."""

from __future__ import annotations

import ast
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from . import cards, programs
from .desk import Desk
from .engine import Engine
from .errors import NoSandbox
from .events import CellFinished, CellStarted, RerunFinished, RerunStarted, Stream, Tick, rest
from .ports import Fresh, Kernel
from .types import Access, Api, Attachment, CellResult, Entry, Exchange, Outcome, Solution, Spending, Task

MAX_NAMES = 40
"""Names of earlier variables that a prompt holds at most."""
CLOSE_SECONDS = 5.0
"""How long the end of a session waits for a kernel that is still booting."""
TICK = 0.02
"""Seconds between two ticks while a kernel starts."""


class StartingKernel:
    """A kernel that boots in a thread of its own from the moment it is made.

    `prepare` finds out whether there can be a kernel at all, `boot` makes it. The failure of either is raised by
    `ready`, `check` and `run`.
    """

    def __init__(self, boot: Fresh, prepare: Callable[[], object] = lambda: None) -> None:
        self._boot = boot
        self._prepared: Future[None] = Future()
        self._lock = threading.Lock()
        self._closed = False
        self._used = False
        self._kernel = self._start(prepare, boot)

    def ready(self) -> Stream[None]:
        """Returns when a kernel can be had; it may still be booting. Raises NoSandbox."""
        yield from _until(self._prepared)
        self._prepared.result()

    def check(self) -> None:
        """Raises what the start failed with, if it has."""
        if self._kernel.done() and (error := self._kernel.exception()):
            raise error

    def run(self, code: str) -> Stream[CellResult]:
        self._used = True
        yield from _until(self._kernel)
        kernel = self._kernel.result()
        try:
            return (yield from kernel.run(code))
        except NoSandbox as error:  # it died since its last cell: a fault like any other death
            return CellResult("gone", reason=str(error), state_lost=True)

    def restart(self) -> None:
        """Begins anew in the background. A kernel that never ran a cell is kept as it is."""
        if self._used:
            self._used = False
            old = self._kernel.result()
            self._kernel = self._start(lambda: None, lambda: self._renewed(old))

    def close(self) -> None:
        """Ends the kernel. One that still boots is waited for a moment; later it ends itself as soon as it is up."""
        if self._prepared.done():
            wait([self._kernel], CLOSE_SECONDS)
        with self._lock:
            self._closed = True
            booted = self._kernel.done() and not self._kernel.exception()
        if booted:
            self._kernel.result().close()

    def _start(self, prepare: Callable[[], object], boot: Fresh) -> Future[Kernel]:
        future: Future[Kernel] = Future()
        threading.Thread(target=self._work, args=(prepare, boot, future), daemon=True, name="kernel-start").start()
        return future

    def _work(self, prepare: Callable[[], object], boot: Fresh, future: Future[Kernel]) -> None:
        try:
            prepare()
            if not self._prepared.done():
                self._prepared.set_result(None)
            kernel = boot()
        except BaseException as error:  # noqa: BLE001 - handed on whole to whoever waits for the kernel
            if not self._prepared.done():
                self._prepared.set_exception(error)
            future.set_exception(error)
            return
        with self._lock:
            future.set_result(kernel)
            closed = self._closed
        if closed:
            kernel.close()

    def _renewed(self, old: Kernel) -> Kernel:
        try:
            old.restart()
        except NoSandbox:  # the container is gone; another one may still be had
            old.close()
            return self._boot()
        return old


def _until(future: Future[Any]) -> Stream[None]:
    while not future.done():
        yield Tick()
        wait([future], TICK)


class Boxes(Protocol):
    """Where kernels come from; made by wiring."""

    def prepare(self) -> object:
        """Blocks until a kernel can be had: engine there, image built. Raises NoSandbox."""

    def start(self) -> Kernel:
        """A kernel for the conversation."""

    def start_readonly(self, solution: Solution) -> Kernel:
        """A fresh kernel for the re-run of a candidate: it may only read, and only from the hosts that answered it."""


@dataclass(slots=True)
class Session:
    engine: Engine
    """Over `kernel`."""
    kernel: StartingKernel
    """The conversation's own; ends with the session."""
    boxes: Boxes
    desk: Desk
    apis: tuple[Api, ...] = ()
    """All that are enabled."""
    files: tuple[Attachment, ...] = ()
    now: Callable[[], str] = lambda: ""
    """Date, time and zone in words."""
    open_budget: Callable[[], None] = lambda: None
    """Called before each question."""
    total: Callable[[], Spending] = Spending
    """What the conversation has cost so far."""
    confined: bool = True
    """Whether kernels are in a sandbox. Elsewhere no program of another session is run."""
    history: list[Exchange] = field(default_factory=list)
    _cells: list[str] = field(default_factory=list)
    _last: tuple[Task, Outcome] | None = None
    _own: frozenset[int | None] = frozenset()
    """Candidates that this session stored."""

    def ask(self, query: str) -> Stream[Outcome]:
        """One question, with the conversation before it in view. Raises EnvironmentFault."""
        self.open_budget()
        task = self._task(query)
        stream = self.engine.run(task, run=uuid.uuid4().hex[:12])
        outcome = yield from self.desk.merge(stream, self.kernel.check)
        self._last = (task, outcome)
        self._own |= {outcome.stored}
        self._note(query, outcome)
        return outcome

    def rerun(self, entry: Entry) -> Stream[bool | None]:
        """The other stream: a candidate runs once more, alone, in a fresh kernel. None: it stays pending.

        That is so where it was interrupted, or the hosts it asks did not work.
        """
        yield RerunStarted(entry.id)
        program = entry.solution.program
        with closing(StartingKernel(lambda: self.boxes.start_readonly(entry.solution))) as kernel:
            yield CellStarted(program)
            result = yield from rest(kernel.run(program), CellResult("interrupted"))
            yield CellFinished(result)
        green = _green(result, entry.solution.hosts)
        if green is not None:
            self.engine.store.settle(entry.id, green)
        yield RerunFinished(entry.id, green)
        return green

    def approve(self) -> int | None:
        """The person vouches for the last answer: it becomes a candidate. None: no program, or it is one already."""
        if self._last is None or self._last[1].stored is not None:
            return None
        task, outcome = self._last
        id = self.engine.keep(task, outcome)
        self._last = (task, replace(outcome, stored=id))
        self._own |= {id}
        return id

    def reject(self) -> bool:
        """The person denies the last answer: what was stored of it, and what it was made from, lose by it."""
        if self._last is None:
            return False
        outcome = self._last[1]
        if outcome.stored is not None:
            self.engine.store.settle(outcome.stored, False)
        for example in outcome.examples:
            self.engine.store.credit(example.id, False)
        self._last = None
        return True

    def pending(self) -> tuple[Entry, ...]:
        """Candidates that this session may re-run: it has the files they read, and outside a sandbox they are its."""
        names = {file.name for file in self.files}
        entries = (entry for entry in self.engine.store.pending() if names.issuperset(entry.solution.files))
        return tuple(entry for entry in entries if self.confined or entry.id in self._own)

    def reset(self) -> None:
        """Forgets the conversation and the kernel's variables."""
        self.history.clear()
        self._cells.clear()
        self._last = None
        self.kernel.restart()

    def close(self) -> None:
        self.kernel.close()

    def _task(self, query: str) -> Task:
        variables = _names(self._cells) if self.engine.keep_state else ()
        task = Task(query, self.now(), tuple(self.history), variables, files=self.files)
        before = [exchange.query for exchange in self.history[-1:]]
        mine = cards.belonging(" ".join([*before, task.in_context]), self.apis)
        return replace(task, apis=mine, other_apis=tuple(api for api in self.apis if api not in mine))

    def _note(self, query: str, outcome: Outcome) -> None:
        turns = [turn for attempt in outcome.attempts for turn in attempt.turns]
        said = outcome.answer.text if outcome.answer else turns[-1].reply.text if turns else ""
        self.history.append(Exchange(query, said, outcome.status == "interrupted"))
        for turn in turns:
            if turn.result and turn.result.state_lost:
                self._cells.clear()
            elif turn.code:
                self._cells.append(turn.code)


def _green(result: CellResult, hosts: tuple[str, ...]) -> bool | None:
    """Whether the program ran alone and said something. None: its failure says nothing about it."""
    if result.status == "ok":
        return bool(result.text.strip() or result.value.strip())
    if result.status in ("interrupted", "gone") or any(_down(access, hosts) for access in result.accesses):
        return None
    return False


def _down(access: Access, hosts: tuple[str, ...]) -> bool:
    """Whether one of `hosts` did not work: it cannot be reached, has too many requests, or a fault of its own."""
    if access.refused:  # they are open in a re-run: what else is refused there is a method that changes things
        return access.host in hosts and access.method in ("GET", "HEAD", "CONNECT")
    return access.status is None or access.status == 429 or access.status >= 500


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    """What the cells left behind at top level: variables, functions and classes, in order."""
    found: dict[str, None] = {}
    for cell in cells:
        for statement in getattr(programs.tree(cell), "body", []):
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                found[statement.name] = None
            elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
                stored = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
                found |= {node.id: None for node in stored if isinstance(node.ctx, ast.Store)}
    return tuple(found)[-MAX_NAMES:]
