from __future__ import annotations

from dataclasses import replace

import pytest

from ecoassist import catalogue
from ecoassist.render import words
from ecoassist.types import (
    Access,
    Answer,
    Attempt,
    CellError,
    CellResult,
    CellStatus,
    End,
    Example,
    Outcome,
    Reply,
    Saved,
    Spending,
    Status,
    Table,
    Turn,
    Verdict,
)

ANSWER = Answer("3 °C", 3)
YES = Verdict(True, "model", "in the output")
SPENT = Spending(0.0004, 1532, 210, 2)


def attempt(tier: str, turns: int, end: End = "answered", why: str = "") -> Attempt:
    return Attempt(tier, tuple(Turn(Reply("")) for _ in range(turns)), end, why)


SOLVED = Outcome("solved", ANSWER, YES, (attempt("cheap", 2),), SPENT, 3.21, (Example(12, "q", "p", 0.71),), 13)


@pytest.mark.parametrize(
    ("usd", "exact", "shown"),
    [
        (None, True, "cost unknown"),
        (None, False, "cost unknown"),
        (0.0, True, "$0"),
        (0.0004, True, "$0.0004"),
        (0.00041, True, "$0.00041"),
        (0.000414, True, "$0.00041"),
        (0.000414, False, "<= $0.00042"),
        (0.0004, False, "<= $0.0004"),
        (1e-7, True, "$0.0000001"),
        (0.042, True, "$0.042"),
        (0.5, True, "$0.50"),
        (0.996, True, "$1.00"),
        (12.345, True, "$12.34"),
        (1234.5, False, "<= $1,234.50"),
    ],
)
def test_money(usd: float | None, exact: bool, shown: str) -> None:
    assert words.money(usd, exact) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.0 s"),
        (3.21, "3.2 s"),
        (99.94, "99.9 s"),
        (99.96, "1 min 40 s"),
        (119.7, "2 min 0 s"),
        (3725, "62 min 5 s"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (SOLVED, "solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s · with solution #12"),
        (replace(SOLVED, examples=()), "solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s"),
        (
            replace(SOLVED, attempts=(attempt("replay", 1),), spending=Spending()),
            "solved by replay in 1 turn · no model call · $0 · 3.2 s · with solution #12",
        ),
        (
            replace(SOLVED, attempts=(attempt("cheap", 6), attempt("strong", 3)), spending=replace(SPENT, exact=False)),
            "solved by strong after cheap in 9 turns · <= 1,532 + 210 tokens · <= $0.0004 · 3.2 s · with solution #12",
        ),
        (
            replace(SOLVED, attempts=(attempt("cheap", 2), attempt("cheap", 2)), spending=replace(SPENT, usd=None)),
            "solved by cheap in 4 turns · 1,532 + 210 tokens · cost unknown · 3.2 s · with solution #12",
        ),
        (
            replace(SOLVED, status="unverified", examples=SOLVED.examples * 2),
            "UNVERIFIED answer by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s · with solutions #12, #12",
        ),
        (
            replace(SOLVED, status="unsolved", attempts=(attempt("cheap", 6), attempt("strong", 6))),
            "not solved by cheap, strong in 12 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s",
        ),
        (replace(SOLVED, status="budget"), "budget spent at cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s"),
        (
            replace(SOLVED, status="interrupted"),
            "interrupted at cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s",
        ),
        (
            Outcome("interrupted", None, Verdict(None, "nobody"), (), seconds=0.4),
            "interrupted · no model call · $0 · 0.4 s",
        ),
        (Outcome("unsolved", None, Verdict(None, "nobody"), ()), "not solved · no model call · $0 · 0.0 s"),
        (
            replace(SOLVED, judging=Spending(0.0003, 1_000, 10, 1), examples=()),
            "solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · of which judging $0.0003 · 3.2 s",
        ),
        (
            replace(SOLVED, judging=Spending(None, 1_000, 10, 1), examples=()),
            "solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s",
        ),
    ],
)
def test_the_summary(outcome: Outcome, shown: str) -> None:
    assert words.DOT.join(words.summary(outcome)) == shown


def test_folding_breaks_only_between_parts() -> None:
    parts = words.summary(SOLVED)
    assert words.folded(parts, 80).split("\n") == [
        "solved by cheap in 2 turns · 1,532 + 210 tokens · $0.0004 · 3.2 s",
        "with solution #12",
    ]
    assert words.folded(parts, 5).split("\n") == list(parts)
    assert "\n" not in words.folded(parts, 85)


NO = Verdict(False, "checks", "the answer is empty")
UNSURE = Verdict(None, "model", "no judge")


@pytest.mark.parametrize(
    ("status", "answer", "verdict", "last", "shown"),
    [
        ("solved", ANSWER, YES, attempt("a", 1), ""),
        ("unverified", ANSWER, UNSURE, attempt("a", 1), "? nothing confirmed this answer (no judge)"),
        ("unverified", ANSWER, Verdict(None, "nobody"), attempt("a", 1), "? nothing confirmed this answer"),
        ("interrupted", ANSWER, UNSURE, attempt("a", 1), "? nothing confirmed this answer (no judge)"),
        ("interrupted", None, UNSURE, attempt("a", 1, "interrupted"), ""),
        ("budget", None, UNSURE, attempt("a", 1, "budget"), ""),
        (
            "budget",
            ANSWER,
            Verdict(None, "nobody"),
            attempt("a", 1, "budget"),
            "? only a part: the budget was spent before an answer was confirmed",
        ),
        ("unsolved", None, NO, attempt("a", 1), "✗ not solved: the answer is empty"),
        (
            "unsolved",
            None,
            Verdict(None, "nobody"),
            attempt("a", 6, "turn_limit"),
            "✗ not solved: no answer within its turns",
        ),
        ("unsolved", None, Verdict(None, "nobody"), attempt("a", 1, "provider", "HTTP 500"), "✗ not solved: HTTP 500"),
        ("unsolved", None, Verdict(None, "nobody"), None, "✗ not solved: no tier was tried"),
    ],
)
def test_the_remark(status: Status, answer: Answer | None, verdict: Verdict, last: Attempt | None, shown: str) -> None:
    assert words.remark(Outcome(status, answer, verdict, (last,) if last else ())) == shown


REFUSED = Access("evil.example", "GET", refused="not on the allow-list")
FOUND = Access("api.example", "GET", status=200)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (CellResult("ok", seconds=0.84), "✓ 0.8 s"),
        (CellResult("ok", accesses=(FOUND, FOUND, REFUSED)), "✓ 0.0 s · api.example 200"),
        (
            CellResult("ok", accesses=tuple(Access(f"{n}.example", "GET", status=n) for n in range(200, 205))),
            "✓ 0.0 s · 200.example 200 · 201.example 201 · 202.example 202 · 2 more",
        ),
        (CellResult("error", error=CellError("KeyError", "'a'\n")), "✗ KeyError: 'a' · 0.0 s"),
        (CellResult("timeout", seconds=60, state_lost=True), "✗ stopped at the time limit · 60.0 s · variables lost"),
        (CellResult("killed", reason="by signal 9"), "✗ by signal 9 · 0.0 s"),
        (CellResult("ok", reason="3 files were not fetched"), "✓ 3 files were not fetched · 0.0 s"),
        (
            CellResult("error", error=CellError("KeyError", "'a'"), reason="3 files were not fetched"),
            "✗ KeyError: 'a' · 3 files were not fetched · 0.0 s",
        ),
    ],
)
def test_how_a_cell_ended(result: CellResult, shown: str) -> None:
    assert words.cell(result) == shown


@pytest.mark.parametrize("status", ["timeout", "interrupted", "oom", "killed", "gone", "error"])
def test_every_bad_end_of_a_cell_has_words(status: CellStatus) -> None:
    assert words.cell(CellResult(status), 2).startswith(f"✗ 2 lines of code · {words.CELL[status]} · ")


def test_what_was_blocked_is_said_once() -> None:
    assert words.blocked((REFUSED, FOUND, REFUSED)) == ("blocked: evil.example: not on the allow-list",)


def test_what_was_opened_is_said_and_who_was_not_asked_reads_how_to_open_a_host() -> None:
    blocked = Access("data.example", "GET", refused="not listed", blocked=True)
    opened = CellResult(status="ok", accesses=(blocked,), opened=("data.example",))
    assert words.hosts(opened) == ("opened: data.example",)
    alone = replace(opened, opened=(), unasked="nobody is at a terminal")
    command = "ecoassist api add data.example --host data.example"
    assert words.hosts(alone) == (f"to open data.example, if you trust it: {command}",)
    assert words.hosts(replace(alone, accesses=(replace(blocked, blocked=False),))) == ()
    assert words.hosts(replace(alone, unasked="")) == ()
    for host in (next(iter(catalogue.hosts())), "a" * 60 + "." + "b" * 60, "_a.example"):
        assert words.hosts(replace(alone, accesses=(replace(blocked, host=host),))) == ()


def test_a_blocked_host_of_the_catalogue_is_said_with_the_command_that_enables_it() -> None:
    host, name = next(iter(catalogue.hosts().items()))
    blocked = Access(host, "GET", refused="not listed", blocked=True)
    assert words.blocked((blocked,)) == (f"blocked: {host}: not listed; ecoassist api add {name} enables it",)
    assert words.blocked((replace(blocked, blocked=False),)) == (f"blocked: {host}: not listed",)


@pytest.mark.parametrize(
    ("access", "line"),
    [
        (
            Access("api.x.org", "GET", "/v1/forecast", 200, size=12_345, seconds=0.41, api="weather"),
            "GET api.x.org/v1/forecast -> 200, 12 kB, 0.4 s (weather)",
        ),
        (Access("x.org", "POST", "/", 503, size=9, seconds=2), "POST x.org/ -> 503, 9 bytes, 2.0 s"),
        (Access("x.org", "GET", "/", 200, cached=True), "GET x.org/ -> 200, 0 bytes, from this run's memory"),
        (Access("x.org", "GET", "/", seconds=1), "GET x.org/ -> no answer, 1.0 s"),
        (Access("x.org", "GET", "/a", refused="no\nway"), "refused: GET x.org/a: no way"),
        (Access("x.org", "GET", "/\x1b[2J", 200), "GET x.org/ -> 200, 0 bytes, 0.0 s"),
    ],
)
def test_a_call_is_one_line(access: Access, line: str) -> None:
    assert words.accesses((access,)) == (line,)


def test_of_very_many_calls_the_first_are_said() -> None:
    lines = words.accesses(tuple(Access(f"{n}.example", "GET", "/", 200) for n in range(10_000)))
    assert (len(lines), lines[-1]) == (201, "9,800 more calls")


def test_of_many_refusals_the_first_are_said() -> None:
    lines = words.blocked(tuple(Access(f"{n}.example", "GET", refused="no") for n in range(1_000)))
    assert lines[7:] == ("blocked: 7.example: no", "blocked: 992 more")
    assert len(words.blocked(tuple(Access(f"{n}.example", "GET", refused="no") for n in range(9)))) == 9


def test_saved_files_are_listed_once_and_bounded() -> None:
    chart = Saved("out/1a/figure-1.png", "figure-1.png", "image/png", 12_345)
    assert words.saved((chart, chart), 4) == ("saved  out/1a/figure-1.png · image/png · 12 kB",)
    many = tuple(replace(chart, path=f"{n}\x1b[2J") for n in range(100))
    assert words.saved(many, 4)[3:] == ("saved  3 · image/png · 12 kB", "saved  96 more files")


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (9_960, "10 kB"),
        (12_345, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (268_435_456, "268 MB"),
    ],
)
def test_size(octets: int, shown: str) -> None:
    assert words.size(octets) == shown


def test_what_a_table_shows_is_not_printed_again_unless_all_is_wanted() -> None:
    table = Table(("", "city"), (("0", "Oslo"),), 1)
    result = CellResult("ok", "before\n", "  city\n0 Oslo", tables=(table,))
    assert words.output(result, 10) == ("before", "  city")
    assert words.output(result) == ("before", "  city", "0 Oslo")


def test_output_is_trimmed_to_its_last_lines() -> None:
    result = CellResult("ok", "1\n2\n\n" + "x" * 300 + "\n", "value", omitted=4096)
    assert words.output(result, 3) == ("… 2 lines above", "", "x" * 199 + "…", "value")
    assert words.output(result, 5)[0] == "1"
    assert words.output(result) == ("1", "2", "", "x" * 300, "value", "(4,096 characters left out)")
    assert words.output(CellResult("ok", "\n \n")) == ()


def test_an_escalation_without_a_reason_needs_no_brackets() -> None:
    assert words.escalated("cheap", Verdict(False, "x"), "strong") == (
        "✗ the cheap tier did not solve it: escalating to strong"
    )
