"""Programs of others: what they would lack without a key, and what their run without one says."""

from __future__ import annotations

import pytest

from ecoassist.entries import FileShape, Proof, Solution
from ecoassist.memory.taking import need, waits
from ecoassist.types import Access, Answer


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("import os\nkey = os.environ['W_KEY']", "W_KEY"),
        ("import os\nkey = os.environ.get('W_KEY', '')", "W_KEY"),
        ("from os import environ, getenv\na, b = environ['A'], getenv('B')", "A, B"),
        ("import os as o\ndef f():\n    return o.getenv('W_KEY') + o.environ['W_KEY']", "W_KEY"),
        ("d = {'environ': 1}\nprint(d['environ'], d.get('W_KEY'))", ""),
        ("os.environ[", ""),
    ],
)
def test_a_program_that_asks_for_a_key_is_told_by_its_source(program: str, names: str) -> None:
    said = need(Solution("q", program, Answer(""), "pack"), ())
    assert said == (f"it asks for {names}" if names else "")


def test_so_is_one_that_reads_a_file_or_asks_a_host_that_is_closed() -> None:
    solution = Solution("q", "print(4)", Answer(""), "pack", hosts=("api.w",))
    assert need(solution, ("api.w",)) == "api.w is closed: enable its API first"
    assert need(Solution("q", "p", Answer(""), "pack", files=(FileShape("a-*.csv"),)), ()) == "it reads a-*.csv"
    assert need(solution, ()) == ""


def test_a_run_that_failed_for_want_of_a_key_says_nothing_of_the_program() -> None:
    asked = [Access("api.w", "GET", status=status) for status in (200, 401, 403)]
    assert waits(Proof(False, why="KeyError"), asked) == "api.w wants a key"
    assert waits(Proof(False, why="KeyError"), asked[:1]) == ""
    assert waits(Proof(True), asked) == ""
    assert waits(Proof(None, why="api.w did not answer"), ()) == "api.w did not answer"
    assert waits(Proof(None), ()) == "interrupted"
