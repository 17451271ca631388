"""Two people with one team: what one solved and shared, the other has; without the team each goes on alone."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ecoassist.demo.endpoint import Endpoint, Scripted
from ecoassist.demo.script import Script
from ecoassist.store.postgres.store import PostgresStore
from ecoassist.types import Spending
from tests.e2e.conftest import LOCAL, Command, judged, judging, python

PROGRAM = "total = sum(range(10))\nprint('sum', total)"
ANSWER = Scripted("It is 45.\nANSWER: 45")
QUESTION = "What is the sum of the numbers below ten?"
PASSWORD = "hunter2-of-the-team"
NOTICE = "the team's memory cannot be used"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    scripts: dict[str, Script] = {"weak": [python(PROGRAM), ANSWER] * 3, "strong": judging([judged(True)])}
    with Endpoint(scripts) as endpoint:
        yield endpoint


@pytest.fixture
def people(tmp_path: Path, endpoint: Endpoint) -> Iterator[tuple[Command, Command]]:
    """Two people: their folders differ, and the variable in which each keeps the connection string."""
    with ExitStack() as started:
        found = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            command = Command(folder)
            started.enter_context(command.started)
            command.configure(endpoint.url, {"weak": "weak", "strong": "strong"}, more=team())
            found.append(command)
        yield found[0], found[1]


def team(more: str = "") -> str:
    return f'[solutions]\nteam = "TEAM_MEMORY"\n{more}\n'


def join(url: str, *people: Command) -> None:
    """All use the same store, with a password that they must not tell."""
    for person in people:
        person.env["TEAM_MEMORY"] = url.replace("eco@", f"eco:{PASSWORD}@")


def said(person: Command, *args: str, code: int = 0) -> str:
    """All that a command said; no password."""
    ran = person(*args)
    assert ran.code == code, ran.out + ran.err
    assert PASSWORD not in ran.out + ran.err
    assert "Traceback" not in ran.err
    return ran.out + ran.err


@pytest.mark.postgres
def test_what_one_shares_the_other_finds_looks_at_and_takes_out(people: tuple[Command, Command], team_url: str) -> None:
    one, other = people
    join(team_url, one, other)
    assert "It is 45." in said(one, "ask", QUESTION, LOCAL)
    assert "no solutions yet" in said(other, "solutions", "list")  # nothing was shared
    assert "shared solution #1 as team #1" in said(one, "solutions", "share", "1")
    assert "team #1" in said(other, "solutions", "list")
    shown = said(other, "solutions", "show", "team:1")
    assert PROGRAM in shown
    assert QUESTION in shown
    assert "It is 45." not in shown
    doctor = said(other, "doctor", LOCAL)
    assert "ok  team: 1 verified solutions at eco@" in doctor
    assert "shared is what you name" in doctor
    said(other, "solutions", "rm", "team:1")
    assert "team" not in said(one, "solutions", "list")


@pytest.mark.postgres
def test_whoever_wishes_so_shares_all_that_is_verified_without_a_word(
    people: tuple[Command, Command], team_url: str, endpoint: Endpoint
) -> None:
    one, other = people
    join(team_url, one, other)
    one.configure(endpoint.url, {"weak": "weak", "strong": "strong"}, more=team('share = "verified"'))
    said(one, "ask", QUESTION, LOCAL)
    assert "team #1" in said(other, "solutions", "list")


@pytest.mark.postgres
@pytest.mark.docker
def test_what_one_solved_answers_the_other_without_a_model(
    people: tuple[Command, Command], team_url: str, endpoint: Endpoint
) -> None:
    one, other = people
    join(team_url, one, other)
    said(one, "ask", QUESTION, LOCAL)
    said(one, "solutions", "share", "1")
    with closing(PostgresStore(lambda: team_url, patience=60, connecting=60)) as store:
        store.credit(1, True, Spending())
        before = len(endpoint.log)
        ran = other("ask", QUESTION, "--json")
        assert ran.code == 0, ran.err
        assert len(endpoint.log) == before, ran.err
        assert "45" in json.loads(ran.out)["answer"]
        assert [(entry.wins, entry.replays) for entry in store.entries()] == [(1, 1)]


def test_a_team_that_cannot_be_reached_costs_one_notice_and_never_the_answer(
    people: tuple[Command, Command], tmp_path: Path
) -> None:
    one, _ = people
    join(f"postgresql://eco@/team?host={tmp_path / 'nowhere'}", one)
    ran = one("ask", QUESTION, LOCAL)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert ran.err.count(NOTICE) == 1
    assert "solution #1" in ran.err
    assert PASSWORD not in ran.err
    assert NOTICE in said(one, "solutions", "list")
    assert "nowhere" in said(one, "solutions", "share", "1", code=3)
    assert "no  the team's memory: " in said(one, "doctor", LOCAL, code=3)


@pytest.mark.parametrize(
    ("value", "says"),
    [("", "TEAM_MEMORY is not set"), (PASSWORD, "its connection string cannot be read")],
    ids=["not set", "no connection string"],
)
def test_a_variable_that_holds_no_connection_string_costs_a_notice(
    value: str, says: str, people: tuple[Command, Command]
) -> None:
    one, _ = people
    one.env["TEAM_MEMORY"] = value
    told = said(one, "ask", QUESTION, LOCAL)
    assert f"{NOTICE}: {says}" in told
    assert "It is 45." in told


def test_of_a_private_question_the_team_s_server_hears_nothing(people: tuple[Command, Command]) -> None:
    one, _ = people
    with socket.create_server(("127.0.0.1", 0)) as server:
        join(f"postgresql://eco@127.0.0.1:{server.getsockname()[1]}/team", one)
        assert "It is 45." in said(one, "ask", QUESTION, LOCAL, "--private")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_without_a_team_nothing_is_shared(people: tuple[Command, Command], endpoint: Endpoint) -> None:
    one, _ = people
    one.configure(endpoint.url, {"weak": "weak", "strong": "strong"})
    told = said(one, "solutions", "share", "1", code=2)
    assert "you have no team" in told
    assert "postgresql://" in told
