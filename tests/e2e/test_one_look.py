"""The data of a run in real containers: one request for two tiers and the re-run, evidence of it, a key in a file."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from ecoassist.demo.endpoint import ChatRequest, Scripted
from ecoassist.egress.ca import SessionCA
from ecoassist.entries import Solution
from ecoassist.keys import put
from ecoassist.store.ledger import SqliteLedger
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer
from tests.e2e.conftest import Command, Serve, judged, judging, prompt, python

HOST, KEY = "api.counter.example", "c0unt3r-k3y-0123456789"
PROGRAM = f"""
import os, requests
answer = requests.get("https://{HOST}/v1/visitors", headers={{"X-Key": os.environ["COUNTER_KEY"]}}, timeout=20)
answer.raise_for_status()
print(answer.text)
"""
ACTING = f"""
import requests
answer = requests.post("https://{HOST}/v1/visitors", timeout=20)
print(answer.status_code, answer.text)
answer.raise_for_status()
"""


class Counter(http.server.ThreadingHTTPServer):
    """Counts its requests, and answers only the first `answers` of them."""

    daemon_threads = True

    def __init__(self, authority: SessionCA) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = authority.context(HOST).wrap_socket(self.socket, server_side=True)
        self.asked: list[tuple[str, str]] = []
        """Method and key of each request."""
        self.answers = 1

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of ours."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Counter

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.headers.get("X-Key", "")))
        number = len(self.server.asked)
        body = f"visitor {number}".encode()
        self.send_response(200 if number <= self.server.answers else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def counter(run: Command) -> Iterator[Counter]:
    authority = SessionCA()
    (run.folder / "authority.pem").write_bytes(authority.pem)
    server = Counter(authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(counter: Counter, folder: Path) -> str:
    return "\n".join(
        [
            "[apis.visitors]",
            f'host = "{HOST}"',
            'secret = "COUNTER_KEY"',
            'place = "header:X-Key"',
            'card = "Counts visitors of the museum."',
            "[network]",
            f'ca_bundle = "{folder / "authority.pem"}"',
            "[network.addresses]",
            f'"{HOST}" = "127.0.0.1:{counter.server_address[1]}"',
        ]
    )


@pytest.mark.docker
def test_two_tiers_and_the_re_run_see_one_answer_of_the_host(run: Command, serve: Serve, counter: Counter) -> None:
    told = Scripted("Visitor 1.\nANSWER: 1")
    strong = judging([judged(False, "not sure"), judged(True)], [python(PROGRAM), told])
    endpoint = serve({"weak": [python(PROGRAM), told], "strong": strong}, more=settings(counter, run.folder))
    put(run.folder / "config.d", "COUNTER_KEY", KEY)

    ran = run("ask", "How many visitors has the museum?", "--json", "--verbose")

    body = json.loads(ran.out)
    assert (body["status"], body["value"], body["tier"]) == ("solved", 1, "strong"), ran.err
    assert "confirmed by its re-run" in ran.err
    assert counter.asked == [("GET", KEY)], "all later ones would have been answered with 503"
    live, kept = (attempt["accesses"] for attempt in body["attempts"])
    known = {"host": HOST, "method": "GET", "path": "/v1/visitors", "status": 200, "api": "visitors", "bytes": 9}
    assert [one.items() >= (known | {"cached": cached}).items() for (one,), cached in ((live, False), (kept, True))]
    assert f"GET {HOST}/v1/visitors -> 200, 9 bytes, " in ran.err
    assert ran.err.count("from this run's memory (visitors)") == 2, "the second tier, and the re-run"
    evidence = [prompt(one.request) for one in endpoint.log if one.request.messages[0].text.startswith("You check")]
    assert all(f"GET {HOST}/v1/visitors -> 200, 9 bytes (visitors)" in one for one in evidence)
    shown = run("solutions", "show", "1")
    assert re.search(rf"hosts +{re.escape(HOST)}\n", shown.err)
    assert re.search(r"APIs +visitors\n", shown.err)
    written = b"".join(path.read_bytes() for path in run.data.rglob("*") if path.is_file())
    assert KEY not in ran.out + ran.err + shown.out + "".join(evidence)
    assert KEY.encode() not in written


@pytest.mark.docker
def test_two_attempts_of_one_tier_that_must_agree_see_one_answer_of_the_host(
    run: Command, serve: Serve, counter: Counter
) -> None:
    told = Scripted("Visitor 1.\nANSWER: 1")
    weak = [python(PROGRAM), told, python(PROGRAM), Scripted('ANSWER: "1 visitor"')]
    endpoint = serve({"weak": weak, "strong": []}, more=settings(counter, run.folder))
    run.config.write_text(run.config.read_text().replace('model = "weak"', 'model = "weak"\nsamples = 2'))
    put(run.folder / "config.d", "COUNTER_KEY", KEY)

    ran = run("ask", "How many visitors has the museum?", "--json", "--verbose")

    body = json.loads(ran.out)
    assert (body["status"], body["tier"], body["verdict"]["by"]) == ("solved", "weak", "agreement"), ran.err
    assert counter.asked == [("GET", KEY)], "a second call would have been answered with 503"
    assert [[one["cached"] for one in attempt["accesses"]] for attempt in body["attempts"]] == [[False], [True]]
    assert {one.request.model for one in endpoint.log} == {"weak"}
    assert "two attempts of weak cost more than they save: strong takes 1.0 times its price" in ran.err
    assert "confirmed by its re-run" in ran.err
    with closing(SqliteLedger(run.data / "ledger.db")) as ledger:
        assert ledger.agreement("weak") == (1, 1)


@pytest.mark.docker
def test_a_candidate_of_an_earlier_process_is_tried_at_the_host_and_may_only_read(
    run: Command, serve: Serve, counter: Counter
) -> None:
    store = SqliteStore(run.data / "solutions.db")
    reading, acting = (
        store.keep(Solution(query, program, Answer("1"), "weak", hosts=(HOST,)))
        for query, program in (("How many visitors?", PROGRAM), ("Count me in.", ACTING))
    )
    counter.answers = 9
    serve(
        {"weak": [python("print(6 * 7)"), Scripted("42\nANSWER: 42")], "strong": judging([judged(True)])},
        more=settings(counter, run.folder),
    )
    put(run.folder / "config.d", "COUNTER_KEY", KEY)

    ran = run("ask", "What is six times seven?")

    assert ran.code == 0, ran.err
    states = [entry.state if (entry := store.get(id)) else "" for id in (reading, acting)]
    store.close()
    assert states == ["verified", "failed"], ran.err
    assert counter.asked == [("GET", KEY)], "the POST did not get there"


EXPLORING = f"""
import os, random, requests
def ask():
    answer = requests.get("https://{HOST}/v1/visitors", headers={{"X-Key": os.environ["COUNTER_KEY"]}}, timeout=20)
    answer.raise_for_status()
    return answer.text
print(os.environ["COUNTER_KEY"], random.random())
text = ask()
print(text["number"])
"""
COUNTING = "print(int(text.split()[1]) + 20)"


@pytest.mark.docker
def test_what_is_stored_is_the_program_that_the_answer_depends_on(run: Command, serve: Serve, counter: Counter) -> None:
    turns = [python(EXPLORING), python(COUNTING), Scripted("It had 21 visitors.\nANSWER: 21")]
    serve({"weak": turns, "strong": judging([judged(True)])}, more=settings(counter, run.folder))
    put(run.folder / "config.d", "COUNTER_KEY", KEY)

    ran = run("ask", "How many visitors will the museum have had after 20 more?", "--verbose")

    with closing(SqliteStore(run.data / "solutions.db")) as store:
        (entry,) = store.entries()
    made = entry.solution
    assert entry.state == "verified", ran.err
    assert made.program.startswith("import os, random, requests\ndef ask():")
    assert made.program.endswith("text = ask()\n\nprint(int(text.split()[1]) + 20)")
    assert "print(text" not in made.program
    assert "random()" not in made.program
    assert counter.asked == [("GET", KEY)], "the re-run saw what the run was answered"
    assert (made.shape, made.packages, made.tells) == ("number", ("requests",), True)
    assert (made.hosts, made.apis, made.usd) == ((HOST,), ("visitors",), made.usd)
    assert made.image.startswith("ecoassist-sandbox:")
    assert made.tokens > 0
    assert datetime.fromisoformat(made.ran).utcoffset() is not None
    assert (made.answer, made.whole, made.took) == (Answer(""), "", ())


@pytest.mark.docker
def test_a_program_whose_rerun_comes_to_another_answer_is_not_served(run: Command, serve: Serve) -> None:
    def weak(request: ChatRequest) -> Scripted:
        seen = re.findall(r"\d{12,}", request.messages[-1].text)
        return (
            Scripted(f"It is {seen[0]}.\nANSWER: {seen[0]}") if seen else python("import time\nprint(time.time_ns())")
        )

    serve({"weak": weak, "strong": judging([judged(True)])})

    ran = run("ask", "What is a number that nobody knows?")

    with closing(SqliteStore(run.data / "solutions.db")) as store:
        (entry,) = store.entries()
    assert (entry.state, entry.note) == ("failed", "it did not print again what its answer was made of"), ran.err
    assert ran.code == 0


def test_a_judge_is_told_that_an_answer_about_live_data_rests_on_no_call(
    run: Command, serve: Serve, counter: Counter
) -> None:
    guess = Scripted("Visitor 7.\nANSWER: 7")
    endpoint = serve({"weak": [guess], "strong": judging([judged(False)], [guess])}, more=settings(counter, run.folder))
    put(run.folder / "config.d", "COUNTER_KEY", KEY)
    ran = run("ask", "How many visitors has the museum?", "--unsafe-local", "--json")
    assert (ran.code, json.loads(ran.out)["verdict"]["by"]) == (1, "model"), ran.err
    told = "visitors seems to belong to the question and no code called it"
    assert sum(told in prompt(each.request) for each in endpoint.log) == 2
