"""Tables that code displayed: drawn on a terminal, lines of aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from ecoassist.types import Table

from .plain import one_line

if TYPE_CHECKING:
    from rich.table import Table as Drawn

ROWS = 10
"""Rows that are shown where nobody asked for all."""
NARROW, GAP = 8, 3
"""Cells to which a column may be cut, and what lies between two."""


def drawn(table: Table, width: int, rows: int | None = ROWS, *, ascii: bool = False) -> Drawn:
    """`table` for a terminal of `width` cells: long text is cut, and columns at the right go when there are too many.

    `rows`: most that are shown, None for all.
    """
    from rich import box
    from rich.table import Table as Drawn

    head, body = _plain(table, rows)
    widths = _fitted([max(map(cell_len, column)) for column in zip(head, *body, strict=True)], width)
    grid = Drawn(box=box.ASCII2 if ascii else box.SIMPLE_HEAD, show_header=any(head), show_edge=False, pad_edge=False)
    for name, wide in zip(head, widths, strict=False):
        grid.add_column(Text(name), width=wide, no_wrap=True, overflow="crop" if ascii else "ellipsis")
    more = ["..." if ascii else "…"] if len(widths) < len(head) else []
    if more:
        grid.add_column(Text(more[0]), no_wrap=True)
    for row in body:
        grid.add_row(*map(Text, row[: len(widths)] + more))
    return grid


def _fitted(natural: Sequence[int], width: int) -> list[int]:
    """Widths of the first columns so that all fit into `width`: the widest give way, down to NARROW.

    Where some must go, there is room for a last narrow one that says so.
    """
    least = [max(1, min(NARROW, wide)) for wide in natural]
    columns = len(least)
    while columns > 1 and sum(least[:columns]) + GAP * columns > width:
        columns -= 1
    room = width - GAP * (columns - 1) - (2 * GAP if columns < len(least) else 0)
    cap = NARROW
    while cap < max(natural) and sum(min(wide, cap + 1) for wide in natural[:columns]) <= room:
        cap += 1
    return [max(1, min(wide, cap)) for wide in natural[:columns]]


def aligned(table: Table, rows: int | None = ROWS) -> tuple[str, ...]:
    """`table` as lines, its columns under each other."""
    head, body = _plain(table, rows)
    lines = [head, *body] if any(head) else body
    widths = [max(map(cell_len, column)) for column in zip_longest(*lines, fillvalue="")]
    return tuple("  ".join(_padded(cell, width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def more(table: Table, rows: int | None = ROWS) -> int:
    """Rows of `table` that are not shown."""
    shown = len(table.rows) if rows is None else min(rows, len(table.rows))
    return max(0, table.total - shown)


def without(lines: Iterable[str], tables: Iterable[Table]) -> tuple[str, ...]:
    """`lines` but for those that say what a head or row of `tables` says: libraries print both forms of a table."""
    said = {_words(row) for table in tables for row in (table.columns, *table.rows)}
    said = {words for words in said if len(words) > 1}
    return tuple(line for line in lines if tuple(line.split()) not in said)


def _words(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(" ".join(map(one_line, row)).split())


def _plain(table: Table, rows: int | None) -> tuple[list[str], list[list[str]]]:
    """Head and rows as plain text, all of the same length."""
    kept = table.rows if rows is None else table.rows[:rows]
    width = max(len(table.columns), *map(len, kept), 1)
    head, *body = [[one_line(cell) for cell in line] + [""] * (width - len(line)) for line in (table.columns, *kept)]
    return head, body


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
