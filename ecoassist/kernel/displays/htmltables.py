"""Tables out of foreign HTML, as text; the work is linear in the size of the input, whatever stands there.

Not by html.parser: in Pythons before mid-2025 it is quadratic on unclosed comments and tags (CVE-2025-6069), and it
raises ValueError at a character reference of 5,000 digits. Few tags and two attributes matter here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape, unescape

from ecoassist.types import Table

LARGEST = 256 << 10
"""Characters of HTML that are looked at; what is longer is no table here."""
TABLES, ROWS, COLUMNS, CELL = 5, 50, 20, 200
"""Most tables of one display, and of a Table: rows, columns, characters of a cell."""
PAGE_ROWS, PAGE_COLUMNS, PAGE_CELL = 1_000, 100, 2_000
"""The same for the page that is kept."""
# Nothing here matches past the next "<", and nothing is given back: so the scan is linear.
MARK = re.compile(r"""<!--|<(/?)([a-z][^\s<>/"']*+)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""", re.I)
SPAN = re.compile(r"""\b(col|row)span\s{0,9}=\s{0,9}["']?(\d{1,4})(?!\d)""", re.I)
UNSEEN = {name: re.compile(f"</{name}", re.I) for name in ("script", "style", "template", "title", "noscript")}
BREAKS = frozenset(
    ("br", "p", "div", "li", "tr", "td", "th", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "caption")
)
STYLE = "table{border-collapse:collapse;margin-bottom:1em}td,th{border:1px solid #999;padding:.2em .6em}"


@dataclass(slots=True)
class Parsed:
    """A table within the bounds of a page."""

    head: list[list[str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    total: int = 0
    """Rows there were below the head."""

    @property
    def columns(self) -> list[str]:
        """The rows of the head as one."""
        width = max(map(len, self.head), default=0)
        levels = [row + [""] * (width - len(row)) for row in self.head]
        return [" ".join(filter(None, cells)) for cells in zip(*levels, strict=True)]

    @property
    def table(self) -> Table:
        rows = tuple(_cut(row) for row in self.rows[:ROWS])
        return Table(_cut(self.columns), rows, self.total)


def _cut(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell if len(cell) <= CELL else f"{cell[: CELL - 1]}…" for cell in cells[:COLUMNS])


def parse(html: str) -> tuple[list[Parsed], str]:
    """The outermost tables of `html` that have rows, and all the text outside of them."""
    reader = _Reader()
    if len(html) <= LARGEST:
        for kind, what, attributes in _pieces(html):
            reader.take(kind, what, attributes)
        reader.close_table()
    lines = (" ".join(line.split()) for line in "".join(reader.prose).splitlines())
    return reader.tables, "\n".join(filter(None, lines))


def page(tables: Sequence[Parsed], prose: str) -> str:
    """A page of our own with `tables` and what stood around them: nothing but text of the foreign HTML gets into it."""
    body = "\n".join([*map(_markup, tables), f"<p>{escape(prose)}</p>"])
    return f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>Table</title>\n<style>{STYLE}</style>\n{body}\n'


def _markup(table: Parsed) -> str:
    head = "".join(_row("th", row) for row in table.head)
    rows = "".join(_row("td", row) for row in table.rows)
    left = table.total - len(table.rows)
    more = f"\n<p>{left:,} more rows were left out</p>" if left > 0 else ""
    return f"<table>\n<thead>\n{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>{more}"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>\n"


def _pieces(html: str) -> Iterator[tuple[str, str, str]]:
    """("text", text, ""), ("open", tag, attributes) and ("close", tag, "") in order."""
    at = 0
    while mark := MARK.search(html, at):
        if mark.start() > at:
            yield "text", html[at : mark.start()], ""
        at = mark.end()
        tag = (mark[2] or "").lower()
        if not tag:
            end = html.find("-->", at)
            if end < 0:
                return  # as in browsers, an open comment reaches to the end
            at = end + 3
        elif mark[1]:
            yield "close", tag, ""
        elif tag in UNSEEN:
            closing = UNSEEN[tag].search(html, at)
            if not closing:
                return
            at = closing.start()
        else:
            yield "open", tag, mark[3]
    if at < len(html):
        yield "text", html[at:], ""


class _Reader:
    """Collects cells of the outermost table; a table within a cell is text of that cell."""

    def __init__(self) -> None:
        self.tables: list[Parsed] = []
        self.prose: list[str] = []
        self._table = Parsed()
        self._depth = 0
        self._in_head = False
        self._row: list[str] | None = None
        self._all_th = True
        self._cell: list[str] | None = None
        self._spans: dict[int, int] = {}
        """Columns that a cell of an earlier row still covers, and for how many rows."""

    def take(self, kind: str, what: str, attributes: str) -> None:
        if kind == "text":
            self._text(what)
        elif what == "table":
            self._nest(kind == "open")
        elif self._depth == 1 and what in ("tr", "td", "th", "thead", "tbody", "tfoot"):
            self._structure(kind == "open", what, attributes)
        elif what in BREAKS:
            self._text("\n")

    def close_table(self) -> None:
        self._end_row()
        if (self._table.rows or self._table.head) and len(self.tables) < TABLES:
            self.tables.append(self._table)
        self._table, self._depth, self._in_head, self._spans = Parsed(), 0, False, {}

    def _nest(self, opens: bool) -> None:
        self._text("\n")
        if opens:
            self._depth += 1
        elif self._depth == 1:
            self.close_table()
        else:
            self._depth = max(0, self._depth - 1)

    def _structure(self, opens: bool, tag: str, attributes: str) -> None:
        if tag in ("td", "th"):
            self._end_cell()
            if opens:
                self._begin_cell(tag, attributes)
            return
        self._end_row()
        if tag == "tr":
            self._row, self._all_th = ([], True) if opens else (None, True)
        else:
            self._in_head = opens and tag == "thead"

    def _begin_cell(self, tag: str, attributes: str) -> None:
        row = self._row = self._row if self._row is not None else []
        self._all_th = self._all_th and tag == "th"
        self._skip_covered(row)
        spans = {name.lower(): int(number) for name, number in SPAN.findall(attributes)}
        width = min(max(1, spans.get("col", 1)), PAGE_COLUMNS - len(row))
        if spans.get("row", 1) > 1:
            self._spans |= {len(row) + n: spans["row"] - 1 for n in range(width)}
        self._cell = []
        row.extend([""] * width)
        self._at = len(row) - width

    def _skip_covered(self, row: list[str]) -> None:
        if len(self._table.rows) >= PAGE_ROWS:
            return  # the row will only be counted
        while len(row) < PAGE_COLUMNS and self._spans.get(len(row), 0) > 0:
            self._spans[len(row)] -= 1
            row.append("")

    def _text(self, raw: str) -> None:
        try:
            text = unescape(raw) if "&" in raw else raw
        except ValueError:  # a character reference with thousands of digits
            text = raw
        if self._cell is not None:
            self._cell.append(text)
        elif not self._depth:
            self.prose.append(text)

    def _end_cell(self) -> None:
        cell, self._cell = self._cell, None
        if cell is not None and self._row and self._at < len(self._row):
            self._row[self._at] = " ".join("".join(cell).split())[:PAGE_CELL]

    def _end_row(self) -> None:
        self._end_cell()
        row, self._row = self._row, None
        if not row:
            return
        self._skip_covered(row)
        table = self._table
        if self._in_head or (self._all_th and not table.head and not table.rows):
            if len(table.head) < 5:
                table.head.append(row)
            return
        table.total += 1
        if len(table.rows) < PAGE_ROWS:
            table.rows.append(row)
