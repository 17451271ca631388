"""What a person asks of the command itself: is it well, which version, how is it used."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from ecoassist import __version__
from ecoassist.demo.endpoint import Scripted
from ecoassist.store.ledger import SqliteLedger
from tests.e2e.conftest import LOCAL, Command, Serve

ANSWER = Scripted("never asked")
API = """
[apis.stock]
host = "api.stock.example"
secret = "STOCK_KEY"
place = "query:key"
"""


def test_the_version(run: Command) -> None:
    ran = run("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"ecoassist {__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("ask",), ("chat",), ("doctor",), ("solutions",), ("demo",)], ids=" ".join)
def test_the_help_of_each_command(command: tuple[str, ...], run: Command) -> None:
    ran = run(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Usage:" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_no_command_shows_the_help_and_is_wrong_usage(run: Command) -> None:
    ran = run()
    assert ran.code == 2
    assert "Usage:" in ran.out + ran.err


def test_doctor_says_where_trying_a_question_twice_does_not_pay(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER], "strong": [ANSWER]})
    run.config.write_text(run.config.read_text().replace('model = "weak"', 'model = "weak"\nsamples = 2'))
    with closing(SqliteLedger(run.data / "ledger.db")) as ledger:
        ledger.begin("1", "q")
        for number in range(30):
            ledger.judged("1", "weak", "agreement", number < 10)
    ran = run("doctor", LOCAL)
    assert ran.code == 0, ran.out + ran.err
    assert "!!  two attempts of weak cost more than they save" in ran.out
    assert "!!  of the last 30 pairs of attempts of weak only 10 agreed" in ran.out


def test_doctor_says_what_was_chosen_and_why(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": [ANSWER]}, more=API + '[network]\nhosts = ["data.example"]')
    ran = run("doctor", LOCAL, env={"STOCK_KEY": "stock-key-0123456789"})
    assert ran.code == 0, ran.out + ran.err
    for said in (
        f"ecoassist {__version__}",
        str(run.config),
        str(run.data),
        f"ok  weak: weak at {endpoint.url} ($1 in, $2 out per million tokens)",
        "named in the configuration",
        "ok  judge: strong",
        "verdict: checks, agreement, model, person; in a chat: checks, agreement, person",
        "cascade: weak, strong; after an escalation a conversation begins at the tier that solved",
        "hold-out: none",
        "budget: $0.5 per question, $5 per session, $20 per day; 200,000 tokens per question where a price is unknown",
        "ok  API stock: api.stock.example, key STOCK_KEY",
        "ok  host data.example",
        "UNSAFE",
        "ok  kernel: Python 3.",
        "ok  memory: 0 verified of 0 solutions",
    ):
        assert said in ran.out
    assert "stock-key" not in ran.out + ran.err
    assert endpoint.log == []


def test_doctor_says_which_api_is_off(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER]}, more=API)
    ran = run("doctor", LOCAL)
    assert ran.code == 0, ran.out
    assert "API stock is off: STOCK_KEY is not set" in ran.out
    assert "the only model judges its own answers" in ran.out


@pytest.mark.docker
def test_doctor_runs_a_cell_in_a_container_and_tries_the_gate(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER]})
    ran = run("doctor")
    assert ran.code == 0, ran.out + ran.err
    assert re.search(r"ok  sandbox: ecoassist-sandbox:\w+", ran.out)
    assert re.search(r"ok  kernel: Python 3\.\d+\.\d+ answered in \d+\.\d\d s", ran.out)
    for feature in ("memory: at most 1g", "system calls: filtered by seccomp", "network: none but the gate"):
        assert f"ok    {feature}" in ran.out
    assert "!!" not in ran.out
    assert re.search(r"ok  gate: 403 .*ecoassist\.invalid", ran.out), ran.out


def test_doctor_goes_on_after_what_is_wrong(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER]}, key="sk-0123456789")
    ran = run("doctor", env={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert ran.code == 3
    assert ran.out.count("\nno  ") == 2
    assert "does not accept the key" in ran.out
    assert "no Docker engine answers" in ran.out
    assert "ok  memory" in ran.out
    assert "Traceback" not in ran.err


def test_doctor_finds_an_api_that_cannot_work(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER]}, more=API.replace("query:key", "cookie:key"))
    ran = run("doctor", LOCAL, env={"STOCK_KEY": "stock-key-0123456789"})
    assert ran.code == 3
    assert "no  apis.stock: " in ran.out
    assert "stock-key" not in ran.out + ran.err


def test_doctor_with_a_broken_configuration_is_wrong_usage(run: Command) -> None:
    run.config.write_text("nonsense")
    ran = run("doctor")
    assert (ran.code, ran.out) == (2, "")
    assert "is not TOML" in ran.err
