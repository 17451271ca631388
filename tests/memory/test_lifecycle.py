from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ecoassist.entries import Entry, Solution, State
from ecoassist.memory import lifecycle
from ecoassist.memory.lifecycle import credited, restored, retired
from ecoassist.memory.merit import PATIENCE
from ecoassist.types import Answer, Spending

THEN, NOW = "2026-11-01T00:00:00Z", "2026-11-21T12:00:00Z"
OSLO = "What is the temperature in Oslo?"
SPENT = Spending(0.25, 300, 20, calls=2)


def made(id: int = 1, state: State = "pending", query: str = OSLO, program: str = "print(4)", wins: int = 0) -> Entry:
    answer = Answer("It is 4.", 4) if state == "pending" else Answer("")
    solution = Solution(query, program, answer, "cheap", hosts=("a.org",), shape="number", whole="x = 4\nprint(x)")
    return Entry(id, solution, state, THEN, wins=wins, verified="" if state == "pending" else THEN)


def settled(entry: Entry, *near: Entry, green: bool = True, program: str = "", why: str = "") -> list[Entry]:
    return lifecycle.settled(entry, near, green, program, why, NOW)


# ── a re-run ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_candidate_that_works_is_verified_and_forgets_its_answer_but_not_its_shape() -> None:
    (entry,) = settled(made())
    assert (entry.state, entry.verified, entry.created) == ("verified", NOW, THEN)
    assert (entry.solution.answer, entry.solution.whole) == (Answer(""), "")
    assert entry.solution.shape == "number"


def test_a_candidate_that_does_not_work_has_failed_for_good() -> None:
    (entry,) = settled(made(), green=False, why="HTTP 410")
    assert (entry.state, entry.note, entry.verified) == ("failed", "HTTP 410", "")
    assert entry.solution.answer == Answer("")
    assert settled(entry) == []


def test_the_program_that_ran_is_the_one_that_is_kept() -> None:
    (entry,) = settled(made(), program="x = 4\nprint(x)")
    assert entry.solution.program == "x = 4\nprint(x)"


@pytest.mark.parametrize("state", ["verified", "broken"])
def test_what_is_served_breaks_and_mends(state: State) -> None:
    (broken,) = settled(made(state=state), green=False, why="KeyError: 'temp'")
    assert (broken.state, broken.note, broken.verified) == ("broken", "KeyError: 'temp'", THEN)
    (mended,) = settled(broken)
    assert (mended.state, mended.note, mended.verified) == ("verified", "", NOW)


def test_a_rerun_changes_nothing_of_what_was_retired() -> None:
    assert settled(retired(made(), "the person said no")) == []
    assert settled(retired(made(), "the person said no"), green=False) == []


# ── one question, several programs ──────────────────────────────────────────────────────────────────────────────────


def test_a_later_program_for_the_same_question_takes_the_place_of_the_first() -> None:
    first = made(1, "verified")
    second, gone = settled(made(2, query="what is the temperature in oslo", program="print(5)"), first)
    assert (second.id, second.state) == (2, "verified")
    assert (gone.id, gone.state) == (1, "retired")
    assert gone.note == "#2 took its place: a later program for the same question"


def test_what_takes_the_place_of_a_winner_is_trusted_as_it_was() -> None:
    second, _ = settled(made(2, program="print(5)"), made(1, "verified", wins=3))
    assert (second.wins, second.losses) == (3, 0)


@pytest.mark.parametrize("first", [replace(made(1, "broken"), wins=3), replace(made(1, "verified"), wins=3, losses=1)])
def test_what_takes_the_place_of_a_loser_begins_anew(first: Entry) -> None:
    second, _ = settled(made(2, program="print(5)"), first)
    assert (second.wins, second.losses) == (0, 0)


def test_a_program_for_another_question_takes_nobody_s_place() -> None:
    other = made(1, "verified", "What is the humidity in Oslo?", "print(80)")
    assert [entry.id for entry in settled(made(2), other)] == [2]


@pytest.mark.parametrize(
    ("one", "other"), [("Is C++ older than 40?", "Is C# older than 40?"), ("Add 40 to 3", "Add -40 to 3")]
)
def test_a_sign_or_symbol_makes_another_question_whose_record_is_not_inherited(one: str, other: str) -> None:
    (newer,) = settled(made(2, query=other, program="print(5)"), made(1, "verified", query=one, wins=2))
    assert (newer.id, newer.state, newer.wins) == (2, "verified", 0)


def test_the_same_program_for_the_same_question_joins_the_first() -> None:
    first = replace(made(1, "verified"), wins=2, losses=1)
    kept, joined = settled(made(2, query="what is the temperature in Oslo"), first)
    assert (kept.id, kept.state, kept.verified, kept.wins, kept.losses) == (1, "verified", NOW, 2, 1)
    assert (joined.id, joined.state) == (2, "retired")
    assert joined.note == "#1 answers it with the same program"


def test_comments_and_layout_make_no_other_program() -> None:
    first = made(1, "verified", program="import os\nprint( 4 ) # degrees")
    assert [entry.id for entry in settled(made(2, program="import os\n\nprint(4)"), first)] == [1, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [("!ls\nprint(4)", "!rm x\nprint(4)"), ("print(4", "print(4 "), ("+".join("1" * 9000), "+".join("1" * 9001))],
    ids=["magic", "no Python", "deep"],
)
def test_programs_that_cannot_be_compared_are_different(one: str, other: str) -> None:
    first = made(1, "verified", program=one)
    assert [entry.id for entry in settled(made(2, program=other), first)] == [2, 1]


def test_other_words_for_the_same_are_kept_beside_it_because_they_may_be_asked_again() -> None:
    first = made(1, "verified", "Can you tell me what the temperature is in Oslo?")
    assert [(entry.id, entry.state) for entry in settled(made(2), first)] == [(2, "verified")]


def test_another_name_is_another_question_even_where_the_program_is_the_same() -> None:
    bergen = made(1, "verified", "What is the temperature in Bergen?")
    assert [(entry.id, entry.state) for entry in settled(made(2), bergen)] == [(2, "verified")]


def test_a_program_that_asks_more_hosts_does_not_join() -> None:
    second = made(2)
    second = replace(second, solution=replace(second.solution, hosts=("a.org", "b.org")))
    assert [(entry.id, entry.state) for entry in settled(second, made(1, "verified"))] == [
        (2, "verified"),
        (1, "retired"),
    ]


def test_a_broken_program_that_is_found_again_is_mended() -> None:
    kept, _ = settled(made(2), replace(made(1, "broken"), note="HTTP 500"))
    assert (kept.id, kept.state, kept.note) == (1, "verified", "")


def test_what_was_found_here_does_not_join_what_a_pack_says_but_replaces_it() -> None:
    packed = made(1, "verified")
    packed = replace(packed, solution=replace(packed.solution, origin="pack"))
    assert [(entry.id, entry.state) for entry in settled(made(2), packed)] == [(2, "verified"), (1, "retired")]


# ── uses ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_demonstration_wins_or_loses_and_has_its_cost_added() -> None:
    entry = credited(credited(made(state="verified"), True, SPENT), False, SPENT)
    assert (entry.wins, entry.losses, entry.replays) == (1, 1, 0)
    assert (entry.uses, entry.usd, entry.tokens) == (2, 0.5, 640)


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    entry = credited(made(state="verified"), True, replace(SPENT, usd=None))
    entry = credited(entry, True, SPENT)
    assert (entry.uses, entry.usd, entry.tokens) == (2, None, 640)


def test_a_replay_that_nobody_judged_is_no_win() -> None:
    entry = credited(made(state="verified", wins=1), None, None)
    assert (entry.wins, entry.losses, entry.replays, entry.uses) == (1, 0, 1, 0)


def test_a_replay_that_was_judged_counts_as_one_too_so_that_the_next_one_is_not() -> None:
    entry = credited(made(state="verified", wins=1), True, None)
    assert (entry.wins, entry.replays) == (2, 1)
    entry = credited(entry, False, None)
    assert (entry.wins, entry.losses, entry.replays) == (2, 1, 1)


def test_what_loses_too_often_is_retired_and_says_so() -> None:
    entry = made(state="verified", wins=1)
    for losses in range(1, PATIENCE + 1):
        assert entry.state == "verified"
        entry = credited(entry, False, SPENT)
        assert entry.losses == losses
    assert entry.state == "verified"  # it won one as well
    entry = credited(entry, False, SPENT)
    assert (entry.state, entry.note) == ("retired", "it lost 4 questions and won 1")


@pytest.mark.parametrize("state", ["pending", "failed", "retired"])
def test_a_loss_of_what_is_not_served_does_not_retire_it(state: State) -> None:
    entry = replace(made(state=state), losses=9, note="why")
    assert credited(entry, False, None) == replace(entry, losses=10)


# ── by hand ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", ["retired", "failed", "broken"])
def test_what_is_restored_begins_with_a_clean_record(state: State) -> None:
    entry = replace(made(state=state, wins=1), losses=4, uses=5, usd=None, tokens=900, note="why")
    back = restored(entry)
    assert back
    assert (back.state, back.note, back.wins, back.losses) == ("verified", "", 0, 0)
    assert (back.uses, back.usd, back.tokens) == (0, 0.0, 0)


@pytest.mark.parametrize("change", [partial(retired, why="by the person"), lambda one: settled(one, green=False)[0]])
def test_what_never_worked_is_restored_as_a_candidate(change: Callable[[Entry], Entry]) -> None:
    back = restored(change(made()))
    assert back
    assert (back.state, back.verified, back.note) == ("pending", "", "")
    assert settled(back)[0].state == "verified"


@pytest.mark.parametrize("state", ["pending", "verified"])
def test_there_is_nothing_to_restore_of_a_candidate_or_of_what_is_served(state: State) -> None:
    assert restored(made(state=state)) is None
