"""Whether a program holds content of an attached file, and what is none though it stands there."""

from __future__ import annotations

import pytest

from ecoassist.memory.pasted import pasted
from ecoassist.types import Attachment

TABLE = Attachment(
    "t.csv", b"customer;status;sum\nAcme Trading;Completed;1250.5\nBolt;Open;2310\nC;Open;417\nD;Open;991\n"
)
LETTER = Attachment("l.txt", "Dear member,\nyour total is 4711-0815.\nWe met in the café in Zürich.\n".encode())
RECORDS = Attachment("r.json", b'[{"name": "Acme", "mail": "office@example.org"}, {"name": "Bolt", "mail": ""}]')


@pytest.mark.parametrize(
    ("file", "program"),
    [
        (TABLE, "df[df.status == 'Completed']"),
        (TABLE, "x = 'Acme Trading'"),
        (TABLE, "x = ['Bolt', 'Acme Trading;Completed']"),
        (TABLE, "x = [1250.5, 2310, 417, 991]"),
        (TABLE, "!cat <<END\nAcme Trading;Completed;1250.5\nEND"),
        (TABLE, "x = 'Acme Trading' +"),
        (TABLE, '"""Acme Trading"""\nx = 1'),
        (TABLE, "x = 1  # Acme Trading earns most"),
        (TABLE, "print('The best is Acme Trading.')"),
        (TABLE, "x = 'ACME TRADING'"),
        (LETTER, "x = 'your total is 4711-0815.'"),
        (LETTER, "x = 'the café in Zürich'"),
        (LETTER, "x = '''Something.\nWe met in the café in Zürich.'''"),
        (RECORDS, "x = 'office@example.org'"),
        (RECORDS, "x = {'name': 'Acme'}"),
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
        (TABLE, "x = 'Acme Tradingova'", ""),
        (TABLE, "# the sum of what is open, by customer status", ""),
        (TABLE, "x = 2310.75 + 41 + 99 + 2", ""),
        (LETTER, "print('total', total)", ""),
        (LETTER, "print('Dear')", ""),
        (RECORDS, "x['name'], x['mail']", ""),
        (Attachment("x.xlsx", b"PK\x03\x04\xff"), "x = 'PK'", ""),
        (Attachment("e.csv", b""), "x = 'Acme Trading'", ""),
    ],
)
def test_what_the_question_named_columns_and_chance_are_none(file: Attachment, program: str, query: str) -> None:
    assert not pasted(program, [file], [query])


def test_without_a_file_nothing_is_pasted() -> None:
    assert not pasted("x = 'Acme Trading'", [], [])


def test_no_file_takes_long_whatever_it_is_made_of() -> None:
    program = "x = ['Acme Trading', 'Bolt Works of Bern'] + [1234, 5678]"
    for content in (
        b"\n" * 3_000_000,
        b" " * 3_000_000,
        b"Acme Tradingx" * 200_000,
        b'"' * 3_000_000,
        b"1234" * 700_000,
    ):
        assert not pasted(program, [Attachment("a.csv", content)], [])
