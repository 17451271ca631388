from __future__ import annotations

import io
import os
import re
import select
import sys
import typing
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from ecoassist.events import (
    Answered,
    Asked,
    AttemptFinished,
    AttemptStarted,
    CellFinished,
    CellStarted,
    Event,
    Finished,
    Judged,
    Notice,
    Output,
    Replied,
    RerunFinished,
    RerunStarted,
    Started,
    TextDelta,
    Tick,
    TierStarted,
)
from ecoassist.render.console import ConsoleSink, StderrConsole, stderr_console
from ecoassist.render.plain import UNSAFE
from ecoassist.types import Answer, CellResult, Outcome, Question, Reply, Saved, Status, Table, Verdict

Show = Callable[..., Any]
REDRAWN = re.compile(r"\r[^\r]*\x1b\[0K|\r\x1b\[2K")
"""The status line: drawn, erased."""


def lasting(screen: str) -> str:
    """What stays of a screen once the status line is gone."""
    return REDRAWN.sub("", screen)


SOLVED = """\
cheap · gpt-5-mini
  with 1 similar solution: #12 (score 0.71)
    2026-03-01 4.2 Sunny
    2026-03-02 3.1 Light rain
    3
  ✓ 12 lines of code · 0.8 s · api.weatherapi.com 200
✓ model: the value is in the output
stored as solution #13, to be used once a re-run confirms it
solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s · with solution #12
"""
SOLVED_TTY = """\
cheap · gpt-5-mini
  with 1 similar solution: #12 (score 0.71)
  │ import os
  │ import requests
  │
  │ key = os.environ["WEATHERAPI_KEY"]
  │ url = "https://api.weatherapi.com/v1/forecast.json"
  │ reply = requests.get(url, params={"q": "Oslo", "days": 2, "key": key}, time…
  │ reply.raise_for_status()
  │ days = reply.json()["forecast"]["forecastday"]
  │ … 4 more lines
    2026-03-01 4.2 Sunny
    2026-03-02 3.1 Light rain
    3
  ✓ 0.8 s · api.weatherapi.com 200
✓ model: the value is in the output
stored as solution #13, to be used once a re-run confirms it


solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s
with solution #12
"""
ESCALATED = """\
cheap · gpt-5-mini
! cheap: 429 Too Many Requests, trying again in 2 s
    … 4 lines above
    row 4
    row 5
    row 6
    row 7
    row 8
    row 9
    row 10
    row 11
    row 12
    row 13
  blocked: evil.example: not on the allow-list
  ✗ 1 line of code · KeyError: 'forecast' · 1.3 s · api.weatherapi.com 403
✗ the cheap tier did not solve it (the last cell ended with error): escalating to strong
  its answer was: It will be sunny.
strong · gpt-5
    3.1
  ✓ 1 line of code · 61.0 s
? nothing confirmed this answer (could not judge: the endpoint failed)
UNVERIFIED answer by strong after cheap in 4 turns · <= 9,800 + 1,204 tokens · <= $0.032 · 2 min 11 s
"""
ANSWER = "Tomorrow in Oslo: 3 °C on average, light rain.\n"


def test_a_solved_question_in_a_log(show: Show, solved: list[Event]) -> None:
    shown = show(solved)
    assert shown.progress == SOLVED
    assert shown.answer == ANSWER


def test_a_solved_question_on_a_terminal(show: Show, solved: list[Event]) -> None:
    shown = show(solved, tty=True)
    assert lasting(shown.progress) == SOLVED_TTY
    assert shown.answer == ANSWER


def test_an_escalated_question_that_nobody_could_verify(show: Show, escalated: list[Event]) -> None:
    shown = show(escalated)
    assert shown.progress == ESCALATED
    assert shown.answer == ANSWER


def test_verbose_shows_all_code_all_output_and_every_step(
    show: Show, solved: list[Event], escalated: list[Event]
) -> None:
    shown = show([*solved, *escalated], verbose=True)
    assert "  │ round(tomorrow[" in shown.progress
    assert 'params={"q": "Oslo", "days": 2, "key": key}, timeout=20)' in shown.progress
    assert "    row 0\n" in shown.progress
    assert "Traceback (most recent call last):" in shown.progress
    assert "  ? checks: nothing speaks against it\n" in shown.progress
    assert "  refused: GET evil.example/: not on the allow-list\n" in shown.progress
    assert "  GET api.weatherapi.com/ -> 403, 0 bytes, 0.0 s\n" in shown.progress


def test_an_answer_that_the_person_was_asked_about_is_not_said_again(show: Show, solved: list[Event]) -> None:
    assert show(solved).answer == ANSWER
    last = solved[-1]
    assert isinstance(last, Finished)
    assert last.outcome.answer
    events = [*solved[:-1], Asked(Question("verdict", last.outcome.answer.text, ("yes", "no"))), last]
    assert show(events, tty=True).answer == ""
    assert show(events).answer == ANSWER, "an answer that goes elsewhere has to get there"


def test_verbose_says_the_verdict_once(show: Show, solved: list[Event]) -> None:
    assert show(solved, verbose=True).progress.count("✓ model") == show(solved).progress.count("✓ model") == 1


def test_no_line_on_a_terminal_is_wider_than_it(show: Show, solved: list[Event], escalated: list[Event]) -> None:
    for width in (20, 40, 80):
        shown = show([*solved, *escalated], tty=True, width=width)
        assert max(len(line) for line in lasting(shown.progress).splitlines()) <= width
        drawn = [re.sub(r"\x1b\[\w+", "", line) for line in re.findall(r"\r([^\r]*)\x1b\[0K", shown.progress)]
        assert drawn
        assert max(map(len, drawn)) < width


def test_the_status_line_follows_the_text_that_arrives(show: Show) -> None:
    events = [
        Started("q"),
        TierStarted("cheap"),
        AttemptStarted("cheap"),
        TextDelta("import x\n"),
        TextDelta("x.get("),
        Tick(),
    ]
    shown = show(events, tty=True)
    assert shown.progress.endswith("cheap · 0 s · x.get(\x1b[0K")
    shown.sink.close()
    assert shown.progress.endswith("\r\x1b[2K")
    before = shown.progress
    shown.sink.handle(Tick())
    assert shown.progress == before


def test_the_status_line_names_the_policy_of_the_network(show: Show) -> None:
    shown = show([AttemptStarted("cheap"), Tick()], tty=True, network="open")
    assert shown.progress.endswith("cheap · network: open · 0 s\x1b[0K")


def test_a_retry_drops_the_text_that_will_be_sent_again(show: Show) -> None:
    events = [AttemptStarted("cheap"), TextDelta("half a"), Notice("again", "warning", drop_live=True), Tick()]
    assert "half" not in show(events, tty=True).progress.rsplit("\r", 1)[-1]


def test_a_long_status_line_keeps_the_end_of_the_text(show: Show) -> None:
    events = [AttemptStarted("cheap"), TextDelta("漢字" * 60 + "the end")]
    shown = show(events, tty=True, width=40)
    assert shown.progress.endswith("the end\x1b[0K")


def test_without_a_terminal_nothing_is_redrawn(show: Show, solved: list[Event]) -> None:
    shown = show([*solved[:-1], *[Tick()] * 50, TextDelta("x"), Output("y")])
    assert "\r" not in shown.progress
    assert "\x1b" not in shown.progress


def test_colour_is_a_matter_of_the_console(show: Show, solved: list[Event]) -> None:
    shown = show(solved, tty=True, colour=True)
    assert "\x1b[32m✓ model" in shown.progress.replace("\x1b[0;32m", "\x1b[32m")
    assert "\x1b" not in shown.answer


def test_the_header_is_said_before_every_question(show: Show, solved: list[Event]) -> None:
    shown = show([*solved, *solved], header="UNSAFE: code runs on this machine")
    assert shown.progress.startswith("UNSAFE: code runs on this machine\ncheap")
    assert shown.progress.count("UNSAFE") == 2


def test_a_rejected_answer_is_not_on_stdout(show: Show) -> None:
    no = Verdict(False, "model", "wrong city")
    shown = show([Judged(no), Finished(Outcome("unsolved", Answer("Bergen"), no, ()))])
    assert shown.answer == ""
    assert shown.progress.splitlines()[:2] == ["rejected answer: Bergen", "✗ not solved: wrong city"]


def test_the_answer_can_be_left_to_someone_else(solved: list[Event]) -> None:
    progress = io.StringIO()
    sink = ConsoleSink(StderrConsole(file=progress, force_terminal=False), None)
    for event in solved:
        sink.handle(event)
    assert progress.getvalue() == SOLVED


@pytest.mark.parametrize("status", typing.get_args(Status))
def test_the_last_line_is_the_summary_however_it_ended(status: Status, show: Show, solved: list[Event]) -> None:
    assert isinstance(solved[-1], Finished)
    shown = show([Finished(replace(solved[-1].outcome, status=status))])
    assert " · $0.0004 · 3.2 s" in shown.progress.splitlines()[-1]


def test_a_second_attempt_of_a_tier_is_said(show: Show) -> None:
    assert "another attempt" not in show([TierStarted("a"), AttemptStarted("a")]).progress
    events = [TierStarted("a"), AttemptStarted("a"), AttemptStarted("a")]
    assert show(events).progress == "a\n  another attempt, to compare\n"


def test_a_cut_reply_is_said(show: Show) -> None:
    assert show([Replied(Reply("x", "length"))]).progress == "! the reply was cut at its length limit\n"


@pytest.mark.parametrize(
    ("green", "words"),
    [(True, "confirmed"), (False, "dropped"), (None, "left for later")],
)
def test_a_re_run_is_one_line(green: bool | None, words: str, show: Show) -> None:
    events = [
        RerunStarted(13),
        CellStarted("x"),
        Tick(),
        CellFinished(CellResult("ok", "text")),
        RerunFinished(13, green),
        Tick(),
    ]
    for tty in (False, True):
        lines = lasting(show(events, tty=tty).progress).splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"solution #13 {words}")
    assert "text" in show(events, verbose=True).progress


def test_a_question_to_the_person_stands_apart(show: Show) -> None:
    events = [AttemptStarted("cheap"), Tick(), Asked(Question("verdict", "It rains.", ("yes", "no")))]
    assert show(events, tty=True).progress.endswith("\r\x1b[2K\nIt rains.\n\n")
    assert show([Answered(None), Answered("yes")]).progress == "(no answer)\n"


def test_a_host_that_is_asked_about_is_left_to_whoever_asks_and_is_no_answer(show: Show, solved: list[Event]) -> None:
    asked = Asked(Question("host", "\x1b[2Jevil.example", ("once", "session", "always", "no")))
    assert "evil" not in show([asked], tty=True).progress
    last = solved[-1]
    assert isinstance(last, Finished)
    assert last.outcome.answer
    same = Asked(Question("host", last.outcome.answer.text, ("once", "no")))
    assert show([*solved[:-1], same, last], tty=True).answer == ANSWER


@pytest.mark.parametrize("kind", typing.get_args(Event))
@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_event_brings_hostile_text_to_a_terminal(
    kind: type, tty: bool, verbose: bool, show: Show, hostile: Callable[[type], Any]
) -> None:
    verdict = Judged(hostile(Verdict)) if kind is not TierStarted else Judged(Verdict(False, "\x1b[2J", "\u202e[bold]"))
    before = [hostile(TierStarted), hostile(AttemptStarted), hostile(AttemptFinished), verdict, hostile(AttemptStarted)]
    shown = show([*before, hostile(kind), Tick()], tty=tty, verbose=verbose, header="\x1b[2J[bold]")
    for written in (lasting(shown.progress), shown.answer):
        assert not UNSAFE.search(written)
    for drawn in re.findall(r"\r([^\r]*)\x1b\[0K", shown.progress):
        assert not UNSAFE.search(drawn)
    assert "[bold]" in shown.progress


FRAME = Table(("", "city"), tuple((str(n), f"Oslo {n}") for n in range(50)), 100)
CHART = Saved("ecoassist-files/1a/figure-1.png", "figure-1.png", "image/png", 12_345)


def test_tables_and_saved_files_follow_their_cell(show: Show) -> None:
    shown = show([CellFinished(CellResult("ok", "before\n", tables=(FRAME,), files=(CHART,)))]).progress.splitlines()
    assert shown[:3] == ["    before", "       city", "    0  Oslo 0"]
    assert shown[-4:] == [
        "    9  Oslo 9",
        "    … 90 more rows",
        "  ✓ 0.0 s",
        "  saved  ecoassist-files/1a/figure-1.png · image/png · 12 kB",
    ]
    everything = show([CellFinished(CellResult("ok", tables=(FRAME,)))], verbose=True).progress
    assert "49  Oslo 49\n    … 50 more rows\n" in everything


def test_on_a_terminal_a_table_is_drawn(show: Show) -> None:
    for width in (30, 80):
        shown = lasting(show([CellFinished(CellResult("ok", tables=(FRAME,)))], tty=True, width=width).progress)
        assert "    ──────────" in shown
        assert "    9   Oslo 9\n    … 90 more rows\n" in shown
        assert max(map(len, shown.splitlines())) <= width


def test_the_files_of_a_run_are_listed_after_its_answer_each_once(show: Show, solved: list[Event]) -> None:
    last = solved[-1]
    assert isinstance(last, Finished)
    (attempt,) = last.outcome.attempts
    turns = tuple(replace(turn, result=CellResult("ok", files=(CHART, CHART))) for turn in attempt.turns)
    shown = show([Finished(replace(last.outcome, attempts=(replace(attempt, turns=turns),)))])
    assert shown.answer == ANSWER
    lines = shown.progress.splitlines()
    assert lines[0] == "saved  ecoassist-files/1a/figure-1.png · image/png · 12 kB"
    assert lines[1].startswith("solved by")


@pytest.mark.parametrize("status", ["error", "timeout"])
@pytest.mark.parametrize("verbose", [False, True])
def test_a_hostile_failure_is_harmless(
    status: Literal["error", "timeout"], verbose: bool, show: Show, hostile: Callable[[type], Any]
) -> None:
    result: CellResult = replace(hostile(CellResult), status=status)
    shown = show([CellFinished(result), CellFinished(replace(result, error=None))], verbose=verbose)
    assert not UNSAFE.search(shown.progress)
    assert "k[/bold][/]:smile:" in shown.progress


@pytest.mark.parametrize("status", typing.get_args(Status))
def test_a_hostile_outcome_is_harmless(status: Status, show: Show, hostile: Callable[[type], Any]) -> None:
    outcome: Outcome = replace(hostile(Outcome), status=status)
    attempts = (replace(outcome.attempts[0], turns=()),)
    shown = show([Finished(outcome), Finished(replace(outcome, verdict=Verdict(None, ""), attempts=attempts))])
    assert not UNSAFE.search(shown.progress + shown.answer)


def test_a_hostile_warning_is_harmless(show: Show, hostile: Callable[[type], Any]) -> None:
    assert not UNSAFE.search(show([replace(hostile(Notice), level="warning")]).progress)


def test_a_console_without_our_signs_gets_words(solved: list[Event], escalated: list[Event]) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    sink = ConsoleSink(StderrConsole(file=stream, force_terminal=False), stream)
    for event in [*solved, *escalated]:
        sink.handle(event)
    shown = raw.getvalue().decode("cp1252")
    assert "ok model: the value is in the output" in shown
    assert "no the cheap tier did not solve it" in shown
    assert "cheap - gpt-5-mini" in shown
    assert "3 °C" in shown


def test_progress_nobody_reads_does_not_cost_the_answer(solved: list[Event]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    out = io.StringIO()
    stream = open(writing, "w")  # noqa: SIM115 - closing it fails, which is the point
    sink = ConsoleSink(stderr_console(stream), out)
    for event in solved:
        sink.handle(event)
    assert out.getvalue() == ANSWER
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_closed_stdout_is_reported_at_once(solved: list[Event]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w")  # noqa: SIM115 - closing it fails, which is the point
    sink = ConsoleSink(stderr_console(io.StringIO()), stream)
    with pytest.raises(BrokenPipeError):
        sink.handle(solved[-1])
    with pytest.raises(BrokenPipeError):
        stream.close()


def _read_until(stream: io.FileIO, end: bytes) -> bytes:
    """What a pseudo-terminal shows, which arrives in pieces."""
    seen = b""
    while end not in seen and select.select([stream], [], [], 15)[0]:
        seen += stream.read(4096)
    return seen


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False)])
def test_on_a_real_terminal_the_answer_and_the_progress_share_a_screen(
    term: str, live: bool, solved: list[Event]
) -> None:
    import pty

    from rich.console import Console

    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as screen, open(ours, "rb", buffering=0) as seen:
        sink = ConsoleSink(Console(file=screen, width=80, _environ={"TERM": term, "NO_COLOR": "1"}), screen)
        assert sink.live is live
        for event in solved:
            sink.handle(event)
        text = _read_until(seen, b"with solution #12").decode()
    assert ("\x1b[2K" in text) is live
    assert ANSWER.strip() in text
    assert "\x1b[3" not in text  # no colour
