"""Tier 0 in real containers: a question that was solved before is answered without a request to any model."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ecoassist.demo.endpoint import Scripted
from ecoassist.egress.ca import SessionCA
from ecoassist.entries import FileShape, Solution
from ecoassist.keys import put
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer
from tests.e2e.conftest import LOCAL, Command, Ran, Serve, judged, judging, python

HOST, KEY = "api.rain.example", "r41n-k3y-0123456789"
NOTHING = {"usd": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "calls": 0, "judging_usd": 0.0}
FELL = {"Paris": 13, "São Paulo": 41}
QUESTION = "How many millimetres of rain fell in Paris?"
PROGRAM = f"""
import os, requests
answer = requests.get("https://{HOST}/v1/rain", params={{"city": "Paris"}}, headers={{"X-Key": os.environ["RAIN_KEY"]}})
answer.raise_for_status()
print("Paris:", answer.json()["mm"], "mm")
"""


class Rain(http.server.ThreadingHTTPServer):
    """Says how much rain fell in a city."""

    daemon_threads = True

    def __init__(self, authority: SessionCA) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = authority.context(HOST).wrap_socket(self.socket, server_side=True)
        self.asked: list[tuple[str, str, str]] = []
        """Method, city and key of each request."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of ours."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Rain

    def do_GET(self) -> None:
        city = parse_qs(urlsplit(self.path).query).get("city", [""])[0]
        self.server.asked.append((self.command, city, self.headers.get("X-Key", "")))
        body = json.dumps({"mm": FELL[city]} if city in FELL else {"error": "no such city"}).encode()
        self.send_response(200 if city in FELL else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def rain(run: Command) -> Iterator[Rain]:
    authority = SessionCA()
    (run.folder / "authority.pem").write_bytes(authority.pem)
    server = Rain(authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(rain: Rain, folder: Path) -> str:
    return "\n".join(
        [
            "[apis.rain]",
            f'host = "{HOST}"',
            'secret = "RAIN_KEY"',
            'place = "header:X-Key"',
            'card = "How much rain fell in a city."',
            "[network]",
            f'ca_bundle = "{folder / "authority.pem"}"',
            "[network.addresses]",
            f'"{HOST}" = "127.0.0.1:{rain.server_address[1]}"',
        ]
    )


def ask(run: Command, question: str, *options: str) -> tuple[dict[str, Any], Ran]:
    ran = run("ask", question, "--json", *options)
    return json.loads(ran.out), ran


def remember(run: Command, query: str, program: str, **known: object) -> int:
    """A solution that was verified, and has won once."""
    known = {"hosts": (HOST,), "shape": "number"} | known
    made = Solution(query, program, Answer(""), "weak", **known)  # type: ignore[arg-type]
    with closing(SqliteStore(run.data / "solutions.db")) as store:
        id = store.keep(made)
        store.settle(id, True)
        store.credit(id, True)
    return id


@pytest.mark.docker
def test_the_third_asking_needs_no_model_and_the_kernel_reads_with_the_key(
    run: Command, serve: Serve, rain: Rain
) -> None:
    told = Scripted("13 mm of rain fell in Paris.\nANSWER: 13")
    weak = [python(PROGRAM), told]
    endpoint = serve({"weak": weak * 2, "strong": judging([judged(True)])}, more=settings(rain, run.folder))
    put(run.folder / "config.d", "RAIN_KEY", KEY)

    first, ran = ask(run, QUESTION)
    assert (first["status"], first["tier"], first["replayed"]) == ("solved", "weak", None), ran.err
    assert "confirmed by its re-run" in ran.err
    second, ran = ask(run, QUESTION.upper())
    assert (second["status"], second["tier"], second["solution_used"]) == ("solved", "weak", 1), ran.err
    asked = len(endpoint.log), len(rain.asked)

    third, ran = ask(run, QUESTION)

    assert (third["status"], third["tier"], third["replayed"]) == ("solved", "replay", third["solution_used"]), ran.err
    assert (third["answer"], third["cost"]) == ("Paris: 13 mm", first["cost"] | NOTHING)
    assert f"replayed solution #{third['replayed']}, 0 tokens · " in ran.err
    assert (len(endpoint.log), len(rain.asked)) == (asked[0], asked[1] + 1)
    assert rain.asked[-1] == ("GET", "Paris", KEY)
    assert KEY not in ran.out + ran.err

    other, ran = ask(run, QUESTION.replace("Paris", "São Paulo"))

    assert (other["answer"], other["replayed"]) == ("São Paulo: 41 mm", third["replayed"]), ran.err
    assert len(endpoint.log) == asked[0]
    assert rain.asked[-1] == ("GET", "São Paulo", KEY)


@pytest.mark.docker
def test_a_private_question_is_replayed_as_well_and_no_key_is_seen(run: Command, serve: Serve, rain: Rain) -> None:
    endpoint = serve({"weak": [], "strong": []}, more=settings(rain, run.folder))
    put(run.folder / "config.d", "RAIN_KEY", KEY)
    id = remember(run, QUESTION, f"{PROGRAM}\nprint(os.environ['RAIN_KEY'])")

    body, ran = ask(run, QUESTION, "--private")

    assert (body["status"], body["replayed"]) == ("solved", id), ran.err
    assert endpoint.log == []
    assert KEY not in ran.out + ran.err
    with closing(SqliteStore(run.data / "solutions.db")) as store:
        assert [entry.replays for entry in store.entries()] == [1], "the win; nothing is kept of the question"


COUNTS = """
import csv
with open("sales-2025.csv") as file:
    print(sum(int(row["sold"]) for row in csv.DictReader(file)))
"""


@pytest.mark.docker
def test_a_question_about_a_file_is_replayed_for_another_one_with_the_same_columns(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [Scripted("ANSWER: 0")] * 2, "strong": judging([judged(True)])})
    question, columns = "How many were sold in all?", ("day", "sold")
    id = remember(run, question, COUNTS, hosts=(), files=(FileShape("sales-*.csv", columns),))
    file = run.folder / "o'clock.csv"
    file.write_text("day,sold\n2026-01-01,3\n2026-01-02,4\n")

    body, ran = ask(run, question, "--file", str(file))

    assert (body["replayed"], body["answer"], body["value"]) == (id, "7", 7), ran.err
    assert endpoint.log == []


def test_outside_a_sandbox_nothing_is_replayed(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [Scripted("ANSWER: 13")], "strong": judging([judged(True)])})
    remember(run, QUESTION, "print('Paris: 13 mm')")

    body, ran = ask(run, QUESTION, LOCAL)

    assert (body["tier"], body["replayed"]) == ("weak", None), ran.err
    assert endpoint.log


STRAYS = f"""
import requests
for call in (requests.post, requests.get):
    for host in ("{HOST}", "other.example"):
        try:
            if host != "{HOST}" or call is requests.post:
                call(f"https://{{host}}/v1/rain", params={{"city": "Paris"}}, timeout=20).raise_for_status()
        except Exception:
            pass
print("Paris: 13 mm")
"""
"""It catches what speaks against it."""


@pytest.mark.docker
def test_a_stored_program_that_writes_or_strays_does_neither_and_does_not_answer(
    run: Command, serve: Serve, rain: Rain
) -> None:
    more = settings(rain, run.folder).replace("[network]\n", '[network]\nhosts = ["other.example"]\n')
    serve({"weak": [Scripted("ANSWER: 13")], "strong": judging([judged(True)])}, more=more)
    put(run.folder / "config.d", "RAIN_KEY", KEY)
    remember(run, QUESTION, STRAYS)

    body, ran = ask(run, QUESTION)

    assert (body["tier"], body["replayed"]) == ("weak", None), ran.err
    assert rain.asked == []
    refused = [one for attempt in body["attempts"] for one in attempt["accesses"] if one["refused"]]
    assert {(one["host"], one["method"]) for one in refused} >= {(HOST, "POST")}
    assert "other.example" in {one["host"] for one in refused}
    assert "replay did not solve it: the stored program was refused" in run("why").out
