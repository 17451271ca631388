"""The cascade: when a tier ends, what the next one is told, what is stored."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecoassist.engine import Engine, Tier
from ecoassist.entries import Match, Meaning, Solution
from ecoassist.errors import EnvironmentFault, NoSandbox, ProviderError
from ecoassist.events import LETTER, CellFinished, Notice, Stream, Tick
from ecoassist.memory import Limits
from ecoassist.play import play
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel, remembered
from ecoassist.types import (
    Access,
    Answer,
    Attempt,
    CellError,
    CellResult,
    Exchange,
    Outcome,
    Reply,
    Task,
    Verdict,
)

OK = CellResult("ok", "4\n")
KEY_ERROR = CellResult("error", "", "", CellError("KeyError", "'main'", "KeyError: 'main'"))
DONE = "It is 4.\nANSWER: 4"


def code(source: str) -> str:
    return f"```python\n{source}\n```"


def answer(engine: Engine, task: Task | None = None) -> tuple[Outcome, Recorder, str]:
    recorder = Recorder()
    outcome = play(engine.run(task or Task("q")), [recorder])
    return outcome, recorder, "".join(LETTER.get(type(event), "") for event in recorder.events)


def engine(*tiers: Tier, kernel: ScriptedKernel | None = None, judge: FixedJudge | None = None) -> Engine:
    return Engine(tiers, kernel or ScriptedKernel(), MemoryStore(), judge or FixedJudge())


def test_a_question_solved_by_the_first_tier_is_stored_as_a_candidate() -> None:
    it = engine(Tier("cheap", ScriptedModel(code("print(2+2)"), DONE)), kernel=ScriptedKernel(OK))
    outcome, _, word = answer(it)
    assert word == "SRTarcdrzkJKF"
    assert (outcome.status, outcome.tier, outcome.stored) == ("solved", "cheap", 1)
    assert outcome.answer == Answer("It is 4.", 4)
    assert isinstance(it.store, MemoryStore)
    assert it.store.rows[1].solution.program.strip() == "print(2+2)"
    assert it.store.rows[1].state == "pending"


def test_a_candidate_says_which_hosts_and_apis_answered_it() -> None:
    accesses = (
        Access("api.w", "GET", "/", 200, api="weather"),
        Access("api.g", "GET", "/", 404, api="places"),
        Access("bad.example", "GET", "/", refused="not listed"),
        Access("docs.example", "GET", "/", 200, cached=True),
        Access("api.w", "GET", "/v2", 200, api="weather"),
    )
    model, kernel = ScriptedModel(code("x"), DONE), ScriptedKernel(CellResult("ok", "4", accesses=accesses))
    answer(it := engine(Tier("cheap", model), kernel=kernel))
    assert isinstance(it.store, MemoryStore)
    stored = it.store.rows[1].solution
    assert stored.hosts == ("api.w", "api.g", "docs.example")
    assert stored.apis == ("weather",)


def test_a_rejected_answer_escalates_with_facts_but_without_the_weak_answer_or_code() -> None:
    weak = ScriptedModel(code("data['main']"), code("print(guess)"), "It is 5.\nANSWER: 5")
    strong = ScriptedModel(code("print(4)"), DONE)
    fetched = CellResult("ok", "5", accesses=(Access("api.w", "GET", "/v1", 200),))
    kernel = ScriptedKernel(KEY_ERROR, fetched, OK)
    outcome, _, word = answer(
        engine(Tier("weak", weak), Tier("strong", strong), kernel=kernel, judge=FixedJudge(False, True))
    )
    assert word == "SRTarcdrcdrzkJTarcdrzkJKF"
    assert (outcome.status, outcome.tier) == ("solved", "strong")
    assert kernel.restarts == 1, "each tier of a one-shot question starts on a fresh kernel"
    told = strong.seen[0][-1].text
    assert "KeyError: 'main'" in told
    assert "GET api.w/v1 answered 200" in told
    assert "It is 5" not in told
    assert "guess" not in told


def test_the_model_sees_status_output_value_and_error_of_its_cell() -> None:
    model = ScriptedModel(code("x"), code("y"), DONE)
    ok = CellResult("ok", "printed\n", "the value", accesses=(Access("bad.example", "GET", "/", refused="not listed"),))
    answer(engine(Tier("cheap", model), kernel=ScriptedKernel(KEY_ERROR, ok)))
    failed, good = model.seen[1][-1].text, model.seen[2][-1].text
    assert "[error]" in failed
    assert "KeyError: 'main'" in failed
    assert "[ok]" in good
    assert "printed" in good
    assert "the value" in good
    assert "GET bad.example/: not listed" in good


def test_the_third_identical_failure_ends_the_tier_and_the_second_changes_the_instruction() -> None:
    weak = ScriptedModel(*[code("data['main']  # again")] * 3)
    strong = ScriptedModel(DONE)
    kernel = ScriptedKernel(KEY_ERROR, KEY_ERROR, KEY_ERROR)
    outcome, _, _ = answer(
        engine(Tier("weak", weak), Tier("strong", strong), kernel=kernel, judge=FixedJudge(False, True))
    )
    assert outcome.attempts[0].end == "no_progress"
    assert "another approach" not in weak.seen[1][-1].text
    assert "another approach" in weak.seen[2][-1].text


def test_the_turn_limit_ends_a_tier() -> None:
    weak = ScriptedModel(code("a"), code("b"), code("c"))
    it = engine(Tier("weak", weak, 2), kernel=ScriptedKernel(OK, OK), judge=FixedJudge(False))
    outcome, _, _ = answer(it)
    assert (outcome.attempts[0].end, len(outcome.attempts[0].turns)) == ("turn_limit", 2)
    assert ["last turn" in sent[-1].text for sent in weak.seen] == [False, True]
    assert outcome.status == "unsolved"


def test_a_reply_that_cannot_be_parsed_costs_one_corrective_turn() -> None:
    model = ScriptedModel("```python\nprint(", DONE)
    outcome, _, word = answer(engine(Tier("cheap", model)))
    assert word.startswith("SRTarrz")
    assert outcome.turns == 2
    assert "Not understood" in model.seen[1][-1].text
    assert "```python" in model.seen[1][-1].text


def test_a_provider_failure_fails_over_with_a_notice() -> None:
    outcome, recorder, _ = answer(
        engine(Tier("a", ScriptedModel(ProviderError("503 from a"))), Tier("b", ScriptedModel(DONE)))
    )
    assert (outcome.status, outcome.tier) == ("solved", "b")
    assert any(isinstance(event, Notice) and "503 from a" in event.text for event in recorder.events)


def test_when_no_model_answers_the_environment_is_broken() -> None:
    down = [Tier(name, ScriptedModel(ProviderError("down"))) for name in "ab"]
    with pytest.raises(ProviderError, match="no model answered: down"):
        answer(engine(*down))


def test_a_demonstration_is_not_blamed_for_an_endpoint_that_failed() -> None:
    store = MemoryStore()
    stored = store.keep(Solution("q", "p", Answer("a"), "cheap"))
    store.settle(stored, True)
    tiers = [Tier("a", ScriptedModel(ProviderError("503"))), Tier("b", ScriptedModel(DONE))]
    outcome, _, _ = answer(Engine(tiers, ScriptedKernel(), store, FixedJudge()))
    assert (outcome.status, len(outcome.examples)) == ("solved", 1)
    assert (store.rows[stored].wins, store.rows[stored].losses) == (0, 0)


def test_an_answer_that_was_cut_off_is_not_taken_for_one() -> None:
    model = ScriptedModel(Reply("It is probably 4, but", "length"), DONE)
    outcome, _, _ = answer(engine(Tier("a", model)))
    assert outcome.answer == Answer("It is 4.", 4)
    assert "cut off" in model.seen[1][-1].text


def test_a_judge_may_give_any_reason() -> None:
    class Says(FixedJudge):
        def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
            yield Tick()
            return Verdict(True, "model", "interrupted")

    assert answer(engine(Tier("a", ScriptedModel(DONE)), judge=Says()))[0].status == "solved"


def test_a_refusal_escalates_at_once() -> None:
    weak = ScriptedModel(Reply("", "filter"))
    outcome, _, _ = answer(
        engine(Tier("weak", weak), Tier("strong", ScriptedModel(DONE)), judge=FixedJudge(False, True))
    )
    assert outcome.attempts[0].end == "refusal"
    assert outcome.tier == "strong"


def test_a_broken_environment_is_never_escalated() -> None:
    strong = ScriptedModel(DONE)
    kernel = ScriptedKernel(NoSandbox("no engine", "start it"))
    with pytest.raises(NoSandbox):
        answer(engine(Tier("weak", ScriptedModel(code("x"))), Tier("strong", strong), kernel=kernel))
    assert not strong.seen


def test_a_dead_sandbox_is_replaced_once_and_then_the_environment_is_broken() -> None:
    once = ScriptedKernel(CellResult("gone"), OK)
    outcome, _, _ = answer(engine(Tier("a", ScriptedModel(code("x"), code("y"), DONE)), kernel=once))
    assert outcome.status == "solved"
    assert once.restarts == 1
    twice = ScriptedKernel(CellResult("gone"), CellResult("gone"))
    with pytest.raises(NoSandbox, match="died twice"):
        answer(engine(Tier("a", ScriptedModel(code("x"), code("y"), DONE)), kernel=twice))


def test_repeating_the_last_good_block_means_that_its_output_is_the_answer() -> None:
    model = ScriptedModel(code("print(2 + 2)"), code("print(2+2)  # the same"))
    outcome, recorder, _ = answer(engine(Tier("cheap", model), kernel=ScriptedKernel(OK)))
    assert outcome.answer == Answer("4")
    assert sum(isinstance(event, CellFinished) for event in recorder.events) == 1


def test_could_not_judge_is_unverified_and_not_stored() -> None:
    it = engine(Tier("a", ScriptedModel(code("x"), DONE)), kernel=ScriptedKernel(OK), judge=FixedJudge(None))
    outcome, _, word = answer(it)
    assert outcome.status == "unverified"
    assert "K" not in word


def test_a_demonstration_stands_before_the_question_and_is_credited() -> None:
    store = MemoryStore(remembered(7, "weather in Rome?", "print('rome')", 0.8))
    stored = store.keep(Solution("weather in Oslo?", "p", Answer("a"), "cheap"))
    store.settle(stored, True)
    model = ScriptedModel(DONE)
    it = Engine([Tier("cheap", model)], ScriptedKernel(), store, FixedJudge(), limits=Limits(2))
    answer(it, Task("weather in Oslo?"))
    text = model.seen[0][-1].text
    assert text.index("print('rome')") < text.index("Question: weather in Oslo?", text.index("p\n"))
    assert store.rows[stored].wins == 1


def test_a_broken_memory_costs_a_notice_and_not_the_answer() -> None:
    class Full(MemoryStore):
        def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
            raise EnvironmentFault("disk full", "free some space")

        def keep(self, solution: Solution) -> int:
            raise EnvironmentFault("disk full", "free some space")

    it = Engine([Tier("a", ScriptedModel(code("x"), DONE))], ScriptedKernel(OK), Full(), FixedJudge())
    outcome, recorder, _ = answer(it)
    assert outcome.status == "solved"
    assert sum(isinstance(event, Notice) and "disk full" in event.text for event in recorder.events) == 2


def test_several_good_cells_become_one_program() -> None:
    it = engine(
        Tier("a", ScriptedModel(code("x = 2"), code("y = "), code("print(x * 2)"), DONE)),
        kernel=ScriptedKernel(CellResult("ok"), KEY_ERROR, OK),
    )
    answer(it)
    assert isinstance(it.store, MemoryStore)
    program = it.store.rows[1].solution.program
    assert program.split() == ["x", "=", "2", "print(x", "*", "2)"]


def test_a_short_follow_up_is_looked_up_in_the_context_of_the_question_before() -> None:
    store = MemoryStore()
    stored = store.keep(Solution("weather in Rome? and in Oslo?", "p", Answer("a"), "cheap"))
    store.settle(stored, True)
    it = Engine([Tier("a", ScriptedModel(DONE))], ScriptedKernel(), store, FixedJudge())
    outcome, _, _ = answer(it, Task("and in Oslo?", history=(Exchange("weather in Rome?", "sunny"),)))
    assert [example.id for example in outcome.examples] == [stored]


@pytest.mark.parametrize(
    ("history", "query", "found"),
    [
        ((), "and in Oslo?", "and in Oslo?"),
        (("Will it rain in Rome on Sunday?",), "and in Oslo?", "Will it rain in Rome on Sunday? and in Oslo?"),
        (
            ("Will it rain in Rome on Sunday?", "and in Oslo?"),
            "and the day after tomorrow, in the evening?",
            "Will it rain in Rome on Sunday? and in Oslo? and the day after tomorrow, in the evening?",
        ),
        (
            ("Will it rain in Rome on Sunday?", "and in Oslo?", "and in Bern?", "in Kiel?"),
            "and in Linz?",
            "Will it rain in Rome on Sunday? in Kiel? and in Linz?",
        ),
        (("Will it rain in Rome?",), "How many rows does the file have?", "How many rows does the file have?"),
    ],
)
def test_a_follow_up_stands_with_the_root_of_its_conversation(history: tuple[str, ...], query: str, found: str) -> None:
    assert Task(query, history=tuple(Exchange(one, "a") for one in history)).in_context == found
