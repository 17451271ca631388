"""Conversations on a real terminal of 80 x 24, and without one."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable

import pexpect
import pytest

from ecoassist.demo.endpoint import Scripted
from ecoassist.kernel.docker import Engine
from tests.e2e.conftest import (
    CTRL_C,
    CTRL_D,
    ESC,
    LOCAL,
    MARK,
    VERDICT,
    Command,
    Open,
    Serve,
    finish,
    is_judge,
    judged,
    judging,
    prompt,
    python,
    read_until,
    unasked,
    wait_until,
)

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # pexpect forks

ANSWER = Scripted("It is 45.\nANSWER: 45")
BUSY = f"import subprocess\nsleeper = subprocess.Popen(['sleep', '{MARK}'])\n"
LOOP = python(BUSY + "while True: pass")
DEAF = python(BUSY + "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass")

# ── the person's verdict ────────────────────────────────────────────────────────────────────────────────────────────


def test_enter_accepts_the_answer_and_it_is_remembered(run: Command, serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [python("print(sum(range(10)))"), ANSWER], "strong": unasked})
    person = chat()
    person.asks("What is the sum of the numbers below ten?")
    person.sees("weak")
    person.sees("It is 45.")
    person.sees(VERDICT)
    person.types("\r")
    person.sees("stored as solution #1")
    person.sees("solved by weak")
    person.at_prompt()
    wait_until(lambda: "verified" in run("solutions", "list").out, "the re-run in the background is green")
    person.asks("/quit")
    assert person.leaves() == 0
    assert [served.request.model for served in endpoint.log] == ["weak", "weak"]


def test_n_rejects_the_answer_without_asking_a_stronger_model(run: Command, serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": unasked})
    person = chat()
    person.asks("x")
    person.sees(VERDICT)
    person.types("n\r")
    person.sees("not solved")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0
    assert [served.request.model for served in endpoint.log] == ["weak"]


def test_e_asks_a_stronger_model(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [Scripted("It is 44.")], "strong": [ANSWER]})
    person = chat()
    person.asks("x")
    person.sees(VERDICT)
    person.types("e\r")
    person.sees("escalating to strong")
    person.sees("It is 45.")
    person.sees(VERDICT)
    person.types("perhaps\r")
    person.sees(VERDICT)
    person.types("y\r")
    person.sees("solved by strong after weak")
    person.at_prompt()
    assert [served.request.model for served in endpoint.log] == ["weak", "strong"]


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
def test_no_verdict_leaves_the_answer_unverified_and_the_conversation_open(key: str, serve: Serve, chat: Open) -> None:
    serve({"weak": [ANSWER, Scripted("It is 46.")], "strong": unasked})
    person = chat()
    person.asks("x")
    person.sees(VERDICT)
    person.types(key)
    person.sees("UNVERIFIED")
    person.at_prompt()
    person.asks("y")
    person.sees("It is 46.")
    person.sees(VERDICT)
    person.types("\r")
    person.sees("solved by weak")


# ── the conversation ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_question_sees_the_earlier_exchange_and_variables(serve: Serve, chat: Open) -> None:
    replies = [python("city = 'Paris'\nprint(city)"), Scripted("11 degrees in Paris."), Scripted("4 degrees in Oslo.")]
    endpoint = serve({"weak": replies, "strong": unasked})
    person = chat()
    person.asks("How warm is it in Paris?")
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.asks("and in Oslo?")
    person.sees("4 degrees in Oslo.")
    messages = endpoint.log[-1].request.messages
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert [messages[1].text, messages[2].text] == ["How warm is it in Paris?", "11 degrees in Paris."]
    assert "The kernel still holds: city" in messages[3].text


def test_ctrl_c_stops_the_cell_and_keeps_the_variables(
    run: Command, serve: Serve, chat: Open, working: Callable[[int], bool]
) -> None:
    replies = [python("x = 41\nprint(x)"), Scripted("x is 41."), LOOP, python("print('x is now', x + 1)"), ANSWER]
    serve({"weak": replies, "strong": unasked})
    person = chat()
    person.asks("one")
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.asks("two")
    wait_until(lambda: working(person.pid), "the cell runs")
    person.types(CTRL_C)
    person.sees("interrupted at weak")
    person.at_prompt()
    person.asks("three")
    person.sees("x is now 42")
    person.sees(VERDICT)


def test_ctrl_c_stops_a_reply(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [Scripted("word " * 500, delay=0.2), ANSWER], "strong": unasked})
    person = chat()
    person.asks("one")
    person.sees("word word")
    person.types(CTRL_C)
    person.sees("interrupted at weak")
    person.at_prompt()
    person.asks("two")
    person.sees("It is 45.")
    wait_until(lambda: endpoint.log[0].hung_up, "the first request was hung up")
    assert "[interrupted]" in prompt(endpoint.log[1].request)


def test_a_second_ctrl_c_leaves(run: Command, serve: Serve, chat: Open, working: Callable[[int], bool]) -> None:
    serve({"weak": [DEAF], "strong": unasked})
    person = chat()
    person.asks("one")
    wait_until(lambda: working(person.pid), "the cell runs")
    person.types(CTRL_C)
    with pytest.raises(pexpect.TIMEOUT):  # two signals at once are one
        person.child.expect_exact("no such text", timeout=0.3)
    person.types(CTRL_C)
    assert person.leaves() == 130
    wait_until(lambda: not run.kernels(), "the kernel is gone")


def test_ctrl_c_at_the_prompt_clears_the_line_and_stays(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": unasked})
    person = chat()
    person.types(CTRL_C)
    person.at_prompt()
    person.types("half a question" + CTRL_C)
    person.at_prompt()
    person.asks("a whole one")
    person.sees("It is 45.")
    assert "half" not in prompt(endpoint.log[0].request)


def test_escape_enter_starts_a_new_line(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": unasked})
    person = chat()
    person.types("first line" + ESC + "\r" + "second line\r")
    person.sees("It is 45.")
    assert "Question: first line\nsecond line" in prompt(endpoint.log[0].request)


def test_a_pasted_text_of_several_lines_is_one_question(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [ANSWER], "strong": unasked})
    person = chat()
    person.types(f"{ESC}[200~first line\rsecond line{ESC}[201~")
    person.sees("second line")
    assert endpoint.log == []
    person.types("\r")
    person.sees("It is 45.")
    assert "Question: first line\nsecond line" in prompt(endpoint.log[0].request)


def test_commands_before_the_first_question(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": unasked, "strong": unasked})
    person = chat()
    person.asks("/help")
    for command in ("/help", "/cost", "/good", "/bad", "/reset", "/quit"):
        person.sees(command)
    for command, said in {
        "/cost": "no model call, $0",
        "/good": "nothing to remember",
        "/bad": "no answer to take back",
        "/reset": "forgotten",
        "/unheard-of": "there is no /unheard-of; /help lists the commands",
        "   ": "",
    }.items():
        person.at_prompt()
        person.asks(command)
        person.sees(said)
    person.at_prompt()
    person.asks("/quit")
    assert person.leaves() == 0
    assert endpoint.log == []


def test_good_and_bad_decide_what_is_remembered(run: Command, serve: Serve, chat: Open) -> None:
    replies = [python("x = 1\nprint(x)"), ANSWER, python("y = 2\nprint(y)"), ANSWER]
    serve({"weak": replies, "strong": unasked})
    person = chat()
    person.asks("one")
    person.sees(VERDICT)
    person.types("\r")
    person.sees("stored as solution #1")
    person.at_prompt()
    person.asks("/cost")
    person.sees(" tokens, $0.00")
    person.asks("/good")
    person.sees("remembered already")
    wait_until(lambda: "verified" in run("solutions", "list").out, "the re-run is green")
    person.asks("/bad")
    person.sees("will not be used again")
    assert run("solutions", "list").out == ""
    assert "the person said that its answer is wrong" in run("solutions", "list", "--retired").out

    person.asks("two")
    person.sees(VERDICT)
    person.types("n\r")
    person.sees("not solved")
    person.at_prompt()
    person.asks("/good")
    person.sees("stored as solution #2")
    wait_until(lambda: "verified" in run("solutions", "list").out, "the re-run is green")


def test_reset_forgets_the_conversation_and_the_variables(serve: Serve, chat: Open) -> None:
    replies = [python("x = 1\nprint(x)"), ANSWER, python("print('x' in dir())"), ANSWER]
    endpoint = serve({"weak": replies, "strong": unasked})
    person = chat()
    person.asks("one")
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.asks("/reset")
    person.sees("forgotten")
    person.at_prompt()
    person.asks("two")
    person.sees("False")
    person.sees(VERDICT)
    assert len(endpoint.log[2].request.messages) == 2
    assert "still holds" not in prompt(endpoint.log[2].request)


def test_a_failing_endpoint_does_not_end_the_conversation(serve: Serve, chat: Open) -> None:
    serve({"weak": [Scripted("broken", 400), ANSWER], "strong": [Scripted("broken", 400)]})
    person = chat()
    person.asks("one")
    person.sees("no model answered")
    person.at_prompt()
    person.asks("two")
    person.sees("It is 45.")


# ── the terminal ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_that_is_typed_is_neither_kept_in_the_history_nor_sent(run: Command, serve: Serve, chat: Open) -> None:
    key = run.env["OPENAI_API_KEY"] = "sk-typed-by-mistake-1"
    endpoint = serve({"weak": [ANSWER], "strong": unasked})
    person = chat()
    person.asks(f"is {key} my key?")
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.asks(f"/{key}")
    person.sees("there is no /[OPENAI_API_KEY]")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0
    history = (run.data / "history").read_text()
    assert "is [OPENAI_API_KEY] my key?" in history
    assert key not in history
    assert "is [OPENAI_API_KEY] my key?" in prompt(endpoint.log[0].request)


def test_questions_are_in_the_history_of_the_next_chat_and_nobody_elses(run: Command, serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [ANSWER, ANSWER], "strong": unasked})
    first = chat()
    first.asks("a question to come back to")
    first.sees(VERDICT)
    first.types("\r")
    first.at_prompt()
    first.types(CTRL_D)
    assert first.leaves() == 0
    assert stat.S_IMODE((run.data / "history").stat().st_mode) == 0o600
    second = chat()
    second.types(f"{ESC}[A")
    second.sees("a question to come back to")
    second.types("\r")
    second.sees("It is 45.")
    assert "Question: a question to come back to" in prompt(endpoint.log[-1].request)


def test_a_chat_needs_no_data_folder(run: Command, serve: Serve, chat: Open) -> None:
    serve({"weak": [ANSWER], "strong": unasked})
    person = chat(env={"ECOASSIST_DATA": str(run.config / "no folder")})
    person.asks("x")
    person.sees("It is 45.")
    person.sees(VERDICT)
    person.types("\r")
    person.sees("solved by weak")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0


@pytest.mark.parametrize("moment", ["at the prompt", "during a cell", "at the verdict"])
def test_sigterm_leaves_and_puts_the_terminal_in_order(
    moment: str, run: Command, serve: Serve, chat: Open, working: Callable[[int], bool]
) -> None:
    serve({"weak": [ANSWER if moment == "at the verdict" else LOOP], "strong": unasked})
    person = chat()
    if moment == "during a cell":
        person.asks("x")
        wait_until(lambda: working(person.pid), "the cell runs")
    elif moment == "at the verdict":
        person.asks("x")
        person.sees(VERDICT)
    else:
        assert not person.child.getecho()
    os.kill(person.pid, signal.SIGTERM)
    assert person.leaves() == 143
    assert person.child.getecho()
    wait_until(lambda: not run.kernels(), "the kernel is gone")


def test_foreign_text_cannot_steer_the_terminal(serve: Serve, chat: Open) -> None:
    nasty = "\x1b]0;title\x07\x1b[2J\u202egnp.exe\x9b2J"
    serve({"weak": [python(f"print({nasty!a}, flush=True)\n{nasty!a}"), Scripted(f"Done {nasty}")], "strong": unasked})
    person = chat()
    person.asks("x")
    seen = person.sees(VERDICT)
    assert "Done" in seen
    for raw in ("\x1b]0;", "\x1b[2J", "\u202e", "\x9b", "\x07"):
        assert raw not in seen


def test_no_color_is_obeyed(serve: Serve, chat: Open) -> None:
    serve({"weak": [python("print(sum(range(10)))"), ANSWER], "strong": unasked})
    person = chat(env={"NO_COLOR": "1"})
    person.asks("x")
    seen = person.sees(VERDICT)
    assert "sum(range(10))" in seen
    assert re.findall(r"\x1b\[[0-9;]*\b(?:3[0-7]|9[0-7]|38|48)[0-9;]*m", seen) == []


# ── containers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
def test_a_chat_outlives_its_container(
    serve: Serve, chat: Open, engine: Engine, containers: Callable[[int], list[str]]
) -> None:
    replies = [python("x = 41\nprint(x)"), ANSWER, python("print(x)"), python("print('x' in dir())"), ANSWER]
    serve({"weak": replies, "strong": unasked})
    person = chat("--verbose")
    person.asks("one")
    person.sees(VERDICT)
    person.types("n\r")
    person.at_prompt()
    wait_until(lambda: len(containers(person.pid)) == 1, "the one for a re-run that will not be is gone")
    engine.remove(containers(person.pid)[0])
    person.asks("two")
    person.sees("It is 45.")
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0
    wait_until(lambda: not containers(person.pid), "the containers are gone")


@pytest.mark.docker
def test_a_lost_terminal_leaves_no_container(
    serve: Serve, chat: Open, containers: Callable[[int], list[str]], working: Callable[[int], bool]
) -> None:
    serve({"weak": [LOOP], "strong": unasked})
    person = chat("--verbose")
    person.asks("x")
    wait_until(lambda: working(person.pid), "the cell runs")
    pid = person.pid
    person.child.close(force=False)  # the terminal hangs up
    wait_until(lambda: not containers(pid), "the container is gone")


# ── without a terminal ──────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_terminal_there_are_no_prompts_and_a_model_judges(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [ANSWER, Scripted("It is 46.")], "strong": judging([judged(True)])})
    ran = run("chat", LOCAL, stdin=b"How much is it?\n\n/cost\nAnd one more?\n/quit\nnot asked\n")
    assert (ran.code, ran.out) == (0, "It is 45.\nIt is 46.\n"), ran.err
    assert "right?" not in ran.err
    assert "> " not in ran.err
    assert "\x1b" not in ran.err
    assert " tokens, $0.00" in ran.err
    assert [is_judge(served.request) for served in endpoint.log] == [False, True, False, True]
    assert "How much is it?" in prompt(endpoint.log[2].request)


@pytest.mark.parametrize("language", ["C.UTF-8", "en_US.UTF-8", "C"])
def test_piped_bytes_that_are_not_unicode_do_not_end_the_conversation(
    language: str, run: Command, serve: Serve
) -> None:
    serve({"weak": [ANSWER, ANSWER], "strong": judging([judged(True)])})
    env = {"LANG": language, "PYTHONUTF8": "1" if language == "en_US.UTF-8" else None, "PYTHONIOENCODING": None}
    ran = run("chat", LOCAL, stdin=b"caf\xe9?\nagain\n", env=env)
    assert ran.code == 0, ran.err
    assert ran.out.endswith("It is 45.\n")
    assert "Traceback" not in ran.err


def test_sigterm_ends_a_piped_conversation(run: Command, serve: Serve, working: Callable[[int], bool]) -> None:
    serve({"weak": [LOOP], "strong": unasked})
    process = run.start("chat", LOCAL, stdin=-1)
    assert process.stdin is not None
    process.stdin.write(b"one\ntwo\n")
    process.stdin.flush()
    wait_until(lambda: working(process.pid), "the cell runs")
    process.send_signal(signal.SIGTERM)
    assert finish(process, seconds=15).code == 143
    wait_until(lambda: not run.kernels(), "the kernel is gone")


def test_a_piped_conversation_answers_line_by_line(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER, ANSWER], "strong": judging([judged(True)])})
    process = run.start("chat", LOCAL, stdin=-1)
    assert process.stdin is not None
    for _ in range(2):
        process.stdin.write(b"x\n")
        process.stdin.flush()
        read_until(process, "It is 45.")
    assert finish(process).code == 0
