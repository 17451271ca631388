"""Packs of solutions: what is written can be read, and what is read is bounded and nothing but what is seen."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist import packs
from ecoassist.entries import FileShape, Parameter, Solution
from ecoassist.errors import UsageFault
from ecoassist.types import Answer

PROGRAM = "import requests\n\nprint(requests.get('https://api.w/v1', params={'q': 'Paris'}).json()['c'])"
SOLUTION = Solution(
    "What is the temperature in Paris?",
    PROGRAM,
    Answer("It is 4 degrees.", 4),
    "strong",
    "big-1",
    ("api.w",),
    (FileShape("sales-*.csv", ("day", "sum")),),
    ("weather",),
    (Parameter("city", "text", "Paris", "'Paris'"),),
    "number",
    ("requests",),
    "ecoassist:core-1",
    0.02,
    1200,
    "2026-11-20T10:00:00+00:00",
    "x = 1\n" + PROGRAM,
    tells=False,
)
GOOD: dict[str, Any] = {"query": "q?", "program": "print(4)"}


def pack(*rows: object, announced: int | None = None) -> io.BytesIO:
    head = {"ecoassist_pack": 1, "solutions": len(rows) if announced is None else announced}
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in (head, *rows)).encode())


def read(file: io.BytesIO) -> tuple[Solution, ...]:
    return packs.read(file, "p.jsonl")


def test_a_pack_holds_what_another_needs_and_neither_the_answer_nor_other_cells() -> None:
    text = "".join(packs.lines([SOLUTION, SOLUTION]))
    assert text.isascii()
    assert "4 degrees" not in text
    assert "x = 1" not in text
    (one, other) = read(io.BytesIO(text.encode()))
    assert one == other
    for name in ("query", "program", "tier", "model", "hosts", "files", "apis", "shape", "packages", "ran", "tells"):
        assert getattr(one, name) == getattr(SOLUTION, name), name
    assert (one.usd, one.tokens, one.image) == (0.02, 1200, "ecoassist:core-1")
    assert (one.answer, one.whole, one.origin, one.parameters) == (Answer(""), "", "", ())


def test_a_program_with_line_ends_of_windows_is_written_as_python_reads_it() -> None:
    (one,) = read(io.BytesIO("".join(packs.lines([Solution("q", "a = 1\r\nprint(a)", Answer(""), "t")])).encode()))
    assert one.program == "a = 1\nprint(a)"


@given(st.text(max_size=60), st.text(max_size=60), st.lists(st.text(max_size=8), max_size=3))
def test_whatever_is_fit_for_a_pack_can_be_read_from_it(query: str, program: str, apis: list[str]) -> None:
    solution = Solution(query, program, Answer("a"), "cheap", apis=tuple(apis))
    if packs.unfit(solution):
        return
    (found,) = read(io.BytesIO("".join(packs.lines([solution])).encode()))
    assert found.program == program.replace("\r\n", "\n")
    assert packs.unfit(found) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"program": ""}, "it has no program"),
        ({"query": " \n"}, "it has no query"),
        ({"query": None}, "query is not a text"),
        ({"query": "q" * 4_001}, "query is longer than 4,000 characters"),
        ({"program": "#" * 100_001}, "program is longer than 100,000 characters"),
        ({"program": "print('\u202e)4('"}, "the program holds invisible or control characters"),
        ({"program": "print(4)\u200b"}, "the program holds invisible or control characters"),
        ({"program": "print(4)\x1b[2K\rprint(5)"}, "the program holds invisible or control characters"),
        ({"program": "print('\ud800')"}, "the program holds invisible or control characters"),
        ({"program": "a = 1\x00"}, "the program holds invisible or control characters"),
        ({"hosts": "api.w"}, "hosts is not a list"),
        ({"hosts": ["https://api.w"]}, "hosts: 'https://api.w' is not a host"),
        ({"hosts": ["API.w"]}, "hosts: 'API.w' is not a host"),
        ({"hosts": ["*.w"]}, "hosts: '*.w' is not a host"),
        ({"hosts": ["a.w, b.w"]}, "is not a host"),
        ({"hosts": ["a.w"] * 51}, "hosts has more than 50 entries"),
        ({"apis": [7]}, "apis is not a text"),
        ({"apis": ["a\nb"]}, "apis holds invisible or control characters"),
        ({"files": [{"name": "../x.csv"}]}, "'../x.csv' is no plain file name"),
        ({"files": [{"name": ""}]}, "'' is no plain file name"),
        ({"files": [{"name": "a.csv", "content": "1,2"}]}, "a file has a name and columns"),
        ({"files": ["a.csv"]}, "a file has a name and columns"),
        ({"usd": -1}, "usd is no sum of dollars"),
        ({"usd": 1e308}, "usd is no sum of dollars"),
        ({"usd": 10**400}, "usd is no sum of dollars"),
        ({"usd": True}, "usd is no sum of dollars"),
        ({"tokens": -1}, "tokens is no number"),
        ({"tokens": 1.5}, "tokens is no number"),
        ({"tokens": True}, "tokens is no number"),
        ({"tells": 1}, "tells is neither true nor false"),
        ({"ran": "yesterday"}, "ran is no moment"),
        ({"ran": "2026-11-20T10:00:00"}, "ran is no moment"),
        ({"id": 7}, "it has a field 'id', which no solution has"),
        ({"origin": "me"}, "it has a field 'origin', which no solution has"),
        ({"wins": 99}, "it has a field 'wins', which no solution has"),
        ({"\x1b[31mx": 1}, "it has a field 'x', which no solution has"),
    ],
)
def test_what_a_solution_cannot_be_is_refused_with_its_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(pack(GOOD, GOOD | change))
    assert str(caught.value).startswith("p.jsonl, line 3: ")
    assert said in str(caught.value)
    assert "nothing was imported" in caught.value.remedy


def test_what_is_invisible_in_a_question_is_left_out() -> None:
    (found,) = read(pack(GOOD | {"query": "Wie\u200b warm?\x1b[31m "}))
    assert found.query == "Wie warm?"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf", "it is not JSON"),
        (b"\x89PNG\r\n", "it is not UTF-8"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"query": "q"}', "its first line does not say so"),
        (b"[1]", "it is not a JSON object"),
        (b'{"ecoassist_pack": true, "solutions": 1}', "its first line does not say so"),
        (b'{"ecoassist_pack": 2, "solutions": 1}', "its format is version 2, and this ecoassist reads 1"),
        (b'{"ecoassist_pack": 1}', "does not say how many solutions follow"),
        (b'{"ecoassist_pack": 1, "solutions": 10001}', "does not say how many solutions follow, at most 10,000"),
        (b'{"ecoassist_pack": 1, "solutions": NaN}', "does not say how many solutions follow"),
    ],
)
def test_what_is_no_pack_is_said_to_be_none(content: bytes, said: str) -> None:
    with pytest.raises(UsageFault, match=r"p.jsonl is no pack of solutions") as caught:
        read(io.BytesIO(content))
    assert said in str(caught.value)
    assert "solutions export" in caught.value.remedy


def test_the_mark_that_an_editor_puts_before_a_text_is_no_part_of_it() -> None:
    assert len(read(io.BytesIO(b"\xef\xbb\xbf" + pack(GOOD).getvalue()))) == 1


def test_a_pack_that_is_cut_off_or_too_long_is_refused() -> None:
    with pytest.raises(UsageFault, match="is cut off: it announces 3 solutions and holds 2"):
        read(pack(GOOD, GOOD, announced=3))
    with pytest.raises(UsageFault, match="line 3: the first line announces 1 only"):
        read(pack(GOOD, GOOD, announced=1))


def test_lines_are_counted_as_an_editor_does() -> None:
    file = io.BytesIO(pack(GOOD, {}).getvalue().replace(b"\n", b"\n\n"))
    with pytest.raises(UsageFault, match="line 5: it has no query"):
        read(file)


def test_no_more_of_a_pack_is_read_than_one_may_have() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.taken += len(buffer)
            buffer[:] = b" " * len(buffer)
            return len(buffer)

    endless = Endless()
    with pytest.raises(UsageFault, match="has a line larger than 1 MB"):
        packs.read(io.BufferedReader(endless), "p.jsonl")
    assert endless.taken < 2 * packs.LONGEST_LINE


def test_many_blank_lines_are_no_way_round_the_bound() -> None:
    line = b" " * (packs.LONGEST_LINE - 1) + b"\n"

    class Blank(io.RawIOBase):
        def readline(self, size: int | None = -1, /) -> bytes:
            return line

    with pytest.raises(UsageFault, match="is larger than 64 MB"):
        packs.read(Blank(), "p.jsonl")  # type: ignore[arg-type]
