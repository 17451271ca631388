"""What every Ledger promises, the double included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.events import AttemptFinished, Event, Finished, Notice, Started
from ecoassist.store.ledger import SqliteLedger
from ecoassist.testing import MemoryLedger
from ecoassist.types import Answer, Attempt, Call, Outcome, Price, Reply, Turn, Usage, Verdict

PRICE = Price(1.0, 2.0)
AnyLedger = SqliteLedger | MemoryLedger


@pytest.fixture(params=["sqlite", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyLedger]:
    if request.param == "memory":
        yield MemoryLedger()
    else:
        with closing(SqliteLedger(tmp_path / "data" / "ledger.db")) as ledger:
            yield ledger


def call(usd: float | None = 0.5, *, run: str = "") -> Call:
    return Call("cheap", "m", "answer", 1_000, 100, usd, price=PRICE if usd is not None else None, run=run)


def attempt(text: str = "It is 4.") -> Attempt:
    return Attempt(
        "cheap", (Turn(Reply(text, usage=Usage(900, 40, 100)), answer=Answer(text, 4)),), "answered", "", "m"
    )


def outcome(*attempts: Attempt, status: str = "solved") -> Outcome:
    made = attempts or (attempt(),)
    return Outcome(status, made[-1].answer, Verdict(True, "model", "fits"), made, seconds=2.5, run="r1")  # type: ignore[arg-type]


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_reserved_is_held_until_it_is_settled(ledger: AnyLedger) -> None:
    id = ledger.reserve(call(0.5), 1.0)
    assert id is not None
    assert ledger.day() == (0.0, 0.5)
    ledger.settle(id, call(0.2))
    assert ledger.day() == (0.2, 0.0)


def test_what_does_not_fit_beside_what_is_held_is_not_reserved(ledger: AnyLedger) -> None:
    assert ledger.reserve(call(0.7), 1.0) is not None
    assert ledger.reserve(call(0.7), 1.0) is None
    assert ledger.day() == (0.0, 0.7)


def test_a_call_that_cost_nothing_gives_its_reservation_back(ledger: AnyLedger) -> None:
    id = ledger.reserve(call(0.7), 1.0)
    assert id is not None
    ledger.settle(id, None)
    assert ledger.day() == (0.0, 0.0)


def test_an_unknown_price_and_a_day_without_a_cap_always_fit(ledger: AnyLedger) -> None:
    assert ledger.reserve(call(None), 0.0) is not None
    assert ledger.reserve(call(50.0), None) is not None
    assert ledger.day() == (0.0, 50.0)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_comes_back_as_it_happened(ledger: AnyLedger) -> None:
    events: list[Event] = [Started("q", "r1"), Notice("a"), AttemptFinished(attempt()), Finished(outcome())]
    ledger.begin("r1", "q", "you chose it")
    for number, event in enumerate(events):
        ledger.add("r1", number / 2, event)
    ledger.finish("r1", outcome())
    assert ledger.events("r1") == tuple((number / 2, event) for number, event in enumerate(events))
    (run,) = ledger.runs()
    assert (run.id, run.query, run.status, run.tier, run.why) == ("r1", "q", "solved", "cheap", "you chose it")
    assert run.seconds == 2.5


def test_a_run_that_has_not_ended_is_under_way(ledger: AnyLedger) -> None:
    ledger.begin("r1", "q")
    ledger.add("r1", 0.0, Started("q", "r1"))
    assert [run.status for run in ledger.runs()] == ["running"]
    assert ledger.events("r1") == ((0.0, Started("q", "r1")),)


@pytest.mark.parametrize(("fault", "status"), [("no sandbox", "error"), ("", "interrupted")])
def test_a_run_that_broke_off_says_why(ledger: AnyLedger, fault: str, status: str) -> None:
    ledger.begin("r1", "q")
    ledger.finish("r1", None, fault)
    (run,) = ledger.runs()
    assert (run.status, run.fault) == (status, fault)


def test_what_was_not_begun_is_not_kept(ledger: AnyLedger) -> None:
    ledger.add("r1", 0.0, Started("q", "r1"))
    ledger.judged("r1", "cheap", "agreement", True)
    ledger.finish("r1", outcome())
    assert ledger.runs() == ()
    assert ledger.events("r1") == ()
    assert ledger.agreement("cheap") == (0, 0)


def test_runs_are_found_by_the_beginning_of_their_id_newest_first(ledger: AnyLedger) -> None:
    for id in ("aa1", "ab1", "aa2"):
        ledger.begin(id, "q")
    assert [run.id for run in ledger.runs()] == ["aa2", "ab1", "aa1"]
    assert [run.id for run in ledger.runs("aa")] == ["aa2", "aa1"]
    assert [run.id for run in ledger.runs(limit=1)] == ["aa2"]
    assert ledger.runs("%") == ()


def test_agreement_counts_the_last_pairs_of_one_tier(ledger: AnyLedger) -> None:
    ledger.begin("r1", "q")
    for solved in (False, True, True, None, False):
        ledger.judged("r1", "cheap", "agreement", solved)
    ledger.judged("r1", "strong", "agreement", False)
    ledger.judged("r1", "cheap", "model", False)
    assert ledger.agreement("cheap") == (2, 4)
    assert ledger.agreement("cheap", last=2) == (1, 2)
    assert ledger.agreement("none") == (0, 0)
