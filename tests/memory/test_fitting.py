"""A question about an attached file is answered by a stored program only if the file has the same columns."""

from __future__ import annotations

import ast

import pytest

from ecoassist.entries import FileShape
from ecoassist.memory.fitting import fitted, unnamed
from ecoassist.types import Attachment

SALES = FileShape("sales-*.csv", ("day", "sold"))
PROGRAM = "import csv\nrows = list(csv.DictReader(open('sales-2025.csv')))\nprint(len(rows))"
TABLE = b"day,sold\n2026-01-01,3\n"


def file(name: str, content: bytes = TABLE) -> Attachment:
    return Attachment(name, content)


def test_a_file_of_the_same_name_is_read_as_it_was() -> None:
    assert fitted(PROGRAM, (SALES,), (file("sales-2025.csv"),)) == PROGRAM


@pytest.mark.parametrize("name", ["sales-2026.csv", "umsatz.csv", 'it\'s "new"\\.csv', "'); import os #.csv"])
def test_a_file_with_the_same_columns_is_read_under_its_own_name(name: str) -> None:
    program = fitted(PROGRAM, (SALES,), (file(name),))
    assert program is not None
    texts = [node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)]
    assert texts == [name]
    assert program.count("import") == PROGRAM.count("import") + name.count("import")


def test_a_year_in_the_name_of_a_file_is_no_date_of_the_program() -> None:
    assert "2025" not in unnamed(PROGRAM, (SALES,))
    assert unnamed(PROGRAM, ()) == PROGRAM


def test_a_folder_before_the_name_stays() -> None:
    program = fitted("print(open('/work/sales-1.csv').read())", (SALES,), (file("sales-2.csv"),))
    assert program == "print(open('/work/sales-2.csv').read())"


@pytest.mark.parametrize(
    "files",
    [
        (),
        (file("sales-2025.csv", b"day,bought\n2026-01-01,3\n"),),
        (file("sales-2025.csv", b"sold,day\n3,2026-01-01\n"),),
        (file("sales-2025.csv"), file("sales-2026.csv")),
        (file("sales-2025.csv"), file("notes.txt", b"something else")),
        (file("notes.txt", b"something else"),),
        (file("sales-2025.csv", b""),),
    ],
)
def test_without_such_a_file_or_with_others_the_program_is_not_run(files: tuple[Attachment, ...]) -> None:
    assert fitted(PROGRAM, (SALES,), files) is None


def test_a_question_about_a_file_is_not_one_without() -> None:
    assert fitted("print(1)", (), (file("sales-2025.csv"),)) is None
    assert fitted("print(1)", (), ()) == "print(1)"


def test_a_file_that_is_no_table_is_never_known_again() -> None:
    shape = FileShape("notes.txt")
    assert fitted("print(open('notes.txt').read())", (shape,), (file("notes.txt", b"x"),)) is None


def test_a_hostile_pattern_takes_no_time() -> None:
    shape = FileShape("*" * 3_000 + ".csv", ("day", "sold"))
    program = f"print('{'1' * 3_000}', '{'1' * 250}')"
    assert fitted(program, (shape,), (file("sales.csv"),)) == program
