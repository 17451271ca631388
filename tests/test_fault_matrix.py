"""Fault x tier x policy: each kind of fault at each place of the cascade, through a whole question.

Scripted models and kernels; what is looked at are the events, how the attempt ends, whether a stronger model is asked,
and the exit code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import pytest

from ecoassist.asking import AskingKernel
from ecoassist.engine import Engine, Tier
from ecoassist.errors import BudgetSpent, EcoassistError, NoSandbox, ProviderError
from ecoassist.events import LETTER, ORDER, Asked, AttemptFinished, Judged, Notice, Stream
from ecoassist.faults import POLICY, Policy
from ecoassist.play import nobody, play
from ecoassist.ports import Judge, Person
from ecoassist.render.result import exit_code
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import (
    Access,
    Api,
    Attempt,
    CellError,
    CellResult,
    End,
    FaultKind,
    Outcome,
    Question,
    Reply,
    Task,
    Verdict,
)

Place = Literal["first", "last", "only"]
"""Where on the cascade the fault is met: by a weak tier before a stronger one, by that one, by one that is alone."""
ASK = Task("q", apis=(Api("weather", "api.w", "WEATHER_KEY"),))
RUN, DONE = "```python\nrun()\n```", "It is 4.\nANSWER: 4"
ANSWERED = Access("api.w", "GET", "/", 200, api="weather")
GOOD = CellResult("ok", "4", accesses=(ANSWERED,))


def error(name: str, message: str, *accesses: Access) -> CellResult:
    return CellResult("error", error=CellError(name, message), accesses=accesses, cause="exception")


CLOSED = error("ProxyError", "403", Access("b.org", "GET", refused="host b.org is not on the allow-list", blocked=True))
KEYLESS = error("HTTPError", "401", Access("api.w", "GET", status=401, api="weather", key="sent"))
OFF = replace(CLOSED, accesses=(Access("b.org", "GET", refused="the network is off: its policy is none"),))


@dataclass(frozen=True)
class Case:
    kind: FaultKind
    policy: Policy
    met: Sequence[Reply | str | Exception | CellResult]
    """What a tier meets until it ends: the replies of its model, and after those with code what became of the cell."""
    end: End | type[EcoassistError]
    escalates: bool
    code: int
    """Of the process, where no other tier follows."""


def cells(result: CellResult, times: int) -> list[Reply | str | Exception | CellResult]:
    return [RUN, result] * times


MATRIX = {
    "code": Case("code", "repair", cells(error("ValueError", "x"), 3), "no_progress", True, 1),
    "code that never ends": Case(
        "code",
        "repair",
        cells(CellResult("timeout", reason="stopped after 60 s", cause="deadline"), 3),
        "no_progress",
        True,
        1,
    ),
    "out of memory": Case(
        "code", "repair", cells(CellResult("oom", reason="out of memory", cause="memory"), 3), "no_progress", True, 1
    ),
    "package": Case(
        "package",
        "repair",
        cells(error("ModuleNotFoundError", "No module named 'yfinance'"), 3),
        "no_progress",
        True,
        1,
    ),
    "format": Case("format", "repair", ["```python\nprint("] * 3, "no_progress", True, 1),
    "cut off": Case("format", "repair", [Reply("so long", "length")] * 3, "no_progress", True, 1),
    "data": Case("data", "repair", cells(error("KeyError", "'main'", ANSWERED), 3), "no_progress", True, 1),
    "empty data": Case("data", "repair", cells(replace(GOOD, text="None\n"), 3), "no_progress", True, 1),
    "api": Case(
        "api", "repair", cells(error("HTTPError", "500", Access("a", "GET", status=500)), 3), "no_progress", True, 1
    ),
    "api, caught": Case(
        "api",
        "repair",
        cells(CellResult("ok", "sorry", accesses=(Access("a", "GET", status=404),)), 3),
        "no_progress",
        True,
        1,
    ),
    "auth": Case("auth", "ask", cells(KEYLESS, 2), "needs_person", False, 1),
    "auth, caught": Case("auth", "ask", cells(replace(KEYLESS, status="ok", error=None), 2), "needs_person", False, 1),
    "blocked": Case("blocked", "ask", cells(CLOSED, 2), "needs_person", False, 1),
    "blocked, caught": Case(
        "blocked", "ask", cells(replace(CLOSED, status="ok", error=None), 2), "needs_person", False, 1
    ),
    "no network": Case("blocked", "ask", cells(OFF, 2), "needs_person", False, 1),
    "provider": Case("provider", "failover", [ProviderError("503")], "provider", True, 3),
    "provider, later": Case("provider", "failover", [*cells(GOOD, 1), ProviderError("503")], "provider", True, 3),
    "sandbox": Case("sandbox", "restart", cells(CellResult("gone", reason="killed"), 2), NoSandbox, False, 3),
    "budget": Case("budget", "stop", [BudgetSpent("no money", "more")], "budget", False, 4),
    "refusal": Case("refusal", "escalate", [Reply("", "filter")], "refusal", True, 1),
    "interrupted": Case("interrupted", "stop", [Reply("", "interrupted")], "interrupted", False, 130),
    "interrupted cell": Case("interrupted", "stop", cells(CellResult("interrupted"), 1), "interrupted", False, 130),
}


@dataclass
class Ran:
    outcome: Outcome | None
    error: EcoassistError | None
    recorder: Recorder
    kernel: ScriptedKernel
    strong: ScriptedModel

    @property
    def word(self) -> str:
        return "".join(LETTER.get(type(event), "") for event in self.recorder.events)

    @property
    def code(self) -> int:
        return exit_code(self.outcome, self.error, "interrupt")

    @property
    def verdicts(self) -> list[Verdict]:
        return [event.verdict for event in self.recorder.events if isinstance(event, Judged)]

    def attempts(self) -> list[Attempt]:
        return [event.attempt for event in self.recorder.events if isinstance(event, AttemptFinished)]


def ask(
    *tiers: Sequence[Reply | str | Exception | CellResult],
    judge: Judge | None = None,
    person: Person | None = None,
    turns: int = 6,
    samples: int = 1,
    task: Task = ASK,
) -> Ran:
    """One question to tiers that meet, one after another, what is given."""
    models, results = [], []
    for met in tiers:
        results += [one for one in met if isinstance(one, CellResult)]
        models.append(ScriptedModel(*(one for one in met if not isinstance(one, CellResult))))
    kernel, recorder = ScriptedKernel(*results), Recorder()
    asking = AskingKernel(kernel, lambda host, span: None, "" if person else "nobody is there")
    named = [Tier(f"t{n}", model, turns, samples) for n, model in enumerate(models)]
    engine = Engine(named, asking, MemoryStore(), judge or FixedJudge())
    outcome: Outcome | None = None
    caught: EcoassistError | None = None
    try:
        outcome = play(engine.run(task), [recorder], person or nobody)
    except EcoassistError as raised:
        caught = raised
    return Ran(outcome, caught, recorder, kernel, models[-1])


@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize("name", MATRIX)
def test_each_fault_is_met_by_its_policy_at_each_place_of_the_cascade(name: str, place: Place) -> None:
    case = MATRIX[name]
    assert POLICY[case.kind] == case.policy
    if place == "first":
        ran = ask(case.met, [DONE])
    elif place == "last":
        ran = ask([DONE], case.met, judge=FixedJudge(False, True))
    else:
        ran = ask(case.met)
    attempts = ran.attempts()
    at = 1 if place == "last" else 0
    if isinstance(case.end, str):
        assert attempts[at].end == case.end
        assert attempts[at].turns == () or attempts[at].end in ("provider", "budget") or attempts[at].turns[-1].fault
        found = {turn.fault.kind for turn in attempts[at].turns if turn.fault}
        assert found == ({case.kind} if case.kind not in ("provider", "budget") else set())
    else:
        assert isinstance(ran.error, case.end)
        assert len(attempts) == at
    if place == "first" and case.escalates:
        assert (ran.code, len(attempts), len(ran.strong.seen)) == (0, 2, 1)
    else:
        mixed = case.kind == "provider" and place == "last"  # the weak tier's model did answer
        assert ran.code == (1 if mixed else case.code)
        assert len(attempts) == at + isinstance(case.end, str)
    assert ran.error or re.fullmatch(ORDER, ran.word), ran.word
    for verdict in ran.verdicts[at : at + 1]:
        assert (verdict.solved, verdict.escalate) == (False, case.policy != "ask")


def test_every_kind_of_fault_and_every_policy_is_in_the_matrix() -> None:
    assert {case.kind for case in MATRIX.values()} == set(get_args(FaultKind)) == set(POLICY)
    assert {case.policy for case in MATRIX.values()} == set(get_args(Policy))


MENDED = [name for name, case in MATRIX.items() if case.policy in ("repair", "ask", "restart")]


@pytest.mark.parametrize("name", MENDED)
def test_a_fault_that_is_met_once_costs_a_turn_and_neither_the_tier_nor_a_stronger_one(name: str) -> None:
    case = MATRIX[name]
    once = case.met[: 2 if isinstance(case.met[1], CellResult) else 1]
    other = "```python\nother()\n```"
    ran = ask([*once, other, GOOD, DONE], [])
    assert (ran.code, len(ran.attempts()), ran.kernel.restarts) == (0, 1, int(case.kind == "sandbox"))
    assert [turn.fault.kind if turn.fault else None for turn in ran.attempts()[0].turns] == [case.kind, None, None]
    if case.policy != "restart":
        hint = ran.attempts()[0].turns[0].hint
        assert hint == ""


@pytest.mark.parametrize("name", [name for name, case in MATRIX.items() if case.policy == "repair"])
def test_the_second_identical_failure_changes_the_instruction_also_with_another_in_between(name: str) -> None:
    case = MATRIX[name]
    once = case.met[: 2 if isinstance(case.met[1], CellResult) else 1]
    between: list[str | CellResult] = ["```python\nother()\n```", error("TypeError", "y")]
    ran = ask([*once, *between, *once, *between, *once], [DONE], turns=9)
    told = [turn.hint for turn in ran.attempts()[0].turns]
    assert ["another approach" in hint for hint in told] == [False, False, True, True, False]
    assert ran.attempts()[0].end == "no_progress"


@pytest.mark.parametrize(("name", "answer"), [("auth", "yes"), ("blocked", "once")])
def test_what_the_person_mends_is_no_failure_and_the_same_code_may_run_again(name: str, answer: str) -> None:
    ran = ask([*MATRIX[name].met[:2], RUN, GOOD, DONE], [], person=lambda question: answer)
    assert (ran.code, len(ran.attempts())) == (0, 1)
    assert [event.question.kind for event in ran.recorder.events if isinstance(event, Asked)] == [
        "key" if name == "auth" else "host"
    ]


def test_the_same_block_after_a_caught_refusal_runs_again_and_its_old_output_is_no_answer() -> None:
    ran = ask([*MATRIX["blocked, caught"].met[:2], RUN, GOOD, DONE], [], person=lambda question: "once")
    assert ran.code == 0
    assert len(ran.kernel.ran) == 2


def test_hosts_that_the_person_opens_one_after_another_are_no_repetition() -> None:
    hosts = [
        replace(CLOSED, accesses=(Access(f"h{n}.org", "GET", refused="no", blocked=True),), status="ok")
        for n in range(4)
    ]
    ran = ask([one for host in hosts for one in (RUN, host)] + [RUN, GOOD, DONE], [], person=lambda question: "session")
    assert (ran.code, len(ran.attempts())) == (0, 1)


@pytest.mark.parametrize("name", ["auth", "blocked"])
def test_a_person_who_says_no_is_told_at_the_end_what_would_help(name: str) -> None:
    asked: list[Question] = []

    def person(question: Question) -> str:
        asked.append(question)
        return "no"

    ran = ask(MATRIX[name].met, [DONE], person=person)
    assert len(asked) == 1
    assert ran.attempts()[0].end == "needs_person"
    assert not ran.strong.seen


def test_a_key_that_is_refused_again_after_it_was_said_to_be_in_order_ends_the_attempt() -> None:
    ran = ask(MATRIX["auth"].met, [DONE], person=lambda question: "yes")
    assert ran.attempts()[0].end == "needs_person"
    assert not ran.strong.seen


# ── what only the person can mend never escalates ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("met", "remedy"),
    [
        (KEYLESS, "renew its key: ecoassist api key WEATHER_KEY"),
        (CLOSED, "ecoassist api add b.org --host b.org"),
        (OFF, "--network allowlist"),
        (
            replace(CLOSED, accesses=(Access("api.open-meteo.com", "GET", refused="not listed", blocked=True),)),
            "enable it: ecoassist api add open-meteo",
        ),
        (
            replace(
                CLOSED,
                accesses=(
                    Access("api.x", "GET", refused="its API is off: x has no key; ecoassist api key X", api="x"),
                ),
            ),
            "ecoassist api key X",
        ),
    ],
)
def test_the_verdict_names_the_remedy(met: CellResult, remedy: str) -> None:
    ran = ask(cells(met, 2), [DONE])
    (verdict,) = ran.verdicts
    assert (verdict.solved, verdict.escalate) == (False, False)
    assert verdict.reason.startswith("only you can help: ")
    assert remedy in verdict.reason


def test_a_hostile_host_name_is_in_no_command() -> None:
    host = "b.org;rm -rf ~"
    ran = ask(cells(replace(CLOSED, accesses=(Access(host, "GET", refused="no", blocked=True),)), 2), [DONE])
    assert "api add" not in ran.verdicts[0].reason


@pytest.mark.parametrize("met", [KEYLESS, CLOSED])
@pytest.mark.parametrize(
    "then",
    [
        pytest.param([DONE], id="answered from memory, and judged no"),
        pytest.param([RUN, error("ValueError", "x")] * 3, id="no progress in something else"),
        pytest.param([*["```python\nx = 1\n```", CellResult("ok")] * 5], id="out of turns"),
        pytest.param([Reply("", "filter")], id="refused"),
    ],
)
def test_an_obstacle_that_stands_at_the_end_does_not_escalate(
    met: CellResult, then: Sequence[Reply | str | CellResult]
) -> None:
    other = "```python\nother()\n```"
    ran = ask([other, met, *then], [DONE], judge=FixedJudge(False))
    assert ran.code == 1
    assert not ran.strong.seen


@pytest.mark.parametrize("met", [KEYLESS, CLOSED])
def test_an_obstacle_that_was_got_round_does_not_hold_a_real_failure_back(met: CellResult) -> None:
    other = "```python\nother()\n```"
    ran = ask([other, met, RUN, GOOD, "It is 5.\nANSWER: 5"], [DONE], judge=FixedJudge(False, True))
    assert (ran.code, len(ran.strong.seen)) == (0, 1)


def test_an_endpoint_that_fails_after_an_obstacle_is_failed_over() -> None:
    ran = ask([RUN, KEYLESS, ProviderError("503")], [DONE])
    assert (ran.code, len(ran.strong.seen)) == (0, 1)
    assert any(isinstance(event, Notice) and "503" in event.text for event in ran.recorder.events)


def test_a_person_who_asks_for_a_stronger_model_gets_it_whatever_stands_in_the_way() -> None:
    class Person(FixedJudge):
        def judge(self, task: Task, attempts: Sequence[Attempt]) -> Stream[Verdict]:
            yield from super().judge(task, attempts)
            return Verdict(len(self.seen) > 1, "person", "rejected, a stronger model was asked for")

    ran = ask([RUN, KEYLESS, "Perhaps 5.\nANSWER: 5"], [DONE], judge=Person())
    assert (ran.code, len(ran.strong.seen)) == (0, 1)


def test_a_program_that_tries_several_hosts_and_is_answered_by_one_has_no_fault() -> None:
    mixed = replace(GOOD, accesses=(*CLOSED.accesses, *KEYLESS.accesses, ANSWERED))
    ran = ask([RUN, mixed, DONE], [])
    assert (ran.code, ran.attempts()[0].turns[0].fault) == (0, None)
    assert ran.outcome
    assert ran.outcome.stored == 1


def test_demonstrations_are_not_blamed_for_what_only_the_person_can_mend() -> None:
    from ecoassist.entries import Solution
    from ecoassist.types import Answer

    store = MemoryStore()
    stored = store.keep(Solution("q", "p", Answer("a"), "cheap"))
    store.settle(stored, True)
    kernel = ScriptedKernel(KEYLESS, KEYLESS)
    play(Engine([Tier("a", ScriptedModel(RUN, RUN))], kernel, store, FixedJudge()).run(ASK))
    assert (store.rows[stored].wins, store.rows[stored].losses) == (0, 0)


# ── the sandbox ─────────────────────────────────────────────────────────────────────────────────────────────────────

GONE = CellResult("gone", reason="the container was killed", state_lost=True)


def test_a_sandbox_that_dies_at_the_last_turn_takes_no_turn_from_the_model() -> None:
    ran = ask([RUN, GONE, RUN, GOOD, DONE], [], turns=2)
    assert (ran.code, len(ran.attempts())) == (0, 1)


def test_a_sandbox_that_dies_at_each_of_two_tiers_is_broken() -> None:
    wrong = "It is 5.\nANSWER: 5"
    ran = ask([RUN, GONE, wrong], [RUN, GONE, DONE], judge=FixedJudge(False, True))
    assert isinstance(ran.error, NoSandbox)
    assert ran.code == 3


def test_each_question_has_a_death_of_the_sandbox_to_spare() -> None:
    kernel = ScriptedKernel(GONE, GOOD, GONE, GOOD)
    other = "```python\nother()\n```"
    model = ScriptedModel(RUN, other, DONE, RUN, other, DONE)
    engine = Engine([Tier("a", model)], kernel, MemoryStore(), FixedJudge())
    assert [play(engine.run(ASK)).status for _ in range(2)] == ["solved", "solved"]


def test_when_all_tiers_fail_by_their_endpoint_each_says_so_and_the_environment_is_broken() -> None:
    ran = ask([ProviderError("503 from a")], [ProviderError("503 from b")])
    assert ran.code == 3
    assert [event.text for event in ran.recorder.events if isinstance(event, Notice)] == [
        "t0: 503 from a",
        "t1: 503 from b",
    ]


# ── what the next tier is told ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("handoff", [True, False])
def test_facts_are_handed_over_or_nothing_is(handoff: bool) -> None:
    weak, strong = ScriptedModel(RUN, RUN, RUN), ScriptedModel(DONE)
    kernel = ScriptedKernel(*[error("KeyError", "'mian'", ANSWERED)] * 3)
    engine = Engine([Tier("a", weak), Tier("b", strong)], kernel, MemoryStore(), FixedJudge(), handoff=handoff)
    assert play(engine.run(ASK)).status == "solved"
    assert ("data: KeyError: 'mian'" in strong.seen[0][-1].text) == handoff
    assert ("Facts from an earlier try" in strong.seen[0][-1].text) == handoff


@pytest.mark.parametrize("lost", [True, False])
def test_in_a_chat_the_next_tier_is_told_of_the_variables_that_there_are(lost: bool) -> None:
    weak, strong = ScriptedModel("```python\nnew = 1\n```", RUN, "It is 5.\nANSWER: 5"), ScriptedModel(DONE)
    kernel = ScriptedKernel(CellResult("ok"), CellResult("oom", state_lost=lost, cause="memory"))
    engine = Engine(
        [Tier("a", weak), Tier("b", strong)], kernel, MemoryStore(), FixedJudge(False, True), keep_state=True
    )
    play(engine.run(replace(ASK, variables=("old",))))
    told = strong.seen[0][-1].text
    assert ("The kernel still holds: old" in told, "the kernel also holds: new" in told) == (not lost, not lost)
    assert ("variables of earlier questions are gone" in told) == lost
    assert kernel.restarts == 0
