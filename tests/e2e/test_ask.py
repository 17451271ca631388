"""One question by a real process: what it says where, what the code can read, what is remembered."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ecoassist.demo.endpoint import ChatRequest, Script, Scripted
from ecoassist.events import LETTER, ORDER, decode
from tests.e2e.conftest import (
    LOCAL,
    MARK,
    Command,
    Serve,
    finish,
    is_judge,
    judged,
    judging,
    prompt,
    python,
    read_until,
    wait_until,
)

PROGRAM = "total = sum(range(10))\nprint('sum', total)"
ANSWER = Scripted("It is 45.\nANSWER: 45")
KEYS = {
    "version": int,
    "status": str,
    "answer": str | None,
    "value": object,
    "error": dict | None,
    "verdict": dict | None,
    "tier": str | None,
    "attempts": list,
    "solution_used": int | None,
    "replayed": int | None,
    "solution_stored": int | None,
    "solution_state": str | None,
    "files": list,
    "partial": bool,
    "cost": dict,
    "seconds": float,
    "run": str,
}


def solving(*replies: Scripted) -> dict[str, Script]:
    """A weak model with these replies, and a strong one that finds all of them right."""
    return {"weak": list(replies), "strong": judging([judged(True)])}


# ── where what is said ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_answer_goes_to_stdout_and_everything_else_to_stderr(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    ran = run("ask", "What is the sum of the numbers below ten?", LOCAL)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    for said in ("weak", "sum 45", "2 lines of code", "solved by weak in 2 turns", "tokens", "$0.00", "solution #1"):
        assert said in ran.err
    assert PROGRAM not in ran.err


def test_verbose_shows_code_and_checks(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    ran = run("ask", "x", LOCAL, "--verbose")
    assert ran.code == 0, ran.err
    for said in ("total = sum(range(10))", "checks: nothing speaks against it", "model: as scripted"):
        assert said in ran.err
    assert ran.out == "It is 45.\n"


def test_an_unsafe_run_says_so_first(run: Command, serve: Serve) -> None:
    serve(solving(ANSWER))
    first = run("ask", "x", LOCAL).err.splitlines()[0]
    assert "UNSAFE" in first
    assert "outside any sandbox" in first


@pytest.mark.parametrize("redirection", ["2>/dev/null", "2>&-", "<&- 2>&-"])
def test_stdout_stays_clean_without_stderr(redirection: str, run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    process = subprocess.run(
        ["sh", "-c", f'"$0" -m ecoassist ask x {LOCAL} {redirection}', run.python],
        env=run.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=run.folder,
        timeout=60,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, b"It is 45.\n", b"")


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
def test_a_run_without_stdout_ends_as_ever(form: str, run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    process = subprocess.run(
        ["sh", "-c", f'"$0" -m ecoassist ask x {LOCAL} {form} >&-', run.python],
        env=run.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=run.folder,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    assert b"solved by weak" in process.stderr


def check_types(body: dict[str, object]) -> None:
    assert list(body) == list(KEYS)
    for name, kind in KEYS.items():
        assert isinstance(body[name], kind), (name, body[name])
    assert {"usd", "prompt_tokens", "completion_tokens", "calls"} <= set(body["cost"])  # type: ignore[call-overload]
    assert body["version"] == 1


def test_json_is_one_object(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    ran = run("ask", "x", LOCAL, "--json")
    assert ran.out.count("\n") == 1
    body = json.loads(ran.out)
    check_types(body)
    picked = {name: body[name] for name in ("status", "answer", "value", "tier", "error", "solution_stored")}
    assert picked == {
        "status": "solved",
        "answer": "It is 45.",
        "value": 45,
        "tier": "weak",
        "error": None,
        "solution_stored": 1,
    }
    asked = {"accesses_total": 0, "accesses": []}
    assert body["attempts"] == [{"tier": "weak", "model": "weak", "turns": 2, "end": "answered", **asked}]
    assert body["cost"]["calls"] == 3
    assert body["cost"]["usd"] == pytest.approx(
        (body["cost"]["prompt_tokens"] * 1.0 + body["cost"]["completion_tokens"] * 2.0) / 1e6
    )
    assert "solved by weak" in ran.err


ERRORS: dict[str, tuple[tuple[str, ...], str, int, str]] = {
    "an unknown setting": ((), "[budget]\nquestoin = 1", 2, "usage"),
    "both forms": (("--jsonl",), "", 2, "usage"),
    "a file that is absent": (("--file", "absent.csv"), "", 2, "usage"),
    "a key that is missing": ((), '[[tiers]]\nname = "a"\nmodel = "m"\nkey = "A_KEY"', 3, "model"),
    "no model": ((), "", 3, "model"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_json_is_one_object_on_errors_too(case: str, run: Command) -> None:
    arguments, configuration, code, kind = ERRORS[case]
    run.config.write_text(configuration)
    ran = run("ask", "x", "--json", *arguments)
    body = json.loads(ran.out)
    check_types(body)
    assert (ran.code, body["status"], body["error"]["kind"]) == (code, "error", kind)
    assert body["error"]["message"] in ran.err
    assert body["error"]["remedy"]


@pytest.mark.parametrize(
    ("replies", "status", "letters"),
    [
        ([python(PROGRAM), ANSWER], "solved", "SRTarcdrzkkJKF"),
        ([python("1/0"), Scripted("I cannot tell.")], "unsolved", "SRTarcdrzkJTarzkkJF"),
    ],
)
def test_jsonl_has_every_durable_event_in_order(
    replies: list[Scripted], status: str, letters: str, run: Command, serve: Serve
) -> None:
    verdict = judged(status == "solved")
    serve({"weak": replies, "strong": judging([verdict], [Scripted("Nor can I.")])})
    ran = run("ask", "x", LOCAL, "--jsonl")
    events = [decode(line) for line in ran.out.splitlines()]
    order = "".join(LETTER.get(type(event), "") for event in events)
    assert re.fullmatch(ORDER, order), order
    assert order == letters
    assert json.loads(ran.out.splitlines()[-1])["outcome"]["status"] == status


def test_what_was_paid_is_told_when_no_model_answers_in_the_end(run: Command, serve: Serve) -> None:
    broken = [Scripted(status=400, text="no")]
    endpoint = serve({"weak": [python("print(1)"), *broken], "strong": broken})
    ran = run("ask", "x", LOCAL, "--json")
    body = json.loads(ran.out)
    assert (ran.code, body["status"], body["error"]["kind"]) == (3, "error", "provider")
    assert body["cost"]["prompt_tokens"] == endpoint.log[0].prompt_tokens > 0
    assert body["cost"]["usd"] > 0


def test_a_stream_of_events_that_breaks_off_ends_with_the_object(run: Command) -> None:
    run.config.write_text("")
    ran = run("ask", "x", "--jsonl")
    (line,) = ran.out.splitlines()
    assert (ran.code, json.loads(line)["error"]["kind"]) == (3, "model")


# ── what the code can read ──────────────────────────────────────────────────────────────────────────────────────────

BOXES = pytest.mark.parametrize(
    "box", [(LOCAL,), pytest.param((), marks=pytest.mark.docker)], ids=["local", "container"]
)
LISTING = python("import os\nfor name in sorted(os.listdir()): print(ascii(name), open(name, 'rb').read())")


def test_piped_input_is_a_file_for_the_code(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(LISTING, ANSWER))
    ran = run("ask", "How many lines?", LOCAL, "--verbose", stdin=b"one\ntwo\n")
    assert ran.code == 0, ran.err
    assert r"""'stdin.txt' b'one\ntwo\n'""" in ran.err
    assert "stdin.txt" in prompt(endpoint.log[0].request)


def test_piped_input_that_is_not_text_is_a_file_for_the_code(run: Command, serve: Serve) -> None:
    serve(solving(LISTING, ANSWER))
    ran = run("ask", "How many bytes?", LOCAL, "--verbose", stdin=b"\x00\xff\x01")
    assert r"""'stdin.bin' b'\x00\xff\x01'""" in ran.err


def test_nothing_piped_is_no_file(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(ANSWER))
    assert run("ask", "x", LOCAL, stdin=b"").code == 0
    assert "File" not in prompt(endpoint.log[0].request)


def test_piped_input_that_never_ends_is_spoken_of_and_limited_in_time(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(ANSWER))
    process = run.start("ask", "x", LOCAL, "--json", "--timeout", "12", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "timeout"
    ran = finish(process)
    assert ran.code == 124
    assert "waiting for the end of standard input" in ran.err
    assert endpoint.log == []


def test_piped_input_that_comes_slowly_is_waited_for(run: Command, serve: Serve) -> None:
    serve(solving(LISTING, ANSWER))
    process = run.start("ask", "How many lines?", LOCAL, "--verbose", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    read_until(process, "waiting for the end of standard input", process.stderr)
    ran = finish(process, b"two\n")
    assert ran.code == 0
    assert r"""'stdin.txt' b'one\ntwo\n'""" in ran.err


NAMES = ["two words.csv", "größe – 日本.txt", "-dash.txt", "quote'\"$(x).txt", "line\nbreak.txt"]


@BOXES
def test_files_of_any_name_can_be_read(box: tuple[str, ...], run: Command, serve: Serve) -> None:
    endpoint = serve(solving(LISTING, ANSWER))
    for number, name in enumerate(NAMES):
        (run.folder / name).write_text(f"content {number}")
    ran = run("ask", "x", *box, "--verbose", *[part for name in NAMES for part in ("--file", name)])
    assert ran.code == 0, ran.err
    for number, name in enumerate(NAMES):
        assert f"{name!a} b'content {number}'" in ran.err
    assert "two words.csv" in prompt(endpoint.log[0].request)


@BOXES
def test_a_file_name_that_is_not_unicode_is_refused(box: tuple[str, ...], run: Command, serve: Serve) -> None:
    endpoint = serve(solving(LISTING, ANSWER))
    name = b"caf\xe9.txt"
    Path(os.fsdecode(bytes(run.folder) + b"/" + name)).write_text("content")
    ran = run("ask", "x", *box, b"--file", name)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert "caf" in ran.err
    assert endpoint.log == []


def test_a_question_that_is_not_unicode_is_refused(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(ANSWER))
    ran = run("ask", b"caf\xe9?", LOCAL)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert "not Unicode" in ran.err
    assert endpoint.log == []


def test_two_files_of_one_name_are_refused(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(ANSWER))
    for folder in ("a", "b"):
        (run.folder / folder).mkdir()
        (run.folder / folder / "data.csv").write_text("1")
    ran = run("ask", "x", LOCAL, "--file", "a/data.csv", "--file", "b/data.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "data.csv" in ran.err
    assert endpoint.log == []


# ── foreign text ────────────────────────────────────────────────────────────────────────────────────────────────────

NASTY = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ "
    "\u202egnp.exe\u2066 \x9b2J\x08\x7f\u200b!"
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("form", [(), ("--verbose",), ("--json",), ("--jsonl",)], ids=str)
def test_no_control_sequence_of_a_model_or_a_cell_comes_through(
    form: tuple[str, ...], run: Command, serve: Serve
) -> None:
    cell = f"print({NASTY!a})\nprint({NASTY!a}, file=__import__('sys').stderr)\n{NASTY!a}"
    failing = f"raise ValueError({NASTY!a})"
    said = json.dumps({"solved": True, "reason": NASTY})
    scripts: dict[str, Script] = {
        "weak": [
            Scripted(NASTY, 500, {"retry-after": "0"}),
            Scripted(f"{NASTY}\n```python\n# {NASTY}\n{cell}\n```"),
            python(failing),
            python(cell),
            Scripted(f"Done {NASTY}"),
        ],
        "strong": judging([Scripted(said)]),
    }
    serve(scripts)
    ran = run("ask", f"x {NASTY}", LOCAL, *form)
    assert ran.code == 0, ran.err
    assert RAW.findall(ran.out) == []
    assert RAW.findall(ran.err) == []
    assert "Done" in ran.out
    assert "evil.example" in ran.out if form and form != ("--verbose",) else "evil.example" not in ran.out


def test_an_error_of_the_endpoint_is_shown_without_control_sequences(run: Command, serve: Serve) -> None:
    serve({"weak": [Scripted(NASTY, 400)], "strong": [Scripted(NASTY, 400)]})
    ran = run("ask", "x", LOCAL)
    assert ran.code == 3
    assert RAW.findall(ran.err) == []


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color"}, {"TERM": "dumb"}], ids=str)
def test_pipes_get_no_colours(environment: dict[str, str], run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    ran = run("ask", "x", LOCAL, "--verbose", env=environment)
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize("language", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_any_locale_gets_an_answer(language: str, run: Command, serve: Serve) -> None:
    serve(solving(python("print('grün ✓ 日本')"), Scripted("grün ✓ 日本")))
    ran = run("ask", "grün?", LOCAL, "--verbose", env={"LANG": language, "LC_ALL": language, "PYTHONIOENCODING": None})
    assert ran.code == 0, ran.err
    assert "gr" in ran.out
    assert "Traceback" not in ran.err


def test_an_ascii_terminal_gets_an_answer(run: Command, serve: Serve) -> None:
    serve(solving(python("print('grün ✓ 日本')"), Scripted("grün ✓ 日本")))
    ran = run("ask", "grün?", LOCAL, "--json", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["answer"] == "grün ✓ 日本"


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
def test_a_reader_that_goes_away_gets_no_traceback(form: str, run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    script = f'"$0" -m ecoassist ask x {LOCAL} {form} | head -c0; echo "${{PIPESTATUS[0]}}"'
    ran = subprocess.run(
        ["bash", "-c", script, run.python],
        env=run.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=run.folder,
        timeout=60,
    )
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr
    assert ran.stdout == b"141\n", ran.stderr


def test_a_reader_of_progress_that_goes_away_costs_only_the_progress(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    script = f'{{ "$0" -m ecoassist ask x {LOCAL} 2>&1 >&3 | head -c0; }} 3>&1; echo "${{PIPESTATUS[0]}}" >&2'
    ran = subprocess.run(
        ["bash", "-c", script, run.python],
        env=run.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=run.folder,
        timeout=60,
    )
    assert ran.stdout == b"It is 45.\n"


# ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_later_process_shows_the_solution_to_the_cheap_model(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(python(PROGRAM), ANSWER, python("print(sum(range(20)))"), Scripted("190")))
    first = run("ask", "What is the sum of the whole numbers below 10?", LOCAL)
    assert first.code == 0, first.err
    assert "confirmed by its re-run" in first.err
    second = run("ask", "What is the sum of the whole numbers below 20?", LOCAL, "--json")
    assert second.code == 0, second.err
    asked = [served.request for served in endpoint.log if served.request.model == "weak"]
    assert "total = sum(range(10))" not in prompt(asked[0])
    assert "total = sum(range(<number>))" in prompt(asked[2]), "a template, whose value is no fact"
    assert "numbers below <number>?" in prompt(asked[2])
    assert json.loads(second.out)["solution_used"] == 1
    listed = run("solutions", "list").out.splitlines()
    assert re.match(r"#1 +verified +1\+ 0- ", listed[0])


def test_a_solution_that_fails_alone_is_not_served(run: Command, serve: Serve, tmp_path: Path) -> None:
    marked = f"import pathlib\nmark = pathlib.Path({str(tmp_path / 'mark')!r})\n"
    once = f"{marked}n = 0 if mark.exists() else 10\nmark.touch()\nprint(sum(range(n)))"
    endpoint = serve(solving(python(once), ANSWER, Scripted("190")))
    first = run("ask", "What is the sum of the whole numbers below 10?", LOCAL)
    assert first.code == 0, first.err
    assert "dropped" in first.err
    run("ask", "What is the sum of the whole numbers below 20?", LOCAL)
    assert "range(n)" not in prompt(endpoint.log[-2].request)
    assert "failed" in run("solutions", "list").out


def test_solutions_are_listed_shown_and_removed(run: Command, serve: Serve) -> None:
    empty = run("solutions", "list")
    assert (empty.code, empty.out) == (0, "")
    assert "no solutions yet" in empty.err
    serve(solving(python(PROGRAM), ANSWER))
    run("ask", "What is the sum of the\nnumbers below 10?", LOCAL)
    listed = run("solutions", "list")
    assert listed.out.count("\n") == 1
    assert "#1" in listed.out
    assert "the sum of the numbers below 10?" in listed.out
    shown = run("solutions", "show", "1")
    assert (shown.code, shown.out) == (0, PROGRAM + "\n")
    for said in (
        "the sum of the numbers below 10?",
        "verified",
        "weak",
    ):
        assert said in shown.err
    assert re.search(r"^hosts +none$", shown.err, re.MULTILINE)
    assert re.search(r"^APIs +none$", shown.err, re.MULTILINE)
    assert "It is 45." not in shown.err  # an answer is not kept
    retired = run("solutions", "retire", "1")
    assert (retired.code, retired.out) == (0, "")
    hidden = run("solutions", "list")
    assert (hidden.out, hidden.err) == ("", "1 retired, not shown: ecoassist solutions list --retired\n")
    for option in ("--retired", "--all"):
        assert re.match(r"#1 +retired .*\(by the person\)$", run("solutions", "list", option).out)
    restored = run("solutions", "restore", "1")
    assert (restored.code, restored.out) == (0, "")
    assert run("solutions", "list").out == listed.out
    assert run("solutions", "list", "--retired").out == ""
    nothing = run("solutions", "restore", "1")
    assert (nothing.code, "solution #1 is verified" in nothing.err) == (2, True)
    removed = run("solutions", "rm", "1")
    assert (removed.code, removed.out) == (0, "")
    assert run("solutions", "show", "1").code == 2
    for command in ("rm", "retire", "restore"):
        assert run("solutions", command, "1").code == 2
    assert run("solutions", "list").out == ""


def test_solutions_need_no_model_and_no_engine(run: Command) -> None:
    assert run("solutions", "list", env={"DOCKER_HOST": "unix:///nowhere.sock"}).code == 0


def test_a_damaged_memory_costs_a_notice_and_not_the_answer(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    run.data.mkdir()
    (run.data / "solutions.db").write_bytes(b"not a database" * 1000)
    ran = run("ask", "x", LOCAL)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert "no memory" in ran.err
    assert "Traceback" not in ran.err
    listed = run("solutions", "list")
    assert listed.code == 3
    assert "Traceback" not in listed.err


def test_a_data_folder_that_cannot_be_made_costs_a_notice_and_not_the_answer(run: Command, serve: Serve) -> None:
    serve(solving(python(PROGRAM), ANSWER))
    ran = run("ask", "x", LOCAL, env={"ECOASSIST_DATA": str(run.config / "data")})
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert "Traceback" not in ran.err


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_variables_are_all_the_configuration_that_is_needed(run: Command, serve: Serve) -> None:
    key = "sk-scripted-0123456789"
    endpoint = serve({"gpt-4o-mini": [ANSWER], "gpt-4o": judging([judged(True)])}, key=key)
    run.config.unlink()
    named = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": key, "ECOASSIST_CONFIG": None}
    ran = run("ask", "x", LOCAL, env=named)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert [served.request.model for served in endpoint.log] == ["gpt-4o-mini", "gpt-4o"]
    assert key not in ran.err


def test_the_key_of_a_model_is_not_in_the_environment_of_the_code(run: Command, serve: Serve) -> None:
    key = "sk-scripted-0123456789"
    look = python("import os\nprint([k for k, v in os.environ.items() if 'scripted' in v or k.startswith('OPENAI')])")
    endpoint = serve({"gpt-4o-mini": [look, ANSWER], "gpt-4o": judging([judged(True)])}, key=key)
    run.config.write_text("")
    ran = run("ask", "x", LOCAL, "-v", env={"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": key})
    assert "    []\n" in ran.err, ran.err


def test_the_question_may_begin_with_a_dash(run: Command, serve: Serve) -> None:
    endpoint = serve(solving(ANSWER))
    assert run("ask", LOCAL, "--", "-5 + 50?").code == 0
    assert "-5 + 50?" in prompt(endpoint.log[0].request)


# ── the whole road ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
def test_the_whole_road(run: Command, serve: Serve) -> None:
    """An error is repaired, a wrong answer escalated, the solution stored, and the next question is the weak tier's."""
    program = "prices = {'AAPL': 3, 'GOOG': 4}\nprint(sum(prices.values()) * 5)"
    weak = [
        python("prices = {'AAPL': 3}\nprint(prices['GOOG'])"),
        python("prices = {'AAPL': 3, 'GOOG': 0}\nprint(sum(prices.values()) * 5)"),
        Scripted("It is 15.\nANSWER: 15"),
    ]

    def weak_model(request: ChatRequest) -> Scripted:
        if request.number < len(weak):
            return weak[request.number]
        seen = prompt(request)
        if request.messages[-1].text.startswith("[ok]"):
            return Scripted("It is 70.\nANSWER: 70")
        return python(program.replace("* 5", "* 10")) if "'GOOG': 4}" in seen else Scripted("I do not know.")

    verdicts = [judged(False, "GOOG counts as nothing"), judged(True)]
    endpoint = serve({"weak": weak_model, "strong": judging(verdicts, [python(program), Scripted("35\nANSWER: 35")])})

    first = run("ask", "What are five shares of each stock worth together?", "--json")
    body = json.loads(first.out)
    assert (first.code, body["status"], body["value"], body["tier"]) == (0, "solved", 35, "strong"), first.err
    assert [(one["tier"], one["turns"]) for one in body["attempts"]] == [("weak", 3), ("strong", 2)]
    assert "KeyError: 'GOOG'" in first.err
    assert "GOOG counts as nothing" in first.err
    requests = [served.request for served in endpoint.log]
    assert "KeyError" in prompt(requests[1])
    strong = next(one for one in requests if one.model == "strong" and not is_judge(one))
    assert "KeyError" in prompt(strong)
    assert "It is 15" not in prompt(strong)
    assert "confirmed by its re-run" in first.err

    for question in ("What are ten shares of each stock worth together?", "What is the worth of ten shares of each?"):
        before = len(endpoint.log)
        again = run("ask", question, "--json")
        body = json.loads(again.out)
        assert (again.code, body["status"], body["value"], body["tier"]) == (0, "solved", 70, "weak"), again.err
        assert body["solution_used"] is not None
        assert "A similar question was solved by this program" in prompt(endpoint.log[before].request)
        assert [served.request.model for served in endpoint.log[before:]] == ["weak", "weak", "strong"]


@pytest.mark.docker
@pytest.mark.parametrize("moment", ["while a cell runs", "while the model is waited for", "while a cell waits"])
def test_kill_9_leaves_no_container(
    moment: str,
    run: Command,
    serve: Serve,
    containers: Callable[[int], list[str]],
    working: Callable[[int], bool],
) -> None:
    busy = f"import subprocess\nsubprocess.Popen(['sleep', '{MARK}'])\n"
    replies = {
        "while a cell runs": [python(busy + "while True: pass")],
        "while a cell waits": [python(busy + "import time\ntime.sleep(600)")],
        "while the model is waited for": [python(busy + "print(1)"), Scripted("late", hang=60)],
    }
    endpoint = serve({"weak": replies[moment], "strong": []})
    process = run.start("ask", "x")
    wait_until(lambda: working(process.pid), "the cell runs")
    if "model" in moment:
        wait_until(lambda: len(endpoint.log) == 2, "the model is asked")
    assert containers(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    wait_until(lambda: not containers(process.pid), "the container is gone")


def test_kill_9_leaves_no_kernel_on_the_host(run: Command, serve: Serve, working: Callable[[int], bool]) -> None:
    serve(
        {"weak": [python(f"import subprocess\nsubprocess.Popen(['sleep', '{MARK}'])\nwhile True: pass")], "strong": []}
    )
    process = run.start("ask", "x", LOCAL)
    wait_until(lambda: working(process.pid), "the cell runs")
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    wait_until(lambda: not run.kernels(), "the kernel is gone")
    wait_until(lambda: run.sockets() == [], "its folder is gone, too")
