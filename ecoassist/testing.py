"""Scripted doubles for the ports. They keep what they were asked, and raise when their script is exhausted."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from .entries import SERVED, Entry, Match, Meaning, Solution, State
from .errors import Interrupted, NoSandbox
from .events import Checked, Event, Output, Stream, TextDelta, Tick
from .memory import shelving
from .memory.shelving import ShelfStore
from .similarity import same
from .types import Answer, Attempt, Call, CellResult, Message, Outcome, Reply, Run, Task, Verdict
from .vectors import packed


class Exhausted(AssertionError):
    """A double was asked for more than it was given."""


class ScriptedModel:
    """Replies with its script, item by item: a text, a Reply, or an exception to raise after the first delta.

    `catches`: whether an interruption is caught and gives a partial reply, as good ports do, or let through.
    """

    def __init__(self, *script: str | Reply | Exception, name: str = "scripted", catches: bool = True) -> None:
        self.name, self.catches = name, catches
        self.script = [Reply(item) if isinstance(item, str) else item for item in script]
        self.seen: list[tuple[Message, ...]] = []
        self.limits: list[int | None] = []

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        self.seen.append(tuple(messages))
        self.limits.append(limit)
        if not self.script:
            raise Exhausted(f"model {self.name}")
        item, said = self.script.pop(0), ""
        try:
            yield Tick()
            if isinstance(item, Exception):
                raise item
            half = max(1, len(item.text) // 2)
            for piece in (item.text[:half], item.text[half:]):
                said += piece
                yield TextDelta(piece)
        except Interrupted:
            if not self.catches:
                raise
            return Reply(said, "interrupted")
        return item


class ScriptedKernel:
    """Gives its results one by one, whatever code it is asked to run. An exception in the script is raised.

    Otherwise it keeps the laws of the port (tests/kernel/test_contract.py), unless `catches` is False: then it lets an
    interruption through.
    """

    def __init__(self, *script: CellResult | Exception, catches: bool = True) -> None:
        self.catches = catches
        self.script = list(script)
        self.ran: list[str] = []
        self.seconds: list[float | None] = []
        """The limit that each cell was given."""
        self.closed = 0
        self.restarts = 0

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        self._check()
        self.ran.append(code)
        self.seconds.append(seconds)
        if not self.script:
            raise Exhausted("kernel")
        item, said = self.script.pop(0), ""
        try:
            yield Tick()
            if isinstance(item, Exception):
                raise item
            said = item.text
            yield Output(said)
        except Interrupted:
            if not self.catches:
                raise
            return CellResult("interrupted", said, reason="interrupted by the person", cause="person")
        return item

    def restart(self) -> None:
        self._check()
        self.restarts += 1

    def close(self) -> None:
        self.closed += 1

    def _check(self) -> None:
        if self.closed:
            raise NoSandbox("the kernel is closed", "start another one")


class ScriptedEmbedder:
    """Gives the vectors of its script by the text, and `else_` for any other; an exception in it is raised."""

    def __init__(
        self, script: Mapping[str, Sequence[float] | Exception], else_: Sequence[float] = (1.0,), *, batch: int = 8
    ) -> None:
        self.name, self.gate, self.batch = "scripted", 0.4, batch
        self.script, self.else_ = dict(script), else_
        self.seen: list[tuple[str, ...]] = []

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        self.seen.append(tuple(texts))
        yield Tick()
        return tuple(map(self._vector, texts))

    def _vector(self, text: str) -> bytes:
        found = self.script.get(text, self.else_)
        if isinstance(found, Exception):
            raise found
        return packed(found)


class MemoryRows:
    """The rows of a store without a disk, in one process."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.made: dict[tuple[str, int], bytes] = {}
        """Embedder, entry -> vector."""
        self.last = 0

    def add(self, entry: Entry) -> int:
        self.last += 1
        self.entries[self.last] = replace(entry, id=self.last)
        return self.last

    def put(self, entry: Entry) -> None:
        if entry.id in self.entries:
            self.entries[entry.id] = entry

    def remove(self, id: int) -> bool:
        for key in [key for key in self.made if key[1] == id]:
            del self.made[key]
        return self.entries.pop(id, None) is not None

    def get(self, id: int) -> Entry | None:
        return self.entries.get(id)

    def all(self, state: State | None) -> list[Entry]:
        return [entry for _, entry in sorted(self.entries.items()) if state in (None, entry.state)]

    def of(self, key: str) -> list[Entry]:
        return [entry for entry in reversed(self._served()) if same(entry.solution.query) == key]

    def sharing(self, words: Sequence[str], limit: int) -> list[Entry]:
        shared = [(len({*words} & {*shelving.words(entry.solution.query)}), entry) for entry in self._served()]
        ranked = sorted((pair for pair in shared if pair[0]), key=lambda pair: -pair[0])
        return [entry for _, entry in ranked[:limit]]

    def vectors(self, embedder: str) -> list[tuple[int, bytes]]:
        served = {entry.id for entry in self._served()}
        return [(id, made) for (name, id), made in self.made.items() if name == embedder and id in served]

    def lacking(self, embedder: str, limit: int) -> list[Entry]:
        return [entry for entry in reversed(self._served()) if (embedder, entry.id) not in self.made][:limit]

    def put_vector(self, id: int, embedder: str, vector: bytes) -> None:
        if id in self.entries:
            self.made[embedder, id] = vector

    def _served(self) -> list[Entry]:
        return [entry for entry in self.all(None) if entry.state in SERVED]


class MemoryShelf:
    """A shelf without a disk. What raises within a transaction leaves nothing of it."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[MemoryRows]:
        with self._lock:
            before = dict(self.rows.entries), dict(self.rows.made)
            try:
                yield self.rows
            except BaseException:
                self.rows.entries, self.rows.made = before
                raise

    def close(self) -> None:
        """There is nothing to end."""


class MemoryStore(ShelfStore):
    """A store without a disk. `similar` finds `matches` first, whatever is asked."""

    def __init__(self, *matches: Match) -> None:
        self.matches = matches
        self._shelf = MemoryShelf()
        super().__init__(self._shelf, now=lambda: "2026-01-01T00:00:00Z")

    @property
    def rows(self) -> dict[int, Entry]:
        return self._shelf.rows.entries

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        return self.matches + super().similar(query, meaning)


def remembered(id: int, query: str, program: str, score: float = 1.0) -> Match:
    """A verified solution, as a store finds it."""
    return Match(Entry(id, Solution(query, program, Answer(""), "cheap"), "verified", "2026-01-01T00:00:00Z"), score)


class MemoryLedger:
    """A ledger without a disk, of one process and one day."""

    def __init__(self) -> None:
        self.calls: dict[int, Call] = {}
        self.held: set[int] = set()
        self.log: dict[str, Run] = {}
        self.kept: dict[str, list[tuple[float, Event]]] = {}
        self.verdicts: list[tuple[str, str, str, bool | None]] = []
        """Run, tier, step, whether solved."""

    def day(self) -> tuple[float, float]:
        known = {id: call.usd or 0.0 for id, call in self.calls.items()}
        return (
            sum(usd for id, usd in known.items() if id not in self.held),
            sum(usd for id, usd in known.items() if id in self.held),
        )

    def reserve(self, worst: Call, cap: float | None) -> int | None:
        if cap is not None and worst.usd is not None and sum(self.day()) + worst.usd > cap + 1e-9:
            return None
        id = max(self.calls, default=0) + 1
        self.calls[id] = worst
        self.held.add(id)
        return id

    def settle(self, id: int, call: Call | None) -> None:
        self.held.discard(id)
        if call:
            self.calls[id] = call
        else:
            del self.calls[id]

    def begin(self, run: str, query: str, why: str = "") -> None:
        self.log[run] = Run(run, "2026-01-01T00:00:00Z", query, "running", why=why)
        self.kept[run] = []

    def add(self, run: str, at: float, event: Event) -> None:
        if run in self.log:
            self.kept[run].append((at, event))

    def finish(self, run: str, outcome: Outcome | None, fault: str = "") -> None:
        if run not in self.log:
            return
        if outcome is None:
            self.log[run] = replace(self.log[run], status="error" if fault else "interrupted", fault=fault)
        else:
            tier, seconds = outcome.tier or "", outcome.seconds
            self.log[run] = replace(self.log[run], status=outcome.status, tier=tier, seconds=seconds)

    def judged(self, run: str, tier: str, step: str, solved: bool | None) -> None:
        if run in self.log:
            self.verdicts.append((run, tier, step, solved))

    def agreement(self, tier: str, last: int = 30) -> tuple[int, int]:
        found = [solved for _, named, step, solved in self.verdicts if (named, step) == (tier, "agreement")]
        pairs = [solved for solved in found if solved is not None][-last:]
        return sum(pairs), len(pairs)

    def runs(self, prefix: str = "", limit: int = -1) -> tuple[Run, ...]:
        found = [run for id, run in reversed(self.log.items()) if id.startswith(prefix)]
        return tuple(found if limit < 0 else found[:limit])

    def events(self, run: str) -> tuple[tuple[float, Event], ...]:
        return tuple(self.kept.get(run, ()))


class FixedJudge:
    """Gives its verdicts in order; the last one for ever."""

    def __init__(self, *verdicts: bool | None) -> None:
        self.verdicts = list(verdicts or (True,))
        self.seen: list[tuple[Attempt, ...]] = []

    def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        self.seen.append(tuple(attempts))
        solved = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        verdict = Verdict(solved and attempts[-1].answer is not None, "fixed")
        yield Checked("fixed", verdict)
        return verdict


class Recorder:
    """A sink that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)


def drain(events: Iterable[Event]) -> list[Event]:
    """All events of a stream that needs no answers."""
    return list(events)
