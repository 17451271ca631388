from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from ecoassist.render.plain import UNSAFE
from ecoassist.render.tables import aligned, drawn, more, without
from ecoassist.types import Table

CITIES = Table(
    ("", "city", "°C"), (("0", "Oslo", "4.2"), ("1", "東京", "12"), ("2", "Rio\x1b[2J[bold]", "\u202e30")), 90
)


def screen(table: Table, width: int, rows: int | None = 10, *, ascii: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, markup=True, emoji=True)
    console.print(drawn(table, width, rows, ascii=ascii))
    return out.getvalue()


def test_a_table_is_drawn() -> None:
    assert [line.rstrip() for line in screen(CITIES, 80).splitlines()] == [
        "    city        °C",
        "─" * 19,
        "0   Oslo        4.2",
        "1   東京        12",
        "2   Rio[bold]   30",
    ]
    assert screen(CITIES, 80, ascii=True).isascii() is False, "its text stays what it is"
    assert "+" in screen(CITIES, 80, ascii=True).splitlines()[1]
    assert "─" not in screen(Table((), (("a", "b"),), 1), 80)


@pytest.mark.parametrize("width", [16, 20, 40, 80, 200])
@pytest.mark.parametrize("columns", [1, 2, 7, 20])
@pytest.mark.parametrize("ascii", [False, True])
def test_no_table_is_wider_than_its_terminal(width: int, columns: int, ascii: bool) -> None:
    table = Table(tuple(f"column {n}" for n in range(columns)), (tuple("漢字x" * 20 for _ in range(columns)),) * 3, 3)
    lines = screen(table, width, ascii=ascii).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) == 5, "and no row is folded"
    assert lines[0].startswith("column 0") or columns == 1


def test_long_text_gives_way_before_a_short_column_does() -> None:
    table = Table((), (("x" * 300, "4.2"),), 1)
    assert screen(table, 40).rstrip().endswith("…   4.2")


def test_elsewhere_it_is_aligned_text() -> None:
    assert aligned(CITIES) == (
        "   city       °C ",
        "0  Oslo       4.2",
        "1  東京       12 ",
        "2  Rio[bold]  30 ",
    )
    assert aligned(Table((), (), 0)) == ()


def test_rows_that_are_not_shown_are_counted() -> None:
    assert (len(aligned(CITIES, 2)), more(CITIES, 2), more(CITIES), more(CITIES, None)) == (3, 88, 87, 87)


def test_lines_that_a_table_says_again_are_left_out_and_no_others() -> None:
    lines = ("     city    °C", "0    Oslo   4.2", "1    東京    12", "0 Oslo 4.3", "", "4.2", "[90 rows x 2 columns]")
    assert without(lines, [CITIES]) == lines[3:]
    assert without(lines, []) == lines
    assert without(("7",), [Table((), (("7",),), 1)]) == ("7",), "a single word says too little"


def test_hostile_text_is_harmless_in_both_forms() -> None:
    hostile = Table(("\x1b[31ma", "\u202eb"), (("\ud800[/]:smile:\r\n\x9b2J", "\x07"),), 1)
    for text in (*aligned(hostile), *screen(hostile, 80).splitlines()):
        assert not UNSAFE.search(text)
    assert ":smile:" in screen(hostile, 80)
