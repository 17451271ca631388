"""What is kept of real runs, and what the commands that look into it say."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from ecoassist.demo.endpoint import Endpoint, Scripted
from ecoassist.demo.script import Script
from ecoassist.owners import owner
from ecoassist.store.ledger import SqliteLedger
from tests.e2e.conftest import LOCAL, Command, finish, judged, judging, python, wait_until

ANSWER = Scripted("It is 45.\nANSWER: 45")
QUESTION = "What is the quetzalcoatl sum?"
PRICES = {"weak": "{ input = 1.0, output = 2.0 }", "strong": "{ input = 10.0, output = 20.0 }"}


@pytest.fixture
def endpoint(run: Command) -> Iterator[Endpoint]:
    """A weak model that errs, runs a cell and answers, and a strong one, ten times as dear, that judges."""
    cells = [python("1 / 0"), python("print('sum', 45)"), ANSWER]
    scripts: dict[str, Script] = {"weak": cells * 3, "strong": judging([judged(True, "45 is in the output")])}
    with Endpoint(scripts) as endpoint:
        configure(run, endpoint)
        yield endpoint


def configure(run: Command, endpoint: Endpoint, more: str = "") -> None:
    tiers = [
        f'[[tiers]]\nname = "{name}"\nmodel = "{name}"\nbase_url = "{endpoint.url}"\nprice = {price}\n'
        for name, price in PRICES.items()
    ]
    run.config.write_text("\n".join([*tiers, more]), encoding="utf-8")


def said(run: Command, *args: str) -> str:
    ran = run(*args)
    assert ran.code == 0, ran.err
    return ran.out


def rows(run: Command, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(run.data / "ledger.db")) as connection:
        return connection.execute(query).fetchall()


def holding(folder: Path, word: str) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and word.encode() in file.read_bytes()]


def test_a_run_is_explained_accounted_for_shown_again_and_forgotten(run: Command, endpoint: Endpoint) -> None:
    real = run("ask", QUESTION, LOCAL)
    assert real.code == 0, real.err
    id = said(run, "runs", "list").split()[0]

    why = said(run, "why", id[:4])
    for part in (
        f"run {id}",
        "solved by weak",
        QUESTION,
        "1. weak",
        "fault code: ZeroDivisionError",
        "✓ model: 45 is in the output",
        "stored     as solution #1: confirmed by its re-run",
        "$1 + $2",
        "$10 + $20",
        "of which judging",
    ):
        assert part in why, (part, why)
    body = json.loads(said(run, "why", "--json"))
    served = endpoint.spent
    assert (body["cost"]["prompt_tokens"], body["cost"]["completion_tokens"]) == (served.prompt, served.completion)
    assert body["cost"]["usd"] == pytest.approx(sum(call["usd"] for call in body["calls"]))

    usage = json.loads(said(run, "usage", "--days", "2", "--json"))
    assert usage["total"]["usd"] == pytest.approx(body["cost"]["usd"])
    assert [one["name"] for one in usage["tiers"]] == ["weak", "strong"]
    assert usage["runs"] == {"solved": 1}
    strong = body["tiers"][0]
    assert strong["solved"] is True
    answering = [call for call in body["calls"] if call["purpose"] == "answer"]
    dear = sum(10 * call["prompt"] + 20 * call["completion"] for call in answering) / 1e6
    assert usage["saved"]["estimate"]["strong_usd"] == pytest.approx(dear)
    assert usage["saved"]["estimate"]["saved_usd"] == pytest.approx(dear - body["cost"]["usd"])
    assert "saved" in said(run, "usage")

    shown = said(run, "runs", "show", id)
    assert "It is 45." in shown
    assert "print('sum', 45)" in shown

    requests = len(endpoint.log)
    again = run("runs", "play", id, "--speed", "0")
    assert again.code == 0, again.err
    assert again.out == real.out == "It is 45.\n"
    header, *progress = real.err.splitlines()
    assert "UNSAFE" in header
    assert again.err.splitlines() == progress
    assert len(endpoint.log) == requests

    assert run("runs", "rm", id).code == 0
    assert run("runs", "show", id).code == 2
    assert json.loads(said(run, "usage", "--json"))["total"] == usage["total"]
    left = {file.name for file in holding(run.data, "quetzalcoatl")}
    assert left <= {"solutions.db", "solutions.db-wal"}, "the solution is another matter"


def test_two_questions_at_once_are_both_whole(run: Command, endpoint: Endpoint) -> None:
    processes = [run.start("ask", f"question {number}", LOCAL, "--json") for number in range(2)]
    results = [finish(process) for process in processes]
    for ran in results:
        id = json.loads(ran.out)["run"]
        why = json.loads(said(run, "why", id, "--json"))
        assert why["question"] in ("question 0", "question 1")
        assert why["status"] == json.loads(ran.out)["status"]
        assert why["cost"]["calls"] == json.loads(ran.out)["cost"]["calls"]
    usage = json.loads(said(run, "usage", "--json"))
    assert usage["total"]["prompt_tokens"] == endpoint.spent.prompt
    assert usage["total"]["completion_tokens"] == endpoint.spent.completion


@pytest.mark.skipif(not owner(), reason="this system does not tell when a process started")
def test_what_a_killed_process_did_can_be_read(run: Command) -> None:
    slow = Scripted("never", hang=60)
    with Endpoint({"weak": [python("print('sum', 45)"), slow], "strong": []}) as endpoint:
        configure(run, endpoint)
        process = run.start("ask", QUESTION, LOCAL)
        wait_until(lambda: len(endpoint.log) == 2, "the second request is under way")
        assert " running " in said(run, "runs", "list")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert " lost " in said(run, "runs", "list")
    why = said(run, "why")
    assert "lost: its process ended without a word" in why
    assert "turn 1: ✓ 1 line of code" in why
    played = run("runs", "play", said(run, "runs", "list").split()[0], "--speed", "0")
    assert played.err.splitlines()[-1].endswith("lost: its process ended without a word"), played.err
    assert "<= $" in why, "what the second call may have cost counts in full"
    assert "print('sum', 45)" in said(run, "runs", "show", said(run, "runs", "list").split()[0])
    assert "<= $" in said(run, "usage")
    wait_until(lambda: not run.kernels(), "the kernel of the dead process is gone")


def test_a_run_that_broke_off_is_named_to_a_script_and_says_so_when_it_is_shown_again(run: Command) -> None:
    refused = Scripted("no such parameter", 400)
    with Endpoint({"weak": [refused], "strong": [refused]}) as endpoint:
        configure(run, endpoint)
        ran = run("ask", QUESTION, LOCAL, "--json")
    assert ran.code == 3, ran.err
    id = json.loads(ran.out)["run"]
    assert said(run, "runs", "list").split()[0] == id
    played = run("runs", "play", id, "--speed", "0")
    assert played.code == 0, played.err
    *_, name, reason = played.err.splitlines()
    assert name.startswith(f"run {id}")
    assert name.endswith("broke off")
    assert reason.startswith("broke off  no model answered")


@pytest.mark.parametrize("how", ["--private", "keep = false"])
def test_a_question_that_is_not_kept_leaves_its_cost_and_no_word(how: str, run: Command, endpoint: Endpoint) -> None:
    private = how == "--private"
    if not private:
        configure(run, endpoint, "[runs]\nkeep = false\n")
    ran = run("ask", QUESTION, LOCAL, *([how] if private else []), "--json")
    assert ran.code == 0, ran.err
    assert rows(run, "SELECT count(*) FROM runs") == rows(run, "SELECT count(*) FROM events") == [(0,)]
    assert rows(run, "SELECT count(*) FROM verdicts") == [(0,)]
    assert rows(run, "SELECT DISTINCT run FROM calls") == [("",)]
    assert holding(run.data, "quetzalcoatl") == holding(run.data, json.loads(ran.out)["run"]) == []
    usage = json.loads(said(run, "usage", "--json"))
    assert usage["total"]["prompt_tokens"] == endpoint.spent.prompt
    assert run("why").code == 2


def test_a_broken_ledger_costs_a_notice_and_no_answer(run: Command, endpoint: Endpoint) -> None:
    run.data.mkdir()
    (run.data / "ledger.db").write_bytes(b"no database at all" * 500)
    ran = run("ask", QUESTION, LOCAL)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert ran.err.count("this run is not kept: the ledger in") == 1
    for command in (["usage"], ["why"], ["runs", "list"], ["runs", "rm", "--all", "--yes"]):
        ran = run(*command)
        assert ran.code == 3, ran.err
        assert "damaged" in ran.err


def test_the_judge_is_measured_against_the_person(run: Command, endpoint: Endpoint) -> None:
    ran = run("chat", LOCAL, stdin=b"first?\n/good\nsecond?\n/bad\n/quit\n")
    assert ran.code == 0, ran.err
    assert json.loads(said(run, "usage", "--json"))["judge"] == {"agreed": 1, "pairs": 2}
    assert re.search(r"judge +agreed with you on 1 of 2 answers \(50%\)", said(run, "usage"))


def test_questions_held_out_are_told_apart_and_too_few_tell_nothing(run: Command) -> None:
    strong = judging([judged(True)], [ANSWER])
    with Endpoint({"weak": [], "strong": strong}) as endpoint:
        configure(run, endpoint, "[cascade]\nhold_out = 1.0\n")
        assert run("ask", QUESTION, LOCAL).code == 0
    assert "at strong alone, drawn at random" in said(run, "why")
    assert "too few questions to tell: 1 by the strongest tier alone, 0 others" in said(run, "usage")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # pexpect forks
@pytest.mark.parametrize(("keys", "left"), [("n\r", 1), ("\x03", 1), ("y\r", 0)], ids=["no", "Ctrl-C", "yes"])
def test_all_runs_are_removed_only_when_the_person_says_so(keys: str, left: int, run: Command) -> None:
    with closing(SqliteLedger(run.data / "ledger.db")) as ledger:
        ledger.begin("r1", "q")
    command = ["-m", "ecoassist", "runs", "rm", "--all"]
    terminal = pexpect.spawn(run.python, command, env=run.env, cwd=run.folder, encoding="utf-8", timeout=15)
    with closing(terminal):
        terminal.expect_exact("remove 1 run? [y/N]")
        terminal.send(keys)
        terminal.expect_exact("nothing was removed" if left else "removed 1 run")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0
    assert rows(run, "SELECT count(*) FROM runs") == [(left,)]


def test_before_the_first_question_there_is_nothing_to_tell(run: Command) -> None:
    assert "no call of a model" in said(run, "usage")
    assert json.loads(said(run, "usage", "--json"))["total"]["calls"] == 0
    assert said(run, "runs", "list") == ""
    for command in (["why"], ["runs", "show", "a"], ["runs", "play", "a"], ["runs", "rm", "a"], ["runs", "rm"]):
        ran = run(*command)
        assert (ran.code, ran.out) == (2, ""), ran.err
        assert ran.err.startswith("ecoassist: ")
    ran = run("runs", "rm", "--all")
    assert (ran.code, "--yes" in ran.err) == (2, True)
