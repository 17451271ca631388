"""Rows of short texts, set under each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len

GAP = "  "


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """One line for each row; columns in `right` are aligned at their right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(_padded(cell, width, at in right) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]


def lines(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """The same without blanks at the ends of lines."""
    return [line.rstrip() for line in columns(rows, right)]


def _padded(cell: str, width: int, right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if right else cell + blank
