"""A stored program that answers within a conversation: what it leaves there, and what the person says of it."""

from __future__ import annotations

from dataclasses import replace

from ecoassist.desk import Desk
from ecoassist.engine import Engine, Tier
from ecoassist.play import play
from ecoassist.ports import Kernel
from ecoassist.replay import StoredProgram, read
from ecoassist.session import Session
from ecoassist.starting import StartingKernel
from ecoassist.testing import MemoryStore, ScriptedKernel, ScriptedModel
from ecoassist.types import Api, CellResult, Replay
from ecoassist.verdict.judge import Chain
from tests.test_replay import FAILED, FELL, QUESTION, YES, stored

DONE = "It is 4.\nANSWER: 4"
X = "```python\nx = 4\nprint(x)\n```"


class Boxes:
    def __init__(self, *cells: CellResult) -> None:
        self.kernel = ScriptedKernel(*cells)
        self.readonly = 0
        """Kernels for re-runs."""

    def prepare(self) -> object:
        return None

    def start(self) -> Kernel:
        return self.kernel

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        self.readonly += 1
        return ScriptedKernel()


def conversation(*cells: CellResult, own: CellResult, model: ScriptedModel) -> tuple[Session, MemoryStore, Boxes]:
    match, boxes = stored(), Boxes(*cells)
    store = MemoryStore(match)
    store.rows[match.id] = match.entry
    kernel = StartingKernel(boxes.start, boxes.prepare)

    def replayer(replay: Replay) -> Tier:
        return Tier("replay", StoredProgram(replay.id, replay.program), 1, kernel=ScriptedKernel(own), read=read)

    judge = Chain(ScriptedModel(*[YES] * 5))
    engine = Engine([Tier("cheap", model)], kernel, store, judge, replayer=replayer, keep_state=True)
    return Session(engine, kernel, boxes, Desk(), (Api("rain", "api.rain.example"),)), store, boxes


def test_a_replay_leaves_its_answer_and_no_variables() -> None:
    model = ScriptedModel(DONE)
    it, _, boxes = conversation(own=FELL, model=model)
    assert play(it.ask(QUESTION)).replayed
    assert boxes.readonly == 0, "nothing is stored that could be re-run"
    assert [(one.query, one.answer) for one in it.history] == [(QUESTION, "3 mm")]
    play(it.ask("And what is that in inches, please?"))
    sent = model.seen[0]
    assert [message.text for message in sent[1:3]] == [QUESTION, "3 mm"]
    assert "The kernel still holds" not in sent[-1].text
    assert boxes.kernel.ran == []


def test_a_replay_that_failed_takes_no_variables_away() -> None:
    model = ScriptedModel(X, DONE, DONE, DONE)
    lost = replace(FAILED, status="oom", state_lost=True)
    it, _, boxes = conversation(CellResult("ok", "4"), own=lost, model=model)
    play(it.ask("What is two and two, as a number?"))
    assert play(it.ask(QUESTION)).tier == "cheap"
    assert "The kernel still holds: x" in model.seen[2][-1].text
    play(it.ask("What is x, the number of before?"))
    assert "The kernel still holds: x" in model.seen[3][-1].text
    assert boxes.kernel.restarts == 0


def test_an_answer_of_a_stored_program_that_the_person_denies_is_a_loss() -> None:
    it, store, _ = conversation(own=FELL, model=ScriptedModel())
    play(it.ask(QUESTION))
    assert it.reject()
    assert (store.rows[12].wins, store.rows[12].losses) == (1, 1)
    assert not it.reject()


def test_an_answer_of_a_stored_program_that_the_person_vouches_for_is_a_win_and_is_not_stored_twice() -> None:
    it, store, _ = conversation(own=FELL, model=ScriptedModel())
    play(it.ask(QUESTION))
    assert it.approve() is None
    assert it.approve() is None
    assert (store.rows[12].wins, store.rows[12].losses) == (2, 0)
    assert list(store.rows) == [12]
