"""Of an attached file a pattern of its name and its columns are kept, and never what stands in it."""

from __future__ import annotations

import pytest

from ecoassist.entries import FileShape, Solution
from ecoassist.memory.attached import columns, fits, pattern, shapes, there
from ecoassist.types import Answer, Attachment


@pytest.mark.parametrize(
    ("name", "kept"),
    [("sales.csv", "sales.csv"), ("sales-2026-11.csv", "sales-*-*.csv"), ("7.json", "*.json")],
)
def test_numbers_of_a_name_are_left_open(name: str, kept: str) -> None:
    assert pattern(name) == kept


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"city,sales\nRome,4\n", ("city", "sales")),
        ("a.csv", b"\xef\xbb\xbfcity;sales (EUR)\r\nRome;4,5\r\n", ("city", "sales (EUR)")),
        ("A.TSV", b"city\tsales\nRome\t4\n", ("city", "sales")),
        ("a.jsonl", b'{"city": "Rome", "sales": 4}\n{"city": "Oslo"}\n', ("city", "sales")),
        ("a.json", b'[{"city": "Rome", "sales": 4}, {"city": "Oslo"}]', ("city", "sales")),
        ("a.json", b'[{"city": "Rome", "sales": 4}, ' + b'{"city": "Oslo"},' * 9999, ("city", "sales")),
        ("a.json", b'{"office@example.org": 4}', ()),
        ("a.json", b"[" * 70_000, ()),
        ("a.json", b"[1, 2]", ()),
        ("a.csv", b"", ()),
        ("a.csv", b"4,5\n6,7\n", ()),
        ("a.csv", b"city,city\nRome,4\n", ()),
        ("a.csv", b"office@example.org,4\nsales@example.org,5\n", ()),
        ("a.csv", b"2026-01-01,x\n", ()),
        ("a.csv", b"a" * 90 + b",b\n1,2\n", ()),
        ("a.txt", b"city,sales\nRome,4\n", ()),
        ("a.bin", bytes(range(256)), ()),
        ("a.csv", bytes(range(256)), ()),
    ],
)
def test_the_columns_of_a_table_are_its_head(name: str, content: bytes, found: tuple[str, ...]) -> None:
    assert columns(Attachment(name, content)) == found


def test_the_first_row_of_a_table_without_a_head_is_not_kept() -> None:
    file = Attachment("people.csv", b"Acme Trading,Berlin\nBolt Works,Bern\n")
    assert shapes([file], "rows = open('people.csv').read()") == (FileShape("people.csv"),)


@pytest.mark.parametrize("program", ["df = read('people.csv')\ndf['name']", "read('people.csv').name"])
def test_a_head_that_the_program_names_is_kept(program: str) -> None:
    file = Attachment("people.csv", b"name,town\nBolt Works,Bern\n")
    assert shapes([file], program) == (FileShape("people.csv", ("name", "town")),)


def test_only_files_that_the_program_names_are_told_unless_it_looks_what_there_is() -> None:
    files = [Attachment("a.txt", b"x"), Attachment("b.txt", b"y")]
    assert shapes(files, "open('a.txt')") == (FileShape("a.txt"),)
    assert len(shapes(files, "open('a.txt'); os.listdir()")) == 2
    assert len(shapes(files, "print(1)")) == 2


def test_another_file_fits_by_its_columns_or_else_by_its_name() -> None:
    table = FileShape("sales-*.csv", ("city", "sales"))
    assert fits(table, Attachment("other.csv", b"city,sales\nOslo,1\n"))
    assert not fits(table, Attachment("sales-1.csv", b"city,price\nOslo,1\n"))
    assert not fits(table, Attachment("other.tsv", b"city\tsales\nOslo\t1\n"))
    assert fits(FileShape("log-*.txt"), Attachment("log-2.txt", b""))
    assert not fits(FileShape("log-*.txt"), Attachment("diary.txt", b""))
    assert not fits(FileShape("sales-*.csv"), Attachment("sales-1.csv", b"city,price\nOslo,1\n"))


def test_a_program_runs_as_it_stands_where_the_files_have_the_names_that_it_knows() -> None:
    def needs(program: str) -> Solution:
        return Solution("q", program, Answer("4"), "cheap", files=(FileShape("sales-*.csv"),))

    files = [Attachment("sales-2.csv", b"")]
    assert there(needs("open('sales-2.csv')"), files)
    assert not there(needs("open('sales-1.csv')"), files)
    assert there(needs("open(glob('*.csv')[0])"), files)
    assert not there(needs("open(glob('*.csv')[0])"), [Attachment("diary.txt", b"")])
    assert there(Solution("q", "print(1)", Answer("1"), "cheap"), [])
