"""Two attempts of a tier that have to agree: when there are two, in which order, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ecoassist.engine import Engine, Tier
from ecoassist.entries import Solution
from ecoassist.errors import BudgetSpent, ProviderError
from ecoassist.events import AttemptStarted, Checked, Stream, Tick
from ecoassist.play import Stop, play
from ecoassist.session import Session
from ecoassist.testing import MemoryStore, Recorder, ScriptedKernel, ScriptedModel, remembered
from ecoassist.types import (
    Access,
    Answer,
    CellError,
    CellResult,
    Exchange,
    Message,
    Outcome,
    Reply,
    Saved,
    Task,
)
from ecoassist.verdict.judge import Chain
from tests.test_engine import DONE, KEY_ERROR, OK, answer, code
from tests.test_session import ScriptedBoxes, session

LIVE, KNOWN = Task("How warm is it in Oslo now?"), Task("What is 2 + 2?")
PROSE = "I'd go to the Alpha, which is lovely, or to the Beta, which is close to the station."
FIVE = "It is 5.\nANSWER: 5"
SOLVED = '{"solved": true, "reason": "as scripted"}'


def paired(
    weak: ScriptedModel,
    strong: ScriptedModel | None = None,
    kernel: ScriptedKernel | None = None,
    judge: ScriptedModel | None = None,
) -> Engine:
    """A tier of which two attempts have to agree, before one that need not."""
    tiers = (Tier("weak", weak, samples=2), Tier("strong", strong or ScriptedModel(), samples=2))
    return Engine(tiers, kernel or ScriptedKernel(), MemoryStore(), Chain(judge))


def ways(recorder: Recorder) -> list[tuple[str, str]]:
    return [(event.tier, event.way) for event in recorder.events if isinstance(event, AttemptStarted)]


def steps(recorder: Recorder) -> list[tuple[str, bool | None]]:
    return [(event.step, event.verdict.solved) for event in recorder.events if isinstance(event, Checked)]


def test_two_programs_that_agree_about_live_data_are_believed_without_a_judge() -> None:
    weak = ScriptedModel(code("print(direct)"), DONE, code("print(planned)"), "Four.\nANSWER: 4.0")
    it = paired(weak, kernel=ScriptedKernel(OK, OK))
    outcome, recorder, word = answer(it, LIVE)
    assert word == "SRTarcdrzarcdrzkkJKF"
    assert ways(recorder) == [("weak", "direct"), ("weak", "plan")]
    assert steps(recorder) == [("checks", None), ("agreement", True)]
    assert (outcome.status, outcome.tier, outcome.answer) == ("solved", "weak", Answer("Four.", 4.0))
    assert outcome.verdict.reason == "two attempts agree: 4 and 4.0"
    assert isinstance(it.store, MemoryStore)
    assert it.store.rows[1].solution.program.strip() == "print(planned)"


def test_what_needs_no_data_is_tried_in_words_and_by_a_program_and_the_program_is_kept() -> None:
    weak = ScriptedModel("Two and two make 4.\nANSWER: 4", code("print(2 + 2)"), DONE)
    it = paired(weak, kernel=ScriptedKernel(OK))
    outcome, recorder, word = answer(it, KNOWN)
    assert word == "SRTarzarcdrzkkJKF"
    assert ways(recorder) == [("weak", "words"), ("weak", "program")]
    assert outcome.status == "solved"
    assert isinstance(it.store, MemoryStore)
    assert it.store.rows[1].solution.program.strip() == "print(2 + 2)"
    assert "in words, without any code" in weak.seen[0][-1].text
    assert "by a program" in weak.seen[1][-1].text


def test_each_attempt_begins_with_the_question_alone_and_at_the_same_time() -> None:
    weak = ScriptedModel(code("print(direct)"), DONE, code("print(planned)"), DONE)
    example = remembered(1, "like it", "print('shown before')", 0.9)
    it = paired(weak, kernel=ScriptedKernel(OK, OK))
    it.store = MemoryStore(example)
    answer(it, Task(LIVE.query, "Monday, noon"))
    first, second = weak.seen[0], weak.seen[2]
    assert [len(first), len(second)] == [2, 2]
    assert first[0] == second[0]
    assert ["shown before" in each[-1].text for each in (first, second)] == [True, False]
    assert all("Now: Monday, noon" in each[-1].text for each in (first, second))
    assert "may go wrong" in second[-1].text
    assert "4" not in second[-1].text.replace("shown before", "")


class Watched(ScriptedModel):
    """Notes how often the kernel was renewed when it is asked."""

    def __init__(self, kernel: ScriptedKernel, *script: str) -> None:
        super().__init__(*script)
        self.kernel, self.renewed = kernel, list[int]()

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        self.renewed.append(self.kernel.restarts)
        return (yield from super().reply(messages, limit))


def test_the_second_has_a_kernel_of_its_own_that_boots_while_the_model_thinks() -> None:
    kernel = ScriptedKernel(OK, OK)
    weak = Watched(kernel, code("print(a)"), DONE, code("print(b)"), DONE)
    outcome, _, _ = answer(paired(weak, kernel=kernel), LIVE)
    assert weak.renewed == [0, 0, 1, 1]
    assert [attempt.fresh for attempt in outcome.attempts] == [False, True]


def test_two_that_differ_go_one_tier_up_without_a_third_and_without_what_they_said() -> None:
    weak = ScriptedModel(code("print(guess)"), DONE, code("print(other)"), FIVE)
    strong = ScriptedModel(code("print(4)"), DONE)
    fetched = CellResult("ok", "4", accesses=(Access("api.w", "GET", "/v1", 200),))
    kernel = ScriptedKernel(fetched, fetched, OK)
    outcome, recorder, word = answer(paired(weak, strong, kernel), LIVE)
    assert word == "SRTarcdrzarcdrzkkJTarcdrzkJF"
    assert ways(recorder)[2:] == [("strong", "direct")], "the last tier has nobody to be asked after it"
    assert [step for step in steps(recorder) if step[0] == "agreement"] == [("agreement", False)]
    assert outcome.tier == "strong"
    assert kernel.restarts == 2
    told = strong.seen[0][-1].text
    assert "api.w/v1" in told
    assert "guess" not in told
    assert "It is" not in told


def test_values_that_cannot_be_compared_are_for_the_judge() -> None:
    listed = "Alpha.\nANSWER: {}"
    weak = ScriptedModel(code("a"), listed.format('"Paris"'), code("b"), listed.format('"Paris, Texas"'))
    judge = ScriptedModel(SOLVED)
    outcome, recorder, _ = answer(paired(weak, kernel=ScriptedKernel(OK, OK), judge=judge), LIVE)
    assert steps(recorder) == [("checks", None), ("agreement", None), ("model", True)]
    assert (outcome.status, outcome.answer) == ("solved", Answer("Alpha.", "Paris, Texas"))


@pytest.mark.parametrize("reply", [PROSE, "I could not find it.", f"{PROSE}\nANSWER: null", "See above.\nANSWER: []"])
def test_where_the_first_has_no_value_there_is_no_second(reply: str) -> None:
    judge = ScriptedModel(SOLVED)
    _, recorder, word = answer(paired(ScriptedModel(reply), judge=judge), KNOWN)
    assert word.startswith("SRTarzkkJ")
    assert steps(recorder) == [("checks", None), ("model", True)]


def test_where_the_first_failed_there_is_no_second() -> None:
    weak = ScriptedModel(*[code("data['main']")] * 3)
    outcome, recorder, _ = answer(paired(weak, ScriptedModel(DONE), ScriptedKernel(*[KEY_ERROR] * 3)), LIVE)
    assert ways(recorder) == [("weak", "direct"), ("strong", "direct")]
    assert outcome.attempts[0].end == "no_progress"


def test_words_that_agree_with_words_are_for_the_judge() -> None:
    weak = ScriptedModel(FIVE, FIVE)
    outcome, recorder, _ = answer(paired(weak, judge=ScriptedModel(SOLVED)), KNOWN)
    assert ways(recorder) == [("weak", "words"), ("weak", "program")]
    assert steps(recorder) == [("checks", None), ("agreement", True), ("model", True)]
    assert outcome.verdict.by == "model"


def test_code_that_a_model_writes_where_words_were_asked_for_runs_like_any_other() -> None:
    weak = ScriptedModel(code("print(4)"), DONE, "It is 4.\nANSWER: 4")
    it = paired(weak, kernel=(kernel := ScriptedKernel(OK)))
    outcome, _, word = answer(it, KNOWN)
    assert word == "SRTarcdrzarzkkJKF"
    assert outcome.status == "solved"
    assert kernel.restarts == 1
    assert isinstance(it.store, MemoryStore)
    assert it.store.rows[1].solution.program.strip() == "print(4)", "of the two that agreed, the one with a program"


def test_a_program_whose_answer_was_not_the_accepted_one_is_not_kept() -> None:
    weak = ScriptedModel(code("print(4)"), 'Paris.\nANSWER: "Paris"', 'Paris.\nANSWER: "Paris, Texas"')
    it = paired(weak, kernel=ScriptedKernel(OK), judge=ScriptedModel(SOLVED))
    outcome, _, word = answer(it, KNOWN)
    assert (outcome.status, outcome.stored) == ("solved", None)
    assert word == "SRTarcdrzarzkkkJF"


def test_a_tier_that_is_alone_or_not_told_to_is_tried_once() -> None:
    for samples, tiers in ((2, 1), (1, 2)):
        model = ScriptedModel(DONE)
        it = Engine(
            [Tier(f"t{n}", model, samples=samples) for n in range(tiers)], ScriptedKernel(), MemoryStore(), Chain()
        )
        assert answer(it, KNOWN)[2] == "SRTarzkJF"


def test_in_a_chat_the_variables_of_earlier_questions_are_never_lost_to_a_second_attempt() -> None:
    kernel = ScriptedKernel(OK)
    it = paired(ScriptedModel(code("print(rows)"), DONE), kernel=kernel)
    it.keep_state = True
    task = Task("How many rows are there now?", variables=("rows",), history=(Exchange("Load them.", "Done."),))
    _, recorder, _ = answer(it, task)
    assert ways(recorder) == [("weak", "direct")]
    assert kernel.restarts == 0


def test_in_a_chat_that_holds_nothing_yet_two_attempts_are_made() -> None:
    kernel = ScriptedKernel(OK, OK)
    it = paired(ScriptedModel(code("a = 1"), DONE, code("b = 1"), DONE), kernel=kernel)
    it.keep_state = True
    assert ways(answer(it, LIVE)[1]) == [("weak", "direct"), ("weak", "plan")]
    assert kernel.restarts == 1


def test_at_the_end_of_the_money_there_is_no_second() -> None:
    it = paired(ScriptedModel(DONE), judge=ScriptedModel(SOLVED))
    it.short = lambda: True
    assert steps(answer(it, KNOWN)[1]) == [("checks", None), ("model", True)]


def test_money_that_ends_in_the_second_leaves_what_the_first_found_unverified() -> None:
    spent = BudgetSpent("all of it is spent", "allow more")
    outcome, _, word = answer(paired(ScriptedModel(code("a"), DONE, spent), kernel=ScriptedKernel(OK)), LIVE)
    assert word == "SRTarcdrzazF"
    assert (outcome.status, outcome.answer) == ("budget", Answer("It is 4.", 4))


def test_an_endpoint_that_fails_in_the_second_is_followed_by_the_next_tier() -> None:
    weak = ScriptedModel(code("a"), DONE, ProviderError("503"))
    outcome, _, word = answer(paired(weak, ScriptedModel(DONE), ScriptedKernel(OK)), LIVE)
    assert word == "SRTarcdrzazkJTarzkJF"
    assert [attempt.end for attempt in outcome.attempts] == ["answered", "provider", "answered"]


def test_a_closed_host_in_the_second_alone_is_no_reason_to_stop() -> None:
    shut = Access("b.org", "GET", refused="host b.org is not on the allow-list", blocked=True)
    closed = CellResult("error", error=CellError("ProxyError", "403"), accesses=(shut,))
    weak = ScriptedModel(code("a"), DONE, code("b"), code("c"))
    outcome, _, _ = answer(paired(weak, ScriptedModel(DONE), ScriptedKernel(OK, closed, closed)), LIVE)
    assert [attempt.end for attempt in outcome.attempts] == ["answered", "needs_person", "answered"]


class Stopping(ScriptedModel):
    """The person stops it at its third reply."""

    def __init__(self, stop: Stop, *script: str) -> None:
        super().__init__(*script)
        self.stop = stop

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        if len(self.seen) == 2:
            self.stop.request()
        yield Tick()
        return (yield from super().reply(messages, limit))


def test_an_interruption_of_the_second_ends_the_question() -> None:
    stop = Stop(15)
    weak = Stopping(stop, code("a"), DONE, code("b"))
    recorder = Recorder()
    outcome: Outcome = play(paired(weak, kernel=ScriptedKernel(OK)).run(LIVE), [recorder], stop=stop)
    assert outcome.status == "interrupted"
    assert [attempt.end for attempt in outcome.attempts] == ["answered", "interrupted"]
    assert steps(recorder) == []


def test_a_demonstration_is_credited_once_for_the_two() -> None:
    store = MemoryStore()
    store.settle(store.keep(Solution(LIVE.query, "print(1)", Answer("1"), "weak")), True)
    it = paired(ScriptedModel(code("a"), DONE, code("b"), DONE), kernel=ScriptedKernel(OK, OK))
    it.store = store
    assert answer(it, LIVE)[0].status == "solved"
    assert (store.rows[1].wins, store.rows[1].losses) == (1, 0)


# ── in a session ────────────────────────────────────────────────────────────────────────────────────────────────────


def conversation(model: ScriptedModel, boxes: ScriptedBoxes) -> Session:
    it = session(model, boxes)
    it.engine.tiers = [Tier("weak", model, samples=2), Tier("strong", ScriptedModel())]
    it.engine.judge = Chain()
    return it


def test_only_the_variables_of_the_second_are_known_to_the_next_question() -> None:
    model = ScriptedModel(code("warm = 4"), DONE, code("cold = 4"), DONE, DONE)
    it = conversation(model, ScriptedBoxes(ScriptedKernel(OK, OK)))
    play(it.ask(LIVE.query), stop=Stop(15))
    play(it.ask("And in Rome?"), stop=Stop(15))
    asked = model.seen[-1]
    assert "The kernel still holds: cold\n" in asked[-1].text
    assert [message.text for message in asked[1:3]] == [LIVE.query, "It is 4."], "one answer of the two"
    assert len(model.seen) == 5, "the second question, which may use what is held, is tried once"


def test_files_that_an_earlier_question_left_are_not_lost_to_a_second_attempt() -> None:
    wrote = replace(OK, files=(Saved("/kept/out.csv", "out.csv", "text/csv", 3),))
    model = ScriptedModel(code("save('out.csv')"), DONE, code("save('out.csv')"), DONE, code("print(1)"), DONE)
    kernel = ScriptedKernel(wrote, wrote, OK)
    it = conversation(model, ScriptedBoxes(kernel))
    play(it.ask(LIVE.query), stop=Stop(15))
    restarts = kernel.restarts
    play(it.ask("How warm is it in Rome now, by that file?"), stop=Stop(15))
    assert (len(model.seen), kernel.restarts) == (6, restarts)


def test_one_kernel_boots_for_the_re_run_and_it_may_reach_what_the_second_program_asked() -> None:
    one, two = (replace(OK, accesses=(Access(host, "GET", status=200),)) for host in ("api.one", "api.two"))
    boxes = ScriptedBoxes(ScriptedKernel(one, two), fresh=(again := ScriptedKernel(OK),))
    it = conversation(ScriptedModel(code("print(1)"), DONE, code("print(2)"), DONE), boxes)
    attempts: list[str] = []
    it.begin_attempt = lambda: attempts.append("attempt")
    play(it.ask(LIVE.query), stop=Stop(15))
    assert boxes.readonly == [("api.two",)]
    assert attempts == ["attempt"] * 2
    (entry,) = it.pending()
    play(it.rerun(entry), stop=Stop(15))
    assert again.ran == ["print(2)"]
    it.close()


def test_no_kernel_boots_for_a_program_that_the_checks_reject() -> None:
    boxes = ScriptedBoxes(ScriptedKernel(OK))
    it = conversation(ScriptedModel(code("print(1)"), DONE, *[code("print(2)")] * 6), boxes)
    it.engine.tiers = [replace(it.engine.tiers[0], max_turns=2), Tier("strong", ScriptedModel(DONE))]
    it.engine.kernel = ScriptedKernel(OK, KEY_ERROR, KEY_ERROR)
    play(it.ask(LIVE.query), stop=Stop(15))
    assert boxes.readonly == []
    it.close()
