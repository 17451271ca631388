"""Runs on their way into the ledger: whatever happens to either, the answer comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.desk import Desk
from ecoassist.engine import Engine, Tier
from ecoassist.errors import EnvironmentFault, NoSandbox
from ecoassist.events import FLEETING, Event, Finished, Notice, RerunFinished, Started, Stream, Tick
from ecoassist.play import Stop, play
from ecoassist.ports import Kernel
from ecoassist.recording import Recording
from ecoassist.redactor import Redactor
from ecoassist.session import Session
from ecoassist.starting import StartingKernel
from ecoassist.store.ledger import SqliteLedger
from ecoassist.testing import FixedJudge, MemoryLedger, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import CellResult

CODE = "```python\nprint(4)\n```"
DONE = "It is 4.\nANSWER: 4"
OK = CellResult("ok", "4\n")


class Boxes:
    def __init__(self, kernel: ScriptedKernel) -> None:
        self.kernel = kernel

    def prepare(self) -> None:
        pass

    def start(self) -> Kernel:
        return self.kernel

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        return ScriptedKernel(OK)


class BrokenLedger(MemoryLedger):
    """Fails from its event number `good` on."""

    def __init__(self, good: int = 0) -> None:
        super().__init__()
        self.good = good

    def add(self, run: str, at: float, event: Event) -> None:
        self.good -= 1
        if self.good < 0:
            raise EnvironmentFault("the disk is full", "free some space")
        super().add(run, at, event)

    def finish(self, *args: object) -> None:
        raise EnvironmentFault("the disk is full", "free some space")

    def judged(self, *args: object) -> None:
        raise EnvironmentFault("the disk is full", "free some space")


def session(ledger: MemoryLedger | SqliteLedger | None, *script: str | Exception, **more: object) -> Session:
    model = ScriptedModel(*(script or (CODE, DONE)))
    boxes = Boxes(ScriptedKernel(OK, OK))
    kernel = StartingKernel(boxes.start, boxes.prepare)
    engine = Engine([Tier("cheap", model)], kernel, MemoryStore(), FixedJudge(), ready=kernel.ready, keep_state=True)
    return Session(engine, kernel, boxes, Desk(), recording=Recording(ledger), **more)  # type: ignore[arg-type]


def seen(it: Session, query: str = "q") -> list[Event]:
    """What a person sees of a question."""
    recorder = Recorder()
    play(it.ask(query), [recorder])
    return [event for event in recorder.events if not isinstance(event, FLEETING)]


def test_what_was_seen_is_what_is_kept() -> None:
    ledger = MemoryLedger()
    it = session(ledger)
    it.desk.notice("before the question has a name")
    events = seen(it)
    (run,) = ledger.runs()
    assert [event for _, event in ledger.events(run.id)] == events
    assert isinstance(events[0], Notice)
    assert (run.query, run.status, run.tier) == ("q", "solved", "cheap")
    assert ledger.verdicts == [(run.id, "cheap", "fixed", True)]


def test_keys_do_not_reach_the_ledger(tmp_path: Path) -> None:
    key = "sk-0123456789abcdef"
    with closing(SqliteLedger(tmp_path / "ledger.db")) as ledger:
        it = session(ledger, f"The key is {key}.\nANSWER: 1", redactor=Redactor([("KEY", key)]))
        seen(it, f"is {key} right?")
        assert ledger.runs()[0].query == "is [KEY] right?"
        assert all(key.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_private_question_leaves_nothing_and_the_next_one_is_kept() -> None:
    ledger = MemoryLedger()
    it = session(ledger, DONE, DONE)
    it.private = True
    seen(it, "secret")
    assert it.approve() is None
    assert not it.reject()
    assert (ledger.log, ledger.kept, ledger.verdicts) == ({}, {}, [])
    it.private = False
    seen(it, "open")
    assert [run.query for run in ledger.runs()] == ["open"]


@pytest.mark.parametrize("good", range(8))
def test_a_ledger_that_breaks_costs_a_notice_and_never_the_answer(good: int) -> None:
    ledger = BrokenLedger(good)
    it = session(ledger)
    events = seen(it)
    assert isinstance(events[-1], Finished)
    assert events[-1].outcome.status == "solved"
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["this run is not kept: the disk is full; free some space"]
    assert it.approve() is None, "it is stored already"
    said = list(it.desk.merge(iter_of(Tick()), lambda: None))
    assert ["your verdict is not kept" in event.text for event in said if isinstance(event, Notice)] == [True]


def iter_of(event: Event) -> Stream[None]:
    yield event


def test_a_run_that_breaks_off_says_why() -> None:
    ledger = MemoryLedger()
    it = session(ledger, CODE)
    it.kernel.close()
    with pytest.raises(NoSandbox) as raised:
        play(it.ask("q"))
    (run,) = ledger.runs()
    assert (run.status, run.fault) == ("error", str(raised.value))


def test_a_bug_is_kept_by_its_name_alone() -> None:
    ledger = MemoryLedger()
    it = session(ledger, ZeroDivisionError("may hold a key"))
    with pytest.raises(ZeroDivisionError):
        play(it.ask("q"))
    assert [(run.status, run.fault) for run in ledger.runs()] == [("error", "ZeroDivisionError")]


def test_a_run_that_nobody_plays_on_is_interrupted() -> None:
    ledger = MemoryLedger()
    stream = session(ledger).ask("q")
    assert isinstance(next(stream), Started)
    assert [run.status for run in ledger.runs()] == ["running"]
    stream.close()
    assert [run.status for run in ledger.runs()] == ["interrupted"]


def test_the_persons_verdict_stands_beside_the_judges() -> None:
    ledger = MemoryLedger()
    it = session(ledger, DONE)
    seen(it)
    it.approve()
    it.reject()
    run = ledger.runs()[0].id
    assert ledger.verdicts[1:] == [(run, "cheap", "person", True), (run, "cheap", "person", False)]


def test_a_rerun_is_the_end_of_the_run_that_its_solution_is_from() -> None:
    ledger = MemoryLedger()
    it = session(ledger)
    seen(it)
    (entry,) = it.pending()
    assert play(it.rerun(entry), stop=Stop(15)) is True
    (run,) = ledger.runs()
    assert run.status == "solved"
    assert [event for _, event in ledger.events(run.id)][-1] == RerunFinished(entry.id, True)


def test_without_a_ledger_all_is_as_ever() -> None:
    assert isinstance(seen(session(None))[-1], Finished)


@pytest.fixture(autouse=True)
def kernels_end() -> Iterator[None]:
    """Threads that start kernels end with their test."""
    yield
    import threading

    for thread in threading.enumerate():
        if thread.name == "kernel-start":
            thread.join(15)
