"""A key that is refused, in real containers: the person is asked or told, and no stronger model is.

And what a stronger model is handed where the weak one really failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ecoassist.demo.endpoint import Script
from tests.e2e.conftest import Command, Serve, is_judge, judged, judging, prompt, python
from tests.e2e.test_network import ANSWER, KEYS, QUESTION, asked_at_terminal, listening
from tests.e2e.test_sandbox_faults import strongs_answers

pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),  # pexpect forks
]

KEY = "intra-k3y-0123456789"
CALL = """
import os, json, urllib.request
key = {"authorization": "Bearer " + os.environ["INTRA_KEY"]}
request = urllib.request.Request("http://127.0.0.1:@port/v1/data", headers=key)
answer = json.load(urllib.request.urlopen(request, timeout=10))
print(answer@rest)
"""


@contextmanager
def intra(answer: Callable[[int], int]) -> Iterator[tuple[str, Callable[[str], str], list[str]]]:
    """A private API that gives the status `answer` says for its how-many-th call: its configuration, code that calls it
    and does something with the answer, and the calls that it saw."""
    calls: list[str] = []

    def reply(path: str) -> tuple[int, dict[str, str], bytes]:
        calls.append(path)
        return answer(len(calls)), {"content-type": "application/json"}, json.dumps({"list": [{"mm": 42}]}).encode()

    with listening(reply) as (port, _):
        api = f'[apis.intra]\nprivate = true\nurl = "http://127.0.0.1:{port}/v1"\nsecret = "INTRA_KEY"\n'
        yield api, lambda rest: CALL.replace("@port", str(port)).replace("@rest", rest), calls


def test_a_key_that_stays_refused_ends_the_question_with_the_remedy_and_asks_no_stronger_model(
    run: Command, serve: Serve
) -> None:
    with intra(lambda number: 401) as (api, code, calls):
        scripts: dict[str, Script] = {
            "weak": [python(code("")), python(code(" or 0"))],
            "strong": judging([judged(False)]),
        }
        endpoint = serve(scripts, more=api)
        ran = run("ask", QUESTION, env={"INTRA_KEY": KEY})
    assert (ran.code, ran.out, len(calls)) == (1, "", 2), ran.err
    assert "only you can help: 127.0.0.1 answered 401" in ran.err
    assert "ecoassist api key INTRA_KEY" in ran.err
    assert "intra refused its key" in prompt(endpoint.log[1].request)
    assert [served.request.model for served in endpoint.log] == ["weak", "weak"]
    assert KEY not in ran.err


def test_a_closed_host_ends_the_question_with_the_command_that_opens_it(run: Command, serve: Serve) -> None:
    code = "import requests\nprint(requests.get('https://rain.example/').text[:{}])"
    endpoint = serve({"weak": [python(code.format(n)) for n in (10, 20)], "strong": judging([judged(False)])})
    ran = run("ask", QUESTION)
    assert (ran.code, ran.out) == (1, ""), ran.err
    assert "only you can help: rain.example: host rain.example is not on the allow-list" in ran.err
    assert "ecoassist api add rain.example --host rain.example" in ran.err
    assert [served.request.model for served in endpoint.log] == ["weak", "weak"]


def test_a_person_at_the_terminal_is_asked_whether_the_key_is_in_order_and_the_code_runs_again(
    run: Command, serve: Serve
) -> None:
    with intra(lambda number: 401 if number == 1 else 200) as (api, code, calls):
        replies = [python(code("")), python(code("")), ANSWER]
        run.env["INTRA_KEY"] = KEY
        endpoint = serve({"weak": lambda r: judged(True) if is_judge(r) else replies.pop(0)}, more=api)
        person = asked_at_terminal(run)
        person.sees("intra refused its key")
        assert len(calls) == 1
        person.sees(KEYS)
        person.types("y\r")
        person.sees("42 mm.")
        assert person.leaves() == 0
    assert "the person says that it is in order now: run it again." in prompt(endpoint.log[1].request)


def test_a_stronger_model_is_told_what_the_responses_look_like_and_no_value_code_or_answer(
    run: Command, serve: Serve
) -> None:
    with intra(lambda number: 200) as (api, code, _):
        weak = [python(code(f'["mian"])  # try {number + 2}\nprint(0')) for number in range(3)]
        strong = judging([judged(True)], [python(code('["list"][0]["mm"]')), ANSWER])
        endpoint = serve({"weak": weak, "strong": strong}, more=api)
        ran = run("ask", QUESTION, env={"INTRA_KEY": KEY})
    assert (ran.code, ran.out) == (0, "42 mm.\n"), ran.err
    [first] = [served.request for served in endpoint.log if served.request.model == "strong"][:1]
    facts = first.messages[-1].text
    assert "GET 127.0.0.1/v1/data answered 200: {list: [{mm: number}]}" in facts
    assert "data: KeyError: 'mian' (3 times)" in facts
    assert "try 2" not in facts
    assert not re.search(r"(?<![\d:])42(?![\d:])", facts), "the value; a port or the time may have these digits"
    assert strongs_answers(endpoint) == 2
    assert "The responses have these keys and types" in prompt(endpoint.log[1].request)
