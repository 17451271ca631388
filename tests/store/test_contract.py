"""What every Store promises, the scripted double included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.entries import Solution
from ecoassist.ports import Store
from ecoassist.store.postgres.store import PostgresStore
from ecoassist.store.sqlite import SqliteStore
from ecoassist.testing import MemoryStore

QUERY = "What is the temperature in Oslo?"
MakeSolution = Callable[..., Solution]


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = request.getfixturevalue("team_url") if request.param == "postgres" else ""
    with closing(PostgresStore(lambda: url) if url else SqliteStore(path)) as store:
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


def test_credit_for_an_entry_that_is_gone_is_lost_in_silence(any_store: Store) -> None:
    any_store.credit(7, True)
