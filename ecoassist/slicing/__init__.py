"""Of the cells of an attempt, the least program that shows what some of them showed. Pure.

A backward slice over the statements of the cells (Weiser, "Program slicing", ICSE 1981), which keeps too much rather
than too little: objects that may be the same are taken for the same, calls that are not known to leave their arguments
alone are taken to change them, and what reaches out of the variables (files, processes, settings) always stays. What
is dropped nevertheless by mistake is found out by the re-run, which then tries all cells.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ecoassist import programs

from .acts import Acts
from .effects import Statement, Whole, imported, statements
from .known import KIND_MODULES

STAR = "*"
"""How the names are called that `from x import *` binds."""
_NONE = Acts(frozenset(), frozenset(), frozenset(), lasting=False, shows=False)


@dataclass(frozen=True, slots=True)
class Slice:
    program: str
    quiet: bool
    """Whether it shows nothing but what the cells did that it was made for."""


def sliced(cells: Sequence[str], shown: Collection[int], failed: Collection[int] = ()) -> Slice:
    """What the cells with the numbers `shown` need, and those themselves; all cells where that cannot be told.

    Of those that `failed` half way, what came before that may be needed by others.
    """
    modules = imported(cells)
    units: list[list[Statement]] = []
    for number, cell in enumerate(cells[: max(shown) + 1]):
        try:
            units.append(statements(cell, modules))
        except (Whole, RecursionError):
            if number not in failed:
                good = [cell for number, cell in enumerate(cells) if number not in failed]
                return Slice(programs.assemble(good), len(set(shown)) == len(good))
            units.append([])
    names = _Names([unit for cell in units for unit in cell], modules)
    kept = _kept(units, names, set(shown), lasting=False)
    if any(names.looks_outside(unit) for cell in kept for unit in cell):
        kept = _kept(units, names, set(shown), lasting=True)
    quiet = not any(unit.acts.shows for number, cell in enumerate(kept) if number not in shown for unit in cell)
    parts = [
        cell if len(some) == len(cell_units) and number not in failed else "\n".join(unit.source for unit in some)
        for number, (cell, cell_units, some) in enumerate(zip(cells, units, kept, strict=False))
    ]
    return Slice(programs.joined(parts), quiet)


def _kept(
    units: Sequence[Sequence[Statement]], names: _Names, shown: Collection[int], *, lasting: bool
) -> list[list[Statement]]:
    """Of each cell the statements that stay; `lasting`: also those for what they do outside of the variables."""
    needed: set[str] = set()
    kept: list[list[Statement]] = []
    for number in reversed(range(len(units))):
        some: list[Statement] = []
        for unit in reversed(units[number]):
            if number in shown or names.keeps(unit, needed) or (lasting and names.lasts(unit)):
                needed = (needed - unit.kills) | unit.reads
                some.append(unit)
        kept.append(some[::-1])
    return kept[::-1]


class _Names:
    """What the names of all cells together stand for: which may be one object, and what calling a function does."""

    def __init__(self, units: Sequence[Statement], modules: Mapping[str, str]) -> None:
        self._modules = modules
        self._bound = {name for unit in units for name in unit.binds}.union(dir(builtins))
        self._functions = {unit.defines: unit.inner for unit in units if unit.inner}
        self._plain = _always_plain(units)
        self._parents: dict[str, str] = {}
        for group in (group - self._plain for unit in units for group in unit.links):
            first, *others = sorted(group) or [""]
            for name in others:
                self._parents[self._root(name)] = self._root(first)

    def keeps(self, unit: Statement, needed: set[str]) -> bool:
        """Whether what comes later, and reads the names `needed`, may come out differently without `unit`."""
        if unit.binds & needed or (STAR in unit.binds and needed - self._bound):
            return True
        called = self._called(unit)
        unknown = (
            unit.acts.calls.union(*(acts.calls for acts in called)) - self._functions.keys() - self._modules.keys()
        )
        changed = unit.acts.changes.union(unknown, *(acts.changes for acts in called)) - self._plain
        roots = {self._root(name) for name in needed - self._plain}
        return any(self._root(name) in roots for name in changed)

    def lasts(self, unit: Statement) -> bool:
        """Whether it does something that names do not tell."""
        return unit.acts.lasting or any(acts.lasting for acts in self._called(unit))

    def looks_outside(self, unit: Statement) -> bool:
        """Whether it may meet what others did outside of the variables."""
        used = unit.acts.uses.union(*(acts.uses for acts in self._called(unit)))
        foreign = any(self._modules.get(name, "json") not in KIND_MODULES for name in used | unit.binds)
        return foreign or "open" in used or self.lasts(unit)

    def _called(self, unit: Statement) -> list[Acts]:
        """What the functions do that it may call."""
        return [self._functions[name] for name in self._reached(unit.acts.uses) if name in self._functions]

    def _reached(self, names: Collection[str]) -> set[str]:
        """Those, and what is read by the functions among them."""
        reached: set[str] = set()
        waiting = set(names)
        while waiting:
            reached |= waiting
            waiting = {one for name in waiting for one in self._functions.get(name, _NONE).uses} - reached
        return reached

    def _root(self, name: str) -> str:
        while (parent := self._parents.get(name, name)) != name:
            name = parent
        return name


def _always_plain(units: Sequence[Statement]) -> set[str]:
    """Names that only ever are numbers or texts, which nothing changes."""
    bound: dict[str, bool] = {}
    for unit in units:
        for name in unit.binds:
            bound[name] = bound.get(name, True) and name in unit.plain
    return {name for name, plain in bound.items() if plain}
