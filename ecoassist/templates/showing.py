"""A template as people and models read it. Pure."""

from __future__ import annotations

import ast
from collections import defaultdict

from ecoassist import programs
from ecoassist.entries import Parameter

from .binding import Piece, replaced
from .source import figures
from .spots import CALL, Spot
from .template import Slot, Template


def parameter(slot: Slot) -> Parameter:
    spot = next(spot for spot in slot.spots if spot.works)
    return Parameter(slot.name, slot.kind, slot.said, _value(spot), spot.form)


def _value(spot: Spot) -> str:
    if spot.call:
        return ast.unparse(spot.call)
    site = spot.site
    if site is None or not site.text:
        return repr(site.node.value) if site else ""
    return repr(site.text[spot.start : spot.end])


def shown(program: str, template: Template) -> tuple[str, str]:
    """Question and program with "<city>" in place of the value. Changes the tree of `template`."""
    places = [(*place, f"<{slot.name}>") for slot in template.slots for place in slot.places]
    query = replaced(template.query, places)
    pieces: dict[ast.Constant, list[Piece]] = defaultdict(list)
    edited: set[ast.expr] = set()
    for slot in template.slots:
        for spot in slot.spots:
            if holder := _mark(spot, slot.name, pieces):
                edited.add(holder)
    for node, changes in pieces.items():
        node.value = replaced(str(node.value), changes)
    try:
        text = program.replace("\r\n", "\n").replace("\r", "\n")
        return query, programs.edited(text, [(node, ast.unparse(node)) for node in edited])
    except (ValueError, RecursionError):
        return query, program


def _mark(spot: Spot, name: str, pieces: dict[ast.Constant, list[Piece]]) -> ast.expr | None:
    """Puts a name where the value was; the expression that is to be written anew."""
    if spot.call:
        for part, figure in zip(figures(spot.call), ("year", "month", "day"), strict=False):
            part.value = _Bare(f"<{figure} of {name}>")
        return spot.holder
    site = spot.site
    if site is None:
        return None
    if not site.text:
        site.node.value = _Bare(f"<{name}>")
        return site.holder
    form = f" as {spot.form}" if "%" in spot.form and spot.form != CALL else ""
    pieces[site.node].append((spot.start, spot.end, f"<{name}{form}>"))
    return site.holder


class _Bare(int):
    """What is written as it is, where a number stood."""

    def __new__(cls, text: str) -> _Bare:
        made = super().__new__(cls, 0)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text
