"""What is stored of a solved question: the program that comes to the answer alone, and nothing of the person's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest

from ecoassist.entries import Entry, FileShape, Match, Solution
from ecoassist.memory import Limits, Setting
from ecoassist.memory.keeping import solution_of
from ecoassist.memory.recalling import replay
from ecoassist.programs import without_placeholders
from ecoassist.types import (
    JSON,
    Access,
    Answer,
    Attachment,
    Attempt,
    CellResult,
    Example,
    Exchange,
    Outcome,
    Reply,
    Spending,
    Task,
    Turn,
    Verdict,
)

TASK = Task("How warm is it in Rome?", "Saturday, 21 November 2026, 10:43 (UTC)")
SPENT = Spending(0.25, 1000, 50, 2)


def kept(
    cells: Sequence[tuple[str, str | CellResult]],
    answer: str,
    value: JSON = None,
    *,
    task: Task = TASK,
    setting: Setting | None = None,
) -> Solution | None:
    """Of a question that `cells` with their outputs answered."""
    results = [(code, CellResult("ok", said) if isinstance(said, str) else said) for code, said in cells]
    turns = [Turn(Reply(code), code, result) for code, result in results]
    last = Turn(Reply(answer), answer=Answer(answer, value))
    attempt = Attempt("cheap", (*turns, last), "answered", model="m")
    outcome = Outcome("solved", attempt.answer, Verdict(True, "model"), (attempt,), SPENT)
    return solution_of(task, outcome, setting or Setting())


def stored(cells: Sequence[tuple[str, str | CellResult]], answer: str, value: JSON = None) -> Solution:
    solution = kept(cells, answer, value)
    assert solution is not None
    return solution


# ── the program ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_cell_is_the_program_where_it_stands_alone() -> None:
    made = stored([("print(dir())", "['a']"), ("print(21.5)", "21.5")], "It is 21.5.", 21.5)
    assert (made.program, made.whole, made.tells) == ("print(21.5)", "print(dir())\n\nprint(21.5)", True)


def test_else_what_it_needs_of_the_cells_before_comes_first() -> None:
    cells = [("import math\nx = math.sqrt(4)\nprint(x)", "2.0"), ("y = 3", ""), ("print(math.pi)", "3.14159")]
    made = stored(cells, "3.14159", 3.14159)
    assert made.program == "import math\n\nprint(math.pi)"
    assert made.tells


def test_an_earlier_cell_stays_where_the_answer_took_something_from_its_output() -> None:
    cells = [("print('Rome', 21.5)", "Rome 21.5"), ("print('Oslo', 4.25)", "Oslo 4.25")]
    made = stored(cells, "Rome is at 21.5 and Oslo at 4.25.")
    assert made.program == "print('Rome', 21.5)\n\nprint('Oslo', 4.25)"
    assert set(made.took) >= {"21.5", "4.25"}
    assert not made.tells, "one cell alone does not tell it"


def test_cells_after_the_answer_are_left_out() -> None:
    made = stored([("print(21.5)", "21.5"), ("print('done')", "done")], "It is 21.5.", 21.5)
    assert made.program == "print(21.5)"
    assert made.tells


def test_what_a_cell_left_that_failed_later_is_in_the_program() -> None:
    failing = CellResult("error")
    made = stored([("x = 21.5\nprint(x['a'])", failing), ("print(x)", "21.5")], "21.5", 21.5)
    assert (made.program, made.whole) == ("x = 21.5\n\nprint(x)", "print(x)")


def test_a_program_that_a_model_has_to_read_is_stored_and_does_not_answer_alone() -> None:
    forecast = json.dumps([{"hour": hour, "rain_mm": 0.25 * hour} for hour in range(200)])
    assert not stored([("print(forecast())", "rain_mm: 0.4")], "Yes, it will rain.", True).tells
    assert not stored([("print(forecast())", forecast)], "At most 49.75 mm.", 49.75).tells
    assert not stored([("print(5)", "5")], "It is 41 degrees Fahrenheit.", 41).tells
    assert not stored([("print('Rome')", "Rome")], "Bern", "Bern").tells
    assert stored([("print('Rain: 0.4 mm')", "Rain: 0.4 mm")], "0.4 mm", 0.4).tells
    assert stored([("print(True)", "True")], "Yes.", True).tells
    assert stored([("'21.5'", CellResult("ok", value="'21.5'"))], "It is 21.5.", 21.5).tells


def test_what_the_question_already_said_was_not_taken_from_an_output() -> None:
    assert "Rome" not in stored([("print('Rome', 21.5)", "Rome 21.5")], "It is in Rome 21.5.", 21.5).took


def test_what_a_model_has_to_read_is_never_replayed() -> None:
    made = stored([("print(21.5)", "21.5")], "It is 21.5.", 21.5)
    for tells in (True, False):
        entry = Entry(1, replace(made.settled(), tells=tells), "verified", "2026-11-21T09:43:00Z", wins=1)
        assert (replay([Match(entry, 1.0)], TASK, Limits()) is not None) is tells


# ── what is kept beside it ──────────────────────────────────────────────────────────────────────────────────────────


def test_all_that_an_entry_tells_is_filled_in() -> None:
    reached = CellResult("ok", "21.5", accesses=(Access("api.w", "GET", status=200, api="weather"),))
    cell = "import requests, json, pandas as pd\nfrom bs4.element import Tag\nprint(21.5)"
    setting = Setting(image=lambda: "ecoassist:abc", clock=lambda: "2026-11-21T10:43:00+01:00")
    made = kept([(cell, reached)], "It is 21.5.", 21.5, setting=setting)
    assert made == Solution(
        TASK.query,
        cell,
        Answer("It is 21.5.", 21.5),
        "cheap",
        "m",
        ("api.w",),
        (),
        ("weather",),
        (),
        "number",
        ("requests", "pandas", "bs4"),
        "ecoassist:abc",
        0.25,
        1050,
        "2026-11-21T10:43:00+01:00",
        took=("21.5",),
    )


def test_once_it_is_settled_nothing_of_the_answer_is_left_but_its_kind() -> None:
    made = stored([("print(dir())", "['a']"), ("print(21.5)", "21.5")], "It is 21.5.", 21.5)
    assert "21.5" not in json.dumps(asdict(replace(made.settled(), program="")))
    assert made.settled().shape == "number"
    assert made.settled().tells
    assert not made.settled(made.whole).tells, "it prints more than the answer"


# ── what is not ─────────────────────────────────────────────────────────────────────────────────────────────────────

EXAMPLE = Example(3, "How warm is it in MARKER?", "print('MARKER')", 0.9, trouble="MARKER failed")


def test_no_text_of_a_demonstration_gets_into_a_stored_question() -> None:
    history = (Exchange("How warm is it in Rome?", "MARKER"),)
    task = Task("and in Oslo?", TASK.now, history, examples=(EXAMPLE,), digest="MARKER", variables=("MARKER",))
    made = kept([("print(4.5)", "4.5")], "4.5", 4.5, task=task)
    assert made is not None
    assert made.query == "How warm is it in Rome? and in Oslo?"
    assert "MARKER" not in repr(made)


KEY = "k3yplac3h0ld3r"


@pytest.mark.parametrize(
    "cell",
    [
        f"key = '{KEY}'\nprint(21.5)",
        f"# {KEY}\nprint(21.5)",
        f"def f():\n    '''{KEY}'''\nprint(21.5)",
        f"url = f'https://x.y/?key={KEY}&q={{1}}'\nprint(21.5)",
        f"key = '{KEY[:5]}' '{KEY[5:]}'\nprint(21.5)",
        f"print(21.5); x = b'{KEY}'",
        f"!curl https://x.y/?key={KEY}\nprint(21.5)",
    ],
)
def test_no_placeholder_is_stored_neither_in_the_program_nor_in_all_cells(cell: str) -> None:
    setting = Setting(portable=lambda text: without_placeholders(text, {KEY: "WEATHER_KEY"}))
    for cells in ([(cell, "21.5")], [(cell, ""), ("print(21.5)", "21.5")]):
        made = kept(cells, "It is 21.5.", 21.5, setting=setting)
        assert made is not None
        assert KEY not in repr(made)


SALES = Attachment("sales-7.csv", b"customer,city,sales\nAcme Trading,Rome,1250\nBolt Works,Oslo,2310\nCask,Bern,417\n")


def test_of_a_file_the_pattern_of_its_name_and_its_columns_are_kept() -> None:
    task = Task("What are the sales in Rome?", files=(SALES,))
    made = kept([("print(read('sales-7.csv')['sales'])", "1250")], "1250", 1250, task=task)
    assert made is not None
    assert made.files == (FileShape("sales-*.csv", ("customer", "city", "sales")),)
    assert "Acme" not in repr(made)


@pytest.mark.parametrize(
    "cell",
    [
        "rows = [('Acme Trading', 1250)]\nprint(sum(sales for _, sales in rows))",
        "text = '''customer,city,sales\nAcme Trading,Rome,1250\n'''\nprint(text)",
        "# Acme Trading,Rome,1250\nprint(1250)",
        "print(f'Acme Trading {1 + 1}')",
        "print('Acme Trading')",
        "x = b'Acme Trading'\nprint(1250)",
    ],
)
def test_a_program_that_holds_what_only_stands_in_a_file_is_not_stored(cell: str) -> None:
    task = Task("What are the sales in Rome?", files=(SALES,))
    assert kept([(cell, "1250")], "1250", 1250, task=task) is None


def test_where_only_the_cells_before_hold_content_the_program_alone_is_stored() -> None:
    task = Task("What are the sales in Rome?", files=(SALES,))
    cells = [("rows = ['Acme Trading']", ""), ("print(read('sales-7.csv'))", "1250")]
    made = kept(cells, "1250", 1250, task=task)
    assert made is not None
    assert made.whole == ""
    assert "Acme" not in repr(made)
