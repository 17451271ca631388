"""Who answers, who judges and what is kept: by options of a question, and by commands of a conversation."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.demo.endpoint import Endpoint, Scripted
from tests.e2e.conftest import (
    CTRL_D,
    ESC,
    LOCAL,
    VERDICT,
    Command,
    Open,
    Serve,
    is_judge,
    judged,
    judging,
    prompt,
    python,
    unasked,
    wait_until,
)

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # pexpect forks

ANSWER = Scripted("It is 45.\nANSWER: 45")
FAIL = Scripted("overloaded", 500, {"retry-after": "0"})


def asked(endpoint: Endpoint) -> list[str]:
    """Who was asked, in order; judges apart."""
    return [f"{served.request.model}{' judges' * is_judge(served.request)}" for served in endpoint.log]


# ── one question ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_named_tier_answers_and_no_other_whatever_becomes_of_it(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [ANSWER], "middle": unasked, "strong": judging([judged(False)])})
    ran = run("ask", "x", "--tier", "weak", LOCAL)
    assert (ran.code, ran.out) == (1, ""), ran.err
    assert asked(endpoint) == ["weak", "strong judges"]
    assert "you chose it" in ran.err


def test_strong_is_the_last_tier_alone(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": unasked, "strong": judging([judged(True)], [ANSWER])})
    ran = run("ask", "x", "--strong", LOCAL)
    assert (ran.code, ran.out) == (0, "It is 45.\n"), ran.err
    assert asked(endpoint) == ["strong", "strong judges"]


@pytest.mark.parametrize(("command", "name"), [(("ask", "x"), "middle"), (("chat",), "")], ids=["ask", "chat"])
def test_a_tier_that_is_none_is_refused_with_the_names(
    name: str, command: tuple[str, ...], run: Command, serve: Serve
) -> None:
    endpoint = serve({"weak": unasked, "strong": unasked})
    ran = run(*command, "--tier", name, LOCAL, stdin=b"x\n")
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert f"there is no tier '{name}'" in ran.err
    assert "choose one of: weak, strong" in ran.err
    assert endpoint.log == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "x", "--tier", "weak", "--strong"), "exclude each other"),
        (("chat", "--strong", "--hold-out", "0.5"), "nothing is held out"),
        (("ask", "x", "--tier", "weak", "--hold-out", "0"), "nothing is held out"),
        (("chat", "--hold-out", "1.5"), "--hold-out"),
        (("ask", "x", "--hold-out", "nan"), "--hold-out"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense_are_refused(
    arguments: tuple[str, ...], said: str, run: Command, serve: Serve
) -> None:
    endpoint = serve({"weak": unasked, "strong": unasked})
    ran = run(*arguments, LOCAL, stdin=b"x\n")
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert endpoint.seen == []


def test_without_a_judge_an_answer_stays_unverified(run: Command, serve: Serve) -> None:
    more = '[judge]\nmodel = "strong"\nchain = ["checks", "model"]'
    endpoint = serve({"weak": [python("print(45)"), ANSWER], "strong": unasked}, more=more)
    ran = run("ask", "x", "--no-judge", LOCAL)
    assert (ran.code, ran.out) == (5, "It is 45.\n"), ran.err
    assert asked(endpoint) == ["weak", "weak"]
    assert "stored" not in ran.err


def test_without_a_judge_the_checks_still_lead_to_a_stronger_tier(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [python("1/0")] * 3, "strong": [ANSWER]})
    ran = run("ask", "x", "--no-judge", LOCAL)
    assert (ran.code, ran.out) == (5, "It is 45.\n"), ran.err
    assert asked(endpoint) == ["weak"] * 3 + ["strong"]


def test_a_held_out_question_is_answered_by_the_last_tier_alone_and_says_so(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": unasked, "strong": judging([judged(True)], [ANSWER])})
    ran = run("ask", "x", "--jsonl", "--hold-out", "1", LOCAL)
    assert ran.code == 0, ran.err
    (started,) = [event for line in ran.out.splitlines() if (event := json.loads(line))["event"] == "Started"]
    assert started["why"] == "hold-out"
    assert "strong · strong · alone, to compare (hold-out)" in ran.err
    assert asked(endpoint) == ["strong", "strong judges"]


def test_the_share_may_stand_in_the_configuration_and_a_chosen_tier_goes_before_it(run: Command, serve: Serve) -> None:
    replies = judging([judged(True)], [ANSWER])
    endpoint = serve({"weak": [ANSWER], "strong": replies}, more="[cascade]\nhold_out = 1.0")
    assert run("chat", LOCAL, stdin=b"x\n/tier weak\nx\n").code == 0
    assert asked(endpoint)[::2] == ["strong", "weak"]


# ── a conversation ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_an_escalation_questions_begin_at_the_tier_that_solved_until_the_person_goes_down(
    serve: Serve, chat: Open
) -> None:
    endpoint = serve({"weak": [Scripted("It is 44."), ANSWER], "strong": [ANSWER, ANSWER]})
    person = chat()
    person.asks("one")
    person.sees(VERDICT)
    person.types("e\r")
    person.sees(VERDICT)
    person.types("y\r")
    person.sees("the next questions begin at strong, which solved this one; /down begins lower")
    person.at_prompt()
    person.asks("two")
    person.sees("it solved an earlier question of this conversation")
    person.sees(VERDICT)
    person.types("y\r")
    person.at_prompt()
    person.asks("/down")
    person.sees("from now on questions begin at weak")
    person.at_prompt()
    person.asks("three")
    assert "it solved an earlier question" not in person.sees(VERDICT)
    assert asked(endpoint) == ["weak", "strong", "strong", "weak"]


def test_a_tier_can_be_chosen_and_left_in_a_conversation(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": [Scripted("It is 44.")] * 2, "strong": [ANSWER]})
    person = chat()
    person.asks("/tier weak")
    person.sees("from now on weak alone answers; /tier auto lets all tiers answer again")
    person.at_prompt()
    person.asks("/tier")
    assert "(answers alone)" in person.at_prompt()
    person.asks("one")
    person.sees(VERDICT)
    person.types("e\r")
    person.sees("not solved")
    person.at_prompt()
    person.asks("/tier nobody")
    person.sees("there is no tier 'nobody'; choose one of: weak, strong")
    person.at_prompt()
    person.asks("/tier auto")
    person.sees("from now on questions begin at weak")
    person.at_prompt()
    person.asks("two")
    person.sees(VERDICT)
    person.types("e\r")
    person.sees("escalating to strong")
    person.sees(VERDICT)
    assert asked(endpoint) == ["weak", "weak", "strong"]


def test_a_conversation_may_begin_with_one_tier_and_without_a_judge(serve: Serve, chat: Open) -> None:
    endpoint = serve({"weak": unasked, "strong": [ANSWER]})
    person = chat("--strong", "--no-judge", LOCAL)
    person.asks("x")
    assert VERDICT not in person.sees("UNVERIFIED answer by strong")
    person.at_prompt()
    assert asked(endpoint) == ["strong"]


def test_cost_tells_what_judging_took(run: Command, serve: Serve) -> None:
    serve({"weak": [ANSWER], "strong": judging([judged(True)])})
    ran = run("chat", LOCAL, stdin=b"/cost\none\n/cost\n")
    before, after = [line for line in ran.err.splitlines() if "$0" in line and "solved" not in line]
    assert "judging" not in before
    assert "of which judging $0.00" in after


# ── the exit code of a piped conversation ───────────────────────────────────────────────────────────────────────────


def test_a_script_learns_of_the_worst_answer(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [FAIL] * 3 + [ANSWER] * 2, "strong": judging([Scripted("Fine!")] * 2, [FAIL] * 3)})
    ran = run("chat", LOCAL, stdin=b"one\ntwo\n")
    assert (ran.code, ran.out) == (3, "It is 45.\n"), ran.err
    assert asked(endpoint)[-3:] == ["weak", "strong judges", "strong judges"]
    assert run("chat", LOCAL, stdin=b"one\n").code == 5


# ── nothing is kept ─────────────────────────────────────────────────────────────────────────────────────────────────

QUESTION, REPLY = "Where does the xylographer sleep?", Scripted("In the quagmirehouse.\nANSWER: 'quagmirehouse'")
CODE = python("hideout = 'quagmirehouse'\nopen('quagmirehouse.txt', 'w').write(hideout)\nprint(hideout)")
BOXES = [pytest.param(LOCAL, id="local"), pytest.param("--verbose", id="container", marks=pytest.mark.docker)]
WORDS = (b"xylographer", b"quagmirehouse", b"hideout")


def traces(folder: Path) -> list[str]:
    """The files under `folder` whose name or content tells of the question, its answer or its code."""
    return [
        str(path) for path in folder.rglob("*") if any(word in str(path).encode() + content(path) for word in WORDS)
    ]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # a folder, or gone meanwhile: working directories of kernels are removed in the background
        return b""


def nothing_is_left(run: Command) -> None:
    wait_until(lambda: not traces(run.folder), "no file tells of the question, its answer or its code")


def test_the_search_for_traces_would_find_them(run: Command, serve: Serve) -> None:
    serve({"weak": [CODE, REPLY], "strong": judging([judged(True)])})
    assert run("ask", QUESTION, LOCAL).code == 0
    found = " ".join(traces(run.folder))
    assert "solutions.db" in found
    assert "quagmirehouse.txt" in found


def test_a_private_question_leaves_nothing_behind(run: Command, serve: Serve) -> None:
    endpoint = serve({"weak": [CODE, REPLY], "strong": judging([judged(True)])})
    ran = run("ask", QUESTION, "--private", LOCAL)
    assert (ran.code, ran.out) == (0, "In the quagmirehouse.\n"), ran.err
    assert "private: nothing is kept of this question" in ran.err
    assert "files that code makes are not kept: the question is private" in ran.err
    assert "stored" not in ran.err
    assert asked(endpoint) == ["weak", "weak", "strong judges"]
    nothing_is_left(run)
    assert not (run.folder / "ecoassist-files").exists()
    with closing(sqlite3.connect(run.data / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM calls WHERE state = 'settled' AND usd > 0").fetchone() == (3,)
        assert ledger.execute("SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM events)").fetchone() == (0,)
        assert ledger.execute("SELECT count(*) FROM verdicts").fetchone() == (0,)
        assert ledger.execute("SELECT DISTINCT run FROM calls").fetchall() == [("",)]


@pytest.mark.parametrize("ending", ["no model", "the time limit"])
def test_a_private_question_that_breaks_off_leaves_nothing_behind(ending: str, run: Command, serve: Serve) -> None:
    last = [FAIL] * 3 if ending == "no model" else [Scripted("In the quagmireh", hang=60)]
    serve({"weak": [CODE, *last], "strong": lambda request: FAIL})
    ran = run("ask", QUESTION, "--private", "--json", "--timeout", "5" if ending == "the time limit" else "60", LOCAL)
    assert ran.code == {"no model": 3, "the time limit": 124}[ending], ran.err
    assert "Traceback" not in ran.err
    nothing_is_left(run)


def test_files_of_a_private_question_are_kept_where_the_person_says(run: Command, serve: Serve) -> None:
    serve({"weak": [CODE, REPLY], "strong": judging([judged(True)])})
    ran = run("ask", QUESTION, "--private", "--files-dir", "mine", LOCAL)
    assert ran.code == 0, ran.err
    (kept,) = traces(run.folder)
    assert kept.endswith("quagmirehouse.txt")
    assert Path(kept).is_relative_to(run.folder / "mine")


def test_a_private_question_uses_what_is_remembered_and_leaves_it_as_it_was(run: Command, serve: Serve) -> None:
    replies = [python("print(7 * 6)"), Scripted("42"), Scripted("42")]
    endpoint = serve({"weak": replies, "strong": judging([judged(True)])})
    question = "How much is seven times six, in whole numbers?"
    assert run("ask", question, LOCAL).code == 0
    before = rows(run)
    assert run("ask", question, "--private", LOCAL).code == 0
    assert "print(<number> * <number_2>)" in prompt(endpoint.log[3].request)
    assert rows(run) == before
    assert before[0][2:] == ("verified", 0, 0)


def rows(run: Command) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(run.data / "solutions.db")) as store:
        return store.execute("SELECT id, query, state, wins, losses FROM solutions").fetchall()


def test_a_private_conversation_leaves_nothing_behind(run: Command, serve: Serve, chat: Open) -> None:
    serve({"weak": [CODE, REPLY, REPLY], "strong": unasked})
    person = chat("--private", LOCAL)
    person.asks(QUESTION)
    person.sees("private: nothing is kept of this question")
    person.sees(VERDICT)
    person.types("y\r")
    person.sees("solved by weak")
    person.at_prompt()
    for command in ("/good", "/bad"):
        person.asks(command)
        person.sees("nothing is kept of a private question")
        person.at_prompt()
    person.types(f"{ESC}[A" * 3)  # still at hand in its own conversation
    person.sees("xylographer")
    person.types("\r")
    person.sees(VERDICT)
    person.types("n\r")
    person.sees("not solved")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0
    nothing_is_left(run)


@pytest.mark.parametrize("box", BOXES)
def test_a_private_stretch_of_a_conversation_leaves_nothing_behind(
    box: str, run: Command, serve: Serve, chat: Open
) -> None:
    peek = python("import os\nprint(any(name.endswith('deout') for name in dir()), os.listdir())")
    parrot = [python("print(1)"), Scripted("One."), CODE, REPLY, peek, Scripted("Two.")]
    endpoint = serve({"weak": parrot, "strong": unasked})
    person = chat(box)

    def asks(question: str) -> None:
        person.asks(question)
        person.sees(VERDICT)
        person.types("\r")
        person.sees("solved by weak")
        person.at_prompt()

    asks("How much is the first of all numbers?")
    wait_until(lambda: "verified" in run("solutions", "list").out, "the re-run in the background is green")
    person.asks("/private")
    person.sees("no history")
    person.sees("private>")
    asks(QUESTION)
    person.asks("/private")
    person.sees("questions are kept again; forgotten, so that nothing of it comes up")
    person.at_prompt()
    asks("and then?")
    person.asks("/why")
    person.sees("and then?")
    person.at_prompt()
    person.asks("/good")
    person.at_prompt()
    wait_until(lambda: run("solutions", "list").out.count("verified") == 2, "the second is green as well")
    person.types(CTRL_D)
    assert person.leaves() == 0
    last = prompt(endpoint.log[-1].request)
    assert "first of all numbers" in last
    assert "False []" in last
    assert not any(word.decode() in last for word in WORDS)
    nothing_is_left(run)
    history = (run.data / "history").read_text()
    assert "+How much is the first of all numbers?" in history
    assert "+and then?" in history


def test_where_runs_are_not_kept_no_conversation_is(run: Command, serve: Serve, chat: Open) -> None:
    serve({"weak": [Scripted("In the quagmirehouse."), REPLY], "strong": unasked}, more="[runs]\nkeep = false")
    person = chat()
    for command in ("/private", "/private"):
        person.asks(command)
        person.at_prompt()
    person.asks(QUESTION)
    person.sees(VERDICT)
    person.types("\r")
    person.at_prompt()
    person.types(CTRL_D)
    assert person.leaves() == 0
    nothing_is_left(run)
