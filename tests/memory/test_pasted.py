"""Whether a program holds content of an attached file, and what is none though it stands there."""

from __future__ import annotations

import pytest

from ecoassist.memory.pasted import pasted
from ecoassist.types import Attachment

TABLE = Attachment(
    "t.csv", b"customer;status;sum\nAnna Schmidt;Completed;1250.5\nBen;Open;2310\nC;Open;417\nD;Open;991\n"
)
LETTER = Attachment("l.txt", "Dear Anna,\nyour total is 4711-0815.\nWe met in the café in Zürich.\n".encode())
RECORDS = Attachment("r.json", b'[{"name": "Anna", "mail": "anna@example.org"}, {"name": "Ben", "mail": ""}]')


@pytest.mark.parametrize(
    ("file", "program"),
    [
        (TABLE, "df[df.status == 'Completed']"),
        (TABLE, "x = 'Anna Schmidt'"),
        (TABLE, "x = ['Ben', 'Anna Schmidt;Completed']"),
        (TABLE, "x = [1250.5, 2310, 417, 991]"),
        (TABLE, "!cat <<END\nAnna Schmidt;Completed;1250.5\nEND"),
        (TABLE, "x = 'Anna Schmidt' +"),
        (TABLE, '"""Anna Schmidt"""\nx = 1'),
        (LETTER, "x = 'your total is 4711-0815.'"),
        (LETTER, "x = 'the café in Zürich'"),
        (LETTER, "x = '''Something.\nWe met in the café in Zürich.'''"),
        (RECORDS, "x = 'anna@example.org'"),
        (RECORDS, "x = {'name': 'Anna'}"),
    ],
)
def test_content_is_found(file: Attachment, program: str) -> None:
    assert pasted(program, [file], ["What is in the file?"])


@pytest.mark.parametrize(
    ("file", "program", "query"),
    [
        (TABLE, "df['customer'].count(), df['status'], 'sum'", ""),
        (TABLE, "df[df.status == 'Completed']", "How many are completed?"),
        (TABLE, "open('t.csv', encoding='utf-8').read().split(';')", ""),
        (TABLE, "x = [1250.5, 2310, 12, 9]", ""),
        (TABLE, "x = 'Anna Schmidtova'", ""),
        (TABLE, "x = 2310.75 + 41 + 99 + 2", ""),
        (LETTER, "print('total', total)", ""),
        (LETTER, "print('Dear')", ""),
        (RECORDS, "x['name'], x['mail']", ""),
        (Attachment("x.xlsx", b"PK\x03\x04\xff"), "x = 'PK'", ""),
        (Attachment("e.csv", b""), "x = 'Anna Schmidt'", ""),
    ],
)
def test_what_the_question_named_columns_and_chance_are_none(file: Attachment, program: str, query: str) -> None:
    assert not pasted(program, [file], [query])


def test_without_a_file_nothing_is_pasted() -> None:
    assert not pasted("x = 'Anna Schmidt'", [], [])


def test_no_file_takes_long_whatever_it_is_made_of() -> None:
    program = "x = ['Anna Schmidt', 'Ben Meier of Bern'] + [1234, 5678]"
    for content in (
        b"\n" * 3_000_000,
        b" " * 3_000_000,
        b"Anna Schmidtx" * 200_000,
        b'"' * 3_000_000,
        b"1234" * 700_000,
    ):
        assert not pasted(program, [Attachment("a.csv", content)], [])
