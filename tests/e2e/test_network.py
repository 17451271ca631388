"""What code may reach, as a person at a terminal decides it: real containers, a real gate, hosts on loopback."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pexpect
import pytest

from ecoassist.demo.emulators import Emulators
from ecoassist.demo.endpoint import ChatRequest, Scripted
from ecoassist.prompts import ASKING
from tests.e2e.conftest import VERDICT, Command, Serve, Terminal, is_judge, judged, prompt, python

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),  # pexpect forks
]

HOST = "data.example"
FETCH = f"""
import json, urllib.request
print(json.load(urllib.request.urlopen("https://{HOST}/rain"))["mm"])
"""
ANSWER = Scripted("42 mm.\nANSWER: 42")
QUESTION = "How much rain fell at the station of the data host?"
KEYS = "[N]o: "


class Data:
    """A host under a name of its own, which answers with 42."""

    def __init__(self, emulators: Emulators, more: str) -> None:
        self.emulators, self.more = emulators, more

    @property
    def calls(self) -> int:
        return len(self.emulators.log[HOST])


@pytest.fixture
def data(run: Command) -> Iterator[Data]:
    def answer(path: str, params: Mapping[str, str], key: str, now: datetime.datetime) -> tuple[int, Any]:
        return 200, {"mm": 42}

    with Emulators({}, datetime.datetime.now(), {HOST: answer}) as emulators:
        there, authority = emulators.overrides[HOST], run.folder / "authority.pem"
        authority.write_bytes(emulators.pem)
        where = f'"{there.address}:{there.tls_port}:{there.plain_port}"'
        yield Data(emulators, f'[network]\naddresses = {{ "{HOST}" = {where} }}\nca_bundle = "{authority}"\n')


def fetching(request: ChatRequest) -> Scripted:
    """Fetches until it has what it asks for, or is told that it will not get it."""
    if is_judge(request):
        return judged(True)
    last = request.messages[-1].text
    if last.startswith("[ok]"):
        return ANSWER
    if "The person did not open" in last or "No host can be opened" in last or "the network is off" in last:
        return Scripted("The host is closed.\nANSWER: null")
    return python(FETCH)


@pytest.fixture
def at_terminal(run: Command) -> Iterator[Callable[..., Terminal]]:
    """Starts a command on a terminal: `ask`, or `chat` where no other is named."""
    with ExitStack() as opened:

        def start(*args: str) -> Terminal:
            terminal = Terminal(run, *args)
            opened.callback(terminal.child.close, force=True)
            return terminal

        yield start


def asked_at_terminal(run: Command, *args: str) -> Terminal:
    terminal = Terminal.__new__(Terminal)
    terminal.child = pexpect.spawn(
        run.python,
        ["-m", "ecoassist", "ask", QUESTION, *args],
        env={**run.env, "TERM": "xterm-256color"},
        cwd=str(run.folder),
        dimensions=(24, 100),
        encoding="utf-8",
        timeout=15,
    )
    terminal.child.delaybeforesend = None
    return terminal


def told(endpoint: Any, of: str) -> list[str]:
    """Last messages of requests to the answering model that say something of `of`."""
    requests = [served.request for served in endpoint.log if not is_judge(served.request)]
    return [request.messages[-1].text for request in requests if of in request.messages[-1].text]


# ── the person opens a host ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_host_opened_for_the_session_works_at_the_next_try_and_in_the_next_question(
    run: Command, serve: Serve, data: Data, at_terminal: Callable[..., Terminal]
) -> None:
    endpoint = serve({"weak": fetching}, more=data.more)
    person = at_terminal()
    person.sees("weak - network: allowlist (0 hosts) - /help")
    person.at_prompt()
    person.asks(QUESTION)
    person.sees(f"code wants to reach {HOST}")
    assert data.calls == 0
    person.sees(KEYS)
    person.types("s\r")
    person.sees("42 mm.")
    assert data.calls == 1
    person.sees(VERDICT)
    person.types("n\r")
    person.at_prompt()
    person.asks(QUESTION + " And again?")
    assert KEYS not in person.sees(VERDICT)
    person.types("n\r")
    person.at_prompt()
    person.asks("/quit")
    assert person.leaves() == 0
    assert [f"{HOST} is open now: run it again." in text for text in told(endpoint, "Refused by")] == [True]
    assert f"- {HOST}" in prompt(endpoint.log[-2].request)  # a later question is told of it
    assert ASKING in prompt(endpoint.log[0].request)


def test_a_host_opened_once_is_asked_for_again_in_the_next_question_and_the_status_line_names_the_policy(
    run: Command, serve: Serve, data: Data, at_terminal: Callable[..., Terminal]
) -> None:
    serve({"weak": fetching}, more=data.more)
    person = at_terminal()
    person.at_prompt()
    person.asks(QUESTION)
    assert "network: allowlist" in person.sees(KEYS)
    person.types("x\r")
    person.sees(KEYS)
    person.types("once\r")
    person.sees(VERDICT)
    person.types("n\r")
    person.at_prompt()
    person.asks(QUESTION + " And again?")
    person.sees(KEYS)
    person.types("\r")
    person.sees("The host is closed.")
    assert data.calls == 1


def test_a_host_opened_for_good_is_open_in_the_next_process_until_it_is_removed(
    run: Command, serve: Serve, data: Data
) -> None:
    endpoint = serve({"weak": fetching}, more=data.more)
    person = asked_at_terminal(run)
    person.sees(f"code wants to reach {HOST}")
    person.sees(KEYS)
    person.types("a\r")
    person.sees("42 mm.")
    assert person.leaves() == 0
    assert HOST in run("api", "list").out

    again = run("ask", QUESTION)
    assert (again.code, again.out) == (0, "42 mm.\n"), again.err
    calls = data.calls
    assert run("api", "rm", HOST).code == 0

    closed = run("ask", QUESTION)
    assert "The host is closed." in closed.out + closed.err
    assert data.calls == calls
    assert "No host can be opened: nobody is at a terminal to be asked." in told(endpoint, "Refused by")[-1]


def test_a_host_opened_for_good_by_a_private_question_is_open_for_its_session_only(
    run: Command, serve: Serve, data: Data
) -> None:
    serve({"weak": fetching}, more=data.more)
    person = asked_at_terminal(run, "--private")
    person.sees(KEYS)
    person.types("a\r")
    person.sees(f"{HOST} is open for this session only: nothing is kept of a private question")
    person.sees("42 mm.")
    assert person.leaves() == 0
    assert HOST not in run("api", "list").out


def test_enter_leaves_the_host_closed_and_the_files_at_stake_are_named(run: Command, serve: Serve, data: Data) -> None:
    endpoint = serve({"weak": fetching}, more=data.more)
    (run.folder / "sales.csv").write_text("a,b\n1,2\n")
    person = asked_at_terminal(run, "--file", "sales.csv")
    person.sees("whatever the code knows: sales.csv too")
    person.sees(KEYS)
    person.types("\r")
    person.leaves()
    assert data.calls == 0
    assert f"The person did not open {HOST}." in told(endpoint, "Refused by")[-1]


# ── policies ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_with_the_network_off_a_listed_host_is_refused_nobody_is_asked_and_the_prompt_says_so(
    run: Command, serve: Serve, data: Data
) -> None:
    endpoint = serve({"weak": fetching}, more=data.more + f'hosts = ["{HOST}"]\n[apis.rain]\nhost = "{HOST}"\n')
    person = asked_at_terminal(run, "--network", "none")
    assert KEYS not in person.sees("The host is closed.")
    person.leaves()
    assert data.calls == 0
    assert "the network is off" in told(endpoint, "Refused by")[-1]
    asked = prompt(endpoint.log[0].request)
    assert ASKING not in asked
    assert "There is no network" in asked
    assert "APIs: none." in asked


CLOSED = """
import http.client
for url in ("http://127.0.0.1:1/", "http://10.0.0.1/", "http://169.254.169.254/", "http://data.example:9/"):
    gate = http.client.HTTPConnection("127.0.0.1", 3128, timeout=10)
    gate.request("GET", url)
    print(gate.getresponse().read().decode())
"""


def test_the_open_network_needs_no_list_is_warned_of_once_and_keeps_private_addresses_closed(
    run: Command, serve: Serve, data: Data
) -> None:
    source = FETCH + CLOSED
    replies = [python(source), ANSWER]
    endpoint = serve({"weak": lambda r: judged(True) if is_judge(r) else replies.pop(0)}, more=data.more)
    (run.folder / "sales.csv").write_text("a,b\n1,2\n")
    ran = run("ask", QUESTION, "--network", "open", "--file", "sales.csv")
    assert ran.code == 0, ran.err
    assert ran.err.count("the network is open: code can send sales.csv to any public host") == 1
    [seen] = told(endpoint, "Refused by")[:1]
    assert seen.count("is an IP address") == 6, seen  # printed, and told again as refused
    assert "port 9 of data.example is closed" in seen


# ── private APIs ────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(answer: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[int, list[str]]]:
    """A plain HTTP server on this machine's loopback; its port, and the paths and keys that it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers.get('authorization', '')} {self.headers.get('host')}")
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()
            thread.join()


PRIVATE = """
import os, requests, urllib.request
base = "http://@host:@port/v1"
key = {"authorization": "Bearer " + os.environ["INTRA_KEY"]}
print("answer", requests.get(base + "/data", headers=key, timeout=10).json()["mm"])
print("answer", urllib.request.urlopen(base + "/data", timeout=10).status)
for url in ("http://@host:@other/", base + "/elsewhere", "http://other.example:@port/", "https://@host:@port/"):
    try:
        r = requests.get(url, timeout=10)
        print("got", r.status_code, r.reason)
    except Exception as error:
        print("failed", type(error).__name__)
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_api_on_this_machine_is_reached_at_its_port_and_nothing_else_is(
    host: str, run: Command, serve: Serve
) -> None:
    key = "intra-k3y-0123456789"
    with listening(lambda path: (200, {}, b"secret of another port")) as (other, untouched):

        def answer(path: str) -> tuple[int, dict[str, str], bytes]:
            if path == "/v1/elsewhere":
                return 302, {"location": f"http://{host}:{other}/"}, b""
            return 200, {"content-type": "application/json"}, json.dumps({"mm": 42}).encode()

        with listening(answer) as (port, seen):
            source = PRIVATE.replace("@host", host).replace("@port", str(port)).replace("@other", str(other))
            replies = [python(source), ANSWER]
            api = f'[apis.intra]\nprivate = true\nurl = "http://{host}:{port}/v1"\nsecret = "INTRA_KEY"\n'
            endpoint = serve({"weak": lambda r: judged(True) if is_judge(r) else replies.pop(0)}, more=api)
            ran = run("ask", QUESTION, env={"INTRA_KEY": key})
    assert ran.code == 0, ran.err
    [said] = told(endpoint, "answer 42")[:1]
    assert "answer 200" in said
    assert [line for line in said.splitlines() if line.startswith(("got", "failed"))] == [
        "failed ConnectionError",  # another port of it is one of the sandbox
        "failed ConnectionError",
        f"got 403 ecoassist: host other.example is not on the allow-list (allowed: {host}:{port})",
        "failed SSLError",
    ]
    assert "secret of another port" not in said
    assert untouched == []
    assert f"/v1/data Bearer {key} {host}:{port}" in seen
    assert key not in "".join(prompt(served.request) for served in endpoint.log) + ran.out + ran.err
