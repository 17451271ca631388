"""Money between processes and over real HTTP: caps hold, nobody's death loses a cent, and the ledger adds up."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from ecoassist.budget import Budget, Metered
from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, Served
from ecoassist.errors import BudgetSpent
from ecoassist.models.openai import OpenAIModel
from ecoassist.partial import UNFINISHED
from ecoassist.play import play
from ecoassist.prompts import SHORT_HINT
from ecoassist.store.ledger import SqliteLedger
from ecoassist.tiers import MAX_OUTPUT
from ecoassist.types import Call, Message, Price, Usage
from tests.e2e.conftest import LOCAL, PRICE, Command, Serve, is_judge, judged, prompt, python, wait_until

PRICED = Price(1.0, 2.0)
"""That of every tier here, as Command.configure writes it."""
DAY = 0.5
"""Of fifty first calls some twenty fit at their worst; the others wait. All of them together come to a third of it."""
PROCESSES, QUESTIONS = 8, 50
SLOWLY = Scripted("and so on, " * 4_000, delay=0.2)


@dataclass
class Arithmetic:
    """A model that multiplies by running code. Every seventh question finds it busy at first; 0 it never finishes."""

    busy: set[int] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, request: ChatRequest) -> Scripted:
        number = _number(request)
        with self.lock:
            if number % 7 == 3 and number not in self.busy:
                self.busy.add(number)
                return Scripted("overloaded", 503, {"retry-after": "0"})
        if number == 0:
            return SLOWLY
        if request.messages[-1].role == "user" and any(one.role == "assistant" for one in request.messages):
            return Scripted(f"It is {6 * number}.\nANSWER: {6 * number}")
        return replace(python(f"6 * {number}"), hang=0.3)  # so that many are under way at once


def judge(request: ChatRequest) -> Scripted:
    assert is_judge(request)
    return judged(f"It is {6 * _number(request)}." in prompt(request))


def _number(request: ChatRequest) -> int:
    found = re.search(r"6 times (\d+)", prompt(request))
    assert found
    return int(found[1])


def dollars(served: list[Served]) -> float:
    return sum((one.prompt_tokens * PRICED.input + one.completion_tokens * PRICED.output) / 1e6 for one in served)


def rows(path: Path, columns: str, rest: str = "") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM calls {rest}").fetchall()


@pytest.fixture
def ledger(run: Command) -> Iterator[SqliteLedger]:
    with closing(SqliteLedger(run.data / "ledger.db")) as ledger:
        yield ledger


def test_fifty_questions_at_once_from_eight_processes_are_right_within_the_day_and_add_up(
    run: Command, serve: Serve, ledger: SqliteLedger, tmp_path: Path
) -> None:
    endpoint = serve({"weak": Arithmetic(), "strong": judge}, more=f"[budget]\nday = {DAY}\n")
    results, most = tmp_path / "results", 0.0
    results.touch()
    numbers = [list(range(1 + at, QUESTIONS + 1, PROCESSES)) for at in range(PROCESSES)]
    for at in (0, 1):
        numbers[at].append(0)  # these two will die in mid-stream
    with ExitStack() as running:
        processes = [running.enter_context(_asking(run, results, asked)) for asked in numbers]
        deadline = time.monotonic() + 160
        while len(results.read_text().splitlines()) < QUESTIONS:
            most = max(most, sum(ledger.day()))
            assert time.monotonic() < deadline, results.read_text()
            assert all(process.poll() in (None, 0) for process in processes)
            time.sleep(0.02)
        wait_until(lambda: sum(one.completion_tokens > 0 for one in _unfinished(endpoint)) == 2, "two are written")
        held = ledger.day()[1]
        for process in processes[:2]:
            os.kill(process.pid, signal.SIGKILL)

    told = [json.loads(line) for line in results.read_text().splitlines()]
    assert sorted(one["value"] for one in told) == [6 * number for number in range(1, QUESTIONS + 1)]
    assert {(one["status"], one["calls"], one["judging"]) for one in told} == {("solved", 3, 1)}

    served = [one for one in endpoint.log if one.status == 200 and _number(one.request) != 0]
    sums = "model, purpose, count(*), sum(prompt), sum(completion)"
    assert rows(ledger.path, sums, "WHERE exact GROUP BY model ORDER BY model") == [
        (model, purpose, *_figures([one for one in served if one.request.model == model]))
        for model, purpose in (("strong", "judge"), ("weak", "answer"))
    ]
    assert sum(one["tokens"][0] for one in told) == sum(one.prompt_tokens for one in served)
    assert ledger.day()[0] == pytest.approx(dollars(served))
    assert most <= DAY + 1e-9

    _one_more_call(ledger)
    killed = rows(ledger.path, "state, prompt, completion, usd", "WHERE NOT exact")
    assert [(state, completion) for state, _, completion, _ in killed] == [("settled", MAX_OUTPUT)] * 2
    assert sum(usd for *_, usd in killed) == pytest.approx(held)
    assert ledger.day() == pytest.approx((dollars(served) + held, 0.0))
    assert ledger.day()[0] >= dollars(endpoint.log), "more than what was served in vain"
    assert ledger.day()[0] <= DAY + 1e-9


@contextmanager
def _asking(run: Command, results: Path, numbers: list[int]) -> Iterator[subprocess.Popen[bytes]]:
    asked = [f"How much is 6 times {number}" for number in numbers]
    command = [sys.executable, str(Path(__file__).with_name("askers.py")), str(run.config), str(results), *asked]
    with subprocess.Popen(command, env=run.env, cwd=run.folder) as process:
        try:
            yield process
        finally:
            process.kill()


def _unfinished(endpoint: Endpoint) -> list[Served]:
    return [one for one in endpoint.log if _number(one.request) == 0]


def _figures(served: list[Served]) -> tuple[int, int, int]:
    return len(served), sum(one.prompt_tokens for one in served), sum(one.completion_tokens for one in served)


def _one_more_call(ledger: SqliteLedger) -> None:
    """Whoever reserves next settles what the dead held."""
    id = ledger.reserve(Call("weak", "weak", "answer", 1, 1, 0.0), None)
    assert id is not None
    ledger.settle(id, None)


def test_what_a_command_held_that_was_killed_in_mid_stream_counts_in_full(
    run: Command, serve: Serve, ledger: SqliteLedger
) -> None:
    endpoint = serve({"weak": Arithmetic()}, more="[judge]\nmodel = 'none'\n")
    process = run.start("ask", "How much is 6 times 0?", LOCAL)
    wait_until(lambda: endpoint.log and endpoint.log[0].completion_tokens, "it is being answered")
    ((state, worst),) = rows(ledger.path, "state, usd")
    assert state == "held"
    process.kill()
    process.communicate()
    ran = run("ask", "How much is 6 times 7?", LOCAL, "--json")
    cost = json.loads(ran.out)["cost"]
    assert cost["exact"], "the bound is not charged to the other question"
    assert rows(ledger.path, "state, usd, exact", "ORDER BY id LIMIT 1") == [("settled", worst, 0)]
    assert ledger.day() == pytest.approx((worst + cost["usd"], 0.0))
    assert worst >= dollars(endpoint.log[:1])


# ── at the end of the money ─────────────────────────────────────────────────────────────────────────────────────────

DEAR = "price = { input = 0.1, output = 20.0 }"
CAP = ("--max-cost", "0.01")


def dear(tokens: int, code: str = "print('Oslo: 3')") -> Scripted:
    """A reply of so many tokens, as its endpoint tells."""
    return replace(python(code), usage=Usage(600, tokens))


@pytest.mark.parametrize("form", ["text", "--json"])
def test_when_the_money_ends_what_was_found_is_said_to_be_a_part(form: str, run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [dear(480), Scripted("never asked")]})
    run.configure(endpoint.url, {"weak": "weak"}, settings=DEAR)
    ran = run("ask", "What is the weather in Oslo?", LOCAL, *CAP, *([form] if form == "--json" else []))
    assert ran.code == 4, ran.err
    assert len(endpoint.log) == 1
    assert "? only a part: the budget was spent before an answer was confirmed" in ran.err
    assert "could cost" in ran.err
    told = f"{UNFINISHED}\n\nOslo: 3"
    if form == "text":
        assert ran.out == f"{told}\n"
    else:
        record = json.loads(ran.out)
        names = ("status", "partial", "answer", "value", "solution_stored")
        assert [record[name] for name in names] == ["budget", True, told, None, None]
        assert record["cost"]["usd"] == pytest.approx((600 * 0.1 + 480 * 20.0) / 1e6)


def test_at_four_fifths_of_the_money_the_model_is_told_to_finish_and_judging_is_shown_apart(
    run: Command, serve: Serve
) -> None:
    answer = Scripted("It is 3.\nANSWER: 3", usage=Usage(700, 10))
    endpoint = serve({"weak": [dear(350), dear(60, "print('Bergen: 4')"), answer], "strong": []})
    judging = Endpoint({"strong": [judged(True)]})
    with judging:
        tiers = [
            f'[[tiers]]\nname = "{name}"\nmodel = "{name}"\nbase_url = "{url}"\n{price}\n'
            for name, url, price in (("weak", endpoint.url, DEAR), ("strong", judging.url, PRICE.replace("2.0", "0.1")))
        ]
        run.config.write_text("\n".join(tiers).replace("input = 1.0", "input = 0.1"))
        ran = run("ask", "What is the weather in Oslo?", LOCAL, "--json", *CAP)
    first, second, third = (prompt(served.request) for served in endpoint.log)
    assert SHORT_HINT not in first + second
    assert SHORT_HINT in third
    assert ran.code == 0, ran.err
    cost = json.loads(ran.out)["cost"]
    assert cost["judging_usd"] == pytest.approx(0.1 * sum(_figures(judging.log)[1:]) / 1e6)
    assert cost["usd"] == pytest.approx((0.1 * 1_900 + 20.0 * 420) / 1e6 + cost["judging_usd"])
    assert "of which judging $0.00" in ran.err


def test_a_damaged_ledger_costs_no_answer_and_is_left_as_it_is(run: Command, serve: Serve) -> None:
    serve({"weak": [Scripted("It is 42.\nANSWER: 42")], "strong": lambda request: judged(True)})
    run.data.mkdir()
    file = run.data / "ledger.db"
    file.write_bytes(b"what once was a ledger" * 300)
    ran = run("ask", "How much is 6 times 7?", LOCAL)
    assert (ran.code, ran.out) == (0, "It is 42.\n"), ran.err
    assert ran.err.count("the budget of the day cannot be counted") == 1
    assert f"mv {file} {file}.damaged" in ran.err
    assert file.read_bytes() == b"what once was a ledger" * 300


# ── over real HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────

ENDLESS = Scripted("word " * 3_000, obey=False, delay=0.02, pieces=2)
IGNORANT = {
    "and streams on": ENDLESS,
    "and tells no usage": replace(ENDLESS, usage="missing"),
    "in thoughts": replace(ENDLESS, text="42", reasoning=ENDLESS.text),
}


@pytest.mark.parametrize("how", IGNORANT)
def test_a_server_that_ignores_the_output_limit_cannot_pass_the_cap(how: str, ledger: SqliteLedger) -> None:
    cap = 0.0006
    with Endpoint({"weak": lambda request: IGNORANT[how]}) as endpoint:
        ours = Metered(OpenAIModel("weak", endpoint.url, "k"), Budget(1.0, 0, day_usd=cap, ledger=ledger), PRICED, 100)
        with pytest.raises(BudgetSpent):
            _ask_for_ever(ours)
    assert len(endpoint.log) >= 3
    assert dollars(endpoint.log) <= ledger.day()[0] <= cap + 1e-9
    assert ledger.day()[1] == 0


def _ask_for_ever(model: Metered) -> None:
    for number in range(100):
        play(model.reply([Message("user", f"How much is 6 times {number}?")]))
