"""What is kept of a file that a program reads: a pattern of its name and its columns, never its content. Pure."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Sequence

from ecoassist import programs
from ecoassist.entries import FileShape, Solution
from ecoassist.types import Attachment

READ = 64_000
"""Bytes of a file that are looked at."""
MOST_COLUMNS, LONGEST_COLUMN = 200, 60
ROWS = 20
"""That are compared with what may be the head of a table."""
_TABLES = {"csv": ",;\t|", "tsv": "\t", "tab": "\t"}
"""Endings of names, and what may separate the fields."""
_HEAD = re.compile(r"[^\W\d_][\w ()/%.$€#:'&*°²³+-]*|\w*[^\W\d]\w*")
_MEASURED = re.compile(r"[-+$€£]?\d[\d.,:/T Z%+-]*")
"""Numbers, dates and times."""
_LISTS = re.compile(r"\b(?:glob|rglob|iglob|listdir|scandir|iterdir|walk|getcwd|cwd)\b")


def pattern(name: str) -> str:
    """Of names that differ in their numbers: "sales-*.csv"."""
    return re.sub(r"\d+", "*", name)


def shapes(files: Sequence[Attachment], program: str) -> tuple[FileShape, ...]:
    """Of the files that `program` may read: those it names; all where it names none, or looks what there is."""
    named = [file for file in files if file.name in program]
    read = files if not named or _LISTS.search(program) else named
    return tuple(FileShape(pattern(file.name), _told(file, program)) for file in read)


def fits(shape: FileShape, file: Attachment) -> bool:
    """Whether a program that reads the one may read the other: the columns are the same, or without any the name."""
    if not shape.columns:
        return shape.name == pattern(file.name) and not columns(file)
    return shape.columns == columns(file) and _ending(shape.name) == _ending(file.name)


def there(solution: Solution, files: Sequence[Attachment]) -> bool:
    """Whether each file that a program reads is among `files`, under the name that the program has for it."""
    return all(any(_named(shape, file, solution.program) for file in files) for shape in solution.files)


def _named(shape: FileShape, file: Attachment, program: str) -> bool:
    """Whether `file` is the one of that shape; a program that has no name for it takes what it finds."""
    names = re.findall(r"\d+".join(map(re.escape, shape.name.split("*"))), program)
    return file.name in names if names else shape.name == pattern(file.name)


def columns(file: Attachment) -> tuple[str, ...]:
    """What may be the head of a table, or the keys of its first record; of other files, none."""
    ending = _ending(file.name)
    text = _text(file.content)
    if ending in _TABLES:
        rows = _rows(text, _TABLES[ending])
        return _plain(rows[0]) if rows else ()
    if ending in ("json", "jsonl", "ndjson"):
        return _plain(_keys(text, ending))
    return ()


def _told(file: Attachment, program: str) -> tuple[str, ...]:
    """The columns, if they are what they seem: a table without a head begins with the person's data.

    They are where below them is what is measured, or where the program asks for one of them by name.
    """
    found = columns(file)
    if not found or _ending(file.name) not in _TABLES:
        return found
    below = _rows(_text(file.content), _TABLES[_ending(file.name)])[1:]
    measured = any(_MEASURED.fullmatch(cell.strip()) for row in below[:ROWS] for cell in row)
    return found if measured or set(found) & _literals(program) else ()


def _literals(program: str) -> set[str]:
    module = programs.tree(program)
    nodes = list(ast.walk(module)) if module else []
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _ending(name: str) -> str:
    return name.rpartition(".")[2].casefold()


def _text(content: bytes) -> str:
    return content[:READ].decode("utf-8-sig", "replace")


def _rows(text: str, separators: str) -> list[list[str]]:
    """The first rows that are not blank; cut off with the text, the last one may be incomplete."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(separators, key=first.count)
    lines = [line for line in text.splitlines() if line.strip()][: ROWS + 1]
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return []


def _keys(text: str, ending: str) -> list[str]:
    """Of the first record of JSON lines, or of a list of records."""
    start = text.lstrip()
    if ending == "json":
        if not start.startswith("["):
            return []
        start = start[1:].lstrip()
    try:
        record, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return []
    return [str(key) for key in record] if isinstance(record, dict) else []


def _plain(cells: Sequence[str]) -> tuple[str, ...]:
    """The names of columns; none where not all of them can be names."""
    names = [cell.strip() for cell in cells]
    fit = all(len(name) <= LONGEST_COLUMN and _HEAD.fullmatch(name) for name in names)
    return tuple(names) if fit and len(set(names)) == len(names) <= MOST_COLUMNS else ()
