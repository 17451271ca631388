from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from ecoassist.errors import (
    BudgetSpent,
    EcoassistError,
    EnvironmentFault,
    NoModel,
    NoSandbox,
    ProviderError,
    UsageFault,
)
from ecoassist.events import Event, Finished
from ecoassist.render.result import Ended, dumps, exit_code, result, status
from ecoassist.types import Access, Answer, CellResult, Outcome, Reply, Saved, Spending, Status, Turn, Verdict

NOBODY = Verdict(None, "nobody")


def outcome(status: Status) -> Outcome:
    return Outcome(status, None, NOBODY, ())


@pytest.mark.parametrize(
    ("done", "error", "ended", "code", "name"),
    [
        ("solved", None, None, 0, "solved"),
        ("unsolved", None, None, 1, "unsolved"),
        ("budget", None, None, 4, "budget"),
        ("unverified", None, None, 5, "unverified"),
        ("interrupted", None, None, 130, "interrupted"),
        ("interrupted", None, "interrupt", 130, "interrupted"),
        ("interrupted", None, "timeout", 124, "timeout"),
        ("interrupted", None, "terminated", 143, "interrupted"),
        ("solved", None, "interrupt", 0, "solved"),  # Ctrl-C came too late, or skipped the re-run
        ("unverified", NoSandbox("x"), "timeout", 5, "unverified"),
        (None, None, "interrupt", 130, "interrupted"),  # the second Ctrl-C
        (None, None, "timeout", 124, "timeout"),
        (None, None, "terminated", 143, "interrupted"),
        (None, UsageFault("x"), None, 2, "error"),
        (None, EnvironmentFault("x"), None, 3, "error"),
        (None, NoModel("x"), None, 3, "error"),
        (None, NoSandbox("x"), None, 3, "error"),
        (None, ProviderError("x"), None, 3, "error"),
        (None, ProviderError("x"), "interrupt", 3, "error"),
        (None, BudgetSpent("x"), None, 4, "budget"),
        (None, EcoassistError("x"), None, 70, "error"),
        (None, KeyError("x"), None, 70, "error"),
        (None, None, None, 70, "error"),
    ],
)
def test_exit_code_and_status(
    done: Status | None, error: Exception | None, ended: Ended | None, code: int, name: str
) -> None:
    finished = outcome(done) if done else None
    assert exit_code(finished, error, ended) == code
    assert status(finished, error, ended) == name
    assert result(finished, error, ended=ended)["status"] == name


def finished(events: list[Event]) -> Outcome:
    assert isinstance(events[-1], Finished)
    return events[-1].outcome


def with_files(outcome: Outcome, *files: Saved) -> Outcome:
    turn = Turn(Reply(""), "code", CellResult("ok", files=files))
    *before, last = outcome.attempts
    return replace(outcome, attempts=(*before, replace(last, turns=(turn, *last.turns[1:]))))


def test_the_object_tells_what_each_attempt_asked_of_the_network(escalated: list[Event]) -> None:
    cheap, strong = json.loads(dumps(result(finished(escalated))))["attempts"]
    assert (cheap["accesses_total"], strong["accesses_total"]) == (3, 0)
    refused, answered = cheap["accesses"][0], cheap["accesses"][2]
    assert (refused["host"], refused["status"], refused["refused"]) == ("evil.example", None, "not on the allow-list")
    assert answered == {
        "host": "api.weatherapi.com",
        "method": "GET",
        "path": "/",
        "status": 403,
        "refused": None,
        "blocked": False,
        "cached": False,
        "api": None,
        "bytes": 0,
        "seconds": 0.0,
    }


def test_the_object_lists_a_bounded_number_of_accesses(solved: list[Event]) -> None:
    done = finished(solved)
    many = CellResult("ok", accesses=(Access("api.x", "GET", "/", 200),) * 10_000)
    attempt = replace(done.attempts[0], turns=(Turn(Reply(""), "code", many),))
    (told,) = json.loads(dumps(result(replace(done, attempts=(attempt,)))))["attempts"]
    assert (told["accesses_total"], len(told["accesses"])) == (10_000, 200)


def test_the_object_of_a_solved_question(solved: list[Event]) -> None:
    chart = Saved("ecoassist-files/r1/figure-1.png", "figure-1.png", "image/png", 12_345)
    assert json.loads(dumps(result(with_files(finished(solved), chart, chart)))) == {
        "version": 1,
        "status": "solved",
        "answer": "Tomorrow in Oslo: 3 °C on average, light rain.",
        "value": 3,
        "error": None,
        "verdict": {
            "solved": True,
            "by": "model",
            "reason": "the value is in the output",
            "evidence": None,
            "judge": None,
            "own": False,
        },
        "tier": "cheap",
        "attempts": [
            {
                "tier": "cheap",
                "model": "gpt-5-mini",
                "turns": 2,
                "end": "answered",
                "accesses_total": 0,
                "accesses": [],
            }
        ],
        "solution_used": 12,
        "replayed": None,
        "solution_stored": 13,
        "solution_state": "pending",
        "files": [
            {
                "path": "ecoassist-files/r1/figure-1.png",
                "name": "figure-1.png",
                "type": "image/png",
                "size": 12345,
            }
        ],
        "partial": False,
        "cost": {
            "usd": 0.0004,
            "prompt_tokens": 1532,
            "completion_tokens": 210,
            "calls": 3,
            "exact": True,
            "judging_usd": 0.0,
        },
        "seconds": 3.21,
        "run": "r1",
    }
    assert result(finished(solved), state="verified")["solution_state"] == "verified"


def test_the_object_tells_what_judging_took_and_that_an_answer_is_only_a_part(solved: list[Event]) -> None:
    done = replace(finished(solved), status="budget", judging=Spending(0.0003, 1_000, 10, 1))
    record = result(done)
    assert (record["status"], record["answer"], record["partial"]) == ("budget", done.answer and done.answer.text, True)
    assert isinstance(record["cost"], dict)
    assert record["cost"]["judging_usd"] == 0.0003
    assert result(replace(done, answer=None))["partial"] is False


def test_an_error_gives_an_object_with_the_same_fields(solved: list[Event]) -> None:
    error = NoSandbox("no container engine", "start Docker")
    record = result(error=error, spending=Spending(None, 10, 2, 1, False), seconds=1.23456, run="r2")
    assert list(record) == list(result(finished(solved)))
    assert record["error"] == {"kind": "sandbox", "message": "no container engine", "remedy": "start Docker"}
    assert (record["answer"], record["verdict"], record["tier"], record["attempts"]) == (None, None, None, [])
    assert record["cost"] == {
        "usd": None,
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "calls": 1,
        "exact": False,
        "judging_usd": None,
    }
    assert (record["seconds"], record["run"]) == (1.235, "r2")


def test_a_foreign_exception_is_an_internal_error() -> None:
    assert result(error=KeyError("a"))["error"] == {"kind": "internal", "message": "KeyError: 'a'", "remedy": ""}


def test_an_escalated_question_used_and_stored_nothing(escalated: list[Event]) -> None:
    record = result(finished(escalated))
    assert (record["solution_used"], record["solution_stored"], record["solution_state"]) == (None, None, None)


@pytest.mark.parametrize("value", [math.nan, [1, math.inf], {"a": -math.inf}])
def test_a_value_that_json_cannot_express_is_null(value: float | list[float], solved: list[Event]) -> None:
    record = result(replace(finished(solved), answer=Answer("x", value)))  # type: ignore[arg-type]
    assert json.loads(dumps(record))["value"] is None


def test_the_line_holds_nothing_that_a_terminal_would_obey(solved: list[Event]) -> None:
    hostile = "\x1b[31m\x9b2J\u202e\ud800 rain"
    line = dumps(result(replace(finished(solved), answer=Answer(hostile, hostile))))
    assert line.isprintable()
    assert json.loads(line)["answer"] == json.loads(line)["value"] == hostile


def test_the_object_says_which_model_judged_on_what_and_that_it_had_answered_itself(solved: list[Event]) -> None:
    verdict = Verdict(True, "model", "r", evidence="42 mm", judge="small", own=True)
    told = json.loads(dumps(result(replace(finished(solved), verdict=verdict))))["verdict"]
    assert (told["evidence"], told["judge"], told["own"]) == ("42 mm", "small", True)
