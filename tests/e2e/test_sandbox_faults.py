"""What befalls a real container in the middle of a question: what is mended, by whom, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ecoassist.demo.endpoint import Endpoint, Script, Scripted
from ecoassist.kernel.docker import Engine
from tests.e2e.conftest import MARK, Command, Serve, finish, is_judge, judged, judging, prompt, python, wait_until

pytestmark = pytest.mark.docker

ANSWER = Scripted("It is 42.\nANSWER: 42")
LOOP = python(f"import subprocess\nsubprocess.Popen(['sleep', '{MARK}'])\nwhile True: pass")


@dataclass(frozen=True)
class Blow:
    code: str
    told: str
    """What the model reads of it."""
    options: tuple[str, ...] = ()
    more: str = ""
    """Of the configuration."""
    lost: bool = True
    """Whether the variables are."""


BLOWS = {
    "the kernel is killed": Blow("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "[killed"),
    "out of memory": Blow(
        "held = []\nwhile True: held.append(bytearray(10_000_000))", "[oom", more='[sandbox]\nmemory = "256m"'
    ),
    "the deadline": Blow("while True: pass", "[timeout", ("--cell-seconds", "1"), lost=False),
    "a flood of output": Blow("while True: print('x' * 1_000)", "[error", more='[sandbox]\noutput = "64k"', lost=False),
}


def strongs_answers(endpoint: Endpoint) -> int:
    """How often the strong model was asked for more than a verdict."""
    return sum(1 for one in endpoint.log if one.request.model == "strong" and not is_judge(one.request))


@pytest.mark.parametrize("name", BLOWS)
def test_what_code_does_to_its_kernel_is_told_and_mended_by_the_same_tier(
    name: str, run: Command, serve: Serve, containers: Callable[[int], list[str]]
) -> None:
    blow = BLOWS[name]
    scripts: dict[str, Script] = {
        "weak": [python("kept = 6"), python(blow.code), python("6 * 7"), ANSWER],
        "strong": judging([judged(True)]),
    }
    endpoint = serve(scripts, more=blow.more)
    ran = run("ask", "How much is 6 times 7?", *blow.options)
    assert (ran.code, ran.out) == (0, "It is 42.\n"), ran.err
    told = endpoint.log[2].request.messages[-1].text
    assert blow.told in told
    assert ("variables and imports are gone" in told) == blow.lost
    assert blow.lost or "kept" in told
    assert strongs_answers(endpoint) == 0
    wait_until(lambda: not containers(ran.pid), "the containers are gone")


def test_a_container_that_is_killed_once_is_replaced_and_costs_no_tier(
    run: Command, serve: Serve, containers: Callable[[int], list[str]], working: Callable[[int], bool], engine: Engine
) -> None:
    endpoint = serve({"weak": [LOOP, python("6 * 7"), ANSWER], "strong": judging([judged(True)])})
    asked = run.start("ask", "How much is 6 times 7?")
    wait_until(lambda: working(asked.pid), "the cell is under way")
    for id in containers(asked.pid):
        engine.api.kill(id)
    ran = finish(asked)
    assert (ran.code, ran.out) == (0, "It is 42.\n"), ran.err
    assert "[gone" in prompt(endpoint.log[1].request)
    assert strongs_answers(endpoint) == 0


def test_a_container_that_is_killed_twice_ends_the_question_and_asks_no_stronger_model(
    run: Command, serve: Serve, containers: Callable[[int], list[str]], working: Callable[[int], bool], engine: Engine
) -> None:
    endpoint = serve({"weak": [LOOP, LOOP], "strong": []})
    asked = run.start("ask", "How much is 6 times 7?")
    killed: set[str] = set()
    for _ in range(2):
        wait_until(lambda: working(asked.pid) and set(containers(asked.pid)) - killed, "the cell is under way")
        for id in set(containers(asked.pid)) - killed:
            engine.api.kill(id)
            killed.add(id)
    ran = finish(asked)
    assert (ran.code, ran.out) == (3, ""), ran.err
    assert "the sandbox died twice" in ran.err
    assert "ecoassist doctor" in ran.err
    assert "Traceback" not in ran.err
    assert [one.request.model for one in endpoint.log] == ["weak", "weak"]
    wait_until(lambda: not containers(asked.pid), "the containers are gone")
