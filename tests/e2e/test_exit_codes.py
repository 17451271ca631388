"""Every exit code by a real process, which says why without a traceback and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from ecoassist.demo.endpoint import Endpoint, Script, Scripted
from tests.e2e.conftest import (
    LOCAL,
    MARK,
    Command,
    Ran,
    Serve,
    finish,
    judged,
    judging,
    python,
    read_until,
    wait_until,
)

BUSY = f"import subprocess\nsubprocess.Popen(['sleep', '{MARK}'])\n"
LOOP = python(BUSY + "while True: pass")
DEAF = python(BUSY + "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass")
BOXES = [pytest.param((LOCAL,), id="local"), pytest.param((), id="container", marks=pytest.mark.docker)]


@pytest.fixture
def clean(run: Command, request: pytest.FixtureRequest) -> Callable[[Ran], None]:
    """Checks that a run ended without a traceback and that nothing of it lives on."""
    docker = request.node.get_closest_marker("docker") is not None
    containers = request.getfixturevalue("containers") if docker else lambda pid: []

    def check(ran: Ran) -> None:
        assert "Traceback" not in ran.err
        wait_until(lambda: not containers(ran.pid), f"the container of {ran.pid} is gone")
        wait_until(lambda: not run.kernels(), f"the kernels are gone: {run.kernels()}")
        assert run.sockets() == []

    return check


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────────

ANSWER = Scripted("It is 42.\nANSWER: 42")
FAIL = Scripted("overloaded", 500, {"retry-after": "0"})

OUTCOMES: dict[str, tuple[int, dict[str, Script], tuple[str, ...], str, str]] = {
    "solved": (0, {"weak": [python("6 * 7"), ANSWER], "strong": judging([judged(True)])}, (), "It is 42.\n", "solved"),
    "rejected by the judge at every tier": (
        1,
        {"weak": [ANSWER], "strong": judging([judged(False)], [ANSWER])},
        (),
        "",
        "not solved",
    ),
    "no tier comes to an answer": (
        1,
        {"weak": [python("1/0")] * 3, "strong": judging([judged(True)], [python("1/0")] * 3)},
        (),
        "",
        "not solved",
    ),
    "all models fail": (3, {"weak": [FAIL] * 3, "strong": [FAIL] * 3}, (), "", "no model answered"),
    "the model refuses its parameters": (
        3,
        {"weak": [Scripted("bad request", 400)], "strong": [Scripted("bad request", 400)]},
        (),
        "",
        "bad request",
    ),
    "the judge talks nonsense": (
        5,
        {"weak": [ANSWER], "strong": judging([Scripted("Looks fine to me!")])},
        (),
        "It is 42.\n",
        "UNVERIFIED",
    ),
    "the judge cannot be reached": (
        5,
        {"weak": [ANSWER], "strong": judging([FAIL])},
        (),
        "It is 42.\n",
        "UNVERIFIED",
    ),
    "the cost limit": (4, {"weak": [ANSWER], "strong": [ANSWER]}, ("--max-cost", "0.000001"), "", "--max-cost"),
    "the time limit": (124, {"weak": [Scripted("late", hang=60)], "strong": []}, ("--timeout", "1"), "", ""),
    "the time limit in a cell": (124, {"weak": [LOOP], "strong": []}, ("--timeout", "2"), "", ""),
}


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("case", OUTCOMES)
def test_the_exit_code_tells_the_outcome(
    case: str, box: tuple[str, ...], run: Command, serve: Serve, clean: Callable[[Ran], None]
) -> None:
    code, scripts, arguments, out, said = OUTCOMES[case]
    serve(scripts)
    ran = run("ask", "How much is 6 times 7?", *arguments, *box)
    assert (ran.code, ran.out) == (code, out), ran.err
    assert said in ran.err
    clean(ran)


def test_where_the_price_is_unknown_a_limit_of_tokens_stands_in(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [ANSWER]})
    elsewhere = "http://models.example/v1"  # not on this machine, so not free; reached through the proxy below
    run.configure(elsewhere, {"weak": "weak"}, settings='key = "A_KEY"', more="[budget]\ntokens = 100")
    proxy = endpoint.url.removesuffix("/v1")
    ran = run("ask", "How much is 6 times 7?", LOCAL, env={"HTTP_PROXY": proxy, "A_KEY": "sk-0123456789"})
    assert (ran.code, ran.out) == (4, ""), ran.err
    assert "tokens" in ran.err
    assert "price of this model is unknown" in ran.err
    assert endpoint.log == []


# ── usage ───────────────────────────────────────────────────────────────────────────────────────────────────────────

USAGE: dict[str, tuple[tuple[str, ...], str, str]] = {
    "an unknown option": (("ask", "x", "--jsno"), "", "--jsno"),
    "no question": (("ask",), "", "query"),
    "an empty question": (("ask", " "), "", "question"),
    "an unknown command": (("aks", "x"), "", "aks"),
    "a time limit that is no number": (("ask", "x", "--timeout", "soon"), "", "--timeout"),
    "a time limit of nothing": (("ask", "x", "--timeout", "0"), "", "--timeout"),
    "a time limit that never comes": (("ask", "x", "--timeout", "nan"), "", "--timeout"),
    "a negative cost limit": (("ask", "x", "--max-cost", "-1"), "", "--max-cost"),
    "a cost limit that is no number": (("ask", "x", "--max-cost", "nan"), "", "--max-cost"),
    "a configuration that is not TOML": (("ask", "x"), "tiers = [", "is not TOML"),
    "an unknown setting": (("ask", "x"), "[budget]\nquestoin = 1", "'question'"),
    "a setting of the wrong type": (("ask", "x"), "[budget]\nquestion = 'much'", "budget.question"),
    "a judge that is no tier": (("ask", "x"), "[judge]\nmodel = 'nobody'", "judge.model"),
    "a configuration that is absent": (("ask", "x", "--config", "absent.toml"), "", "absent.toml"),
    "a configuration that is a folder": (("ask", "x", "--config", "home"), "", "home"),
    "a file that is absent": (("ask", "x", "--file", "absent.csv"), "", "absent.csv"),
    "a file that is a folder": (("ask", "x", "--file", "home"), "", "home"),
    "a solution that is absent": (("solutions", "show", "7"), "", "#7"),
    "a solution that is no number": (("solutions", "rm", "seven"), "", "id"),
    "chat with a file that is absent": (("chat", "--file", "absent.csv"), "", "absent.csv"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(case: str, run: Command, serve: Serve) -> None:
    arguments, configuration, said = USAGE[case]
    endpoint = serve({"weak": [], "strong": []}, more=configuration if configuration.startswith("[") else "")
    if configuration and not configuration.startswith("["):
        run.config.write_text(configuration)
    ran = run(*arguments, *([LOCAL] if arguments[0] == "ask" else []))
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert endpoint.log == []


# ── environment ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def watched() -> Iterator[tuple[str, Callable[[], bool]]]:
    """An address for DOCKER_HOST, and whether anybody connected to it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)

        def visited() -> bool:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", visited


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def no_model(case: str, run: Command, endpoint: Endpoint) -> dict[str, str]:
    """Configures `case`; returns what the environment needs for it."""
    match case:
        case "nothing is configured":
            run.config.write_text("")
        case "the key is missing":
            run.config.write_text(f'[[tiers]]\nname = "a"\nmodel = "weak"\nbase_url = "{endpoint.url}"\nkey = "A_KEY"')
        case "the key is refused":
            run.config.write_text(f'[[tiers]]\nname = "a"\nmodel = "weak"\nbase_url = "{endpoint.url}"\nkey = "A_KEY"')
            return {"A_KEY": "sk-wrong-0123456789"}
        case "nothing listens":
            run.configure(f"http://127.0.0.1:{free_port()}/v1", {"weak": "weak"})
        case "the model is not served":
            run.configure(endpoint.url, {"weak": "weaker"})
            return {}
    return {}


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
@pytest.mark.parametrize(
    ("case", "said"),
    {
        "nothing is configured": "OPENAI_API_KEY",
        "the key is missing": "A_KEY is not set",
        "the key is refused": "does not accept the key",
        "nothing listens": "cannot be reached",
        "the model is not served": "weak",
    }.items(),
)
def test_without_a_model_nothing_is_started(
    case: str, said: str, form: tuple[str, ...], run: Command, watched: tuple[str, Callable[[], bool]]
) -> None:
    address, visited = watched
    key = "sk-right-0123456789" if case == "the key is refused" else None
    with Endpoint({"weak": [ANSWER]}, key=key) as endpoint:
        environment = no_model(case, run, endpoint)
        ran = run("ask", "x", *form, env={**environment, "DOCKER_HOST": address})
        assert ran.code == 3, ran.err
        assert said in ran.err
        assert "Traceback" not in ran.err
        assert {line for line, _ in endpoint.seen} <= {"GET /v1/models"}
        assert environment.get("A_KEY", "no key") not in ran.err + ran.out
    assert not visited()
    if form:
        assert json.loads(ran.out)["error"]["kind"] == "model"
    else:
        assert ran.out == ""


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:{port}", "ssh://nobody@127.0.0.1"])
def test_without_an_engine_no_call_is_paid(host: str, run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": judging([judged(True)])})
    ran = run("ask", "x", "--json", env={"DOCKER_HOST": host.format(port=free_port())})
    assert ran.code == 3, ran.err
    assert json.loads(ran.out)["error"]["kind"] == "sandbox"
    assert json.loads(ran.out)["cost"] == {
        "usd": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "calls": 0,
        "exact": True,
        "judging_usd": None,
    }
    assert {line for line, _ in endpoint.seen} == {"GET /v1/models"}
    assert "Traceback" not in ran.err


# ── signals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_a_model_call_ends_it(
    number: signal.Signals, box: tuple[str, ...], run: Command, serve: Serve, clean: Callable[[Ran], None]
) -> None:
    endpoint = serve({"weak": [Scripted("late", hang=60)], "strong": []})
    process = run.start("ask", "x", "--json", *box)
    wait_until(lambda: endpoint.log, "the model is asked")
    process.send_signal(number)
    ran = finish(process, seconds=15)
    assert ran.code == SIGNALS[number], ran.err
    assert json.loads(ran.out)["status"] == "interrupted"
    clean(ran)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_a_cell_ends_it(
    number: signal.Signals,
    box: tuple[str, ...],
    run: Command,
    serve: Serve,
    clean: Callable[[Ran], None],
    working: Callable[[int], bool],
) -> None:
    serve({"weak": [LOOP], "strong": []})
    process = run.start("ask", "x", *box)
    wait_until(lambda: working(process.pid), "the cell runs")
    process.send_signal(number)
    ran = finish(process, seconds=15)
    assert ran.code == SIGNALS[number], ran.err
    clean(ran)


@pytest.mark.parametrize("box", BOXES)
def test_a_second_ctrl_c_does_not_wait_for_a_deaf_cell(
    box: tuple[str, ...], run: Command, serve: Serve, clean: Callable[[Ran], None], working: Callable[[int], bool]
) -> None:
    serve({"weak": [DEAF], "strong": []})
    process = run.start("ask", "x", *box)
    wait_until(lambda: working(process.pid), "the cell runs")
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)  # two signals at once are one
    process.send_signal(signal.SIGINT)
    ran = finish(process, seconds=15)
    assert ran.code == 130, ran.err
    clean(ran)


@pytest.mark.parametrize("box", BOXES)
def test_ctrl_c_during_the_re_run_skips_it_and_keeps_the_exit_code(
    box: tuple[str, ...], run: Command, serve: Serve, clean: Callable[[Ran], None]
) -> None:
    slow = python("import time\nprint(6 * 7)\ntime.sleep(3)")
    serve({"weak": [slow, ANSWER], "strong": judging([judged(True)])})
    process = run.start("ask", "x", *box)
    assert process.stdout is not None
    assert process.stdout.readline() == b"It is 42.\n"
    read_until(process, "solved by weak", stream=process.stderr)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    ran = finish(process, seconds=15)
    assert ran.code == 0, ran.err
    assert "left for later" in ran.err
    clean(ran)
    assert "pending" in run("solutions", "list").out
