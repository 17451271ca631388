"""What every Store promises, the scripted double included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.entries import Meaning, Solution
from ecoassist.ports import Store
from ecoassist.store.postgres.store import PostgresStore
from ecoassist.store.sqlite import SqliteStore
from ecoassist.testing import MemoryStore
from ecoassist.types import Spending
from ecoassist.vectors import packed

QUERY = "What is the temperature in Oslo?"
MakeSolution = Callable[..., Solution]


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = request.getfixturevalue("team_url") if request.param == "postgres" else ""
    with closing(PostgresStore(lambda: url, patience=60, connecting=60) if url else SqliteStore(path)) as store:
        yield store


def test_an_empty_store_serves_nothing(any_store: Store) -> None:
    assert any_store.similar(QUERY) == ()
    assert any_store.pending() == ()


def test_a_candidate_is_pending_and_not_served(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    (entry,) = any_store.pending()
    assert (entry.id, entry.solution, entry.state, entry.wins, entry.losses) == (id, solution(), "pending", 0, 0)
    assert any_store.similar(QUERY) == ()


def test_a_verified_solution_is_served(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True)
    (example,) = any_store.similar(QUERY)
    assert (example.id, example.entry.solution.query, example.entry.solution.program, example.score) == (
        id,
        QUERY,
        "print(4)",
        1.0,
    )
    assert any_store.pending() == ()


def test_a_failed_solution_is_never_served(any_store: Store, solution: MakeSolution) -> None:
    any_store.settle(any_store.keep(solution()), False)
    assert any_store.similar(QUERY) == ()
    assert any_store.pending() == ()


def test_a_verified_solution_that_fails_later_is_broken_until_it_works_again(
    any_store: Store, solution: MakeSolution
) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True)
    any_store.settle(id, False, why="HTTP 410")
    (match,) = any_store.similar(QUERY)
    assert (match.entry.state, match.entry.note) == ("broken", "HTTP 410")
    any_store.settle(id, True)
    (match,) = any_store.similar(QUERY)
    assert (match.entry.state, match.entry.note) == ("verified", "")


def test_a_rerun_that_ends_after_the_person_said_no_changes_nothing(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, False)
    any_store.settle(id, True)
    assert any_store.similar(QUERY) == ()


def test_candidates_come_oldest_first(any_store: Store, solution: MakeSolution) -> None:
    ids = [any_store.keep(solution(f"Question {number}")) for number in range(3)]
    assert [entry.id for entry in any_store.pending()] == ids
    any_store.settle(ids[1], True)
    assert [entry.id for entry in any_store.pending()] == [ids[0], ids[2]]


def test_the_newest_verified_solution_of_a_question_is_preferred(any_store: Store, solution: MakeSolution) -> None:
    first, second, third = (any_store.keep(solution(program=f"print({number})")) for number in range(3))
    for id in (first, second):
        any_store.settle(id, True)
    any_store.settle(third, False)
    assert [example.id for example in any_store.similar(QUERY)] == [second]


def test_an_unrelated_question_is_served_nothing(any_store: Store, solution: MakeSolution) -> None:
    any_store.settle(any_store.keep(solution()), True)
    assert any_store.similar("Translate this poem into Latin, please.") == ()


def test_what_was_superseded_is_retired_with_a_reason_and_can_be_restored(
    any_store: Store, solution: MakeSolution
) -> None:
    first, second = (any_store.keep(solution(program=f"print({number})")) for number in range(2))
    any_store.settle(first, True)
    any_store.settle(second, True)
    (retired,) = any_store.entries("retired")
    assert (retired.id, retired.note) == (first, f"#{second} took its place: a later program for the same question")
    assert any_store.restore(first)
    assert {match.id for match in any_store.similar(QUERY)} == {first, second}
    assert not any_store.restore(first)


def test_the_same_program_again_joins_the_first(any_store: Store, solution: MakeSolution) -> None:
    first, second = (any_store.keep(solution(query)) for query in (QUERY, QUERY.lower()))
    any_store.settle(first, True)
    any_store.settle(second, True)
    assert [match.id for match in any_store.similar(QUERY)] == [first]
    assert [entry.id for entry in any_store.entries("retired")] == [second]


def test_the_program_that_ran_well_is_the_one_that_is_served(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True, program="print(2 + 2)")
    (match,) = any_store.similar(QUERY)
    assert match.entry.solution.program == "print(2 + 2)"
    assert match.entry.solution.answer.text == ""


def test_uses_are_counted_with_what_they_cost(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True)
    any_store.credit(id, True, Spending(0.25, 100, 20, calls=1))
    any_store.credit(id, False, Spending(0.5, 100, 20, calls=2))
    any_store.credit(id, None)
    entry = any_store.get(id)
    assert entry
    assert (entry.wins, entry.losses, entry.replays) == (1, 1, 1)
    assert (entry.uses, entry.usd, entry.tokens) == (2, 0.75, 240)


def test_a_loser_is_demoted_then_retired_then_restored_with_a_clean_record(
    any_store: Store, solution: MakeSolution
) -> None:
    loser = any_store.keep(solution())
    other = any_store.keep(solution("What is the temperature in Oslo this week?", "print(5)"))
    for id in (loser, other):
        any_store.settle(id, True)
    assert [match.id for match in any_store.similar(QUERY)] == [loser, other]
    for _ in range(2):
        any_store.credit(loser, False)
    assert [match.id for match in any_store.similar(QUERY)] == [other, loser]
    any_store.credit(loser, False)
    assert [match.id for match in any_store.similar(QUERY)] == [other]
    (retired,) = any_store.entries("retired")
    assert (retired.id, retired.note) == (loser, "it lost 3 questions and won 0")
    assert any_store.restore(loser)
    entry = any_store.get(loser)
    assert entry
    assert (entry.state, entry.wins, entry.losses, entry.note) == ("verified", 0, 0, "")
    assert [match.id for match in any_store.similar(QUERY)] == [loser, other]


def test_what_is_retired_by_hand_is_served_no_longer(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True)
    assert any_store.retire(id, "by the person")
    assert any_store.similar(QUERY) == ()
    any_store.settle(id, True)
    assert [(entry.id, entry.note) for entry in any_store.entries("retired")] == [(id, "by the person")]


def test_a_removed_entry_is_gone(any_store: Store, solution: MakeSolution) -> None:
    id = any_store.keep(solution())
    any_store.settle(id, True)
    assert any_store.remove(id)
    assert not any_store.remove(id)
    assert (any_store.get(id), any_store.similar(QUERY), any_store.entries()) == (None, (), ())
    assert not any_store.retire(id, "why")
    assert not any_store.restore(id)
    assert any_store.keep(solution()) > id


def test_credit_for_an_entry_that_is_gone_is_lost_in_silence(any_store: Store) -> None:
    any_store.credit(7, True)


# ── with the vectors of an embedder ─────────────────────────────────────────────────────────────────────────────────

EAST, NORTH, BETWEEN = packed([1.0, 0.0]), packed([0.0, 1.0]), packed([1.0, 1.0])


def served(store: Store, solution: Solution, vector: bytes | None = None, embedder: str = "e") -> int:
    id = store.keep(solution)
    store.settle(id, True)
    if vector:
        store.describe(id, embedder, vector)
    return id


def test_a_question_without_a_word_in_common_is_found_by_its_meaning(any_store: Store, solution: MakeSolution) -> None:
    id = served(any_store, solution(), EAST)
    asked = "Wie warm wird es heute?"
    assert any_store.similar(asked) == ()
    assert [match.id for match in any_store.similar(asked, Meaning("e", EAST, 0.4))] == [id]
    assert any_store.similar(asked, Meaning("e", NORTH, 0.4)) == ()


def test_the_similarity_is_the_mean_of_words_and_meaning(any_store: Store, solution: MakeSolution) -> None:
    served(any_store, solution("Is it cold in Oslo?"), BETWEEN)
    asked = "Is it cold in winter?"
    (words,) = any_store.similar(asked)
    (both,) = any_store.similar(asked, Meaning("e", EAST, 0.4))
    assert both.score == pytest.approx((words.score + 0.7071) / 2, abs=0.001)


def test_what_has_a_vector_needs_the_gate_of_the_embedder_and_all_else_that_of_words(
    any_store: Store, solution: MakeSolution
) -> None:
    plain = served(any_store, solution("How warm is the sea near Oslo?", "print(1)"))
    id = served(any_store, solution("How warm is the sea near the harbour?", "print(2)"), NORTH)
    asked = "How warm is the sea near Rome?"
    assert {match.id for match in any_store.similar(asked)} == {plain, id}
    assert [match.id for match in any_store.similar(asked, Meaning("e", EAST, 0.6))] == [plain]


def test_the_same_question_is_found_whatever_its_vector(any_store: Store, solution: MakeSolution) -> None:
    id = served(any_store, solution(), NORTH)
    assert [(match.id, match.score) for match in any_store.similar(QUERY, Meaning("e", EAST, 0.9))] == [(id, 1.0)]


def test_vectors_of_another_embedder_or_size_are_not_compared(any_store: Store, solution: MakeSolution) -> None:
    served(any_store, solution(), EAST)
    asked = "Wie warm wird es heute?"
    assert any_store.similar(asked, Meaning("another", EAST, 0.0)) == ()
    assert any_store.similar(asked, Meaning("e", packed([1.0, 0.0, 0.0]), 0.0)) == ()


def test_what_is_retired_or_removed_is_not_found_by_its_meaning(any_store: Store, solution: MakeSolution) -> None:
    asked, meaning = "Wie warm wird es heute?", Meaning("e", EAST, 0.4)
    retired = served(any_store, solution(), EAST)
    any_store.retire(retired, "because")
    removed = served(any_store, solution("Where is it?"), EAST)
    any_store.remove(removed)
    assert any_store.similar(asked, meaning) == ()
    any_store.restore(retired)
    assert [match.id for match in any_store.similar(asked, meaning)] == [retired]


def test_what_is_served_without_a_vector_is_told_newest_first(any_store: Store, solution: MakeSolution) -> None:
    any_store.keep(solution("Is it a candidate?", "print(0)"))
    first = served(any_store, solution("How deep is the lake?", "print(1)"))
    served(any_store, solution("Who wrote the book?", "print(2)"), EAST)
    last = served(any_store, solution("What does the ticket cost?", "print(3)"), EAST, embedder="another")
    assert [entry.id for entry in any_store.lacking("e", 10)] == [last, first]
    assert [entry.id for entry in any_store.lacking("e", 1)] == [last]


def test_a_later_vector_takes_the_place_of_the_first_and_one_of_nothing_is_nowhere(
    any_store: Store, solution: MakeSolution
) -> None:
    id = served(any_store, solution(), EAST)
    any_store.describe(id, "e", NORTH)
    any_store.describe(id + 1000, "e", NORTH)
    assert any_store.similar("Wie warm?", Meaning("e", EAST, 0.4)) == ()
    assert [match.id for match in any_store.similar("Wie warm?", Meaning("e", NORTH, 0.4))] == [id]
