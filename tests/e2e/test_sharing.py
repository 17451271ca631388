"""Stored solutions looked after and passed on: what still works, what is given to others, what is taken from them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from ecoassist.entries import Entry, FileShape, Solution
from ecoassist.store.sqlite import SqliteStore
from ecoassist.types import Answer
from tests.e2e.conftest import (
    LOCAL,
    PATIENCE,
    Command,
    Serve,
    finish,
    judged,
    judging,
    prompt,
    python,
    wait_until,
)
from tests.egress.conftest import Net, Reply, Seen

HOST, OTHER = "api.climate.example", "api.other.example"
KEY = "ck-l1ve0T0Psecret99"
CALL = f"import json, urllib.request\nsaid = json.load(urllib.request.urlopen('https://{HOST}/v1?q=Oslo'))\n"
KEYED = CALL.replace("Oslo'", "Rome&key=' + os.environ['CLIMATE_KEY']").replace("import json", "import json, os")
DRIFTED = "KeyError: 'temperature'"


class Climate:
    """An API whose answers change their form."""

    def __init__(self) -> None:
        self.body: dict[str, object] = {"temp": 4}
        self.asked: list[str] = []

    def __call__(self, seen: Seen) -> Reply:
        self.asked.append(f"{seen.method} {seen.target}")
        refused = "Rome" in seen.target and KEY not in seen.target
        return Reply(401 if refused else 200, {"content-type": "application/json"}, [json.dumps(self.body).encode()])


@pytest.fixture
def climate(tmp_path: Path, run: Command) -> Iterator[Climate]:
    """On the air, and in the configuration of the command, where no model is."""
    net, api = Net(tmp_path), Climate()
    host = net.host(HOST, api)
    (run.folder / "authority.pem").write_bytes(net.authority.pem)
    run.env["CLIMATE_KEY"] = KEY
    run.config.write_text(
        f"""
[apis.climate]
host = "{HOST}"
secret = "CLIMATE_KEY"
place = "query:key"
[network]
addresses = {{ "{HOST}" = "127.0.0.1:{host.tls_port}" }}
ca_bundle = "{run.folder / "authority.pem"}"
"""
    )
    try:
        yield api
    finally:
        net.close()


@pytest.fixture
def store(run: Command) -> Iterator[SqliteStore]:
    with closing(SqliteStore(run.data / "solutions.db")) as opened:
        yield opened


def kept(store: SqliteStore, query: str, program: str, *, hosts: Sequence[str] = (), files: Sequence[str] = ()) -> int:
    shapes = tuple(map(FileShape, files))
    id = store.keep(Solution(query, program, Answer("4"), "cheap", hosts=tuple(hosts), files=shapes))
    store.settle(id, True)
    return id


def entry(store: SqliteStore, id: int) -> Entry:
    found = store.get(id)
    assert found
    return found


def pack(path: Path, *solutions: Mapping[str, object]) -> str:
    rows = [{"ecoassist_pack": 1, "solutions": len(solutions)}, *solutions]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


# ── verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
def test_what_no_longer_works_is_marked_and_what_works_again_is_mended(
    run: Command, climate: Climate, store: SqliteStore
) -> None:
    sound = kept(store, "What is 6 times 7?", "print(6 * 7)")
    drifted = kept(store, "How warm is it in Oslo?", CALL + "print(said['temperature'])", hosts=[HOST])
    (run.folder / "a.csv").write_text("x\n1\n")
    reads = kept(store, "How long is the file?", "print(len(open('a.csv').read()))", files=["a.csv"])
    shut = kept(store, "What does the other say?", CALL.replace(HOST, OTHER), hosts=[OTHER])

    first = run("solutions", "verify", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert first.code == 1, first.err
    assert "openai" not in first.err, "no model client is even imported"
    lines = {line.split()[0]: line for line in first.out.splitlines()}
    assert lines[f"#{sound}"].split()[1] == "works"
    assert DRIFTED in lines[f"#{drifted}"]
    assert "not checked How long is the file?: it reads a.csv: attach that with --file" in lines[f"#{reads}"]
    assert f"{OTHER} cannot be reached" in lines[f"#{shut}"]
    assert "1 works" in first.err
    assert "1 broken" in first.err
    assert [entry(store, id).state for id in (sound, drifted, reads, shut)] == ["verified", "broken", *["verified"] * 2]
    assert entry(store, drifted).note == DRIFTED

    climate.body["temperature"] = 4
    again = run("solutions", "verify", "--jobs", "1", "--file", "a.csv", str(drifted), str(reads))
    assert (again.code, again.out.count("works")) == (0, 2), again.err
    assert (entry(store, drifted).state, entry(store, drifted).note) == ("verified", "")
    assert all(line.startswith("GET ") for line in climate.asked)


def test_only_what_is_there_and_served_can_be_verified(run: Command, store: SqliteStore) -> None:
    none = run("solutions", "verify")
    assert (none.code, none.out) == (0, "")
    assert "no solutions yet" in none.err
    given_up = kept(store, "q", "print(4)")
    store.retire(given_up, "it lost")
    assert run("solutions", "verify", "99").code == 2
    retired = run("solutions", "verify", str(given_up))
    assert retired.code == 2
    assert f"ecoassist solutions restore {given_up}" in retired.err


@pytest.mark.docker
def test_ctrl_c_ends_the_checks_and_leaves_no_sandbox_behind(
    run: Command, store: SqliteStore, containers: Callable[[int], list[str]]
) -> None:
    slow = [kept(store, f"question {n}", "import time\ntime.sleep(600)\nprint(4)") for n in range(2)]
    process = run.start("solutions", "verify", "--jobs", "1")
    wait_until(lambda: containers(process.pid), "a sandbox", 60)
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert ran.code == 130, ran.err
    assert "1 left" in ran.err
    assert [(entry(store, id).state, entry(store, id).note) for id in slow] == [("verified", "")] * 2
    wait_until(lambda: not containers(ran.pid), "the containers are gone")


def test_without_an_engine_nothing_is_marked(run: Command, store: SqliteStore) -> None:
    id = kept(store, "q", "print(4)")
    ran = run("solutions", "verify", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert (ran.code, ran.out) == (3, "")
    assert entry(store, id).state == "verified"


# ── repair ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_broken_solution_is_repaired_by_the_cheap_tier_at_its_next_use(
    run: Command, serve: Serve, store: SqliteStore
) -> None:
    old = kept(store, "What does the sheet say of pears?", "print({'pears': 4}['pear'])")
    store.settle(old, False, why="KeyError: 'pear'")
    mended = [python("print({'pears': 4}['pears'])")] * 2
    endpoint = serve({"cheap": judging([judged(True)], mended), "strong": judging([judged(True)])})
    ran = run("ask", LOCAL, "What does the sheet say of pears?", "--json")
    body = json.loads(ran.out)
    assert (body["status"], body["tier"]) == ("solved", "cheap"), ran.err
    first = prompt(endpoint.log[0].request)
    assert "it no longer works. Repair it" in first
    assert "print({'pears': 4}['pear'])\n\nIt now fails: KeyError: 'pear'" in first
    assert entry(store, body["solution_stored"]).state == "verified"
    assert (entry(store, old).state, store.similar("What does the sheet say of pears?")[0].id) == (
        "retired",
        body["solution_stored"],
    )
    assert f"#{body['solution_stored']} took its place" in entry(store, old).note


# ── export ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pack_holds_what_works_and_no_key(run: Command, climate: Climate, store: SqliteStore) -> None:
    good = kept(store, f"How warm is it, by {KEY}?", f"# {KEY}\nprint(4)", hosts=[HOST])
    bad = kept(store, "q", "print(5)")
    store.settle(bad, False, why="x")
    path = run.folder / "pack.jsonl"
    ran = run("solutions", "export", path)
    assert ran.code == 0, ran.err
    assert "read what stands in it" in ran.err
    text = path.read_text()
    assert KEY not in text
    assert "[CLIMATE_KEY]" in text
    assert [json.loads(line).get("program") for line in text.splitlines()] == [None, "# [CLIMATE_KEY]\nprint(4)"]
    assert run("solutions", "export", "-", str(good)).out == text
    assert run("solutions", "export", path).code == 2, "nothing is overwritten"
    assert run("solutions", "export", "-", str(bad)).code == 2
    assert "write: export - 3" in run("solutions", "export", "3").err


# ── import ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
def test_what_is_imported_is_shown_and_tried_without_any_key(
    run: Command, climate: Climate, store: SqliteStore
) -> None:
    mine = kept(store, "What is 6 times 7?", "print(6 * 7)")
    spy = "import os, urllib.request\nnames = [name for name in os.environ if name.endswith('_KEY')]\n"
    spy += "key = dict(os.environ).get('CLIMATE' + '_KEY', '')\n"
    spy += CALL.replace("?q=Oslo'", "?key=' + key") + "print(len(names))"
    away = CALL.replace(HOST, OTHER) + "print(said)"
    acts = f"import urllib.request\nprint(urllib.request.urlopen('https://{HOST}/v1', b'x').read())"
    file = pack(
        run.folder / "weather.jsonl",
        {"query": "How warm is it in Oslo?", "program": CALL + "print(said['temp'])", "hosts": [HOST], "apis": ["w"]},
        {"query": "How warm is it in Rome?", "program": KEYED + "print(said['temp'])", "hosts": [HOST]},
        {"query": "Who else is there?", "program": away, "hosts": [HOST]},
        {"query": "Write it down.", "program": acts, "hosts": [HOST]},
        {"query": "What do you see?", "program": spy, "hosts": [HOST]},
        {"query": "what is 6 times 7", "program": "print(43)"},
    )
    unasked = run("solutions", "import", file)
    assert (unasked.code, len(store.entries())) == (2, 1)
    assert "import FILE --yes" in unasked.err

    ran = run("solutions", "import", file, "--yes")
    assert ran.code == 1, ran.err
    assert "2 works, 2 failed, 1 waits" in ", ".join(sorted(ran.err.splitlines()[-1].split(", "), reverse=True))
    assert f"6 of 6 is left out: solution #{mine} is for the same question" in ran.err
    assert "1 of 5: How warm is it in Oslo?\n   hosts: api.climate.example\n" in ran.err
    assert "   │ said = json.load(urllib.request.urlopen(" in ran.err
    found = {one.solution.query: one for one in store.entries()}
    states = {query: one.state for query, one in found.items()}
    assert states == {
        "What is 6 times 7?": "verified",
        "How warm is it in Oslo?": "verified",
        "How warm is it in Rome?": "pending",
        "Who else is there?": "failed",
        "Write it down.": "failed",
        "What do you see?": "verified",
    }
    assert {one.solution.origin for one in found.values()} == {"", "weather.jsonl"}
    assert found["How warm is it in Oslo?"].solution.apis == ("climate",)
    assert sorted(climate.asked) == ["GET /v1?key=", "GET /v1?q=Oslo"], "nothing else went out, and no key with it"
    waiting = found["How warm is it in Rome?"].id
    assert f"it asks for CLIMATE_KEY; then: ecoassist solutions verify {waiting}\n" in ran.out

    everything = run("solutions", "verify")
    assert everything.code == 0, everything.err
    assert f"#{waiting}" not in everything.out, "its candidate is the person's to try"
    named = run("solutions", "verify", str(waiting))
    assert (named.code, entry(store, waiting).state) == (0, "verified"), named.err
    assert climate.asked[-1] == f"GET /v1?q=Rome&key={KEY}"


def test_a_pack_that_is_none_leaves_the_store_as_it_is(run: Command, climate: Climate, store: SqliteStore) -> None:
    file = pack(run.folder / "p.jsonl", {"query": "q", "program": "print(4)"}, {"query": "q", "program": "\u202e"})
    ran = run("solutions", "import", file, "--yes")
    assert ran.code == 2
    assert "p.jsonl, line 3: the program holds invisible or control characters" in ran.err
    assert run("solutions", "import", "nowhere.jsonl").code == 2
    assert run("solutions", "import", "-", "--yes", stdin=b"hello\n").code == 2
    assert store.entries() == ()


@pytest.mark.docker
def test_a_person_takes_one_after_another(run: Command, climate: Climate, store: SqliteStore) -> None:
    file = pack(
        run.folder / "p.jsonl", *({"query": f"What is {n} + 1?", "program": f"print({n} + 1)"} for n in range(4))
    )
    child = pexpect.spawn(
        run.python,
        ["-m", "ecoassist", "solutions", "import", file],
        env={**run.env, "TERM": "xterm-256color"},
        cwd=str(run.folder),
        encoding="utf-8",
        timeout=4 * PATIENCE,
    )
    with closing(child):
        for reply in ("n", "y", "", "q"):
            child.expect_exact("[q]uit: ")
            child.send(reply + "\r")
        child.expect(pexpect.EOF)
        child.wait()
    assert child.exitstatus == 0, child.before
    assert [(one.solution.query, one.state) for one in store.entries()] == [("What is 1 + 1?", "verified")]
