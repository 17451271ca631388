"""A conversation: history, variables, the kernel's start in the background, re-runs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ecoassist.desk import Desk
from ecoassist.engine import Engine, Tier
from ecoassist.entries import Entry, FileShape, Solution
from ecoassist.errors import NoSandbox, ProviderError
from ecoassist.events import LETTER, RERUN, Checked, Notice, Started, Stream, Tick, TierStarted
from ecoassist.play import Stop, play
from ecoassist.ports import Kernel
from ecoassist.session import Session
from ecoassist.starting import CLOSE_SECONDS, StartingKernel
from ecoassist.steering import STUCK, Steering
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import Access, Answer, Api, Attachment, Attempt, CellResult, Message, Reply, Task, Verdict

OK = CellResult("ok", "4\n")
DONE = "It is 4.\nANSWER: 4"


def code(source: str) -> str:
    return f"```python\n{source}\n```"


class ScriptedBoxes:
    """Boxes whose kernels are scripted; `boot` may wait or fail."""

    def __init__(
        self,
        *kernels: ScriptedKernel,
        fresh: Sequence[ScriptedKernel] = (),
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.kernels, self.fresh, self.prepare = list(kernels), list(fresh), prepare
        self.readonly: list[tuple[str, ...]] = []
        self.runs: list[str] = []

    def start(self) -> Kernel:
        return self.kernels.pop(0)

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        self.readonly.append(hosts)
        self.runs.append(run)
        return self.fresh.pop(0) if self.fresh else ScriptedKernel()


def session(
    model: ScriptedModel, boxes: ScriptedBoxes, *, keep_state: bool = True, apis: tuple[Api, ...] = ()
) -> Session:
    kernel = StartingKernel(boxes.start, boxes.prepare)
    tiers = [Tier("cheap", model)]
    engine = Engine(tiers, kernel, MemoryStore(), FixedJudge(), ready=kernel.ready, keep_state=keep_state)
    return Session(engine, kernel, boxes, Desk(), apis, now=lambda: "today")


def test_history_and_variables_reach_the_next_question() -> None:
    model = ScriptedModel(code("city = 'Rome'\nfor day in range(2): pass"), DONE, DONE)
    it = session(model, ScriptedBoxes(ScriptedKernel(CellResult("ok", "x"))))
    play(it.ask("weather in Rome?"))
    play(it.ask("and in Oslo?"))
    sent = [message.text for message in model.seen[2]]
    assert sent[1:3] == ["weather in Rome?", "It is 4."]
    assert "The kernel still holds: city" in sent[-1]
    it.reset()
    assert it.history == []


def test_a_restart_of_the_kernel_makes_the_variables_be_forgotten() -> None:
    model = ScriptedModel(code("x = 1"), code("y = 2"), DONE, DONE)
    lost = CellResult("killed", state_lost=True)
    it = session(model, ScriptedBoxes(ScriptedKernel(OK, lost)))
    play(it.ask("one"))
    play(it.ask("two"))
    assert "still holds" not in model.seen[3][-1].text


def test_the_api_of_a_follow_up_is_found_in_the_question_before() -> None:
    weather = Api("weather", "api.w", "KEY", "forecast, rain, temperature")
    model = ScriptedModel(DONE, DONE, DONE)
    it = session(model, ScriptedBoxes(ScriptedKernel()), apis=(weather,))
    play(it.ask("Will it rain in Rome?"))
    play(it.ask("and in Oslo?"))
    play(it.ask("and in Bern?"))
    assert "forecast, rain" in model.seen[1][-1].text
    assert "forecast, rain" in model.seen[2][-1].text


def test_the_kernel_boots_while_the_model_is_asked() -> None:
    asked, booted = threading.Event(), threading.Event()

    class Waiting(ScriptedModel):
        def reply(self, messages: list[Message], limit: int | None = None) -> Stream[Reply]:  # type: ignore[override]
            asked.set()
            while not booted.is_set():
                yield Tick()
            return (yield from super().reply(messages))

    class Slow(ScriptedBoxes):
        def start(self) -> Kernel:
            assert asked.wait(15), "the model was not asked before the kernel was there"
            booted.set()
            return super().start()

    outcome = play(session(Waiting(code("x"), DONE), Slow(ScriptedKernel(OK))).ask("q"), stop=Stop(15))
    assert outcome.status == "solved"


def test_no_model_is_asked_before_a_kernel_can_be_had() -> None:
    def prepare() -> None:
        raise NoSandbox("no engine", "start Docker")

    model = ScriptedModel(DONE)
    with pytest.raises(NoSandbox, match="no engine"):
        play(session(model, ScriptedBoxes(prepare=prepare)).ask("q"))
    assert not model.seen


def test_a_boot_that_fails_surfaces_during_the_model_call() -> None:
    class Broken(ScriptedBoxes):
        def start(self) -> Kernel:
            raise NoSandbox("no space left", "free some space")

    class Endless(ScriptedModel):
        def reply(self, messages: list[Message], limit: int | None = None) -> Stream[Reply]:  # type: ignore[override]
            while True:
                yield Tick()

    with pytest.raises(NoSandbox, match="no space left"):
        play(session(Endless(), Broken()).ask("q"), stop=Stop(15))


def test_closing_while_the_kernel_boots_leaves_none_behind() -> None:
    go = threading.Event()
    kernel = ScriptedKernel()

    def boot() -> Kernel:
        assert go.wait(15)
        return kernel

    starting = StartingKernel(boot)
    starting.close()
    go.set()
    for thread in threading.enumerate():
        if thread.name == "kernel-start":
            thread.join(15)
    assert kernel.closed == 1


def test_closing_does_not_wait_for_an_image_that_is_being_built() -> None:
    built = threading.Event()
    kernel = ScriptedKernel()
    starting = StartingKernel(lambda: kernel, lambda: built.wait(15))
    began = time.monotonic()
    starting.close()
    assert time.monotonic() - began < CLOSE_SECONDS
    built.set()
    for thread in threading.enumerate():
        if thread.name == "kernel-start":
            thread.join(15)
    assert kernel.closed == 1


def test_a_kernel_that_never_ran_a_cell_is_not_restarted() -> None:
    kernel = ScriptedKernel(OK)
    starting = StartingKernel(lambda: kernel)
    starting.restart()
    play(starting.run("x"), stop=Stop(15))
    assert kernel.restarts == 0
    starting.restart()
    kernel.script.append(OK)
    play(starting.run("y"), stop=Stop(15))
    assert kernel.restarts == 1


def test_a_box_that_is_gone_is_replaced_by_a_new_one() -> None:
    class Gone(ScriptedKernel):
        def restart(self) -> None:
            raise NoSandbox("the container is gone")

    first, second = Gone(OK), ScriptedKernel(OK)
    boxes = [first, second]
    starting = StartingKernel(lambda: boxes.pop(0))
    play(starting.run("x"), stop=Stop(15))
    starting.restart()
    play(starting.run("y"), stop=Stop(15))
    assert first.closed == 1
    assert second.ran == ["y"]


def test_a_box_that_dies_between_two_questions_costs_the_variables_and_not_the_conversation() -> None:
    class Gone(ScriptedKernel):
        def restart(self) -> None:
            raise NoSandbox("the container is gone")

    model = ScriptedModel(code("x = 1"), DONE, code("print(x)"), code("print(4)"), DONE)
    it = session(model, ScriptedBoxes(Gone(OK, NoSandbox("the sandbox is gone")), ScriptedKernel(OK)))
    play(it.ask("one"), stop=Stop(15))
    assert play(it.ask("two"), stop=Stop(15)).status == "solved"
    assert "variables and imports are gone" in model.seen[3][-1].text


@pytest.mark.parametrize(
    ("result", "green", "state"),
    [
        (OK, True, "verified"),
        (CellResult("ok", " "), False, "failed"),
        (CellResult("error"), False, "failed"),
        (CellResult("interrupted"), None, "pending"),
        (CellResult("gone"), None, "pending"),
        (CellResult("error", accesses=(Access("api.w", "GET", status=503),)), None, "pending"),
        (CellResult("error", accesses=(Access("api.w", "GET", refused="it does not resolve"),)), None, "pending"),
        (CellResult("error", accesses=(Access("api.w", "POST", refused="read-only re-run"),)), False, "failed"),
        (CellResult("error", accesses=(Access("api.w", "GET", refused="read-only re-run: acts"),)), False, "failed"),
        (CellResult("error", accesses=(Access("other", "GET", refused="not listed"),)), False, "failed"),
        (CellResult("error", accesses=(Access("api.w", "GET", status=404),)), False, "failed"),
    ],
)
def test_a_rerun_settles_a_candidate_in_a_fresh_kernel(result: CellResult, green: bool | None, state: str) -> None:
    kernel = ScriptedKernel(result)
    boxes = ScriptedBoxes(ScriptedKernel(), fresh=[kernel])
    it = session(ScriptedModel(), boxes)
    store = it.engine.store
    assert isinstance(store, MemoryStore)
    entry = store.rows[store.keep(Solution("q", "print(4)", Answer("4"), "cheap", hosts=("api.w",)))]
    recorder = Recorder()
    assert play(it.rerun(entry), [recorder]) is green
    assert store.rows[1].state == state
    assert kernel.ran == ["print(4)"]
    assert kernel.closed == 1
    assert boxes.readonly == [entry.solution.hosts]
    assert re.fullmatch(RERUN, "".join(LETTER.get(type(event), "") for event in recorder.events))


def test_candidates_that_read_a_file_wait_for_a_session_that_has_it() -> None:
    it = session(ScriptedModel(), ScriptedBoxes(ScriptedKernel()))
    it.engine.store.keep(Solution("q", "p", Answer("4"), "cheap", files=(FileShape("a.csv"),)))
    assert it.pending() == ()
    it.files = (Attachment("a.csv", b""),)
    assert [type(entry) for entry in it.pending()] == [Entry]


def test_a_candidate_of_a_pack_is_never_tried_with_the_persons_keys_by_itself() -> None:
    it = session(ScriptedModel(), ScriptedBoxes(ScriptedKernel()))
    it.engine.store.keep(Solution("q", "p", Answer(""), "cheap", origin="weather.jsonl"))
    assert it.pending() == ()


def test_outside_a_sandbox_no_program_of_another_session_runs() -> None:
    it = session(ScriptedModel(code("x"), DONE), ScriptedBoxes(ScriptedKernel(OK)))
    foreign = it.engine.store.keep(Solution("q", "p", Answer("4"), "cheap"))
    own = play(it.ask("q")).stored
    assert [entry.id for entry in it.pending()] == [foreign, own]
    it.confined = False
    assert [entry.id for entry in it.pending()] == [own]


def test_notices_of_other_threads_come_into_the_stream() -> None:
    it = session(ScriptedModel(DONE), ScriptedBoxes(ScriptedKernel()))
    thread = threading.Thread(target=it.desk.notice, args=("building the image",))
    thread.start()
    thread.join()
    recorder = Recorder()
    play(it.ask("q"), [recorder])
    assert Notice("building the image") in recorder.events


class Judging(FixedJudge):
    """Thinks until `go`, once the checks had nothing to say."""

    def __init__(self, go: threading.Event, verdict: bool) -> None:
        super().__init__(verdict)
        self.go = go

    def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
        yield Checked("checks", Verdict(None, "checks"))
        while not self.go.is_set():
            yield Tick()
        return (yield from super().judge(task, attempts))


class Foreseeing(ScriptedBoxes):
    """Says when a kernel for a re-run was asked for."""

    def __init__(self, kernel: ScriptedKernel, *fresh: ScriptedKernel) -> None:
        super().__init__(kernel, fresh=fresh)
        self.asked = threading.Event()

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        kernel = super().start_readonly(hosts, run)
        self.asked.set()
        return kernel


def test_the_kernel_of_the_rerun_boots_while_the_judge_thinks_and_serves_once() -> None:
    first, again = ScriptedKernel(OK), ScriptedKernel(OK)
    boxes = Foreseeing(ScriptedKernel(replace(OK, accesses=(Access("api.w", "GET", status=200),))), first, again)
    it = session(ScriptedModel(code("print(4)"), DONE), boxes)
    it.engine.judge = Judging(boxes.asked, True)
    assert play(it.ask("q"), stop=Stop(15)).status == "solved"
    assert boxes.readonly == [("api.w",)]
    (entry,) = it.pending()
    play(it.rerun(entry), stop=Stop(15))
    assert (first.ran, first.closed) == (["print(4)"], 1)
    play(it.rerun(entry), stop=Stop(15))
    assert (first.ran, again.ran, again.closed) == (["print(4)"], ["print(4)"], 1)
    assert it._last is not None
    assert boxes.runs == [it._last[1].run] * 2, "what the run was answered is seen again"


def test_a_rerun_of_a_candidate_from_elsewhere_belongs_to_no_run_of_this_session() -> None:
    boxes = ScriptedBoxes(ScriptedKernel(OK), fresh=(ScriptedKernel(OK),))
    it = session(ScriptedModel(DONE), boxes)
    assert isinstance(it.engine.store, MemoryStore)
    id = it.engine.store.keep(Solution("q", "print(4)", Answer("4"), "cheap"))
    play(it.ask("q"), stop=Stop(15))
    play(it.rerun(it.engine.store.rows[id]), stop=Stop(15))
    assert boxes.runs[-1] == ""


def test_whoever_keeps_something_of_a_run_is_told_of_its_begin_and_of_each_attempt() -> None:
    told: list[str] = []
    it = session(ScriptedModel(DONE, DONE), ScriptedBoxes(ScriptedKernel()))
    it.engine.tiers = [*it.engine.tiers, Tier("strong", ScriptedModel(DONE, DONE))]
    it.engine.judge = FixedJudge(False, True, False, True)
    it.begin, it.begin_attempt = lambda run: told.append("run"), lambda: told.append("attempt")
    play(it.ask("q"), stop=Stop(15))
    play(it.ask("q"), stop=Stop(15))
    assert told == ["run", "attempt", "attempt"] * 2


def test_a_kernel_that_was_foreseen_goes_when_nothing_is_stored() -> None:
    spare = ScriptedKernel()
    boxes = Foreseeing(ScriptedKernel(OK), spare)
    it = session(ScriptedModel(code("x"), DONE), boxes)
    it.engine.judge = Judging(boxes.asked, False)
    assert play(it.ask("q"), stop=Stop(15)).status == "unsolved"
    for thread in threading.enumerate():
        if thread.name == "standby-close":
            thread.join(15)
    assert (spare.ran, spare.closed) == ([], 1)


def test_a_session_ends_the_kernels_that_no_rerun_took() -> None:
    main, spare = ScriptedKernel(OK), ScriptedKernel()
    boxes = Foreseeing(main, spare)
    it = session(ScriptedModel(code("x"), DONE), boxes)
    it.engine.judge = Judging(boxes.asked, True)
    assert play(it.ask("q"), stop=Stop(15)).stored
    it.close()
    assert (main.closed, spare.closed) == (1, 1)


def test_where_nobody_judges_no_kernel_boots_for_a_rerun() -> None:
    boxes = Foreseeing(ScriptedKernel(OK), ScriptedKernel())
    it = session(ScriptedModel(code("x"), DONE), boxes)
    it.judged = False
    play(it.ask("q"), stop=Stop(15))
    assert not boxes.asked.wait(0.2)


def test_an_answer_without_a_program_needs_no_second_kernel() -> None:
    boxes = Foreseeing(ScriptedKernel())
    it = session(ScriptedModel(DONE), boxes)
    play(it.ask("q"), stop=Stop(15))
    assert boxes.readonly == []


# ── private questions ───────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_private_question_nothing_is_stored_credited_or_foreseen() -> None:
    boxes = Foreseeing(ScriptedKernel(OK), ScriptedKernel())
    it = session(ScriptedModel(code("x = 1"), DONE), boxes)
    store = MemoryStore()
    earlier = store.keep(Solution("q", "print(4)", Answer("4"), "cheap"))
    store.settle(earlier, True)
    it.engine.store, it.private = store, True
    outcome = play(it.ask("q"), stop=Stop(15))
    assert (outcome.status, outcome.stored) == ("solved", None)
    assert [example.id for example in outcome.examples] == [earlier]
    assert it.approve() is None
    assert not it.reject()
    assert [(row.id, row.wins, row.losses, row.state) for row in store.rows.values()] == [(earlier, 0, 0, "verified")]
    assert boxes.readonly == []


def test_where_nothing_is_ever_kept_no_question_is() -> None:
    it = session(ScriptedModel(code("x = 1"), DONE), ScriptedBoxes(ScriptedKernel(OK)))
    it.keeps = False
    assert play(it.ask("q"), stop=Stop(15)).stored is None
    assert it.approve() is None
    assert it.pending() == ()


def test_back_in_public_the_private_questions_and_all_variables_are_forgotten() -> None:
    model = ScriptedModel(code("a = 1"), DONE, code("secret = 2"), "It is a secret.", DONE, code("b = 3"), DONE)
    kernel = ScriptedKernel(OK, OK, OK)
    it = session(model, ScriptedBoxes(kernel))
    play(it.ask("one"), stop=Stop(15))
    it.go_private()
    play(it.ask("two, and hush"), stop=Stop(15))
    play(it.ask("three, and hush"), stop=Stop(15))
    assert "hush" in "".join(message.text for message in model.seen[4])
    it.desk.notice("a late word on a secret")
    assert it.go_public()
    recorder = Recorder()
    stored = play(it.ask("and now"), [recorder], stop=Stop(15)).stored
    assert "secret" not in repr(recorder.events)
    sent = "".join(message.text for message in model.seen[-1])
    assert "one" in sent
    assert "secret" not in sent
    assert "hush" not in sent
    assert "still holds" not in sent
    assert kernel.restarts == 1
    assert stored is not None
    kept = {entry.id: entry.solution for entry in it.pending()}[stored]
    assert kept.query == "one and now"  # what a question leans on is kept with it
    assert kept.program == "b = 3"


def test_a_private_time_without_a_question_costs_the_conversation_nothing() -> None:
    model, kernel = ScriptedModel(code("a = 1"), DONE, DONE), ScriptedKernel(OK)
    it = session(model, ScriptedBoxes(kernel))
    play(it.ask("one"), stop=Stop(15))
    it.go_private()
    assert not it.go_public()
    play(it.ask("two"), stop=Stop(15))
    assert "The kernel still holds: a" in model.seen[-1][-1].text
    assert kernel.restarts == 0


def test_a_private_question_that_failed_is_forgotten_as_well() -> None:
    model, kernel = ScriptedModel(code("a = 1"), ProviderError("down"), DONE), ScriptedKernel(OK)
    it = session(model, ScriptedBoxes(kernel))
    it.go_private()
    with pytest.raises(ProviderError):
        play(it.ask("hush"), stop=Stop(15))
    assert it.go_public()
    it.close()  # waits for the restart in the background
    assert kernel.restarts == 1


def test_a_conversation_begins_at_the_tier_that_solved_until_it_is_reset() -> None:
    weak, strong = ScriptedModel(DONE, DONE, name="weak"), ScriptedModel(DONE, DONE, name="strong")
    it = session(weak, ScriptedBoxes(ScriptedKernel()))
    it.engine.tiers = [Tier("weak", weak), Tier("strong", strong)]
    it.engine.judge = FixedJudge(False, True)
    it.steering = Steering(it.engine.tiers)
    seen: list[tuple[str, str]] = []
    for _ in range(2):
        recorder = Recorder()
        play(it.ask("a question of its own, and a long one"), [recorder], stop=Stop(15))
        seen += [(event.tier, event.why) for event in recorder.events if isinstance(event, TierStarted)][-1:]
        (started,) = [event for event in recorder.events if isinstance(event, Started)]
    assert [tier for tier, _ in seen] == ["strong", "strong"]
    assert started.why == seen[1][1] == STUCK
    it.reset()
    play(it.ask("a question of its own, and a long one"), stop=Stop(15))
    assert (len(weak.seen), len(strong.seen)) == (2, 2)
