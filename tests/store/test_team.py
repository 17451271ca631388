"""One's own store and a team's as one: whose is what, what is given, and what a team that cannot be asked costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ecoassist.entries import Entry, Match, Meaning, Solution, State
from ecoassist.errors import EnvironmentFault, UsageFault
from ecoassist.memory import Limits, recall
from ecoassist.play import play
from ecoassist.store.team import PAUSE, Manners, Together
from ecoassist.testing import MemoryStore, Recorder
from ecoassist.types import Spending, Task

QUERY = "What is the temperature in Oslo?"
OTHER = "Which films ran in Bergen in 1999?"
KEY = "k3y-of-weather"
MakeSolution = Callable[..., Solution]


class Lost(MemoryStore):
    """A team's store that cannot be used, unless it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.back, self.asked = False, 0

    def _ask(self) -> None:
        self.asked += 1
        if not self.back:
            raise EnvironmentFault("the server closed the connection", "try again")

    def similar(self, query: str, meaning: Meaning | None = None) -> tuple[Match, ...]:
        self._ask()
        return super().similar(query, meaning)

    def credit(self, id: int, won: bool | None, spent: Spending | None = None) -> None:
        self._ask()
        super().credit(id, won, spent)

    def receive(self, solution: Solution) -> int:
        self._ask()
        return super().receive(solution)

    def entries(self, state: State | None = None) -> tuple[Entry, ...]:
        self._ask()
        return super().entries(state)

    def get(self, id: int) -> Entry | None:
        self._ask()
        return super().get(id)


class Person:
    """With a store of their own, and perhaps somebody else's team."""

    def __init__(self, team: MemoryStore, **manners: Any) -> None:
        self.own, self.team, self.told = MemoryStore(), team, list[str]()
        self.store = Together(self.own, team, Manners(self.told.append, **manners))

    def solves(self, solution: Solution) -> int:
        id = self.store.keep(solution)
        self.store.settle(id, True)
        return id


def served(store: Together, query: str = QUERY) -> list[int]:
    return [match.id for match in store.similar(query)]


def test_what_the_team_has_is_found_beside_one_s_own_and_has_negative_numbers(solution: MakeSolution) -> None:
    team = MemoryStore()
    there = team.receive(solution(OTHER))
    one = Person(team)
    own = one.solves(solution())
    assert (served(one.store), served(one.store, OTHER)) == ([own], [-there])
    assert [entry.id for entry in one.store.entries()] == [own, -there]
    theirs = one.store.get(-there)
    assert theirs is not None
    assert (theirs.id, theirs.solution.query, theirs.foreign) == (-there, OTHER, True)
    assert one.told == []


def test_of_two_that_are_equally_like_a_question_one_s_own_comes_first(solution: MakeSolution) -> None:
    team = MemoryStore()
    there = team.receive(solution(program="print(5)"))
    one = Person(team)
    assert served(one.store) == [-there]
    own = one.solves(solution())
    assert served(one.store) == [own, -there]


def test_nothing_of_one_s_own_reaches_the_team_unless_it_is_shared(solution: MakeSolution) -> None:
    one = Person(MemoryStore())
    one.solves(solution())
    one.store.credit(1, True)
    assert one.team.entries() == ()


def test_what_is_shared_is_served_to_the_other_at_once_without_its_answer(solution: MakeSolution) -> None:
    one, other = Person(team := MemoryStore()), Person(team)
    id = one.solves(replace(solution(), whole="whole", took=("4",)))
    there = one.store.share(id)
    assert served(other.store) == [there] == [-1]
    (entry,) = team.entries()
    assert (entry.state, entry.solution) == ("verified", solution().settled())
    assert entry.solution.answer.text == ""


def test_both_share_the_record_of_what_was_shared(solution: MakeSolution) -> None:
    one, other = Person(team := MemoryStore()), Person(team)
    id = one.solves(solution())
    one.store.share(id)
    (there,) = served(other.store)
    other.store.credit(there, True)
    assert team.entries()[0].wins == 1
    anew = Together(one.own, team, Manners(one.told.append))  # another process of the same person
    assert served(anew) == [id]  # it is there once
    anew.credit(id, True)
    assert (one.own.entries()[0].wins, team.entries()[0].wins) == (1, 2)


def test_what_loses_too_often_is_retired_for_the_whole_team(solution: MakeSolution) -> None:
    one, other, third = (Person(team) for team in [MemoryStore()] for _ in range(3))
    there = one.store.share(one.solves(solution()))
    for person in (other, third, other):
        person.store.credit(there, False)
    assert served(other.store) == []
    entry = other.store.get(there)
    assert entry is not None
    assert (entry.state, entry.note) == ("retired", "it lost 3 questions and won 0")
    assert other.store.restore(there)
    assert served(third.store) == [there]
    assert third.store.remove(there)
    assert one.team.entries() == ()


def test_sharing_twice_gives_one_entry_and_its_record_stays(solution: MakeSolution) -> None:
    one, other = Person(team := MemoryStore()), Person(team)
    there = one.store.share(one.solves(solution()))
    other.store.credit(there, True)
    assert other.store.share(other.solves(solution())) == there
    assert [(entry.state, entry.wins) for entry in team.entries()] == [("verified", 1)]


@pytest.mark.parametrize("green", [None, False])
def test_only_what_works_alone_is_shared(green: bool | None, solution: MakeSolution) -> None:
    one = Person(MemoryStore())
    id = one.store.keep(solution())
    if green is not None:
        one.store.settle(id, green)
    with pytest.raises(UsageFault, match="only what works alone is shared"):
        one.store.share(id)
    with pytest.raises(UsageFault, match="no solution #7 of yours"):
        one.store.share(7)
    assert one.team.entries() == ()


def test_by_wish_all_that_is_verified_is_shared_but_what_came_from_others(solution: MakeSolution) -> None:
    one = Person(MemoryStore(), share_verified=True)
    one.solves(solution())
    one.solves(replace(solution(OTHER), origin="a pack"))
    one.store.settle(one.store.keep(solution("What is the price of gold?")), False)
    assert [entry.solution.query for entry in one.team.entries()] == [QUERY]
    one.store.settle(1, True)  # checked again
    assert len(one.team.entries()) == 1


def test_no_key_is_given_to_the_team(solution: MakeSolution) -> None:
    def clean(made: Solution) -> Solution:
        return replace(made, program=made.program.replace(KEY, "[WEATHER_KEY]"))

    one = Person(MemoryStore(), clean=clean)
    one.store.share(one.solves(solution(program=f"print('{KEY}')")))
    assert one.team.entries()[0].solution.program == "print('[WEATHER_KEY]')"


def test_what_a_pack_could_not_hold_is_neither_given_nor_taken(solution: MakeSolution) -> None:
    team = MemoryStore()
    team.receive(solution(program="print(1) # unfit"))
    one = Person(team, unfit=lambda made: "too long" if "unfit" in made.program else "")
    assert served(one.store) == []
    id = one.solves(solution(OTHER, program="print(2) # unfit"))
    with pytest.raises(UsageFault, match="cannot be shared: too long"):
        one.store.share(id)
    assert len(team.entries()) == 1


def test_what_the_team_says_of_names_and_answers_is_not_taken_over(solution: MakeSolution) -> None:
    team = MemoryStore()
    there = team.receive(solution())
    team.rows[there] = replace(team.rows[there], solution=replace(solution(), whole="import os", apis=("theirs",)))
    one = Person(team, adopted=lambda made: replace(made, apis=("mine",)))
    (match,) = one.store.similar(QUERY)
    assert (match.entry.solution.answer.text, match.entry.solution.whole) == ("", "")
    assert match.entry.solution.apis == ("mine",)


def test_of_a_private_question_the_team_is_told_nothing(solution: MakeSolution) -> None:
    team = Lost()
    one = Person(team, private=lambda: True)
    own = one.solves(solution())
    assert (served(one.store), team.asked, one.told) == ([own], 0, [])


def test_candidates_are_one_s_own_alone(solution: MakeSolution) -> None:
    team = MemoryStore()
    team.keep(solution())
    one = Person(team)
    id = one.store.keep(solution())
    assert [entry.id for entry in one.store.pending()] == [id]


def test_what_happens_to_the_team_s_by_number_happens_there(solution: MakeSolution) -> None:
    team = MemoryStore()
    there = team.receive(solution())
    one = Person(team)
    one.store.settle(-there, False, why="HTTP 410")
    assert (team.rows[there].state, team.rows[there].note) == ("broken", "HTTP 410")
    assert one.store.retire(-there, "wrong")
    assert team.rows[there].state == "retired"
    assert not one.store.remove(there)
    one.store.describe(-there, "e", b"\0\x3c")
    assert one.own.entries() == ()


# ── a team that cannot be asked ─────────────────────────────────────────────────────────────────────────────────────


def test_a_team_that_cannot_be_asked_costs_one_notice_and_never_an_answer(solution: MakeSolution) -> None:
    team, seconds = Lost(), [0.0]
    one = Person(team, share_verified=True, now=lambda: seconds[0])
    own = one.solves(solution())
    for _ in range(3):
        assert served(one.store) == [own]
        one.store.credit(own, True)
        one.store.credit(-5, True)
        seconds[0] += PAUSE / 2
    assert one.told == ["the team's memory cannot be used: the server closed the connection; try again"]
    assert [entry.id for entry in one.store.entries()] == [own]


def test_it_is_asked_again_after_a_pause_and_found_when_it_is_back(solution: MakeSolution) -> None:
    team, seconds = Lost(), [0.0]
    one = Person(team, now=lambda: seconds[0])
    assert (served(one.store), served(one.store), team.asked) == ([], [], 1)
    seconds[0] += PAUSE
    team.back = True
    there = team.receive(solution())
    assert served(one.store) == [-there]
    team.back = False
    assert served(one.store) == []
    assert len(one.told) == 2


def test_what_a_person_asks_of_it_by_number_fails_instead(solution: MakeSolution) -> None:
    one = Person(Lost())
    id = one.solves(solution())
    with pytest.raises(EnvironmentFault, match="closed the connection"):
        one.store.get(-1)
    with pytest.raises(EnvironmentFault, match="closed the connection"):
        one.store.share(id)


def test_a_question_goes_on_with_one_s_own_memory_when_the_team_is_lost(solution: MakeSolution) -> None:
    one = Person(Lost())
    one.solves(solution())
    task = play(recall(one.store, Task(QUERY), Limits()), [seen := Recorder()])
    assert [example.id for example in task.examples] == [1]
    assert seen.events == []
    assert len(one.told) == 1
