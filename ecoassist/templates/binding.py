"""A program with other values in its slots. Pure.

Values enter the syntax tree as constants, and the text that comes of it counts only if it reads back as that very tree:
whatever a value holds, it stays a value.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Sequence

from ecoassist import programs
from ecoassist.values.kinds import Day

from .matching import Value
from .moments import rendered
from .source import Source, figures
from .spelling import spelled
from .spots import Spot
from .template import Slot

_TAME = re.compile(r"[\w\s.,\-]*")
"""What may enter the middle of a text that is something to another program: a query, a pattern, a command."""
_TEMPLATE = re.compile(r"[{}%\\]")

Piece = tuple[int, int, str]


def bound(program: str, source: Source, slots: Sequence[Slot], values: Sequence[Value]) -> str | None:
    """`program` with `values` in `slots`; as it was where they are its own. None: one of them cannot be written.

    Changes the tree of `source`.
    """
    pieces: dict[ast.Constant, list[Piece]] = defaultdict(list)
    edited: set[ast.expr] = set()
    for slot, value in zip(slots, values, strict=True):
        if _own(slot, value):
            continue
        for spot in slot.spots:
            holder = _write(spot, slot, value, pieces)
            if holder is None:
                return None
            edited.add(holder)
    for node, changes in pieces.items():
        node.value = replaced(str(node.value), changes)
    return _checked(program, source.tree, edited)


def _own(slot: Slot, value: Value) -> bool:
    if slot.day:
        return value == slot.day
    if slot.figure:
        return value == slot.figure.value
    return isinstance(value, str) and value.split() == slot.said.split()


def _write(spot: Spot, slot: Slot, value: Value, pieces: dict[ast.Constant, list[Piece]]) -> ast.expr | None:
    """Puts a value where it belongs; the expression that is to be written anew. None: it cannot be written there."""
    if spot.call and isinstance(value, Day) and value.day is not None:
        for part, number in zip(figures(spot.call), (value.year, value.month, value.day), strict=False):
            part.value = number
        return spot.holder
    site = spot.site
    if site is None:
        return None
    if not site.text:
        if isinstance(value, int | float):
            site.node.value = float(value) if isinstance(site.node.value, float) else value
        return site.holder
    text = written(spot, slot, value)
    if text is None:
        return None
    pieces[site.node].append((spot.start, spot.end, text))
    return site.holder


def written(spot: Spot, slot: Slot, value: Value) -> str | None:
    """A value as text in a place of the program. None: it does not belong into such a place."""
    if isinstance(value, Day):
        return rendered(spot.form, value)
    if not isinstance(value, str):
        return f"{value:,}" if "," in slot.said and not spot.works else str(value)
    if _TEMPLATE.search(value) and not spot.url:
        return None
    if not (spot.whole or spot.url or not spot.works or _TAME.fullmatch(value)):
        return None
    if "lower" in spot.form.split() and " " in value and " " not in slot.said:
        return None  # nobody can tell what it has for a space
    return spelled(value, spot.form, url=spot.url)


def replaced(text: str, pieces: Sequence[Piece]) -> str:
    for start, end, new in sorted(pieces, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _checked(program: str, tree: ast.Module, edited: set[ast.expr]) -> str | None:
    if not edited:
        return program
    text = program.replace("\r\n", "\n").replace("\r", "\n")
    try:
        result = programs.edited(text, [(node, ast.unparse(node)) for node in edited])
        again = programs.tree(result)
        return result if again and ast.dump(again) == ast.dump(tree) else None
    except (ValueError, RecursionError):  # quotes that this Python cannot nest in an f-string; half a character
        return None
