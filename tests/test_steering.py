"""Where on the cascade a question begins: by the person's choice, by what was learnt, or by chance."""

from __future__ import annotations

import random

import pytest

from ecoassist.engine import Tier
from ecoassist.errors import UsageFault
from ecoassist.events import CHOSEN, HOLD_OUT
from ecoassist.steering import STUCK, Steering
from ecoassist.testing import ScriptedModel
from ecoassist.types import Attempt, End, Outcome, Status, Verdict

TIERS = tuple(Tier(name, ScriptedModel(name=f"{name}-model")) for name in ("small", "middle", "big"))


def steering(**given: object) -> Steering:
    return Steering(TIERS, **given)  # type: ignore[arg-type]


def begins(it: Steering) -> tuple[tuple[str, ...], str]:
    tiers, why = it.next()
    return tuple(tier.name for tier in tiers), why


def outcome(*tiers: str, status: Status = "solved", ends: End = "answered") -> Outcome:
    """`ends`: how the attempts before the last one ended."""
    attempts = tuple(Attempt(tier, (), ends if tier != tiers[-1] else "answered") for tier in tiers)
    return Outcome(status, None, Verdict(status == "solved", "fixed"), attempts)


def test_by_itself_a_question_goes_through_all_tiers_without_a_reason() -> None:
    assert begins(steering()) == (("small", "middle", "big"), "")


@pytest.mark.parametrize("solver", ["middle", "big"])
def test_after_an_escalation_questions_begin_at_the_tier_that_solved(solver: str) -> None:
    it = steering()
    it.next()
    it.finished(outcome("small", solver))
    tiers, why = begins(it)
    assert (tiers[0], why) == (solver, STUCK)
    it.next()
    it.finished(outcome(solver))  # what follows is no escalation
    assert begins(it)[0][0] == solver


@pytest.mark.parametrize(
    "last",
    [
        outcome("small"),
        outcome("small", "small"),
        outcome("small", "big", status="unsolved"),
        outcome("small", "big", status="unverified"),
        outcome("small", "big", status="interrupted"),
        outcome("small", "big", ends="provider"),
        outcome(status="unsolved"),
    ],
    ids=["at once", "two ways", "not solved", "unverified", "interrupted", "not reached", "untried"],
)
def test_only_a_solved_escalation_is_learnt_from(last: Outcome) -> None:
    it = steering()
    it.next()
    it.finished(last)
    assert begins(it) == (("small", "middle", "big"), "")


def test_a_tier_that_failed_counts_beside_one_that_was_not_reached() -> None:
    it = steering()
    it.next()
    attempts = (Attempt("small", (), "provider"), Attempt("middle", (), "turn_limit"), Attempt("big", (), "answered"))
    it.finished(Outcome("solved", None, Verdict(True, "fixed"), attempts))
    assert it.name == "big"


def test_a_tier_that_could_not_be_reached_for_its_second_attempt_did_not_fail() -> None:
    it = steering()
    it.next()
    attempts = (Attempt("small", (), "answered"), Attempt("small", (), "provider"), Attempt("big", (), "answered"))
    it.finished(Outcome("solved", None, Verdict(True, "fixed"), attempts))
    assert it.name == "small"


def test_stickiness_can_be_switched_off() -> None:
    it = steering(sticky=False)
    it.next()
    it.finished(outcome("small", "big"))
    assert begins(it)[0][0] == "small"


def test_up_and_down_move_by_one_and_end_at_the_ends() -> None:
    it = steering()
    assert not it.down()
    assert it.up()
    assert begins(it) == (("middle", "big"), CHOSEN)
    assert it.up()
    assert not it.up()
    assert begins(it) == (("big",), CHOSEN)
    assert it.down()
    assert it.down()
    assert begins(it) == (("small", "middle", "big"), "")


def test_down_takes_back_what_was_learnt() -> None:
    it = steering()
    it.next()
    it.finished(outcome("small", "middle"))
    assert it.down()
    assert begins(it) == (("small", "middle", "big"), "")


def test_a_chosen_tier_answers_alone_until_another_choice() -> None:
    it = steering()
    it.alone("small")
    assert begins(it) == (("small",), CHOSEN)
    it.finished(outcome("small"))
    assert it.up()
    assert begins(it) == (("middle",), CHOSEN)
    it.cascade()
    assert begins(it) == (("small", "middle", "big"), "")


def test_a_name_of_no_tier_is_refused_with_the_names_and_changes_nothing() -> None:
    it = steering()
    with pytest.raises(UsageFault, match="no tier 'Small'") as caught:
        it.alone("Small")
    assert caught.value.remedy == "choose one of: small, middle, big"
    assert begins(it)[0] == ("small", "middle", "big")


@pytest.mark.parametrize("given", [{}, {"first": 1, "only": True, "why": CHOSEN}], ids=["cascade", "one tier"])
def test_reset_leads_back_to_how_the_conversation_began(given: dict[str, object]) -> None:
    it = steering(**given)
    before = begins(it)
    it.finished(outcome("small", "big"))
    it.up()
    it.alone("big")
    it.reset()
    assert begins(it) == before


# ── held out ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_share_that_is_held_out_is_the_one_asked_for() -> None:
    it = steering(hold_out=0.2, chance=random.Random(7).random)
    drawn = [begins(it) for _ in range(5_000)]
    held = [tiers for tiers, why in drawn if why == HOLD_OUT]
    assert 0.18 < len(held) / 5_000 < 0.22
    assert set(held) == {("big",)}
    assert {tiers for tiers, why in drawn if not why} == {("small", "middle", "big")}


@pytest.mark.parametrize(("share", "held"), [(0.0, 0), (1.0, 100)])
def test_nothing_and_everything_are_shares_as_well(share: float, held: int) -> None:
    it = steering(hold_out=share, chance=random.Random(7).random)
    assert sum(begins(it)[1] == HOLD_OUT for _ in range(100)) == held
    assert begins(steering(hold_out=0.0, chance=lambda: 0.0))[1] == ""


def test_a_held_out_question_teaches_nothing() -> None:
    chances = [0.0, 0.9]
    it = steering(hold_out=0.5, chance=lambda: chances.pop(0))
    assert begins(it) == (("big",), HOLD_OUT)
    it.finished(outcome("big"))
    assert begins(it) == (("small", "middle", "big"), "")


def test_a_learnt_tier_is_compared_as_well() -> None:
    chances = [0.9, 0.0, 0.9]
    it = steering(hold_out=0.5, chance=lambda: chances.pop(0))
    it.next()
    it.finished(outcome("small", "middle"))
    assert begins(it) == (("big",), HOLD_OUT)
    assert begins(it) == (("middle", "big"), STUCK)


def test_where_the_person_chose_nothing_is_held_out() -> None:
    it = steering(hold_out=1.0, chance=lambda: 0.0)
    it.alone("small")
    assert begins(it) == (("small",), CHOSEN)
    it.cascade()
    it.up()
    assert begins(it) == (("middle", "big"), CHOSEN)


def test_one_tier_has_nothing_to_compare_with() -> None:
    assert begins(Steering(TIERS[:1], hold_out=1.0, chance=lambda: 0.0)) == (("small",), "")
