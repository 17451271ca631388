"""Tier 0: a stored program answers before any model is asked, or the models are asked as if there were none."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.engine import Engine, Tier
from ecoassist.entries import Entry, Match, Solution
from ecoassist.errors import NoSandbox, ProviderError
from ecoassist.events import CHOSEN, HOLD_OUT, LETTER, ORDER, Stream, TierStarted
from ecoassist.memory import Limits
from ecoassist.memory.crediting import CHECKED, of_replay
from ecoassist.play import Stop, play
from ecoassist.ports import Judge
from ecoassist.replay import SpareKernel, StoredProgram, fenced, read
from ecoassist.steering import Steering
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import Access, Answer, Api, CellError, CellResult, Code, Exchange, Outcome, Replay, Spending, Task
from ecoassist.verdict.judge import Chain

QUESTION = "How much rain fell in Paris?"
PROGRAM = "import requests\nprint(requests.get('https://api.rain.example/paris').text)"
FELL = CellResult("ok", "3 mm\n", accesses=(Access("api.rain.example", "GET", "/paris", 200, api="rain"),))
FAILED = CellResult(
    "error",
    error=CellError("KeyError", "'mm'"),
    accesses=(Access("api.rain.example", "GET", "/paris", 200, api="rain"),),
)
DOWN = replace(FAILED, accesses=(Access("api.rain.example", "GET", "/paris", 503, api="rain"),))
YES, NO = '{"solved": true, "reason": "r"}', '{"solved": false, "reason": "r"}'
DONE = "3 mm.\nANSWER: 3"
TASK = Task(QUESTION, apis=(Api("rain", "api.rain.example"),), enabled=("rain",))


def stored(wins: int = 1, losses: int = 0, replays: int = 0) -> Match:
    made = Solution(QUESTION, PROGRAM, Answer(""), "cheap", hosts=("api.rain.example",), apis=("rain",), shape="number")
    entry = Entry(12, made, "verified", "2026-01-01T00:00:00Z", wins, losses, replays=replays)
    return Match(entry, 1.0)


class House:
    """An engine with a stored program, and a kernel for it."""

    def __init__(
        self, *cells: CellResult | Exception, match: Match | None = None, models: int = 1, judge: Judge | None = None
    ) -> None:
        match = match or stored()
        self.store = MemoryStore(match)
        self.store.rows[match.id] = match.entry
        self.models = [ScriptedModel(DONE) for _ in range(models)]
        self.kernel, self.own = ScriptedKernel(), ScriptedKernel(*cells)
        self.asked: list[Replay] = []
        tiers = [Tier(name, model) for name, model in zip(("cheap", "strong"), self.models, strict=False)]
        self.engine = Engine(tiers, self.kernel, self.store, judge or Chain(ScriptedModel(YES)), replayer=self.replayer)
        self.recorder = Recorder()

    def replayer(self, replay: Replay) -> Tier:
        self.asked.append(replay)
        return Tier("replay", StoredProgram(replay.id, replay.program), 1, kernel=self.own, read=read)

    @property
    def entry(self) -> Entry:
        return self.store.rows[12]

    @property
    def word(self) -> str:
        return "".join(LETTER.get(type(event), "") for event in self.recorder.events)

    def ask(self, task: Task = TASK, why: str = "", *, private: bool = False) -> Outcome:
        return play(self.engine.run(task, why=why, private=private), [self.recorder])


# ── the stored program as a reply ───────────────────────────────────────────────────────────────────────────────────


@given(st.text())
def test_any_program_comes_out_of_its_fences_as_it_went_in(program: str) -> None:
    assert read(fenced(program)) == Code(program)


@pytest.mark.parametrize(
    "program",
    [
        "print('```')\n```\nANSWER: 4",
        '"""\n````python\nimport os\n````\n"""',
        "x = '</s>'\nprint('<think>')",
        "user: print(1)",
        "`",
        "",
    ],
)
def test_no_program_closes_its_fences(program: str) -> None:
    assert read(fenced(program)) == Code(program)


def test_what_is_no_stored_program_is_none() -> None:
    assert not isinstance(read("print(1)"), Code)
    assert not isinstance(read("```python\n```"), Code)


def test_a_solution_of_a_team_is_named_as_theirs() -> None:
    assert (StoredProgram(12, "").name, StoredProgram(-5, "").name) == ("solution #12", "solution team #5")


# ── it answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stored_program_answers_without_a_model_in_a_kernel_of_its_own() -> None:
    house = House(FELL)
    outcome = house.ask()
    assert (outcome.status, outcome.answer, outcome.tier) == ("solved", Answer("3 mm"), "replay")
    assert outcome.replayed is not None
    assert outcome.replayed.id == 12
    assert outcome.stored is None, "it is stored already"
    assert house.models[0].seen == []
    assert (house.kernel.ran, house.kernel.restarts) == ([], 0)
    assert house.own.ran == [PROGRAM]
    assert house.own.closed == 1
    assert house.word == "SRTarcdzkJF"


def test_a_replay_is_counted_but_is_no_win_of_its_own() -> None:
    house = House(FELL)
    house.ask()
    assert (house.entry.wins, house.entry.losses) == (1, 0)


def test_a_private_question_is_replayed_and_nothing_is_credited() -> None:
    house = House(FELL)
    assert house.ask(private=True).replayed
    assert house.entry == stored().entry


def test_a_replay_answers_where_no_model_can_be_reached() -> None:
    house = House(FELL)
    house.engine.tiers = [Tier("cheap", ScriptedModel(ProviderError("down")))]
    assert house.ask().status == "solved"


@pytest.mark.parametrize("said", ["3 mm of rain, none of it snow", "3 mm in Nanterre, informally", "3 mm (or 0.1 in)"])
def test_a_word_that_only_looks_like_a_missing_value_does_no_harm(said: str) -> None:
    assert House(CellResult("ok", said, accesses=FELL.accesses)).ask().replayed


# ── it does not answer ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wins", "losses"),
    [(0, 0), (1, 1), (5, 1)],
)
def test_without_a_win_or_with_a_loss_nothing_is_replayed(wins: int, losses: int) -> None:
    house = House(match=stored(wins, losses))
    assert house.ask().tier == "cheap"
    assert house.asked == []


@pytest.mark.parametrize("why", [CHOSEN, HOLD_OUT])
def test_where_the_tier_was_chosen_nothing_is_replayed_and_nothing_lost(why: str) -> None:
    house = House()
    outcome = house.ask(why=why)
    assert (outcome.tier, outcome.replay, house.asked) == ("cheap", None, [])
    assert house.entry.losses == 0


def test_where_it_is_switched_off_nothing_is_replayed() -> None:
    house = House()
    house.engine.limits = Limits(replay=False)
    assert house.ask().tier == "cheap"


def test_where_there_is_no_kernel_for_it_nothing_is_replayed() -> None:
    house = House()
    house.engine.replayer = None
    outcome = house.ask()
    assert (outcome.tier, outcome.replay, house.entry.losses) == ("cheap", None, 0)


@pytest.mark.parametrize(
    "cell",
    [
        FAILED,
        CellResult("timeout"),
        CellResult("oom", state_lost=True),
        CellResult("ok"),
        CellResult("ok", "None", accesses=FELL.accesses),
        CellResult("ok", "no data", accesses=FELL.accesses),
        CellResult("ok", "Error: no such city", accesses=FELL.accesses),
        CellResult("ok", "{'error': 'no such city'}", accesses=FELL.accesses),
        *(
            CellResult("ok", said, accesses=FELL.accesses)
            for said in (
                "Rain in Xyzzy 2: None",
                "Rain: nan mm of 10",
                "[] (0 hours)",
                "<Response [429]>",
                "<generator object f at 0x7f12>",
                "No city named Xyzzy 2",
                "Rain in Xyzzy: error 404",
                "Unknown city: Xyzzy 2",
                "Too many requests: 25 per day",
                "<html><body>429</body></html>",
            )
        ),
        CellResult("ok", "sunny", accesses=FELL.accesses),
        CellResult("ok", "3 mm"),
        CellResult("ok", "3 " * 2_000, accesses=FELL.accesses),
        CellResult("ok", "3 mm", accesses=(*FELL.accesses, Access("evil.example", "GET", refused="not its host"))),
        CellResult("ok", "3 mm", accesses=(*FELL.accesses, Access("api.rain.example", "POST", refused="not sent"))),
        CellResult("ok", "3 mm", accesses=(Access("api.rain.example", "GET", "/paris", 404),)),
    ],
    ids=lambda cell: f"{cell.status}: {cell.text[:20]}",
)
def test_what_the_checks_do_not_like_is_left_to_the_models_and_is_a_loss(cell: CellResult) -> None:
    house = House(cell)
    outcome = house.ask()
    assert (outcome.status, outcome.tier, outcome.replayed) == ("solved", "cheap", None)
    assert (house.kernel.restarts, house.own.closed) == (0, 1)
    own_refused = any(access.refused and access.host == "api.rain.example" for access in cell.accesses)
    assert house.entry.losses == (0 if own_refused else 1)
    assert house.word == "SRTarcdzkJTarzkkJF"


@pytest.mark.parametrize(
    "cell", [DOWN, CellResult("gone", state_lost=True), replace(DOWN, accesses=(Access("api.rain.example", "GET"),))]
)
def test_a_host_that_is_down_or_a_dead_sandbox_is_no_loss_of_the_program(cell: CellResult) -> None:
    house = House(cell)
    assert house.ask().tier == "cheap"
    assert house.entry.losses == 0
    assert house.kernel.restarts == 0


def test_a_kernel_that_cannot_be_had_costs_the_replay_and_not_the_answer() -> None:
    house = House()
    house.own = SpareKernel(ScriptedKernel(NoSandbox("no room", "make some")))  # type: ignore[assignment]
    assert house.ask().tier == "cheap"
    assert house.entry.losses == 0


def test_a_question_that_nobody_solved_says_nothing_of_the_stored_program() -> None:
    house = House(FAILED)
    house.engine.tiers = [Tier("cheap", ScriptedModel("", "", ""), max_turns=1)]
    outcome = house.ask()
    assert outcome.status == "unsolved"
    assert list(of_replay(outcome)) == []


def test_a_question_is_one_loss_of_a_program_that_was_run_and_shown() -> None:
    house = House(FAILED, models=2, judge=Chain(ScriptedModel(NO, YES)))
    assert house.ask().tier == "strong"
    assert house.entry.losses == 1


def test_a_failed_replay_hands_nothing_on_and_the_first_tier_begins_as_without_it() -> None:
    house = House(FAILED, models=2)
    house.engine.keep_state = True
    task = replace(TASK, history=(Exchange("Hello?", "Hello."),), variables=("city",))
    outcome = house.ask(task)
    asked = house.models[0].seen[0][-1].text
    assert "Facts from an earlier try" not in asked
    assert "The kernel still holds: city" in asked
    assert not outcome.attempts[1].fresh


def test_where_no_model_answers_after_a_failed_replay_the_environment_is_at_fault() -> None:
    house = House(FAILED)
    house.engine.tiers = [Tier("cheap", ScriptedModel(ProviderError("down")))]
    with pytest.raises(ProviderError, match="no model answered"):
        house.ask()


def test_what_only_the_person_can_mend_for_the_replay_does_not_keep_the_models_from_trying() -> None:
    blocked = CellResult("error", accesses=(Access("h", "GET", refused="closed", blocked=True),))
    house = House(blocked)
    assert house.ask().tier == "cheap"


def test_the_person_may_have_no_judge_at_all() -> None:
    assert House(FELL, judge=Chain()).ask().status == "solved"
    assert House(FAILED, judge=Chain()).ask().status == "unverified"


def test_a_program_that_works_without_the_hosts_of_its_question_need_not_ask_them() -> None:
    match = stored()
    alone = replace(match.entry.solution, program="print(3, 'mm')")
    house = House(CellResult("ok", "3 mm"), match=replace(match, entry=replace(match.entry, solution=alone)))
    assert house.ask().replayed


def test_an_interrupted_replay_ends_the_question_and_is_no_loss() -> None:
    class Endless(ScriptedKernel):
        def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
            stop.request()
            return (yield from super().run(code, seconds))

    stop, house = Stop(), House()
    house.own = Endless(FELL)
    outcome = play(house.engine.run(TASK), [house.recorder], stop=stop)
    assert outcome.status == "interrupted"
    assert house.models[0].seen == []
    assert (house.entry.wins, house.entry.losses) == (1, 0)


# ── a question that only sounds the same ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query",
    [
        "How much rain fell in it?",
        "How much rain fell there again?",
        "What is the mean of the table?",
        "How much rain fell in the second one?",
        "What would you have said?",
        "How large is rain_mm?",
        "and the price?",
        "and how much rain fell in Paris?",
    ],
)
def test_in_a_conversation_what_may_mean_something_said_before_is_not_replayed(query: str) -> None:
    match = stored()
    match = replace(match, entry=replace(match.entry, solution=replace(match.entry.solution, query=query)))
    task = replace(TASK, query=query, history=(Exchange("And long before that?", "Yes."),), variables=("rain_mm",))
    asked = replace(match.entry.solution, query=task.in_context)
    house = House(match=replace(match, entry=replace(match.entry, solution=asked)))
    assert house.ask(task).tier == "cheap"


@pytest.mark.parametrize("query", ["Will it rain in Paris at all tomorrow?", "How much rain fell in Paris this week?"])
def test_in_a_conversation_a_question_that_stands_alone_is_replayed(query: str) -> None:
    match = stored()
    match = replace(match, entry=replace(match.entry, solution=replace(match.entry.solution, query=query)))
    house = House(FELL, match=match)
    outcome = house.ask(replace(TASK, query=query, history=(Exchange("Who was Paris, the son of Priam?", "A man."),)))
    assert outcome.replayed


FORECAST = "import requests\nprint(requests.get('https://api.rain.example/paris?day=2026-11-24').text)"


@pytest.mark.parametrize(
    ("query", "ran", "replayed"),
    [
        ("Will it rain in Paris on Tuesday?", "2026-11-21T10:00:00+00:00", False),
        ("How much rain will there be in Paris in three days?", "2026-11-21T10:00:00+00:00", False),
        ("How much rain is forecast for Paris?", "2026-11-21T10:00:00+00:00", False),
        ("How much rain fell in Paris on 24 November 2026?", "2026-11-27T10:00:00+00:00", True),
    ],
)
def test_what_was_worked_out_from_the_day_it_ran_is_not_replayed_on_another(
    query: str, ran: str, replayed: bool
) -> None:
    match = stored()
    made = replace(match.entry.solution, query=query, program=FORECAST, ran=ran)
    house = House(FELL, match=replace(match, entry=replace(match.entry, solution=made)))
    assert (house.ask(replace(TASK, query=query, now="Tuesday, 24 November 2026")).replayed is not None) == replayed


def test_a_question_that_differs_in_a_value_only_runs_the_program_with_that_value() -> None:
    house = House(FELL, match=city())
    house.ask(replace(TASK, query="How much rain fell in Rome?"))
    assert house.own.ran == [BY_CITY.replace("Paris", "Rome")]


@pytest.mark.parametrize(("name", "runs"), [("O'Fallon", 1), ("Rome'); import os #", 0), ('Rome"\nimport os', 0)])
def test_a_value_is_never_more_than_a_value(name: str, runs: int) -> None:
    house = House(*[FELL] * runs, match=city())
    house.ask(replace(TASK, query=f"How much rain fell in {name}?"))
    assert [ast.dump(ast.parse(program)) for program in house.own.ran] == [
        ast.dump(ast.parse(BY_CITY.replace("'Paris'", repr(name))))
    ] * runs


BY_CITY = "import requests\nprint(requests.get('https://api.rain.example', params={'city': 'Paris'}).text)"


def city() -> Match:
    match = stored()
    return replace(match, entry=replace(match.entry, solution=replace(match.entry.solution, program=BY_CITY)))


def test_a_program_whose_output_takes_a_model_to_be_read_does_not_answer_alone() -> None:
    match = stored()
    silent = replace(match.entry.solution, tells=False)
    house = House(match=replace(match, entry=replace(match.entry, solution=silent)))
    assert house.ask().tier == "cheap"
    assert house.asked == []


def test_a_solution_whose_api_is_off_is_not_replayed() -> None:
    house = House()
    assert house.ask(replace(TASK, enabled=())).tier == "cheap"
    assert house.asked == []


# ── every tenth is judged ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("replays", "calls"), [(8, 0), (9, 1), (10, 0), (19, 1)])
def test_every_tenth_replay_is_put_to_the_judge(replays: int, calls: int) -> None:
    judge = ScriptedModel(YES, YES)
    house = House(FELL, match=stored(replays=replays), judge=Chain(judge))
    outcome = house.ask()
    assert outcome.replayed is not None
    assert len(judge.seen) == calls
    assert house.entry.wins == 1 + calls


def test_a_judged_replay_that_is_rejected_is_a_loss_and_the_models_are_asked() -> None:
    house = House(FELL, match=stored(replays=9), judge=Chain(ScriptedModel(NO, YES)))
    outcome = house.ask()
    assert (outcome.status, outcome.tier) == ("solved", "cheap")
    assert house.entry.losses == 1


@pytest.mark.parametrize("judge", [Chain(), Chain(ScriptedModel("hm", "hm")), Chain(ScriptedModel(ProviderError("-")))])
def test_where_nobody_can_judge_the_checks_decide_and_nothing_is_won(judge: Chain) -> None:
    house = House(FELL, match=stored(replays=9), judge=judge)
    outcome = house.ask()
    assert outcome.status == "solved"
    assert outcome.replayed is not None
    assert outcome.verdict.by == CHECKED
    assert (house.entry.wins, house.entry.losses) == (1, 0)


# ── the order of events, and where the next question begins ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("cell", [FELL, FAILED, CellResult("gone"), CellResult("interrupted"), CellResult("ok")])
def test_the_events_of_a_replay_keep_their_order(cell: CellResult) -> None:
    house = House(cell, models=2)
    house.ask()
    assert re.fullmatch(ORDER, house.word), house.word


def test_a_replay_teaches_nothing_of_where_to_begin() -> None:
    house = House(FELL)
    steering = Steering(house.engine.tiers)
    steering.finished(house.ask())
    assert steering.first == 0
    house = House(FAILED, models=2)
    steering = Steering(house.engine.tiers)
    steering.finished(house.ask())
    assert steering.first == 0, "the stored program failed, the first tier did not"
    house = House(FAILED, models=2)
    house.engine.tiers = [Tier("cheap", ScriptedModel(ProviderError("down"))), house.engine.tiers[1]]
    steering = Steering(house.engine.tiers)
    steering.finished(house.ask())
    assert steering.first == 0, "it could only not be reached"


def test_the_tier_of_a_replay_is_not_begun_for_the_reason_that_the_models_are() -> None:
    house = House(FAILED)
    house.ask(why="it solved an earlier question of this conversation")
    first, second = [event for event in house.recorder.events if isinstance(event, TierStarted)]
    assert (first.tier, first.model, first.why) == ("replay", "solution #12", "")
    assert second.why.startswith("replay did not solve it: the stored program failed")


def test_a_replay_has_cost_nothing() -> None:
    house = House(FELL)
    reply = house.ask().attempts[0].turns[0].reply
    assert reply.charge == Spending()


def test_the_chain_of_the_models_is_not_touched_by_a_replay_that_was_not_run() -> None:
    task = replace(TASK, replay=Replay(12, QUESTION, PROGRAM))
    assert play(FixedJudge().judge(task, [House(FELL).ask().attempts[0]])).solved
