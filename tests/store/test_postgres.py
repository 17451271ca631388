"""A team's store on a real server: several people at once, and all the ways in which a server can leave them alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from ecoassist.entries import Entry, Solution
from ecoassist.errors import EnvironmentFault
from ecoassist.memory.shelving import ShelfStore
from ecoassist.store.postgres import schema
from ecoassist.store.postgres.store import PostgresStore
from tests.postgres import Server

pytestmark = pytest.mark.postgres
QUERY = "What is the temperature in Oslo?"
LONG = 60.0
"""Seconds, where a test is not about waiting."""
ROOT = Path(__file__).parents[2]
MakeSolution = Callable[..., Solution]
Join = Callable[..., PostgresStore]


@pytest.fixture
def join(team_url: str) -> Iterator[Join]:
    """Another person of the team, or the same in another process."""
    with ExitStack() as joined:

        def join(url: str = team_url, connecting: float = LONG, large: int = 3000) -> PostgresStore:
            store = PostgresStore(lambda: url, patience=LONG, connecting=connecting, large=large)
            return joined.enter_context(closing(store))

        yield join


def served(store: ShelfStore, query: str = QUERY) -> list[int]:
    return [match.id for match in store.similar(query)]


def backends(url: str) -> list[int]:
    """The processes of the server that serve ecoassist in that database."""
    with psycopg.connect(url, autocommit=True) as admin:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ecoassist' AND datname = current_database()"
        )
        return [pid for (pid,) in found]


# ── several at once ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_people_see_each_other_s_entries_at_once_and_share_their_record(join: Join, solution: MakeSolution) -> None:
    one, two = join(), join()
    assert served(two) == []
    there = one.receive(solution())
    assert served(two) == [there]
    two.credit(there, True)
    one.credit(there, True)
    assert [entry.wins for entry in two.entries()] == [2]
    assert two.remove(there)
    assert served(one) == []


def test_many_who_come_first_at_once_make_one_store(join: Join, solution: MakeSolution) -> None:
    together([join() for _ in range(8)], lambda number, store: store.keep(solution(f"Question {number}")))
    assert len(join().pending()) == 8


def test_of_many_who_write_at_once_nobody_loses_anything(join: Join, solution: MakeSolution) -> None:
    id = join().receive(solution())

    def work(number: int, store: PostgresStore) -> None:
        for each in range(5):
            store.keep(solution(f"Question {number} {each}"))
            store.credit(id, True)

    together([join() for _ in range(8)], work)
    assert len({entry.solution.query for entry in join().pending()}) == 40
    assert [entry.wins for entry in join().entries("verified")] == [40]


def test_of_several_who_solve_a_question_at_once_the_team_serves_one(join: Join, solution: MakeSolution) -> None:
    together([join() for _ in range(4)], lambda number, store: store.receive(solution(program=f"print({number})")))
    assert sorted(entry.state for entry in join().entries()) == ["retired", "retired", "retired", "verified"]


def together(people: list[PostgresStore], work: Callable[[int, PostgresStore], object]) -> None:
    """All begin at once, each in a thread of their own."""
    begun = threading.Barrier(len(people))

    def run(number: int) -> None:
        begun.wait(15)
        work(number, people[number])

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(run, range(len(people))))


def test_whoever_is_killed_while_they_write_loses_nothing_that_was_acknowledged(join: Join, team_url: str) -> None:
    code = f"""
from ecoassist.entries import Solution
from ecoassist.store.postgres.store import PostgresStore
from ecoassist.types import Answer
store, number = PostgresStore(lambda: {team_url!r}), 0
while True:
    number += 1
    solution = Solution(f"Question {{number}}", "print(1)", Answer("1"), "cheap")
    print(store.receive(solution), flush=True)
"""
    acknowledged: list[int] = []
    for _ in range(2):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(5)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line]
        writer.communicate()
    kept = {entry.id: entry.state for entry in join().entries()}
    assert [id for id in acknowledged if kept.get(id) not in ("verified", "retired")] == []


# ── a server that goes away ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_that_was_cut_while_it_was_idle_is_made_anew(
    join: Join, postgres: Server, team_url: str, solution: MakeSolution
) -> None:
    one = join()
    there = one.receive(solution())
    for pid in backends(team_url):
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    assert served(one) == [there]
    for pid in backends(team_url):
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
    one.credit(there, True)
    assert [entry.wins for entry in one.entries()] == [1]


def test_a_connection_that_is_cut_within_a_transaction_leaves_nothing_of_it(
    join: Join, postgres: Server, team_url: str, solution: MakeSolution
) -> None:
    one = join()
    assert served(one) == []

    def add() -> None:
        with one.shelf.transaction(write=True) as rows:
            rows.add(Entry(0, solution(), "verified", one.now()))
            (pid,) = backends(team_url)
            postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")

    with pytest.raises(EnvironmentFault):
        add()
    assert one.entries() == ()


def test_a_server_that_is_gone_is_a_fault_with_a_remedy_and_is_found_again(
    join: Join, postgres: Server, solution: MakeSolution
) -> None:
    one = join()
    there = one.receive(solution())
    postgres.stop()
    try:
        with pytest.raises(EnvironmentFault) as caught:
            one.similar(QUERY)
    finally:
        postgres.start()
    assert caught.value.remedy
    assert served(one) == [there]


def test_a_connection_that_falls_silent_is_not_waited_for(join: Join, team_url: str, solution: MakeSolution) -> None:
    one = join()
    there = one.receive(solution())

    def read() -> None:
        with one.shelf.transaction() as rows, stopped(*backends(team_url)):
            rows.get(there)

    one.database.patience = 0.3
    with pytest.raises(EnvironmentFault):
        read()
    one.database.patience = LONG
    assert served(one) == [there]


def test_a_server_that_falls_silent_is_not_waited_for(
    join: Join, postgres: Server, team_url: str, solution: MakeSolution
) -> None:
    one = join()
    there = one.receive(solution())
    with stopped(postgres.pid, *backends(team_url)):
        one.database.patience = one.database.connecting = 0.3
        with pytest.raises(EnvironmentFault):
            one.similar(QUERY)
    one.database.patience = one.database.connecting = LONG
    assert served(one) == [there]


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes of the server say nothing, as where a machine hangs or a cable was pulled."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_what_takes_connections_and_says_nothing_is_not_waited_for(join: Join) -> None:
    with silent() as port:
        one = join(f"postgresql://eco:hunter2-pass@127.0.0.1:{port}/eco", connecting=0.3)
        with pytest.raises(EnvironmentFault, match="did not answer within") as caught:
            one.similar(QUERY)
    assert "hunter2" not in str(caught.value)


@contextmanager
def silent() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_whoever_keeps_the_store_to_himself_is_waited_for_in_bounds(
    join: Join, team_url: str, solution: MakeSolution
) -> None:
    one, two = join(), join()
    there = one.receive(solution())
    one.database.patience = 0.5
    with psycopg.connect(team_url) as other:
        other.execute(schema.TAKE_LOCK.encode())
        with pytest.raises(EnvironmentFault):
            one.credit(there, True)
        assert served(two) == [there]  # reading waits for nobody
        other.rollback()
    two.credit(there, True)
    assert [entry.wins for entry in two.entries()] == [1]


def test_a_connection_in_the_background_fails_in_silence_and_its_fault_is_told_once(join: Join, team_url: str) -> None:
    where = ["postgresql:///eco?host=%2Fnowhere"]
    with closing(PostgresStore(lambda: where[0])) as store:
        store.warm()
        where[0] = team_url
        with pytest.raises(EnvironmentFault, match="nowhere"):
            store.similar(QUERY)
        assert served(store) == []


def test_a_store_that_was_closed_leaves_no_connection_behind(join: Join, team_url: str) -> None:
    store = join()
    store.warm()
    assert len(backends(team_url)) == 1
    store.close()
    store.warm()
    ended(team_url)
    assert served(store) == []
    ended(team_url)


def ended(url: str) -> None:
    """A server notices a moment later."""
    deadline = time.monotonic() + 15
    while backends(url):
        assert time.monotonic() < deadline, "a connection is still open"
        time.sleep(0.02)


# ── what stands in it ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("large", [3000, 0])
def test_a_question_is_found_by_its_words_in_a_small_and_in_a_large_store(
    large: int, join: Join, solution: MakeSolution
) -> None:
    one = join(large=large)
    for number in range(30):
        one.receive(solution(f"How many films did director {number} make with the studio?", f"print({number})"))
    there = one.receive(solution())
    assert served(one, "what temperatures are in Oslo")[:1] == [there]
    assert served(one, "WHAT IS the temperature, in oslo") == [there]
    assert served(one, "Translate this poem into Latin, please.") == []


@pytest.mark.parametrize(
    "query",
    [
        "What is the",
        "& | ! <-> :* ( ' \\",
        "it's 'quoted' & (nested) | !not",
        "nul \x00 and half \ud800 a character",
        "%s %(words)s {} ; DROP SCHEMA ecoassist CASCADE --",
        "word " * 20_000,
        " ".join(f"word{number}" for number in range(20_000)),
        "x" * 100_000,
        "Wie warm ist es heute in Tromsø? 气温 температура",
    ],
)
def test_any_text_may_be_a_question_and_the_very_same_is_found_again(
    query: str, join: Join, solution: MakeSolution
) -> None:
    one = join()
    there = one.receive(solution(query))
    assert served(one, query) == [there]


def test_what_was_never_written_by_ecoassist_is_passed_over(
    join: Join, postgres: Server, team_url: str, solution: MakeSolution
) -> None:
    one = join()
    there = one.receive(solution())
    columns = "same, query, solution, state, created, wins, losses, verified, uses, usd, tokens, replays, note"
    insert = f"INSERT INTO ecoassist.solutions ({columns})"
    rest = "'verified', '', 1, 0, '', 0, 1e308, 0, 0, ''"
    for said in ("{", "[]", '{"query": 5}', '{"program": "x"}', "{" + '"a": 1, ' * 200_000):
        key = "what is the temperature in oslo"
        postgres.execute(f"{insert} VALUES ('{key}', '{key}', '{said}', {rest})", team_url)
    good = "SELECT same, query, solution, state, created, -5, 0, '', 0, 'NaN', 0, 0, '' FROM ecoassist.solutions"
    postgres.execute(f"{insert} {good} WHERE id = 1", team_url)
    long = good.replace("-5", "1").replace("'NaN', 0, 0, ''", "0, 0, 0, repeat('x', 2000000)")
    postgres.execute(f"{insert} {long} WHERE id = 1", team_url)
    assert served(one) == [there]
    assert [entry.id for entry in one.entries()] == [there]
    one.credit(2, True)
    assert one.get(2) is None


def test_a_store_of_a_later_version_is_left_alone(join: Join, postgres: Server, team_url: str) -> None:
    assert served(join()) == []
    postgres.execute("UPDATE ecoassist.version SET steps = 99", team_url)
    with pytest.raises(EnvironmentFault, match="later version"):
        join().similar(QUERY)
    assert postgres.execute("SELECT steps FROM ecoassist.version", team_url) == [(99,)]


def test_a_store_without_its_tables_is_a_fault_and_nothing_is_deleted(
    join: Join, postgres: Server, team_url: str
) -> None:
    one = join()
    assert served(one) == []
    postgres.execute("ALTER TABLE ecoassist.solutions RENAME TO moved", team_url)
    with pytest.raises(EnvironmentFault, match="damaged"):
        one.similar(QUERY)
    assert postgres.execute("SELECT to_regclass('ecoassist.moved') IS NOT NULL", team_url) == [(True,)]


def test_whoever_has_no_right_to_it_is_told_what_to_ask_for(join: Join, postgres: Server, team_url: str) -> None:
    assert served(join()) == []
    postgres.execute("DROP ROLE IF EXISTS guest")
    postgres.execute("CREATE ROLE guest LOGIN")
    guest = team_url.replace("eco@", "guest@")
    with pytest.raises(EnvironmentFault) as caught:
        join(guest).similar(QUERY)
    assert "grant" in caught.value.remedy
    postgres.execute(
        "GRANT USAGE ON SCHEMA ecoassist TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA ecoassist TO guest", team_url
    )
    reader = join(guest)
    assert served(reader) == []
    with pytest.raises(EnvironmentFault, match="permission denied"):
        reader.remove(1)


def test_a_database_that_is_not_there_is_named(join: Join, postgres: Server) -> None:
    with pytest.raises(EnvironmentFault, match='database "nowhere" does not exist'):
        join(postgres.url("nowhere")).similar(QUERY)


@pytest.mark.parametrize(
    "variables",
    [
        {"PGHOST": "127.0.0.1", "PGPORT": "1"},
        {"PGHOSTADDR": "127.0.0.1", "PGPORT": "1"},
        {"PGPORT": "1"},
        {"PGSERVICE": "other"},
    ],
)
def test_what_another_program_s_variables_say_leads_to_no_other_server(
    variables: dict[str, str], join: Join, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = tmp_path / "services"
    services.write_text("[other]\nhost=127.0.0.1\nport=1\n")
    for name, value in (variables | {"PGSERVICEFILE": str(services)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentFault, match=r"nowhere/\.s\.PGSQL\.5432"):
        join("postgresql:///eco?host=%2Fnowhere").similar(QUERY)
    with silent() as port, pytest.raises(EnvironmentFault, match="did not answer within"):
        join(f"postgresql://eco:hunter2-pass@127.0.0.1:{port}/eco", connecting=0.3).similar(QUERY)


def test_an_option_that_there_is_not_is_a_fault(join: Join, team_url: str) -> None:
    with pytest.raises(EnvironmentFault, match="autocommit"):
        join(f"{team_url}&autocommit=no").similar(QUERY)


def test_texts_in_no_encoding_are_a_fault_and_no_bug(join: Join, postgres: Server, solution: MakeSolution) -> None:
    postgres.execute("DROP DATABASE IF EXISTS raw")
    postgres.execute("CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0")
    url = postgres.url("raw")
    one = join(url)
    there = one.receive(solution("Wie warm ist es in Tromsø?"))
    assert served(one, "Wie warm ist es in Tromsø?") == [there]
    postgres.execute("UPDATE ecoassist.solutions SET note = E'\\xff\\xfe'", url)
    with pytest.raises(EnvironmentFault, match="UTF8"):
        one.similar("Wie warm ist es in Tromsø?")
