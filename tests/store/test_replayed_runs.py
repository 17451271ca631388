"""What stored programs saved: from the end of a run to the report, and in a ledger that knew nothing of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ecoassist.accounts import measured, spared
from ecoassist.events import HOLD_OUT
from ecoassist.render.usage import Report, lines, record
from ecoassist.store.ledger import SqliteLedger
from ecoassist.store.migrations import LEDGER
from ecoassist.types import Call, Outcome, Price, Replay
from tests.test_replay import FAILED, FELL, QUESTION, House

JUDGED = Call("strong", "m", "judge", 100, 10, 0.01, exact=True, price=Price(10, 20), strong=Price(10, 20))
SINCE = "2000-01-01"


def outcome(cost: float | None, *cells: object) -> Outcome:
    made = House(FELL if not cells else FAILED).ask()
    replay = Replay(12, QUESTION, "x", usd=cost)
    return replace(made, replay=replay, seconds=1.0)


def kept(ledger: SqliteLedger, run: str, ended: Outcome, *calls: Call, why: str = "") -> None:
    ledger.begin(run, QUESTION, why)
    for call in calls:
        id = ledger.reserve(replace(call, run=run), None)
        assert id is not None
        ledger.settle(id, replace(call, run=run))
    ledger.finish(run, ended)


def report(ledger: SqliteLedger) -> Report:
    return Report(SINCE, ledger.used(SINCE), ledger.costs(SINCE), (0, 0), {})


def test_a_replay_saves_what_its_question_had_cost(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "ledger.db")) as ledger:
        kept(ledger, "a", outcome(0.25))
        kept(ledger, "b", outcome(0.10), JUDGED)
        kept(ledger, "c", outcome(None))
        told = report(ledger)
        found = spared(told.costs)
        said = "\n".join(lines(told))
    assert (found.runs, found.left_out) == (3, 1)
    assert abs(found.before - 0.35) < 1e-9
    assert abs(found.saved - 0.34) < 1e-9
    assert "replayed   3 questions by stored programs, without a model" in said
    assert "about $0.34 saved: what the questions had cost that those are from, less $0.01 for judging" in said
    assert "1 run left out: a price unknown" in said
    assert record(told)["saved"]["replays"]["runs"] == 3  # type: ignore[index,call-overload]


def test_where_only_stored_programs_answered_that_is_told(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "ledger.db")) as ledger:
        kept(ledger, "a", outcome(None))
        assert lines(report(ledger))[1:] == [
            "no call of a model",
            "replayed   1 question by stored programs, without a model: what that saved is unknown",
        ]


def test_a_replay_that_failed_is_no_saving(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "ledger.db")) as ledger:
        kept(ledger, "a", outcome(0.25, "failed"), replace(JUDGED, tier="cheap", purpose="answer"))
        told = report(ledger)
    assert not told.costs[0].replayed
    assert record(told)["saved"]["replays"] is None  # type: ignore[index,call-overload]


def test_replays_count_as_questions_without_cost_where_savings_are_measured(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "ledger.db")) as ledger:
        kept(ledger, "a", outcome(0.25))
        kept(ledger, "b", outcome(0.25, "failed"), JUDGED, why=HOLD_OUT)
        found = measured(report(ledger).costs)
    assert found is not None
    assert (found.others.runs, found.others.mean, found.others.solved) == (1, 0.0, 1)


def test_a_ledger_that_knew_nothing_of_replays_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in LEDGER.steps[0]:
            connection.execute(statement)
        columns, values = "id, day, query, status, owner, tier", "'old', '2026-01-01', 'q', 'solved', '', 'a'"
        connection.execute(f"INSERT INTO runs ({columns}) VALUES ({values})")
        connection.execute(f"PRAGMA application_id = {LEDGER.application_id}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    with closing(SqliteLedger(path)) as ledger:
        kept(ledger, "new", outcome(0.25))
        costs = ledger.costs(SINCE)
        assert [cost.replayed for cost in costs] == [True, False]
        assert [cost.usd for cost in costs] == [0.0, None], "nothing is known of the old one, whose calls are gone"
        assert [run.id for run in ledger.runs()] == ["new", "old"]
